package repo

import (
	"errors"
	"io/fs"
	"os"
)

// A place is the directories of a work tree as they were when it was opened: its root, and
// that of its version control if there is one.
type place struct {
	dirs  []string
	infos []fs.FileInfo
}

// newPlace returns the directories as they are now.
func newPlace(dirs ...string) (place, error) {
	p := place{dirs: dirs}
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil {
			return place{}, err
		}
		p.infos = append(p.infos, info)
	}
	return p, nil
}

// check returns a *StoppedError when the work tree is no longer the one that was opened: a
// file system was unmounted, or another one mounted. Its files must not count as deleted. The
// zero place, of a tree that is being opened, returns nil.
func (p place) check() error {
	for i, dir := range p.dirs {
		switch now, err := os.Stat(dir); {
		case errors.Is(err, fs.ErrNotExist):
			return &StoppedError{dir + " is gone; is its file system unmounted?"}
		case err != nil:
			return &StoppedError{"the work tree cannot be read: " + err.Error()}
		case !os.SameFile(now, p.infos[i]):
			return &StoppedError{dir + " is another directory than before; is a file system mounted or unmounted there?"}
		}
	}
	return nil
}
