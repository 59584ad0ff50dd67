package vcs

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"vext/internal/commit"
)

// A gitRepository is a bare clone at dir of what is at url, without blobs where
// the server can leave them out, or the repository at dir as it is.
type gitRepository struct{ dir, url string }

const headsPrefix = "refs/heads/"

// git prepares a git command in the repository, whoever owns that and whatever
// its configuration says about the output of git log.
func (g *gitRepository) git(ctx context.Context, args ...string) *exec.Cmd {
	return command(ctx, Git, g.dir, append([]string{
		"-c", "safe.directory=*", "-c", "log.showSignature=false", "-c", "core.commitGraph=true", "-c", "gc.autoDetach=false",
		"-c", "http.lowSpeedLimit=100", "-c", "http.lowSpeedTime=60",
	}, args...)...)
}

// Update implements Repository.
func (g *gitRepository) Update(ctx context.Context, want func(string) bool) (map[string]string, error) {
	if g.url == "" {
		return g.heads(ctx, g.git(ctx, "for-each-ref", "--format=%(objectname)\t%(refname)", headsPrefix))
	}
	if err := g.prepare(ctx); err != nil {
		return nil, err
	}
	theirs, err := g.heads(ctx, g.git(ctx, "ls-remote", "--heads", "origin"))
	if err != nil {
		return nil, err
	}
	ours, err := g.heads(ctx, g.git(ctx, "for-each-ref", "--format=%(objectname)\t%(refname)", headsPrefix))
	if err != nil {
		return nil, err
	}
	var changed []string
	for ref, hash := range theirs {
		if want(ref) && ours[ref] != hash {
			changed = append(changed, "+"+ref+":"+ref)
		}
	}
	slices.Sort(changed)
	if err := g.fetch(ctx, changed); err != nil {
		return nil, err
	}
	if len(changed) > 0 { // what was fetched may be newer than what was listed
		if ours, err = g.heads(ctx, g.git(ctx, "for-each-ref", "--format=%(objectname)\t%(refname)", headsPrefix)); err != nil {
			return nil, err
		}
	}
	for ref := range theirs {
		if hash, ok := ours[ref]; ok && want(ref) {
			theirs[ref] = hash
		}
	}
	return theirs, nil
}

// prepare makes the clone, without anything in it yet. What a crash has left is
// made complete.
func (g *gitRepository) prepare(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(g.dir, "HEAD")); errors.Is(err, fs.ErrNotExist) {
		if _, err := output(ctx, command(ctx, Git, filepath.Dir(g.dir), "init", "--quiet", "--bare", g.dir)); err != nil {
			return err
		}
	}
	known, err := output(ctx, g.git(ctx, "config", "--default", "", "--get", "remote.origin.url"))
	if err != nil || strings.TrimSpace(known) == g.url {
		return err
	}
	_, err = output(ctx, g.git(ctx, "config", "remote.origin.url", g.url))
	return err
}

// fetch brings refs in. Without blobs: what vext reads are commits.
func (g *gitRepository) fetch(ctx context.Context, refspecs []string) error {
	if len(refspecs) == 0 {
		return nil
	}
	cmd := g.git(ctx, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--filter=blob:none", "--stdin", "origin")
	cmd.Stdin = strings.NewReader(strings.Join(refspecs, "\n") + "\n")
	_, err := output(ctx, cmd)
	return err
}

// heads reads lines of a hash, a tab and a refname.
func (g *gitRepository) heads(ctx context.Context, cmd *exec.Cmd) (map[string]string, error) {
	text, err := output(ctx, cmd)
	if err != nil {
		return nil, err
	}
	heads := map[string]string{}
	for line := range strings.Lines(text) {
		hash, ref, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if ok && strings.HasPrefix(ref, headsPrefix) {
			heads[ref] = hash
		}
	}
	return heads, nil
}

// Walk implements Repository, by one git log for all ranges.
func (g *gitRepository) Walk(ctx context.Context, log Log, fn func(*commit.Commit) error) (int, error) {
	switch len(log.Ranges) {
	case 0:
		return 0, nil
	case 1:
		return g.walkOne(ctx, log, fn)
	}
	return g.walkMany(ctx, log, fn)
}

// walkOne reads one range. Positions that are gone
// are left out once git has said that there is one: to ask before would take as
// long as the log of a small push.
func (g *gitRepository) walkOne(ctx context.Context, log Log, fn func(*commit.Commit) error) (int, error) {
	n, err := g.walkRange(ctx, log, log.Ranges[0], fn)
	if err == nil || n > 0 || !errors.As(err, new(*Error)) {
		return n, err
	}
	r := log.Ranges[0]
	since, existErr := g.existing(ctx, r.Since)
	if existErr != nil || len(since) == len(unique(slices.Clone(r.Since))) {
		return n, err
	}
	r.Since = since
	return g.walkRange(ctx, log, r, fn)
}

// mostHeld bounds the messages that are held to be turned round, in bytes.
const mostHeld = 8 << 20

var errHeld = errors.New("too much to be turned round in memory")

// walkRange reads a range newest first, which git can begin to print at once,
// and turns what was chosen of it round. When that is too much for the memory,
// git has to turn all of it round.
func (g *gitRepository) walkRange(ctx context.Context, log Log, r Range, fn func(*commit.Commit) error) (int, error) {
	var held []*commit.Commit
	bytes := 0
	n, err := g.readRange(ctx, log, r, false, func(c *commit.Commit) error {
		held = append(held, c)
		if bytes += len(c.Message); bytes > mostHeld {
			return errHeld
		}
		return nil
	})
	if errors.Is(err, errHeld) {
		return g.readRange(ctx, log, r, true, fn)
	}
	if err != nil {
		return n, err
	}
	for _, c := range slices.Backward(held) {
		if err := fn(c); err != nil {
			return n, err
		}
	}
	return n, nil
}

// readRange calls fn with what is chosen of a range, newest or oldest first.
func (g *gitRepository) readRange(ctx context.Context, log Log, r Range, oldestFirst bool, fn func(*commit.Commit) error) (int, error) {
	var options []string
	if log.FirstParent { // a line, which any order leaves as it is
		options = append(options, "--first-parent")
	} else {
		options = append(options, "--topo-order")
	}
	if oldestFirst {
		options = append(options, "--reverse")
	}
	n := 0
	err := g.log(ctx, revisions([]string{r.New}, r.Since), options, func(record *record) error {
		n++
		if log.Progress != nil {
			log.Progress(n)
		}
		if !log.wants(record.message()) {
			return nil
		}
		c := record.commit(r.Refname)
		if r.isTooOld(c) {
			return nil
		}
		return fn(c)
	})
	return n, err
}

// wants reports whether a commit is one of those that Match chooses.
func (l *Log) wants(message []byte) bool { return l.Match == nil || l.Match(message) }

func (r *Range) isTooOld(c *commit.Commit) bool {
	return !r.After.IsZero() && !c.Date.IsZero() && c.Date.Before(r.After)
}

// revisions writes what git log is to begin with, and what it is to leave out.
func revisions(with, without []string) string {
	var b strings.Builder
	for _, revision := range with {
		b.WriteString(revision + "\n")
	}
	for _, revision := range without {
		b.WriteString("^" + revision + "\n")
	}
	return b.String()
}

// log runs git log over revisions.
func (g *gitRepository) log(ctx context.Context, revisions string, options []string, fn func(*record) error) error {
	args := append([]string{
		"log", "-z", "--no-color", "--no-decorate", "--no-notes",
		"--no-show-signature", "--no-mailmap", "--no-patch", "--encoding=UTF-8", "--format=" + recordFormat, "--stdin",
	}, options...)
	cmd := g.git(ctx, args...)
	cmd.Stdin = strings.NewReader(revisions)
	return stream(ctx, cmd, func(r io.Reader) error { return readRecords(r, fn) })
}
