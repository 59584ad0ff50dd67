package vcs

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vext/internal/commit"
	"vext/internal/weburl"
)

// A gitRepository is a bare clone at dir of what is at url, without blobs where
// the server can leave them out, or the repository at dir as it is.
type gitRepository struct {
	dir string
	url weburl.URL
}

const headsPrefix = "refs/heads/"

// git prepares a git command in the repository, and in no other: git looks for
// one in the directories above where it finds none.
func (g *gitRepository) git(ctx context.Context, args ...string) *exec.Cmd {
	return command(ctx, Git, "/", append([]string{"--git-dir=" + g.dir, "-c", "core.hooksPath=/dev/null"}, args...)...)
}

// refs lists the repository's own branches.
func (g *gitRepository) refs(ctx context.Context) (map[string]string, error) {
	return g.heads(ctx, g.git(ctx, "for-each-ref", "--format=%(objectname)\t%(refname)", headsPrefix))
}

// lsRemote returns the arguments by which git lists the branches at a URL.
func lsRemote(url weburl.URL) []string {
	args := []string{"ls-remote", "--heads"}
	if url.IsLocal() {
		args = append(args, "--upload-pack="+uploadPack())
	}
	return append(args, "--", url.String())
}

// answerTime is how long a server has to say what there is.
const answerTime = 2 * time.Minute

// Update implements Repository.
func (g *gitRepository) Update(ctx context.Context, want func(string) bool) (map[string]string, error) {
	if g.url.IsZero() {
		return g.refs(ctx)
	}
	asking, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	theirs, err := g.heads(asking, remote(asking, Git, "/", g.url, lsRemote(g.url)...))
	if err != nil {
		return nil, err
	}
	if err := g.prepare(ctx, theirs); err != nil {
		return nil, err
	}
	ours, err := g.refs(ctx)
	if err != nil {
		return nil, err
	}
	if err := g.prune(ctx, ours, theirs); err != nil {
		return nil, err
	}
	var changed []string
	for ref, hash := range theirs {
		if want(ref) && ours[ref] != hash {
			changed = append(changed, "+"+ref+":"+ref)
		}
	}
	if len(changed) == 0 {
		return theirs, nil
	}
	slices.Sort(changed)
	if err := g.fetch(ctx, changed); err != nil {
		return nil, err
	}
	if ours, err = g.refs(ctx); err != nil { // what was fetched may be newer than what was listed
		return nil, err
	}
	for ref := range theirs {
		if hash, ok := ours[ref]; ok && want(ref) {
			theirs[ref] = hash
		}
	}
	return theirs, nil
}

// prepare makes the clone, without anything in it yet, where there is none that
// git can read and that has hashes as theirs are. It has its name when it is
// complete.
func (g *gitRepository) prepare(ctx context.Context, theirs map[string]string) error {
	format := "sha1"
	for _, hash := range theirs {
		if len(hash) == 64 {
			format = "sha256"
		}
	}
	g.clearLocks()
	is, err := output(ctx, g.git(ctx, "rev-parse", "--show-object-format"))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil || len(theirs) > 0 && strings.TrimSpace(is) != format {
		if err := g.make(ctx, format); err != nil {
			return err
		}
	}
	known, err := output(ctx, g.git(ctx, "config", "--default", "", "--get", "remote.origin.url"))
	if err != nil || strings.TrimSpace(known) == g.url.String() {
		return err
	}
	_, err = output(ctx, g.git(ctx, "config", "remote.origin.url", g.url.String()))
	return err
}

func (g *gitRepository) make(ctx context.Context, format string) error {
	begun := g.dir + ".tmp"
	if err := errors.Join(os.RemoveAll(begun), os.RemoveAll(g.dir)); err != nil {
		return err
	}
	args := []string{"init", "--quiet", "--bare"}
	if format != "sha1" { // an option that older versions do not have
		args = append(args, "--object-format="+format)
	}
	if _, err := output(ctx, command(ctx, Git, "/", append(args, begun)...)); err != nil {
		return err
	}
	return os.Rename(begun, g.dir)
}

// staleLock is how old a lock of git's in the clone is that a crash has left:
// whoever has the clone's own lock runs no other git in it.
const staleLock = 10 * time.Minute

// clearLocks removes such locks, or git would never change the clone again.
func (g *gitRepository) clearLocks() {
	for _, pattern := range []string{"*.lock", "refs/heads/*.lock", "refs/heads/*/*.lock"} {
		locks, _ := filepath.Glob(filepath.Join(globEscaped(g.dir), pattern))
		for _, lock := range locks {
			if info, err := os.Stat(lock); err == nil && time.Since(info.ModTime()) > staleLock {
				os.Remove(lock)
			}
		}
	}
}

// globEscaped writes a path so that it stands for itself in a pattern.
func globEscaped(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// prune removes our branches that are no more: one of the name a would be in
// the way of another of the name a/b.
func (g *gitRepository) prune(ctx context.Context, ours, theirs map[string]string) error {
	var gone strings.Builder
	for ref := range ours {
		if _, there := theirs[ref]; !there {
			gone.WriteString("delete " + ref + "\n")
			delete(ours, ref)
		}
	}
	if gone.Len() == 0 {
		return nil
	}
	cmd := g.git(ctx, "update-ref", "--stdin")
	cmd.Stdin = strings.NewReader(gone.String())
	_, err := output(ctx, cmd)
	return err
}

// fetch fetches refs, or objects by their hashes. It fetches no blobs that are not
// asked for, because vext reads only commits.
func (g *gitRepository) fetch(ctx context.Context, what []string, options ...string) error {
	args := append([]string{
		"--git-dir=" + g.dir, "-c", "core.hooksPath=/dev/null", "-c", "gc.autoDetach=false", "-c", "http.lowSpeedLimit=100", "-c", "http.lowSpeedTime=60",
	}, options...)
	args = append(args, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", "--filter=blob:none", "--stdin")
	if g.url.IsLocal() {
		args = append(args, "--upload-pack="+uploadPack())
	}
	cmd := remote(ctx, Git, "/", g.url, append(args, "origin")...)
	cmd.Stdin = strings.NewReader(strings.Join(what, "\n") + "\n")
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

// walkOne reads one range. Positions that are gone are left out once git has
// said that there is one: to ask before would take as long as the log of a small
// push.
func (g *gitRepository) walkOne(ctx context.Context, log Log, fn func(*commit.Commit) error) (int, error) {
	r := log.Ranges[0]
	n, err := g.walkRange(ctx, log, r, fn)
	if err == nil || n > 0 || !errors.As(err, new(*Error)) {
		return n, err
	}
	there, hasErr := g.Has(ctx, r.Since)
	if hasErr != nil || len(there) == len(unique(slices.Clone(r.Since))) {
		return n, err
	}
	r.Since = there
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
	n, looked := 0, 0
	err := g.log(ctx, revisions([]string{r.New}, r.Since), options, func(record *record) error {
		if looked++; log.Progress != nil {
			log.Progress(looked)
		}
		if !r.After.IsZero() && r.isTooOld(record.date()) {
			return nil
		}
		if n++; !log.wants(record.message()) {
			return nil
		}
		return fn(record.commit(r.Refname))
	})
	return n, err
}

// wants reports whether a commit is one of those that Match chooses.
func (l *Log) wants(message []byte) bool { return l.Match == nil || l.Match(message) }

// isTooOld reports whether a commit of a date is older than After. One without
// a date is not.
func (r *Range) isTooOld(date time.Time) bool {
	return !r.After.IsZero() && !date.IsZero() && date.Before(r.After)
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
