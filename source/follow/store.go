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
	"slices"
	"strings"
	"syscall"
	"time"

	"vext/internal/commit"
	"vext/internal/disk"
	"vext/internal/vcs"
)

// A Store keeps the states of repositories in a directory: NAME.json, NAME.lock
// and, of followed repositories, the copy NAME.git or NAME.hg. NAME.commits is what package
// backport keeps of its commits. Of repositories with
// a hook, it also has NAME.positions.
//
// The group of the state directory may write to the directory of the hooks, so that
// the user of a git server can record there which commits its hook has brought.
// Therefore the state of such a repository is in two files:
//
//	NAME.json       the repository, its path, its hook; it counts only if nobody
//	                but vext's user can have written it
//	NAME.positions  the positions of its branches; any user of the group may write it
//
// In the Store of followed repositories, to which the group may not write, all of
// it is in NAME.json.
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

// Copy returns the path of the copy of a followed repository.
func (s Store) Copy(name string, kind vcs.Kind) string { return s.path(name, "."+string(kind)) }

const cacheEnding = ".commits"

// Cache returns the path of a file beside the state of a repository, for what can be made
// anew from it.
func (s Store) Cache(name string) string { return s.path(name, cacheEnding) }

// Load returns the state of a repository, which is empty if the repository is new.
func (s Store) Load(name string) (*State, error) {
	state, err := s.read(s.path(name, ".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return s.withPositions(newState(name))
	}
	return state, err
}

func newState(name string) *State { return &State{Name: name, Positions: map[string]string{}} }

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
		state, err := s.read(filepath.Join(s.dir, file.Name()))
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
		like, err := os.Stat(filepath.Join(filepath.Dir(s.dir), "spool"))
		if err == nil && (dir == s.tmp || s.shared) {
			os.Chmod(dir, like.Mode()) // if this fails, the process that cannot write reports it
		}
	}
	return nil
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
	const flags = os.O_RDONLY | os.O_CREATE | syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	f, err := os.OpenFile(s.path(name, ".lock"), flags, disk.FileMode)
	if err != nil {
		return nil, err
	}
	if err := disk.Lock(ctx, f, wait); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

// lockTimeout is how long a command or a hook waits for the lock of a repository.
const lockTimeout = time.Minute

// Register records that a repository on this machine has a hook. If it is registered
// already, the given options change.
func (s Store) Register(ctx context.Context, name, path string, kind vcs.Kind, options *Options) (*State, error) {
	unlock, err := s.Lock(ctx, name, lockTimeout)
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
	identity := &State{Name: state.Name, Kind: kind, Where: path, Options: options}
	if err := s.write(s.path(name, ".json"), identity); err != nil {
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

// Forget locks a repository, and removes its state and its copy.
func (s Store) Forget(ctx context.Context, name string) error {
	unlock, err := s.Lock(ctx, name, lockTimeout)
	if err != nil {
		return err
	}
	defer unlock()
	for _, ending := range []string{".json", ".positions", ".git", ".git.tmp", ".hg", ".hg.tmp", ".lock", cacheEnding} {
		err = errors.Join(err, os.RemoveAll(s.path(name, ending)))
	}
	os.Remove(s.dir) // if it is empty
	return err
}

// positions returns the path of NAME.positions.
func (s Store) positions(name string) string { return s.path(name, ".positions") }

// read reads NAME.json and NAME.positions.
func (s Store) read(path string) (*State, error) {
	data, err := disk.ReadTrusted(path, filepath.Dir(s.dir))
	if err != nil {
		return nil, err
	}
	state, err := parseState(path, data)
	if err != nil {
		return nil, err
	}
	return s.withPositions(state)
}

// withPositions returns the state with the positions of NAME.positions, if that exists.
func (s Store) withPositions(state *State) (*State, error) {
	if !s.shared {
		return state, nil
	}
	path := s.positions(state.Name)
	data, err := disk.ReadRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return state, nil
	}
	if err != nil {
		return nil, err
	}
	seen := new(State)
	if err := json.Unmarshal(data, seen); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	seen.Name, seen.Kind, seen.Where, seen.Options = state.Name, state.Kind, state.Where, state.Options
	seen.dropInvalid()
	return seen, nil
}

// dropInvalid removes invalid positions, because positions become arguments of git
// and hg.
func (s *State) dropInvalid() {
	isInvalid := func(position string) bool {
		return vcs.SvnNumber(position) == 0 && position != "r0" &&
			slices.ContainsFunc(strings.Split(position, ","), func(hash string) bool { return !commit.IsHash(hash) })
	}
	for _, positions := range []map[string]string{s.Positions, s.Told} {
		for refname, position := range positions {
			if isInvalid(position) {
				delete(positions, refname)
			}
		}
	}
	for ref, position := range s.NotesAt {
		if position != "" && !commit.IsHash(position) {
			delete(s.NotesAt, ref)
		}
	}
	s.Base = slices.DeleteFunc(s.Base, isInvalid)
	for refname := range s.Past {
		s.Past[refname] = slices.DeleteFunc(s.Past[refname], isInvalid)
	}
	if s.Positions == nil {
		s.Positions = map[string]string{}
	}
}

// loadToRegister returns the state of a repository that is to be registered at a path.
// A file that is not trusted is replaced. If it names the same repository, its
// positions are kept, because in an earlier version the user of a git server wrote
// the file.
func (s Store) loadToRegister(name, path string) (*State, error) {
	state, err := s.Load(name)
	if !errors.Is(err, disk.ErrUntrusted) {
		return state, err
	}
	file := s.path(name, ".json")
	data, err := disk.ReadRegular(file)
	var old *State
	if err == nil { // else a link, say, which is replaced
		old, err = parseState(file, data)
	}
	if err != nil || old.Where != path {
		return s.withPositions(newState(name))
	}
	old.Name, old.Options = name, nil
	old.dropInvalid()
	return s.withPositions(old)
}

// Untrusted returns an error for each file of the store that does not count because
// another user may have written it.
func (s Store) Untrusted() []error {
	_, untrusted, _ := s.all()
	return untrusted
}

// checkCopy checks that vext owns the copy of a followed repository, because git and
// hg use the configuration in it.
func (s Store) checkCopy(dir string) error {
	err := disk.TrustedDir(dir, filepath.Dir(s.dir), "config", "hooks", "objects", ".hg", filepath.Join(".hg", "hgrc"))
	if errors.Is(err, disk.ErrUntrusted) {
		return fmt.Errorf("the copy does not belong to vext: %w; remove it, and vext makes a new one", err)
	}
	return err
}
