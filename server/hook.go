package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"vext/internal/commit"
	"vext/internal/disk"
	"vext/internal/hint"
	"vext/internal/vcs"
	"vext/source/follow"
	"vext/source/hook"
)

// A HookReport is the result of an installation.
type HookReport struct {
	Name, Dir string   // of the repository
	Messages  []string // about its commits
	Hints     []string
}

// InstallHook installs a hook into the repository at path, or updates it. name is that
// of the repository, "" for its directory. options has what the user chooses.
func (s *Server) InstallHook(ctx context.Context, path, name string, kind vcs.Kind, options follow.Options) (*HookReport, error) {
	place, err := locate(ctx, path, kind)
	if err != nil {
		return nil, err
	}
	state, err := s.StateDir()
	if err != nil {
		return nil, err
	}
	if state, err = filepath.Abs(state); err != nil {
		return nil, err
	}
	store := follow.Hooked(state)
	if name, err = hookName(store, place, path, commit.RepositoryName(name)); err != nil {
		return nil, err
	}
	// The user who pushes has another environment, so the hook names the present
	// configuration and state directory.
	command, err := Command(s.Config.Path, state)
	if err != nil {
		return nil, err
	}
	command = append(command, "hook", "fire")
	if place.Kind != vcs.Git {
		command = append(command, "--no-wait") // hg and svn alone take longer than a hook may
	}
	options.Command = append(command, "--", name)
	if os.Geteuid() != 0 { // before the installation, check that the hook can be registered
		unlock, err := store.Lock(ctx, name, 0)
		if err != nil {
			return nil, hint.Wrap(err, "the user who installs the hook must be able to write to hooks, spool and tmp in "+state+"; see Permissions in vext-queue(7)")
		}
		unlock()
	}
	// Root installs before it becomes the owner of the state directory, who can't write to
	// the repository.
	options.Made, err = (&hook.Hook{Place: place, Command: options.Command}).Install()
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, hint.Wrap(err, "install it as the owner of the repository, or as root")
	case errors.Is(err, hook.ErrShared):
		return nil, hint.Wrap(err, "vext also finds its commits without a hook: vext follow add "+place.Dir)
	case err != nil:
		return nil, err
	}
	return s.registerHook(ctx, place, name, &options)
}

// hookName returns the name of a repository that gets a hook. name is the chosen
// one, "" for none.
func hookName(store follow.Store, place *vcs.Place, path, name string) (string, error) {
	other, err := store.At(place.Dir)
	if name == "" && err == nil && other != nil {
		name = other.Name
	}
	if name == "" {
		name = place.Name
	}
	known, loadErr := store.Load(name)
	if errors.Is(loadErr, disk.ErrUntrusted) { // it will be rewritten
		known, loadErr = &follow.State{}, nil
	}
	switch {
	case loadErr != nil:
		return "", loadErr
	case known.Where != "" && known.Where != place.Dir:
		return "", hint.Wrap(fmt.Errorf("%s is already the name of %s", name, known.Where), "choose another with --name")
	case err != nil:
		return "", err
	case other != nil && other.Name != name:
		return "", hint.Wrap(fmt.Errorf("%s already has a hook, as %s", place.Dir, other.Name), "remove that hook first: vext hook remove "+path)
	}
	return name, nil
}

// registerHook records the present position of each branch; later commits are new.
func (s *Server) registerHook(ctx context.Context, place *vcs.Place, name string, options *follow.Options) (*HookReport, error) {
	q, err := s.Queue()
	if err != nil {
		return nil, err
	}
	store := follow.Hooked(q.State)
	state, err := store.Register(ctx, name, place.Dir, place.Kind, options)
	if err != nil {
		return nil, err
	}
	f, err := s.Follower(q, store, commit.FromHook)
	if err != nil {
		return nil, err
	}
	repository := HookedRepository(s.Config, state)
	report := f.FollowPush(ctx, repository, nil)
	if report.Busy {
		return nil, hint.Wrap(disk.ErrLocked, "run vext hook install again")
	}
	if report.Err != nil {
		return nil, hint.Wrap(report.Err, "the hook is installed; once this is fixed, run vext hook install again")
	}
	r := &HookReport{Name: name, Dir: place.Dir, Messages: report.Messages}
	if place.Kind == vcs.Svn && repository.Domain == "" {
		r.Hints = append(r.Hints, "Subversion has logins and no addresses; without --domain DOMAIN no mail can be sent")
	}
	if !mayWrite(place.Dir, q.Spool.Dir()) {
		r.Hints = append(r.Hints, "commits are found only by the next run, because the repository's owner can't write to hooks, spool and tmp in "+q.State+
			"; see Permissions in vext-queue(7)")
	}
	if owner, _, ok := disk.Owner(q.State); ok && owner != os.Geteuid() && os.Geteuid() != 0 {
		r.Hints = append(r.Hints, "vext run ignores a hook that a user other than the owner of "+q.State+
			" has installed, and does not look for commits that this hook misses: run vext hook install again as root")
	}
	return r, nil
}

// mayWrite reports whether the owner of a repository, as whom the hook runs, can
// probably write to a directory. An error counts as yes: others report it.
func mayWrite(repository, dir string) bool {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		dir = filepath.Dir(dir) // in which it will be created
		info, err = os.Stat(dir)
	}
	if err != nil {
		return true
	}
	user, _, isA := disk.Owner(repository)
	owner, _, isB := disk.Owner(dir)
	return !isA || !isB || user == 0 || user == owner || info.Mode().Perm()&0o020 != 0
}

func locate(ctx context.Context, path string, kind vcs.Kind) (*vcs.Place, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	return vcs.Locate(ctx, path, kind)
}

// RemoveHook removes the hook from the repository at path, also from one that is
// gone. It returns the directory of the repository and whether it had a hook.
func (s *Server) RemoveHook(ctx context.Context, path string, kind vcs.Kind) (dir string, had bool, err error) {
	state, err := s.StateDir()
	if err != nil {
		return "", false, err
	}
	store := follow.Hooked(state)
	place, err := locate(ctx, path, kind)
	if errors.Is(err, fs.ErrNotExist) {
		if place = gone(store, path); place != nil {
			err = nil
		}
	}
	if err != nil {
		return "", false, err
	}
	known, err := store.At(place.Dir)
	if err != nil {
		return "", false, err
	}
	h := &hook.Hook{Place: place}
	parts, err := h.Parts() // also of a hook that is not registered
	if err == nil {
		err = h.Remove(known != nil && known.Options != nil && known.Options.Made)
	}
	if err != nil {
		return "", false, err
	}
	if known == nil {
		return place.Dir, slices.ContainsFunc(parts, func(p hook.Part) bool { return p.State != hook.Missing }), nil
	}
	q, err := s.Queue()
	if err != nil {
		return "", false, err
	}
	return place.Dir, true, follow.Hooked(q.State).Forget(ctx, known.Name)
}

// gone returns the place of a repository with a hook that no longer exists, nil for
// an unknown one.
func gone(store follow.Store, path string) *vcs.Place {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	for _, dir := range []string{path, filepath.Join(path, ".git")} {
		if s, _ := store.At(dir); s != nil {
			return &vcs.Place{Kind: s.Kind, Dir: dir, Hooks: filepath.Join(dir, "hooks")}
		}
	}
	return nil
}

// Hooks returns the states of all hooks, or of the one in the repository at path.
// Both the states and the error may be set.
func (s *Server) Hooks(ctx context.Context, path string, kind vcs.Kind) ([]*follow.State, error) {
	dir, err := s.StateDir()
	if err != nil {
		return nil, err
	}
	store := follow.Hooked(dir)
	if path == "" {
		states, err := store.All()
		return states, errors.Join(append(store.Untrusted(), err)...)
	}
	place, err := locate(ctx, path, kind)
	if err != nil {
		return nil, err
	}
	known, err := store.At(place.Dir)
	if known == nil {
		known = &follow.State{Name: place.Name, Where: place.Dir, Kind: place.Kind}
	}
	return []*follow.State{known}, err
}

// HookParts returns the files of the hook in a repository that has one.
func HookParts(ctx context.Context, s *follow.State) ([]hook.Part, error) {
	place, err := locate(ctx, s.Where, s.Kind)
	if err != nil {
		return nil, err
	}
	h := &hook.Hook{Place: place}
	if s.Options != nil {
		h.Command = s.Options.Command
	}
	return h.Parts()
}
