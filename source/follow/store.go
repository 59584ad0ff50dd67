package follow

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"vext/internal/disk"
	"vext/internal/vcs"
)

// A Store keeps the states of repositories in a directory: NAME.json, NAME.lock
// and, of followed repositories, the copy NAME.git or NAME.hg. Of repositories with
// a hook, it also has NAME.positions, see trust.go.
type Store struct {
	dir, tmp string
	shared   bool // others of the group may write to it
}

// Followed returns the store of the followed repositories of a state directory.
func Followed(state string) Store {
	return Store{dir: filepath.Join(state, "repositories"), tmp: filepath.Join(state, "tmp")}
}

// Hooked returns the store of the repositories with a hook of vext.
func Hooked(state string) Store {
	return Store{dir: filepath.Join(state, "hooks"), tmp: filepath.Join(state, "tmp"), shared: true}
}

// fileName encodes the name of a repository, so that no two share a file and none
// is outside the directory.
func fileName(name string) string {
	var b strings.Builder
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return b.String()
}

func (s Store) path(name, ending string) string {
	return filepath.Join(s.dir, fileName(name)+ending)
}

// Load returns the state of a repository, which is empty if the repository is new.
func (s Store) Load(name string) (*State, error) {
	state, err := s.readTrusted(s.path(name, ".json"))
	if errors.Is(err, fs.ErrNotExist) {
		state, err = &State{Name: name, Positions: map[string]string{}}, nil
	}
	if err != nil {
		return nil, err
	}
	return s.withPositions(state)
}

func parseState(path string, data []byte) (*State, error) {
	state := new(State)
	if err := json.Unmarshal(data, state); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if state.Name == "" {
		return nil, fmt.Errorf("%s: it names no repository; remove it to start again", path)
	}
	if state.Positions == nil {
		state.Positions = map[string]string{}
	}
	return state, nil
}

// All returns the states of all repositories, by name, without the files that are not
// trusted, see Untrusted.
func (s Store) All() ([]*State, error) {
	states, _, err := s.all()
	return states, err
}

func (s Store) all() (states []*State, untrusted []error, err error) {
	files, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	errs := []error{err}
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".json") {
			continue
		}
		state, err := s.readTrusted(filepath.Join(s.dir, file.Name()))
		if err == nil {
			state, err = s.withPositions(state)
		}
		switch {
		case errors.Is(err, disk.ErrUntrusted):
			untrusted = append(untrusted, err)
		case err != nil:
			errs = append(errs, err)
		default:
			states = append(states, state)
		}
	}
	return states, untrusted, errors.Join(errs...)
}

// Save stores a state durably. The caller holds its lock.
func (s Store) Save(state *State) error {
	if s.shared {
		return s.write(s.positions(state.Name), state)
	}
	return s.write(s.path(state.Name, ".json"), state)
}

func (s Store) write(path string, state *State) error {
	data, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return err
	}
	if err := s.prepare(); err != nil {
		return err
	}
	return disk.Replace(s.tmp, path, append(data, '\n'))
}

// prepare makes the directories. Users who may write to the spool, such as the user
// of a git server, may also write to the directory of the hooks.
func (s Store) prepare() error {
	for _, dir := range []string{s.tmp, s.dir} {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := disk.MakeDir(dir); err != nil {
			return err
		}
		if dir == s.dir && !s.shared {
			continue
		}
		if like, err := os.Stat(filepath.Join(filepath.Dir(s.dir), "spool")); err == nil {
			os.Chmod(dir, like.Mode()) // if this fails, the process that cannot write reports it
		}
	}
	return nil
}

// Remove removes the state and the copy of a repository. The caller holds its lock.
func (s Store) Remove(name string) error {
	err := errors.Join(disk.Remove(s.path(name, ".json")), disk.Remove(s.positions(name)))
	for _, kind := range []vcs.Kind{vcs.Git, vcs.Hg} {
		for _, ending := range []string{"", ".tmp"} {
			err = errors.Join(err, os.RemoveAll(s.path(name, "."+string(kind)+ending)))
		}
	}
	return errors.Join(err, disk.Remove(s.path(name, ".lock")))
}

// Has reports whether a repository has a state.
func (s Store) Has(name string) bool {
	_, err := os.Lstat(s.path(name, ".json"))
	return err == nil
}

// Lock takes the lock of a repository, for which it waits at most that long. The
// caller releases it by calling unlock. The error is disk.ErrLocked if another
// process holds it.
func (s Store) Lock(ctx context.Context, name string, wait time.Duration) (unlock func(), err error) {
	if err := s.prepare(); err != nil {
		return nil, err
	}
	f, err := openLock(s.path(name, ".lock"))
	if err != nil {
		return nil, err
	}
	if err := disk.Lock(ctx, f, wait); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

// registerTimeout is how long a command waits for the lock of a repository.
const registerTimeout = time.Minute

// Register records that a repository on this machine has a hook. If it is registered
// already, the given options change.
func (s Store) Register(ctx context.Context, name, path string, kind vcs.Kind, options *Options) (*State, error) {
	unlock, err := s.Lock(ctx, name, registerTimeout)
	if err != nil {
		return nil, err
	}
	defer unlock()
	state, err := s.loadToRegister(name, path)
	if err != nil {
		return nil, err
	}
	state.Where, state.Kind = path, kind
	if old := state.Options; old != nil {
		if len(options.Branches) == 0 {
			options.Branches = old.Branches
		}
		options.Domain = cmp.Or(options.Domain, old.Domain)
		options.Made = options.Made || old.Made
	}
	state.Options = options
	if err := s.saveIdentity(state); err != nil {
		return nil, err
	}
	return state, s.Save(state)
}

// At returns the state of the repository at a path, or nil.
func (s Store) At(path string) (*State, error) {
	states, err := s.All()
	for _, state := range states {
		if state.Where == path {
			return state, nil
		}
	}
	return nil, err
}

// Forget locks a repository and removes its state.
func (s Store) Forget(ctx context.Context, name string) error {
	unlock, err := s.Lock(ctx, name, registerTimeout)
	if err != nil {
		return err
	}
	defer unlock()
	err = s.Remove(name)
	os.Remove(s.dir) // if it is empty
	return err
}
