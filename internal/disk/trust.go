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
	users := []uint32{0, uint32(os.Geteuid())}
	if owner, ok := ownerOf(os.Stat(home)); ok {
		users = append(users, owner)
	}
	owner, known := ownerOf(info, nil)
	switch {
	case known && !slices.Contains(users, owner):
		return fmt.Errorf("%s: %w: it belongs to user %d, not to the owner of %s", path, ErrUntrusted, owner, strings.TrimSuffix(home, "/"))
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%s: %w: others may write to it (mode %04o)", path, ErrUntrusted, info.Mode().Perm())
	}
	return nil
}

func ownerOf(info fs.FileInfo, err error) (uint32, bool) {
	if err != nil {
		return 0, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return stat.Uid, true
}
