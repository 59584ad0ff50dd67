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
	"time"

	"vext/internal/commit"
	"vext/internal/weburl"
)

// A gitRepository is a bare clone at dir of the repository at url, without blobs if
// the server supports that; or, if url is zero, the repository at dir itself.
type gitRepository struct {
	dir    string
	url    weburl.URL
	branch func(ref string) (name string, ok bool) // see OpenTracking; nil for the branches of dir
	notes  string                                  // the ref of notes that Update fetches; "" for none
}

const headsPrefix = "refs/heads/"

// git prepares a git command in the repository. --git-dir keeps git from searching the
// directories above.
func (g *gitRepository) git(ctx context.Context, args ...string) *exec.Cmd {
	return command(ctx, Git, "/", append([]string{"--git-dir=" + g.dir, "-c", "core.hooksPath=/dev/null"}, args...)...)
}

// refs lists the branches at dir, or those that its refs follow.
func (g *gitRepository) refs(ctx context.Context) (map[string]string, error) {
	if g.branch != nil {
		return g.tracked(ctx)
	}
	return g.heads(ctx, g.git(ctx, "for-each-ref", "--format=%(objectname)\t%(refname)", headsPrefix))
}

// tracked lists the branches that refs follow. A symbolic one, as refs/remotes/origin/HEAD,
// stands for another.
func (g *gitRepository) tracked(ctx context.Context) (map[string]string, error) {
	text, err := output(ctx, g.git(ctx, "for-each-ref", "--format=%(objectname)\t%(refname)\t%(symref)"))
	if err != nil {
		return nil, err
	}
	heads := map[string]string{}
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 3 || fields[2] != "" {
			continue
		}
		if name, ok := g.branch(fields[1]); ok {
			heads[name] = fields[0]
		}
	}
	return heads, nil
}

// lsRemote returns the arguments of git that list the branches at a URL, and more refs.
func lsRemote(url weburl.URL, more ...string) []string {
	args := []string{"ls-remote", "--heads"}
	if len(more) > 0 {
		args = []string{"ls-remote"}
		more = append([]string{headsPrefix + "*"}, more...)
	}
	if url.IsLocal() {
		args = append(args, "--upload-pack="+uploadPack())
	}
	return append(append(args, "--", url.String()), more...)
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
	theirs, theirNotes, err := g.listed(asking)
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
	if theirNotes != "" {
		our, err := g.NotesPosition(ctx, g.notes)
		if err != nil {
			return nil, err
		}
		if our != theirNotes {
			changed = append(changed, "+"+g.notes+":"+g.notes)
		}
	}
	if len(changed) == 0 {
		return theirs, nil
	}
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
		return err // without a write, which a full disk or a stale lock would prevent
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
	filepath.WalkDir(g.dir+"/", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil: // there is no clone yet
		case path == filepath.Join(g.dir, "objects"):
			return fs.SkipDir
		case strings.HasSuffix(path, ".lock"):
			if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > staleLock {
				os.Remove(path)
			}
		}
		return nil
	})
}

// prune removes the branches that the server no longer has: a branch a would prevent
// a branch a/b.
func (g *gitRepository) prune(ctx context.Context, ours, theirs map[string]string) error {
	var gone []string
	for ref := range ours {
		if _, there := theirs[ref]; !there {
			gone = append(gone, "delete "+ref)
			delete(ours, ref)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	cmd := g.git(ctx, "update-ref", "--stdin")
	cmd.Stdin = input(gone)
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
	cmd.Stdin = input(what)
	_, err := output(ctx, cmd)
	return err
}

// input returns lines as the standard input of a program.
func input(lines []string) io.Reader { return strings.NewReader(strings.Join(lines, "\n") + "\n") }

// heads reads lines of a hash, a tab and a refname.
func (g *gitRepository) heads(ctx context.Context, cmd *exec.Cmd) (map[string]string, error) {
	text, err := output(ctx, cmd)
	if err != nil {
		return nil, err
	}
	return withPrefix(text, headsPrefix), nil
}

// listed returns the branches that the server has, and its commit of the notes.
func (g *gitRepository) listed(ctx context.Context) (heads map[string]string, notes string, err error) {
	var more []string
	if g.notes != "" {
		more = []string{g.notes}
	}
	text, err := output(ctx, remote(ctx, Git, "/", g.url, lsRemote(g.url, more...)...))
	if err != nil {
		return nil, "", err
	}
	return withPrefix(text, headsPrefix), withPrefix(text, notesPrefix)[g.notes], nil
}

// withPrefix reads lines of a hash, a tab and a refname, and returns those of the refs that
// begin with a prefix.
func withPrefix(text, prefix string) map[string]string {
	refs := map[string]string{}
	for line := range strings.Lines(text) {
		hash, ref, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if ok && strings.HasPrefix(ref, prefix) {
			refs[ref] = hash
		}
	}
	return refs
}

// Has implements Repository.
func (g *gitRepository) Has(ctx context.Context, positions []string) ([]string, error) {
	positions = unique(slices.Clone(positions))
	if len(positions) == 0 {
		return nil, nil
	}
	cmd := g.git(ctx, "cat-file", "--batch-check=%(objectname) %(objecttype)")
	cmd.Stdin = input(positions)
	out, err := output(ctx, cmd)
	if err != nil {
		return nil, err
	}
	var there []string
	for line := range strings.Lines(out) {
		if hash, isCommit := strings.CutSuffix(strings.TrimSpace(line), " commit"); isCommit && commit.IsHash(hash) {
			there = append(there, hash)
		}
	}
	return there, nil
}

// maxMergeBase bounds the arguments of git merge-base.
const maxMergeBase = 10000

// Related implements Repository.
func (g *gitRepository) Related(ctx context.Context, position string, others []string) (bool, error) {
	if len(others) == 0 {
		return false, nil
	}
	others = unique(slices.Clone(others))
	return g.mergeBase(ctx, append([]string{position}, others[:min(len(others), maxMergeBase)]...)...)
}

// Includes implements Repository. Unlike git log, it does not depend on dates.
func (g *gitRepository) Includes(ctx context.Context, position, earlier string) (bool, error) {
	return g.mergeBase(ctx, "--is-ancestor", earlier, position)
}

// mergeBase reports whether git merge-base ends with status 0, and not with 1
// (git-merge-base(1)).
func (g *gitRepository) mergeBase(ctx context.Context, args ...string) (bool, error) {
	_, err := output(ctx, g.git(ctx, append([]string{"merge-base"}, args...)...))
	failure, exit := new(Error), new(exec.ExitError)
	if errors.As(err, &failure) && failure.Stderr == "" && errors.As(err, &exit) && exit.ExitCode() == 1 {
		return false, nil
	}
	return err == nil, err
}

// diffTree prepares git diff-tree for commits.
func (g *gitRepository) diffTree(ctx context.Context, revisions []string, options ...string) *exec.Cmd {
	cmd := g.git(ctx, append([]string{
		"-c", "core.quotePath=false", "diff-tree", "--stdin", "-r", "--root", "--no-renames", "--no-ext-diff", "--no-textconv",
	}, options...)...)
	cmd.Stdin = input(revisions)
	return cmd
}

// Files implements History.
func (g *gitRepository) Files(ctx context.Context, revisions []string) (map[string]commit.Files, error) {
	out, err := output(ctx, g.diffTree(ctx, revisions, "--name-only"))
	if err != nil {
		return nil, err
	}
	files := map[string]commit.Files{}
	revision := ""
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		if commit.IsHash(line) {
			revision = line
			continue
		}
		f := files[revision]
		f.Add(line)
		files[revision] = f
	}
	return files, nil
}

// Patches implements History. It fetches the blobs that a clone without blobs lacks.
func (g *gitRepository) Patches(ctx context.Context, revisions []string) (map[string]string, error) {
	patches, err := g.patches(ctx, revisions)
	if err == nil || g.url.IsZero() || ctx.Err() != nil {
		return patches, err
	}
	if err := g.fetchBlobs(ctx, revisions); err != nil {
		return nil, err
	}
	return g.patches(ctx, revisions)
}

func (g *gitRepository) patches(ctx context.Context, revisions []string) (map[string]string, error) {
	patches := map[string]string{}
	err := stream(ctx, g.diffTree(ctx, revisions, "-p"), func(r io.Reader) error {
		id := g.git(ctx, "patch-id", "--stable")
		id.Stdin = r
		out, err := output(ctx, id)
		for line := range strings.Lines(out) {
			if patch, revision, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
				patches[revision] = patch
			}
		}
		return err
	})
	return patches, err
}

// submodule is the mode of an entry that is not a blob but a commit of another
// repository.
const submodule = "160000"

// fetchBlobs fetches what commits changed, before and after.
func (g *gitRepository) fetchBlobs(ctx context.Context, revisions []string) error {
	out, err := output(ctx, g.diffTree(ctx, revisions, "--raw", "--no-abbrev"))
	if err != nil {
		return err
	}
	var blobs []string
	for line := range strings.Lines(out) {
		fields := strings.Fields(line) // :mode mode blob blob status path, git-diff-tree(1)
		if len(fields) < 5 || !strings.HasPrefix(line, ":") {
			continue
		}
		for i, mode := range []string{strings.TrimPrefix(fields[0], ":"), fields[1]} {
			if hash := fields[2+i]; mode != submodule && commit.IsHash(hash) && strings.Trim(hash, "0") != "" {
				blobs = append(blobs, hash)
			}
		}
	}
	return g.fetch(ctx, unique(blobs), "-c", "fetch.negotiationAlgorithm=noop")
}
