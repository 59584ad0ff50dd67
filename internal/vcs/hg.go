package vcs

import (
	"bufio"
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
	"time"

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

// hgTemplate makes hg log print each changeset as a line of JSON; hgWithFiles adds the
// files.
const (
	hgTemplate  = `[{node|json},{branch|json},{author|json},{date|rfc3339date|json},{desc|json},""]\n`
	hgWithFiles = `[{node|json},{branch|json},{author|json},{date|rfc3339date|json},{desc|json},{join(files, "\n")|json}]\n`
)

// Walk implements Repository by one hg log. A changeset is on one branch only.
func (h *hgRepository) Walk(ctx context.Context, log Log, fn func(*commit.Commit) error) (int, error) {
	var tips, since []string
	after := map[string]time.Time{}
	for _, r := range log.Ranges {
		tips = append(tips, strings.Split(r.New, ",")...)
		for _, position := range r.Since {
			since = append(since, strings.Split(position, ",")...)
		}
		after[r.Refname] = r.After
	}
	if len(tips) == 0 {
		return 0, nil
	}
	n, looked := 0, 0
	template := hgTemplate
	if log.Files {
		template = hgWithFiles
	}
	cmd := h.hg(ctx, "log", "--rev", hgRevset(tips, since), "--template", template)
	err := stream(ctx, cmd, func(out io.Reader) error {
		r := bufio.NewReaderSize(out, 64<<10)
		for {
			line, err := r.ReadBytes('\n')
			if err == io.EOF && len(line) == 0 {
				return nil
			}
			if err == io.EOF {
				return errCut
			}
			if err != nil {
				return err
			}
			c, err := parseChangeset(line)
			if err != nil {
				return err
			}
			limit, asked := after[c.Refname]
			if !asked {
				continue
			}
			if looked++; log.Progress != nil {
				log.Progress(looked)
			}
			if r := (Range{After: limit}); r.isTooOld(c.Date) {
				continue
			}
			if n++; log.wants([]byte(c.Message)) {
				if err := fn(c); err != nil {
					return err
				}
			}
		}
	})
	return n, err
}

// hgRevset returns the revset of the changesets that are reachable from tips and not
// from since, in the order of revision numbers, which is a topological order.
func hgRevset(tips, since []string) string {
	return "sort(::(" + hgSet(tips) + ") - ::(" + hgSet(since) + "), rev)"
}

// hgSet returns the revset of some nodes, without those that are gone.
func hgSet(nodes []string) string {
	var terms []string
	for _, node := range unique(slices.Clone(nodes)) {
		if commit.IsHash(node) {
			terms = append(terms, "present("+node+")")
		}
	}
	if len(terms) == 0 {
		return "none()"
	}
	return strings.Join(terms, " + ")
}

func parseChangeset(line []byte) (*commit.Commit, error) {
	var f []string
	if err := json.Unmarshal(line, &f); err != nil || len(f) != 6 || !commit.IsHash(f[0]) {
		return nil, fmt.Errorf("hg log: invalid line: %.60q", line)
	}
	person := commit.ParsePerson(text.OneLine(f[2]))
	if person.Email == "" && !strings.Contains(person.Name, " ") {
		person.Email = person.Name // a login
	}
	date := commit.ParseDate(f[3])
	c := &commit.Commit{
		Revision: f[0], Refname: f[1], Author: person, Committer: person, AuthorDate: date, Date: date,
	}
	c.Message = f[4]
	c.Clean()
	c.Files = commit.FilesOf(strings.Split(f[5], "\n"))
	return c, nil
}

// Has implements Repository.
func (h *hgRepository) Has(ctx context.Context, positions []string) ([]string, error) {
	var nodes []string
	for _, position := range positions {
		nodes = append(nodes, strings.Split(position, ",")...)
	}
	out, err := output(ctx, h.hg(ctx, "log", "--rev", hgSet(nodes), "--template", "{node}\n"))
	if err != nil {
		return nil, err
	}
	there := strings.Fields(out)
	return slices.DeleteFunc(slices.Clone(positions), func(position string) bool {
		return slices.ContainsFunc(strings.Split(position, ","), func(node string) bool { return !slices.Contains(there, node) })
	}), nil
}

// Related implements Repository.
func (h *hgRepository) Related(ctx context.Context, position string, others []string) (bool, error) {
	var nodes []string
	for _, other := range others {
		nodes = append(nodes, strings.Split(other, ",")...)
	}
	set := "::(" + hgSet(strings.Split(position, ",")) + ") and ::(" + hgSet(nodes) + ")"
	out, err := output(ctx, h.hg(ctx, "log", "--rev", "limit("+set+", 1)", "--template", "{node}\n"))
	return strings.TrimSpace(out) != "", err
}

// Includes implements Repository.
func (h *hgRepository) Includes(ctx context.Context, position, earlier string) (bool, error) {
	set := hgSet(strings.Split(earlier, ",")) + " - ::(" + hgSet(strings.Split(position, ",")) + ")"
	out, err := output(ctx, h.hg(ctx, "log", "--rev", "("+set+")", "--template", "{node}\n"))
	return strings.TrimSpace(out) == "", err
}
