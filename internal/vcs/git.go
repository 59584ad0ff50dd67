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

// A gitRepository is a bare clone at dir of the repository at url, without blobs if
// the server supports that; or, if url is zero, the repository at dir itself.
type gitRepository struct {
	dir string
	url weburl.URL
}

const headsPrefix = "refs/heads/"

// git prepares a git command in the repository. --git-dir keeps git from searching the
// directories above.
func (g *gitRepository) git(ctx context.Context, args ...string) *exec.Cmd {
	return command(ctx, Git, "/", append([]string{"--git-dir=" + g.dir, "-c", "core.hooksPath=/dev/null"}, args...)...)
}

// refs lists the branches at dir.
func (g *gitRepository) refs(ctx context.Context) (map[string]string, error) {
	return g.heads(ctx, g.git(ctx, "for-each-ref", "--format=%(objectname)\t%(refname)", headsPrefix))
}

// lsRemote returns the arguments of git that list the branches at a URL.
func lsRemote(url weburl.URL) []string {
	args := []string{"ls-remote", "--heads"}
	if url.IsLocal() {
		args = append(args, "--upload-pack="+uploadPack())
	}
	return append(args, "--", url.String())
}

// answerTimeout is how long a server may take to list its branches.
const answerTimeout = 2 * time.Minute

// Update implements Repository.
func (g *gitRepository) Update(ctx context.Context, want func(string) bool) (map[string]string, error) {
	if g.url.IsZero() {
		return g.refs(ctx)
	}
	asking, cancel := context.WithTimeout(ctx, answerTimeout)
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
	if ours, err = g.refs(ctx); err != nil { // the fetched commits may be newer than the list
		return nil, err
	}
	for ref := range theirs {
		if hash, ok := ours[ref]; ok && want(ref) {
			theirs[ref] = hash
		}
	}
	return theirs, nil
}

// prepare makes an empty clone, unless there is one that git can read and that has
// the hash function of the server.
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
	tmp := g.dir + ".tmp"
	if err := errors.Join(os.RemoveAll(tmp), os.RemoveAll(g.dir)); err != nil {
		return err
	}
	args := []string{"init", "--quiet", "--bare"}
	if format != "sha1" { // older versions lack the option
		args = append(args, "--object-format="+format)
	}
	if _, err := output(ctx, command(ctx, Git, "/", append(args, tmp)...)); err != nil {
		return err
	}
	return os.Rename(tmp, g.dir)
}

// staleLock is the age from which on a lock file of git in the clone counts as left
// by a crash. The caller holds the lock of the clone, so no other git runs in it.
const staleLock = 10 * time.Minute

// clearLocks removes stale locks, with which git refuses to change the clone.
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

// globEscaped returns the pattern that matches only a path.
func globEscaped(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// prune removes the branches that the server no longer has: a branch a would prevent
// a branch a/b.
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

// walkOne reads one range. If git fails, it is run again without the positions that
// are gone. Checking them first would take as long as the log of a small push.
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

// maxHeld bounds the messages that are held in memory to be reversed, in bytes.
const maxHeld = 8 << 20

var errHeld = errors.New("too much to reverse in memory")

// walkRange reads a range newest first, which git prints without delay, and reverses
// the chosen commits. If they are too large for that, git reverses all commits.
func (g *gitRepository) walkRange(ctx context.Context, log Log, r Range, fn func(*commit.Commit) error) (int, error) {
	var held []*commit.Commit
	bytes := 0
	n, err := g.readRange(ctx, log, r, false, func(c *commit.Commit) error {
		held = append(held, c)
		if bytes += len(c.Message); bytes > maxHeld {
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

// readRange calls fn with the chosen commits of a range, newest or oldest first.
func (g *gitRepository) readRange(ctx context.Context, log Log, r Range, oldestFirst bool, fn func(*commit.Commit) error) (int, error) {
	var options []string
	if log.FirstParent { // linear, so the order does not matter
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

// wants reports whether Match chooses a commit.
func (l *Log) wants(message []byte) bool { return l.Match == nil || l.Match(message) }

// isTooOld reports whether a date is before After. A missing date is not.
func (r *Range) isTooOld(date time.Time) bool {
	return !r.After.IsZero() && !date.IsZero() && date.Before(r.After)
}

// revisions returns the input of git log: where it starts, and what it leaves out.
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
