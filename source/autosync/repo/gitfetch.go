package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"vext/internal/commit"
	"vext/internal/program"
	"vext/internal/text"
	"vext/internal/weburl"
)

// Bounds of the time in which the network must move something.
const (
	remoteStall  = time.Minute
	directStall  = 3 * time.Second
	directLimit  = 5 * time.Second // after which no further URL of a peer is tried
	networkLimit = 12 * time.Hour  // of all: a first fetch may be large
)

// network runs a git command that contacts another machine. It ends when nothing moves for
// as long as stall.
func (g *gitRepo) network(ctx context.Context, f remoteBranch, stall time.Duration, env []string, args ...string) (string, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(stall, func() {
		cancel(&OfflineError{fmt.Errorf("%s: nothing has moved for %s", f.remote, stall)})
	})
	defer timer.Stop()
	var lines text.Tail
	watch := writerFunc(func(p []byte) (int, error) {
		timer.Reset(stall)
		return lines.Write(p)
	})
	env = append(f.settings.sshEnvironment(), env...)
	_, err := g.run(ctx, gitRun{args: args, env: env, stderr: watch, within: networkLimit})
	return lines.String(), err
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// sshEnvironment has ssh, when that is what git runs, never ask for anything: it would ask at
// the terminal. Other programs, and the variants of ssh with other options, are left as
// they are.
func (s settings) sshEnvironment() []string {
	command := os.Getenv("GIT_SSH_COMMAND")
	if command == "" {
		command = s.last("core.sshcommand")
	}
	if command == "" && os.Getenv("GIT_SSH") != "" {
		return nil
	}
	if command == "" {
		command = "ssh"
	}
	variant := os.Getenv("GIT_SSH_VARIANT")
	if variant == "" {
		variant = s.last("ssh.variant")
	}
	word, _, _ := strings.Cut(strings.TrimSpace(command), " ")
	if variant != "ssh" && ((variant != "" && variant != "auto") || path.Base(word) != "ssh") {
		return nil
	}
	return []string{"GIT_SSH_COMMAND=" + command + " -oBatchMode=yes -oConnectTimeout=30"}
}

// fetch fetches the branch from its remote. It reports whether the branch is there.
func (g *gitRepo) fetch(ctx context.Context, f remoteBranch) (bool, error) {
	_, err := g.network(ctx, f, remoteStall, nil, "fetch", "--progress", "--no-write-fetch-head", "--no-recurse-submodules",
		f.remote, "+refs/heads/"+f.branch+":"+f.tracking)
	var failure *program.Error
	if errors.As(err, &failure) && failure.Says("couldn't find remote ref") {
		return false, nil
	}
	return err == nil, g.remoteError(f, err)
}

// fetchDirect fetches the commit that a peer has pushed from the peer itself. It reports
// whether that commit is here now and continues what is known of the remote branch. The
// URLs are those of other people: only those to which git connects count.
func (g *gitRepo) fetchDirect(ctx context.Context, f remoteBranch, o PullOptions) (bool, error) {
	if !commit.IsHash(o.Want) || len(o.URLs) == 0 {
		return false, nil
	}
	refs, err := g.refValues(ctx, f.tracking)
	if err != nil || refs[f.tracking] == o.Want {
		return false, err
	}
	late := time.NewTimer(directLimit)
	defer late.Stop()
	for _, url := range o.URLs {
		select {
		case <-late.C:
			return false, nil
		default:
		}
		if !weburl.IsFetch(url) {
			continue
		}
		_, err := g.network(ctx, f, directStall, []string{"GIT_ALLOW_PROTOCOL=ssh:https:http:git:file"},
			"fetch", "--progress", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--", url, "+"+o.Want+":"+directRef)
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		if err != nil {
			g.opts.Log.Debug("a peer cannot be fetched from directly", "url", weburl.Hide(url), "error", err)
			continue
		}
		return g.adoptDirect(ctx, f, refs[f.tracking], o.Want)
	}
	return false, nil
}

// adoptDirect makes a commit that came from a peer that of the remote branch, if it continues
// the one that was there.
func (g *gitRepo) adoptDirect(ctx context.Context, f remoteBranch, was, want string) (bool, error) {
	if refs, err := g.refValues(ctx, directRef); err != nil || refs[directRef] != want {
		return false, err
	}
	if was != "" {
		if continues, err := g.isAncestor(ctx, was, want); err != nil || !continues {
			return false, err
		}
	}
	_, err := g.git(ctx, "update-ref", "-m", "vext autosync: fetched from a peer", f.tracking, want, was)
	return err == nil, err
}

// remoteError says whether an error of git with a remote goes away by itself.
func (g *gitRepo) remoteError(f remoteBranch, err error) error {
	var failure *program.Error
	if err == nil || !errors.As(err, &failure) {
		return err
	}
	if url := f.url(); filepath.IsAbs(url) {
		if _, statErr := os.Stat(url); statErr != nil {
			return &OfflineError{fmt.Errorf("%s is not there; is its file system mounted?", url)}
		}
	}
	switch {
	case failure.Says("cannot lock ref", ".lock': File exists"):
		return &BusyError{"another git process works here: " + program.Messages(failure.Stderr)}
	case failure.Says("Host key verification failed", "HOST IDENTIFICATION HAS CHANGED"):
		return &OfflineError{fmt.Errorf("%w; compare the host key and accept it by git fetch %s", err, f.remote)}
	case failure.Says("Permission denied (", "Too many authentication failures"):
		return &OfflineError{fmt.Errorf("%w; a key with a passphrase must be in the agent (ssh-add), and SSH_AUTH_SOCK in the environment of vext", err)}
	case failure.Says("does not appear to be a git repository", "epository not found", "' not found", "no such repository",
		"not a git repository", "error: 403", "access denied", "Access denied", "ERROR: Permission to", "not allowed to", "dubious ownership",
		"is not a valid remote name", "insufficient permission", "transport '", "protocol '"):
		return &StoppedError{err.Error()}
	}
	return &OfflineError{err}
}
