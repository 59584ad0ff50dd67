// Package hook installs vext's hook in a repository, removes it, and runs it. The
// hook returns quickly, because the push waits for it, and never makes a push fail.
// The next run finds the commits that a hook missed.
package hook

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"vext/internal/disk"
	"vext/internal/vcs"
)

// A Hook is vext's hook in one repository.
type Hook struct {
	Place *vcs.Place
	// Command is what the hook runs: the absolute path of the program, and its
	// arguments.
	Command []string
}

// A Part is one of the files of a hook.
type Part struct {
	Path  string `json:"path"`
	State string `json:"state"` // one of the constants below
}

// States of a part.
const (
	Installed = "installed"
	Missing   = "missing"
	Disabled  = "not executable"
	Outdated  = "not as it was installed"
)

// Parts returns the files of the hook and their states. The program that the hook
// runs is one of them only if it is missing.
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
	for _, s := range h.scripts(false) {
		state, err := s.state()
		if err != nil {
			return nil, err
		}
		parts = append(parts, Part{s.path, state})
	}
	return parts, nil
}

// ErrShared says that other repositories have the same hooks.
var ErrShared = errors.New("its hooks are outside of the repository and may be shared with others (core.hooksPath, or a link)")

// Install installs the hook or updates it. Hooks that were there before continue to
// work. It reports whether it created the directory of the hooks, or the file hgrc.
func (h *Hook) Install() (made bool, err error) {
	if !h.Place.Inside() {
		return false, fmt.Errorf("%s: %w", h.Place.Dir, ErrShared)
	}
	if h.Place.Kind == vcs.Hg {
		return h.installHg()
	}
	if made, err = makeHooks(h.Place); err != nil {
		return made, err
	}
	for _, s := range h.scripts(false) {
		if err := s.install(); err != nil {
			return made, err
		}
	}
	return made, nil
}

// makeHooks makes the directory of the hooks, and reports whether it was missing. It gets
// the owner and the permissions of the git directory: several users may use a repository.
func makeHooks(place *vcs.Place) (made bool, err error) {
	if err := os.Mkdir(place.Hooks, 0o755); errors.Is(err, fs.ErrExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	parent := filepath.Dir(place.Hooks)
	info, err := os.Stat(parent)
	if err != nil {
		return true, err
	}
	return true, errors.Join(os.Chmod(place.Hooks, info.Mode()), disk.CopyOwner(place.Hooks, parent))
}

// Remove removes the hook, and restores the hooks that were there before. made is the
// result of Install.
func (h *Hook) Remove(made bool) error {
	if h.Place.Kind == vcs.Hg {
		return h.removeHg(made)
	}
	var errs []error
	for _, s := range h.scripts(true) {
		errs = append(errs, s.remove())
	}
	if made {
		os.Remove(h.Place.Hooks) // fails if there are other files in it
	}
	return errors.Join(errs...)
}

// Line quotes a command for sh(1).
func Line(command []string) string {
	quoted := make([]string, len(command))
	for i, word := range command {
		quoted[i] = quote(word)
	}
	return strings.Join(quoted, " ")
}

// quote quotes a word for sh(1).
func quote(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("/._-=@:,+", r)
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
