package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// ReplaceOutside replaces or creates a file outside of the state directory,
// atomically, with a mode whatever the umask is. If root does it, the file gets the
// owner of the one that it replaces, or else of its directory.
func ReplaceOutside(path string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".vext-*")
	if err != nil {
		return err
	}
	err = errors.Join(f.Chmod(mode), writeAll(f, data, true))
	if err == nil {
		if err = CopyOwner(f.Name(), path); errors.Is(err, fs.ErrNotExist) {
			err = CopyOwner(f.Name(), filepath.Dir(path))
		}
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// CopyOwner gives a file the owner of another, if root does it.
func CopyOwner(path, like string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	if uid, gid, ok := Owner(like); ok {
		return os.Chown(path, uid, gid)
	}
	return nil
}
