package follow

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"vext/internal/commit"
	"vext/internal/disk"
	"vext/internal/vcs"
)

// The group of the state directory may write to hooks, so that the user of a git
// server can record there which commits its hook has brought. Therefore the state of
// such a repository is in two files:
//
//	NAME.json       the repository, its path, its hook; it counts only if nobody
//	                but vext's user can have written it
//	NAME.positions  the positions of its branches; any user of the group may write it
//
// In the Store of followed repositories, to which the group may not write, all of
// it is in NAME.json.

// positions returns the path of NAME.positions.
func (s Store) positions(name string) string { return s.path(name, ".positions") }

// readTrusted reads NAME.json.
func (s Store) readTrusted(path string) (*State, error) {
	data, err := disk.ReadTrusted(path, filepath.Dir(s.dir))
	if err != nil {
		return nil, err
	}
	return parseState(path, data)
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
	s.Base = slices.DeleteFunc(s.Base, isInvalid)
	for refname := range s.Past {
		s.Past[refname] = slices.DeleteFunc(s.Past[refname], isInvalid)
	}
	if s.Positions == nil {
		s.Positions = map[string]string{}
	}
}

// saveIdentity writes NAME.json of a repository with a hook.
func (s Store) saveIdentity(state *State) error {
	return s.write(s.path(state.Name, ".json"), &State{Name: state.Name, Kind: state.Kind, Where: state.Where, Options: state.Options})
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
	fresh := &State{Name: name, Positions: map[string]string{}}
	file := s.path(name, ".json")
	data, err := disk.ReadRegular(file)
	if err != nil { // a link, say, which is replaced
		return s.withPositions(fresh)
	}
	old, err := parseState(file, data)
	if err != nil || old.Where != path {
		return s.withPositions(fresh)
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

// openLock opens a file to be locked. It does not follow links.
func openLock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, disk.FileMode)
}
