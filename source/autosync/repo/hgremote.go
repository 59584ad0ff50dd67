package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"vext/internal/commit"
	"vext/internal/weburl"
)

// A hgBranch says which branch of a remote a work tree follows.
type hgBranch struct {
	remote string // its name in [paths]; "" when there is none
	url    string // which may have a password
	branch string
}

// String names the remote branch for a person.
func (f hgBranch) String() string { return "branch " + f.branch + " of " + f.remote }

// key names the remote branch in the state.
func (f hgBranch) key() string { return f.remote + "/" + f.branch }

// follow finds out which remote branch the work tree follows.
func (h *hgRepo) follow(ctx context.Context) (hgBranch, error) {
	f := hgBranch{remote: h.opts.Remote, branch: h.opts.Branch}
	if f.branch == "" {
		f.branch = "default"
		data, err := os.ReadFile(filepath.Join(h.hg, "branch"))
		if name := strings.TrimSpace(string(data)); err == nil && name != "" {
			f.branch = name
		}
	}
	if f.remote == "" {
		f.remote = "default"
	}
	out, err := h.run(ctx, "paths", "--", f.remote)
	f.url = strings.TrimSuffix(out, "\n")
	var failure *hgError
	if errors.As(err, &failure) && failure.failure.Status() == 1 {
		if h.opts.Remote != "" {
			return f, &StoppedError{fmt.Sprintf("there is no remote %q; name it in [paths] of .hg/hgrc", f.remote)}
		}
		return hgBranch{branch: f.branch}, nil
	}
	return f, err
}

// RemoteURL implements Repository.
func (h *hgRepo) RemoteURL(ctx context.Context) (url, branch string, err error) {
	f, err := h.follow(ctx)
	return weburl.Parse(f.url).String(), f.branch, err
}

// Identity implements Repository. It is the first of all commits, by their hashes where there
// are several without a parent.
func (h *hgRepo) Identity(ctx context.Context) (string, error) {
	first, _, err := h.parents()
	if err != nil || first == "" {
		return "", err
	}
	out, err := h.run(ctx, "log", "-r", "roots(::.)", "-T", "{node}\n")
	least := ""
	for line := range strings.Lines(out) {
		if root := strings.TrimSpace(line); least == "" || root < least {
			least = root
		}
	}
	return least, err
}

// Unpushed implements Repository.
func (h *hgRepo) Unpushed(ctx context.Context) (int, error) {
	first, _, err := h.parents()
	if err != nil || first == "" {
		return 0, err
	}
	f, err := h.follow(ctx)
	if err != nil || f.remote == "" {
		return 0, err
	}
	set := "::. and not public()"
	if upstream := h.state().Upstream[f.key()]; upstream == first {
		return 0, nil
	} else if upstream != "" {
		set = "only(., " + upstream + ")"
	}
	out, err := h.run(ctx, "log", "-r", "("+set+")", "-T", "x")
	if err != nil && h.state().Upstream[f.key()] != "" { // it was stripped here
		out, err = h.run(ctx, "log", "-r", "::. and not public()", "-T", "x")
	}
	return len(out), err
}

// ssh are the options with which hg runs ssh: it must not ask.
func (h *hgRepo) ssh(ctx context.Context) []string {
	out, err := h.run(ctx, "config", "ui.ssh")
	command := strings.TrimSpace(out)
	if err != nil || command == "" {
		command = "ssh"
	}
	program, _, _ := strings.Cut(command, " ")
	if filepath.Base(program) != "ssh" {
		return nil
	}
	return []string{"--config=ui.ssh=" + command + " -oBatchMode=yes -oConnectTimeout=30 -oServerAliveInterval=15"}
}

// network runs an hg command that talks to the remote. What it fails by is an *OfflineError
// unless the remote has answered something else.
func (h *hgRepo) network(ctx context.Context, f hgBranch, args ...string) (string, error) {
	if strings.HasPrefix(f.url, "ssh:") {
		args = append(args[:1:1], append(h.ssh(ctx), args[1:]...)...)
	}
	out, err := h.run(ctx, args...)
	var failure *hgError
	switch {
	case !errors.As(err, &failure) || failure.failure.Status() == 1:
		return out, err
	case failure.says("repository is unrelated"):
		return out, &StoppedError{"the history of " + f.String() + " has nothing in common with the one here; to look at it: hg incoming --force " + f.remote}
	}
	return out, &OfflineError{failure}
}

// theirs asks the remote for the last commit of the branch, "" when it has none.
func (h *hgRepo) theirs(ctx context.Context, f hgBranch, what string) (string, error) {
	out, err := h.network(ctx, f, "identify", "--debug", "--id", "--rev", what, "--", f.remote)
	var offline *OfflineError
	var failure *hgError
	if errors.As(err, &offline) && errors.As(offline.Err, &failure) && failure.says("unknown revision", "unknown branch") {
		return "", nil
	}
	hash := strings.TrimSpace(out)
	hash = hash[strings.LastIndexByte(hash, '\n')+1:] // --debug also prints notes
	if err == nil && (len(hash) != 40 || !commit.IsHex(hash)) {
		err = fmt.Errorf("hg identify prints %s", strconv.Quote(hash))
	}
	if strings.Trim(hash, "0") == "" {
		hash = ""
	}
	return hash, err
}

// Push implements Repository.
func (h *hgRepo) Push(ctx context.Context) (*Pushed, error) {
	head, _, err := h.parents()
	if err != nil || head == "" {
		return nil, err
	}
	f, err := h.follow(ctx)
	if err != nil || f.remote == "" {
		return nil, err
	}
	old := h.state().Upstream[f.key()]
	if old == head {
		return nil, nil
	}
	_, err = h.network(ctx, f, "push", "--new-branch", "--rev", head, "--", f.remote)
	if err != nil && hgStatus(err) != 1 { // 1 says that the remote had it all
		return nil, h.pushError(f, err)
	}
	isNew := err == nil
	if err = h.remember(func(s *hgState) { s.Upstream[f.key()] = head }); err != nil || !isNew {
		return nil, err
	}
	return &Pushed{old, head}, nil
}

// pushError says what a push that failed means.
func (h *hgRepo) pushError(f hgBranch, err error) error {
	var offline *OfflineError
	var failure *hgError
	if !errors.As(err, &offline) || !errors.As(offline.Err, &failure) {
		return err
	}
	switch {
	case failure.says("creates new remote head", "creates new remote branch", "unsynced changes", "repository changed while"):
		return ErrBehind
	case failure.says("remote: abort:", "remote: error:", "remote: transaction abort") && !failure.says("No space left"), failure.hook() != "":
		if name := failure.hook(); name != "" && !failure.says("remote: ") && strings.HasPrefix(name, "pre-push") {
			return &HookError{name, failure}
		}
		return &StoppedError{f.String() + " rejects the push: " + failure.Error()}
	case failure.says("authorization failed", "push not authorized"):
		return &StoppedError{f.String() + " rejects the push: " + failure.Error()}
	}
	return err
}
