package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// ErrUntrusted says that another user may have written a file.
var ErrUntrusted = errors.New("not trusted")

// ReadTrusted reads a file from which paths or commands are taken. The file must
// be regular, must belong to the user of the process, to the owner of the
// directory home, or to root, and must not be writable by anybody else. Otherwise
// the error is ErrUntrusted and says why.
func ReadTrusted(path, home string) ([]byte, error) {
	return readUnlinked(path, func(info fs.FileInfo) error { return trusted(path, info, home) })
}

// TrustedDir checks that a directory and some files in it belong to a user whom
// ReadTrusted trusts. A missing file is no error.
func TrustedDir(path, home string, files ...string) error {
	for _, name := range append([]string{""}, files...) {
		at := filepath.Join(path, name)
		info, err := os.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink != 0 || name == "" && !info.IsDir() {
			return fmt.Errorf("%s: %w: it is a link, or not a directory", at, ErrUntrusted)
		}
		if err := trusted(at, info, home); err != nil {
			return err
		}
	}
	return nil
}

func trusted(path string, info fs.FileInfo, home string) error {
	users := []int{0, os.Geteuid()}
	if owner, _, ok := Owner(home); ok {
		users = append(users, owner)
	}
	owner := int(info.Sys().(*syscall.Stat_t).Uid)
	switch {
	case !slices.Contains(users, owner):
		return fmt.Errorf("%s: %w: it belongs to user %d, not to the owner of %s", path, ErrUntrusted, owner, strings.TrimSuffix(home, "/"))
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%s: %w: others may write to it (mode %04o)", path, ErrUntrusted, info.Mode().Perm())
	}
	return nil
}

// SameFileSystem reports whether two files or directories are on one file system, so that
// a rename between them is possible. It returns true for one that can't be examined: a
// rename will show the error.
func SameFileSystem(a, b string) bool {
	x, errX := statOf(a)
	y, errY := statOf(b)
	return errX != nil || errY != nil || x.Dev == y.Dev
}

// IsDirOf reports whether a path is a directory of one of these users, and no symbolic link,
// whose mode has none of the forbidden bits.
func IsDirOf(path string, forbidden fs.FileMode, owners ...int) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir() && info.Mode().Perm()&forbidden == 0 && slices.Contains(owners, int(info.Sys().(*syscall.Stat_t).Uid))
}

// Owner returns the IDs of the user and the group of a file, if they are known.
func Owner(path string) (uid, gid int, ok bool) {
	stat, err := statOf(path)
	if err != nil {
		return 0, 0, false
	}
	return int(stat.Uid), int(stat.Gid), true
}

func statOf(path string) (*syscall.Stat_t, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	return info.Sys().(*syscall.Stat_t), nil
}

// ReplaceOutside replaces or creates a file outside of the state directory,
// atomically, with a mode whatever the umask is. If root does it, the file gets the
// owner of the one that it replaces, or else of its directory.
func ReplaceOutside(path string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".vext-*")
	if err != nil {
		return err
	}
	like := path
	if _, err := os.Stat(path); err != nil {
		like = filepath.Dir(path)
	}
	err = errors.Join(f.Chmod(mode), writeAll(f, data, true))
	if err == nil {
		err = CopyOwner(f.Name(), like)
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

// ClosedDir returns the first directory, from dir upwards, that some users can't enter,
// "" when there is none.
func ClosedDir(dir string) string {
	for {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&0o001 == 0 && info.Mode().Type() == fs.ModeDir {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
		dir = filepath.Dir(dir)
	}
}
