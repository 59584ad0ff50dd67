package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"vext/internal/program"
)

// Unpushed implements Repository.
func (g *gitRepo) Unpushed(ctx context.Context) (int, error) {
	f, err := g.follow(ctx)
	if err != nil || f.remote == "" {
		return 0, err
	}
	refs, err := g.refValues(ctx, f.local, f.tracking)
	if err != nil || refs[f.local] == "" {
		return 0, err
	}
	return g.count(ctx, refs[f.local], refs[f.tracking])
}

// A counted is how many commits one has that another one lacks, which never changes.
type counted struct {
	commit, without string
	n               int
}

// count returns how many commits one has that another one, "" for none, lacks.
func (g *gitRepo) count(ctx context.Context, commit, without string) (int, error) {
	if commit == without {
		return 0, nil
	}
	if c := g.counted; c.commit == commit && c.without == without {
		return c.n, nil
	}
	args := []string{"rev-list", "--count", commit}
	if without != "" {
		args = append(args, "^"+without)
	}
	out, err := g.git(ctx, args...)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(out))
	if err == nil {
		g.counted = counted{commit, without, n}
	}
	return n, err
}

// Push implements Repository. After a Pull that stopped, it returns the same error.
func (g *gitRepo) Push(ctx context.Context) (*Pushed, error) {
	f, err := g.follow(ctx)
	if err != nil || f.remote == "" {
		return nil, err
	}
	if g.stopped != nil {
		return nil, g.stopped
	}
	refs, err := g.refValues(ctx, f.local, f.tracking)
	if err != nil {
		return nil, err
	}
	head, upstream := refs[f.local], refs[f.tracking]
	if head == "" || head == upstream {
		return nil, nil
	}
	said, err := g.network(ctx, f, remoteStall, nil, "push", "--progress", f.remote, head+":refs/heads/"+f.branch)
	if err != nil {
		return nil, g.pushError(ctx, f, said, err)
	}
	_, err = g.run(ctx, gitRun{args: []string{"update-ref", "--stdin", "-m", "vext autosync: push"},
		stdin: strings.NewReader(fmt.Sprintf("update %s %s\nupdate %s %[2]s\n", f.tracking, head, f.seenRef()))})
	return &Pushed{Old: upstream, New: head}, err
}

// rejected is a line of git push that says what was rejected and why.
var rejected = regexp.MustCompile(`(?m)^ ! \[([^\]]*)\].*\((.*)\)\s*$`)

// pushError says whether a push that failed is to be repeated after a pull, later, or never.
func (g *gitRepo) pushError(ctx context.Context, f remoteBranch, said string, err error) error {
	var failure *program.Error
	if !errors.As(err, &failure) {
		return err
	}
	if found := rejected.FindStringSubmatch(said); found != nil {
		return rejectedError(f, said, found[1], found[2])
	}
	err = g.remoteError(f, err)
	var offline *OfflineError
	if errors.As(err, &offline) && g.hasHook(ctx, "pre-push") && !failure.Says("Could not read from remote", "unable to access", "unable to connect", "the remote end hung up", "Could not resolve") {
		own, _, _ := strings.Cut(failure.Stderr, "error: failed to push some refs")
		return &HookError{"pre-push", errors.New(endOf(&program.Error{Stderr: own, Err: failure.Err}))}
	}
	return err
}

// rejectedError is the error of a push that the remote, or git before it, has rejected.
func rejectedError(f remoteBranch, said, kind, reason string) error {
	switch {
	case kind == "rejected", strings.Contains(reason, "lock"), strings.Contains(reason, "failed to update ref"),
		strings.Contains(reason, "reference already exists"), strings.Contains(reason, "incorrect old value"):
		return ErrBehind
	case strings.Contains(reason, "unpacker error"), strings.Contains(reason, "unpack failed"):
		if !strings.Contains(said, "insufficient permission") {
			return &OfflineError{fmt.Errorf("%s could not store what was pushed: %s", f.remote, serverWords(said))}
		}
	}
	words := serverWords(said)
	if words != "" {
		words = ": " + words
	}
	return &StoppedError{fmt.Sprintf("%s rejects the push: %s%s", f, reason, words)}
}

// serverWords returns what the far side has printed.
func serverWords(said string) string {
	var words []string
	for line := range strings.Lines(said) {
		line = line[strings.LastIndexByte(strings.TrimRight(line, "\r\n"), '\r')+1:]
		rest, ok := strings.CutPrefix(line, "remote:")
		if rest = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "\x1b[K")); ok && rest != "" && !isProgress(rest) {
			words = append(words, rest)
		}
	}
	return program.Messages(strings.Join(words, "\n"))
}

// isProgress reports whether a line of the far side only says how far it is.
func isProgress(line string) bool {
	for _, start := range []string{"Counting objects", "Compressing objects", "Resolving deltas", "Enumerating objects", "Total ", "Processing"} {
		if strings.HasPrefix(line, start) {
			return true
		}
	}
	return false
}

// hasHook reports whether the repository has a hook.
func (g *gitRepo) hasHook(ctx context.Context, name string) bool {
	path, err := g.git(ctx, "rev-parse", "--git-path", "hooks/"+name)
	if err != nil {
		return false
	}
	if path = strings.TrimSuffix(path, "\n"); !filepath.IsAbs(path) {
		path = filepath.Join(g.root, path)
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode()&0o111 != 0
}
