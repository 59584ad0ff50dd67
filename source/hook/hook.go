// Package hook puts vext's hook into a repository and takes it out again, and
// runs it: shortly, because somebody waits for the push to end, and without
// ever making it fail. What a hook misses, the next run finds.
package hook

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"vext/internal/disk"
	"vext/internal/vcs"
)

// A Hook is one in one repository.
type Hook struct {
	Place *vcs.Place
	// Command is what the hook runs: the program, with its whole path, and its
	// arguments.
	Command []string
}

// A Part is one of the files that make up a hook.
type Part struct {
	Path  string
	State string // one of the constants below
}

// States of a part.
const (
	Installed = "installed"
	Missing   = "missing"
	Disabled  = "not executable"
	Outdated  = "not as it was installed"
)

// Parts returns the files of the hook and how they stand; the program that it
// runs only when that is missing.
func (h *Hook) Parts() ([]Part, error) {
	var parts []Part
	if len(h.Command) > 0 {
		if _, err := os.Stat(h.Command[0]); err != nil {
			parts = append(parts, Part{h.Command[0], Missing})
		}
	}
	if h.Place.Kind == vcs.Hg {
		state, err := h.hgState()
		return append(parts, Part{h.Place.Hooks, state}), err
	}
	for _, s := range h.scripts() {
		state, err := s.state()
		if err != nil {
			return nil, err
		}
		parts = append(parts, Part{s.path, state})
	}
	return parts, nil
}

// ErrShared says that the hooks of a repository are those of others as well.
var ErrShared = errors.New("its hooks lie outside of it, and are shared with others (core.hooksPath, or a link)")

// Install puts the hook in, or brings one that is there up to date. What was
// there before goes on working. It reports whether it made the directory of
// the hooks, or the file hgrc.
func (h *Hook) Install() (made bool, err error) {
	if !h.Place.Inside() {
		return false, fmt.Errorf("%s: %w", h.Place.Dir, ErrShared)
	}
	if h.Place.Kind == vcs.Hg {
		return h.installHg()
	}
	if err := os.Mkdir(h.Place.Hooks, 0o755); err == nil {
		made = true
		if err := beLike(h.Place.Hooks, filepath.Dir(h.Place.Hooks)); err != nil {
			return true, err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	for _, s := range h.scripts() {
		if err := s.install(); err != nil {
			return made, err
		}
	}
	return made, nil
}

// Remove takes the hook out, and puts back what was there before. made is what
// Install has reported.
func (h *Hook) Remove(made bool) error {
	if h.Place.Kind == vcs.Hg {
		return h.removeHg(made)
	}
	var errs []error
	for _, s := range h.removable() {
		errs = append(errs, s.remove())
	}
	if made {
		os.Remove(h.Place.Hooks) // fails where something else came to lie in it
	}
	return errors.Join(errs...)
}

// Line is the shell command that the hook runs, for those who put it into a
// hook of their own.
func (h *Hook) Line() string { return Line(h.Command) }

// Line writes a command for sh(1).
func Line(command []string) string {
	quoted := make([]string, len(command))
	for i, word := range command {
		quoted[i] = quote(word)
	}
	return strings.Join(quoted, " ")
}

// quote writes a word for sh(1).
func quote(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("/._-=@:,+", r)
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// replace writes a file in one step, with the owner of the one that it replaces,
// or else of its directory, where root does it: so the repository's own user can
// change it, and Mercurial trusts it (hgrc(5), trusted).
func replace(path string, data []byte, mode fs.FileMode) error {
	name, err := disk.WriteBeside(path, data, mode)
	if err != nil {
		return err
	}
	if err = ownLike(name, path); errors.Is(err, fs.ErrNotExist) {
		err = ownLike(name, filepath.Dir(path))
	}
	if err == nil {
		err = os.Rename(name, path)
	}
	if err != nil {
		os.Remove(name)
	}
	return err
}

// beLike gives a directory the mode and the owner of another: a repository can
// be used by several users.
func beLike(path, like string) error {
	info, err := os.Stat(like)
	if err != nil {
		return err
	}
	return errors.Join(os.Chmod(path, info.Mode()), ownLike(path, like))
}

// ownLike gives a file the owner of another, where root has made it.
func ownLike(path, like string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(like)
	if err != nil {
		return err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		return os.Chown(path, int(owner.Uid), int(owner.Gid))
	}
	return nil
}
