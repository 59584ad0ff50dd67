// Package disk writes files safely: a file is complete when it has its name, and it
// survives a power failure once the call has returned.
//
// It relies on POSIX rename(2) and fsync(2), and on the file system keeping a name in a
// directory that was synced. Only Replace replaces a file that exists.
package disk

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Modes of files and directories.
const (
	FileMode = 0o640
	DirMode  = 0o750
)

// SetUmask sets the umask of the process so that its files and directories have these
// modes from the start: mail systems have umasks of their own, and the filter often runs
// as another user of the same group. A crash could prevent a later chmod.
func SetUmask() { syscall.Umask(0o777 &^ DirMode) }

// WriteNew writes data to a file of a random name in tmp, syncs it, moves it to path and
// syncs path's directory. If path exists, WriteNew leaves it as it is, and the error is
// fs.ErrExist.
func WriteNew(tmp, path string, data []byte) error {
	name, err := writeTmp(tmp, data, true)
	if err != nil {
		return err
	}
	if err := Rename(name, path); err != nil {
		os.Remove(name)
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// writeTmp writes data to a file of a random name in tmp and returns its path. After an
// error there is no such file.
func writeTmp(tmp string, data []byte, sync bool) (string, error) {
	f, err := create(tmp)
	if err != nil {
		return "", err
	}
	if err := writeAll(f, data, sync); err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// TryWrite writes n bytes to a file in tmp, as WriteNew would, and removes it.
func TryWrite(tmp string, n int) error {
	name, err := writeTmp(tmp, make([]byte, n), true)
	if err != nil {
		return err
	}
	return os.Remove(name)
}

func create(tmp string) (*os.File, error) {
	name := filepath.Join(tmp, fmt.Sprintf("%d.%s", os.Getpid(), rand.Text()))
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, FileMode)
}

func writeAll(f *os.File, data []byte, sync bool) error {
	_, err := f.Write(data)
	if err == nil && sync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Replace is WriteNew, but replaces an existing file atomically.
func Replace(tmp, path string, data []byte) (err error) {
	name, err := writeTmp(tmp, data, true)
	if err != nil {
		return err
	}
	if err := os.Rename(name, path); err != nil {
		os.Remove(name)
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir makes the names in a directory durable.
func SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// MakeDir makes a directory unless it exists. Its parent must exist.
func MakeDir(path string) error {
	err := os.Mkdir(path, DirMode)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// Remove removes a file. A missing file is not an error.
func Remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
