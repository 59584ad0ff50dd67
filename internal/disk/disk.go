// Package disk writes files safely: a file is complete when it has its name, and it
// survives a power failure once the call has returned.
//
// It relies on POSIX rename(2) and fsync(2), and on the file system keeping a name in a
// directory that was synced. Only Replace replaces a file that exists.
package disk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Modes of files and directories.
const (
	FileMode = 0o640
	DirMode  = 0o750
)

// SetUmask sets the umask of the process so that its files and directories have these
// modes from the start: mail systems have umasks of their own, and the filter often runs
// as another user of the same group. A crash could prevent a later chmod. It returns the
// umask that the process had.
func SetUmask() (was int) { return syscall.Umask(0o777 &^ DirMode) }

// WriteNew writes data to a file of a random name in tmp, syncs it, moves it to path and
// syncs path's directory. If path exists, WriteNew leaves it as it is, and the error is
// fs.ErrExist.
func WriteNew(tmp, path string, data []byte) error { return write(tmp, path, data, Rename) }

// Replace is WriteNew, but replaces an existing file atomically.
func Replace(tmp, path string, data []byte) error { return write(tmp, path, data, os.Rename) }

func write(tmp, path string, data []byte, rename func(from, to string) error) error {
	name, err := writeTmp(tmp, data, true)
	if err != nil {
		return err
	}
	if err := rename(name, path); err != nil {
		os.Remove(name)
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// ReplaceUnsynced is Replace for a file that a crash may lose.
func ReplaceUnsynced(tmp, path string, data []byte) error {
	name, err := writeTmp(tmp, data, false)
	if err != nil {
		return err
	}
	if err = os.Rename(name, path); err != nil {
		os.Remove(name)
	}
	return err
}

// writeTmp writes data to a file of a random name in tmp and returns its path. After an
// error there is no such file.
func writeTmp(tmp string, data []byte, sync bool) (string, error) {
	name := filepath.Join(tmp, fmt.Sprintf("%d.%s", os.Getpid(), rand.Text()))
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, FileMode)
	if err != nil {
		return "", err
	}
	if err := writeAll(f, data, sync); err != nil {
		os.Remove(name)
		return "", err
	}
	return name, nil
}

// TryWrite writes n bytes to a file in tmp, as WriteNew would, and removes it.
func TryWrite(tmp string, n int) error {
	name, err := writeTmp(tmp, make([]byte, n), true)
	if err != nil {
		return err
	}
	return os.Remove(name)
}

func writeAll(f *os.File, data []byte, sync bool) error {
	_, err := f.Write(data)
	if err == nil && sync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
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

// A File is the content for a path.
type File struct {
	Path string
	Data []byte
}

// few is how many files are faster to sync one by one.
const few = 4

// WriteAllNew is WriteNew for many files, which it syncs together. It leaves files that
// exist as they are, and returns how many are new. The caller syncs the directories.
func WriteAllNew(tmp string, files []File) (isNew int, err error) {
	names := make([]string, 0, len(files)) // in tmp; "" once moved
	defer func() {
		for _, name := range names {
			if name != "" {
				os.Remove(name)
			}
		}
	}()
	for _, file := range files {
		name, err := writeTmp(tmp, file.Data, len(files) <= few)
		if err != nil {
			return 0, err
		}
		names = append(names, name)
	}
	if len(files) > few {
		if err := syncAll(tmp, names); err != nil {
			return 0, err
		}
	}
	for i, file := range files {
		err := Rename(names[i], file.Path)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return isNew, err
		}
		names[i] = ""
		isNew++
	}
	return isNew, nil
}

func syncEach(names []string) error {
	for _, name := range names {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// linkAndUnlink is Rename for systems whose rename can only replace. A crash between its
// two steps leaves the file under both names; the next move finds that, and a name in
// tmp/ is swept later.
func linkAndUnlink(from, to string) error {
	// Directories can't be linked. Only the holder of the lock moves one, so nothing
	// can happen between the check and the rename.
	if info, err := os.Lstat(from); err == nil && !info.Mode().IsRegular() {
		if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrExist}
		}
		return os.Rename(from, to)
	}
	if err := os.Link(from, to); err != nil {
		return err
	}
	return os.Remove(from)
}

// ErrLocked says that another process holds the lock of a file.
var ErrLocked = errors.New("locked by another process")

// lockPoll is the time between two attempts to take a lock.
const lockPoll = 20 * time.Millisecond

// Lock takes the lock of an open file, for which it waits at most that long. The
// kernel releases the lock when f is closed or the process exits (flock(2)). The
// error is ErrLocked if another process holds the lock.
func Lock(ctx context.Context, f *os.File, wait time.Duration) error {
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return &fs.PathError{Op: "lock", Path: f.Name(), Err: err}
		}
		select {
		case <-timeout.C:
			return ErrLocked
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockPoll):
		}
	}
}

// IsLocked reports whether another process, or another open file, holds the lock of f.
func IsLocked(f *os.File) bool {
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}
