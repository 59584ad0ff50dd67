package vcs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"vext/internal/commit"
	"vext/internal/text"
	"vext/internal/weburl"
)

// An hgRepository is a clone at dir, without a work tree, of the repository at url;
// or, if url is zero, the repository at dir itself. The position of a branch is the
// list of its heads.
type hgRepository struct {
	dir string
	url weburl.URL
}

// hg prepares an hg command in the repository, which another user may own. hg prints
// no warning about an hgrc that it does not trust.
func (h *hgRepository) hg(ctx context.Context, args ...string) *exec.Cmd {
	return command(ctx, Hg, "", append([]string{"--repository", h.dir, "--noninteractive", "--config", "ui.report_untrusted=false"}, args...)...)
}

// Update implements Repository.
func (h *hgRepository) Update(ctx context.Context, _ func(string) bool) (map[string]string, error) {
	if !h.url.IsZero() {
		if err := h.pull(ctx); err != nil {
			return nil, err
		}
	}
	out, err := output(ctx, h.hg(ctx, "heads", "--closed", "--template", "{node} {branch}\n"))
	if failure := new(Error); errors.As(err, &failure) && failure.Stderr == "" {
		return map[string]string{}, nil // exit status 1: there are none, hg-heads(1)
	}
	if err != nil {
		return nil, err
	}
	heads := map[string][]string{}
	for line := range strings.Lines(out) {
		if node, branch, ok := strings.Cut(strings.TrimRight(line, "\n"), " "); ok && commit.IsHash(node) {
			heads[branch] = append(heads[branch], node)
		}
	}
	positions := map[string]string{}
	for branch, nodes := range heads {
		slices.Sort(nodes)
		positions[branch] = strings.Join(nodes, ",")
	}
	return positions, nil
}

func (h *hgRepository) pull(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(h.dir, ".hg", "requires")); errors.Is(err, fs.ErrNotExist) {
		os.RemoveAll(h.dir) // left by a crash
		_, err := output(ctx, remote(ctx, Hg, "", h.url, "clone", "--noupdate", "--pull", "--quiet", "--", h.url.String(), h.dir))
		return err
	}
	os.Remove(filepath.Join(h.dir, ".hg", "hgrc")) // unused; an earlier version wrote the password to it
	_, err := output(ctx, remote(ctx, Hg, "", h.url, "--repository", h.dir, "pull", "--quiet", "--", h.url.String()))
	return err
}

// hgTemplate makes hg log print each changeset as a list of JSON; %s is its files.
const hgTemplate = `[{node|json},{branch|json},{author|json},{date|rfc3339date|json},{desc|json},%s]\n`

// Walk implements Repository by one hg log. A changeset is on one branch only.
func (h *hgRepository) Walk(ctx context.Context, log Log, fn func(*commit.Commit) error) (int, error) {
	var tips, since []string
	ranges := map[string]*Range{}
	for i := range log.Ranges {
		r := &log.Ranges[i]
		tips, since = append(tips, r.New), append(since, r.Since...)
		ranges[r.Refname] = r
	}
	if len(tips) == 0 {
		return 0, nil
	}
	files := `""`
	if log.Files {
		files = `{join(files, "\n")|json}`
	}
	set := "sort(::(" + hgSet(tips) + ") - ::(" + hgSet(since) + "), rev)" // numbers are a topological order
	n, looked := 0, 0
	cmd := h.hg(ctx, "log", "--rev", set, "--template", fmt.Sprintf(hgTemplate, files))
	err := stream(ctx, cmd, func(out io.Reader) error {
		return readChangesets(out, func(c *commit.Commit) error {
			r := ranges[c.Refname]
			if r == nil {
				return nil
			}
			if looked++; log.Progress != nil {
				log.Progress(looked)
			}
			if r.isTooOld(c.Date) {
				return nil
			}
			if n++; !log.wants([]byte(c.Message)) {
				return nil
			}
			return fn(c)
		})
	})
	return n, err
}

// hgSet returns the revset of positions, without the nodes that are gone.
func hgSet(positions []string) string {
	var terms []string
	for _, node := range unique(strings.Split(strings.Join(positions, ","), ",")) {
		if commit.IsHash(node) {
			terms = append(terms, "present("+node+")")
		}
	}
	if len(terms) == 0 {
		return "none()"
	}
	return strings.Join(terms, " + ")
}

// readChangesets calls fn with every changeset that hgTemplate printed.
func readChangesets(from io.Reader, fn func(*commit.Commit) error) error {
	decoder := json.NewDecoder(from)
	for {
		var f []string
		err := decoder.Decode(&f)
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return errCut
		case err != nil:
			return fmt.Errorf("hg log: %w", err)
		case len(f) != 6 || !commit.IsHash(f[0]):
			return fmt.Errorf("hg log: not a changeset: %.60q", f)
		}
		person := commit.ParsePerson(text.OneLine(f[2]))
		if person.Email == "" && !strings.Contains(person.Name, " ") {
			person.Email = person.Name // a login
		}
		date := commit.ParseDate(f[3])
		c := &commit.Commit{
			Revision: f[0], Refname: f[1], Author: person, Committer: person, AuthorDate: date, Date: date, Message: f[4],
		}
		c.Clean()
		c.Files = commit.FilesOf(strings.Split(f[5], "\n"))
		if err := fn(c); err != nil {
			return err
		}
	}
}

// nodes returns the nodes of a revset.
func (h *hgRepository) nodes(ctx context.Context, set string) ([]string, error) {
	out, err := output(ctx, h.hg(ctx, "log", "--rev", set, "--template", "{node}\n"))
	return strings.Fields(out), err
}

// Has implements Repository.
func (h *hgRepository) Has(ctx context.Context, positions []string) ([]string, error) {
	nodes, err := h.nodes(ctx, hgSet(positions))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(positions), func(position string) bool {
		return slices.ContainsFunc(strings.Split(position, ","), func(node string) bool { return !slices.Contains(nodes, node) })
	}), nil
}

// Related implements Repository.
func (h *hgRepository) Related(ctx context.Context, position string, others []string) (bool, error) {
	common, err := h.nodes(ctx, "limit(::("+hgSet([]string{position})+") and ::("+hgSet(others)+"), 1)")
	return len(common) > 0, err
}

// Includes implements Repository.
func (h *hgRepository) Includes(ctx context.Context, position, earlier string) (bool, error) {
	missing, err := h.nodes(ctx, "("+hgSet([]string{earlier})+" - ::("+hgSet([]string{position})+"))")
	return len(missing) == 0, err
}
