// Package pidfile is a file by which one process at a time does something: it is locked by
// that process, and contains its ID. The kernel releases the lock when the process ends.
package pidfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"vext/internal/disk"
)

// A HeldError says that another process has the file.
type HeldError struct{ PID int } // 0 if unknown

func (e *HeldError) Error() string {
	if e.PID == 0 {
		return "locked by another process"
	}
	return fmt.Sprintf("locked by process %d", e.PID)
}

// takeWait is how long Take waits for a process that is ending, or that has not written
// its ID yet.
const takeWait = 300 * time.Millisecond

// A File is one that this process has locked.
type File struct{ file *os.File }

// Take locks a file, and makes it when there is none. The error is a *HeldError if another
// process has it.
func Take(ctx context.Context, path string) (*File, error) {
	for {
		file, err := disk.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW)
		if err != nil {
			return nil, err
		}
		if err := lock(ctx, file, takeWait); err != nil {
			file.Close()
			return nil, err
		}
		if !isNamed(file) { // whoever had it has removed it since
			file.Close()
			continue
		}
		if err := write(file); err != nil {
			file.Close()
			return nil, err
		}
		return &File{file}, nil
	}
}

// Wait waits until no process has the file, but not longer than that. The error is a
// *HeldError then.
func Wait(ctx context.Context, path string, wait time.Duration) error {
	file, err := disk.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	return lock(ctx, file, wait)
}

func lock(ctx context.Context, file *os.File, wait time.Duration) error {
	err := disk.Lock(ctx, file, wait)
	if errors.Is(err, disk.ErrLocked) {
		return &HeldError{read(file)}
	}
	return err
}

// Release removes the file before it releases the lock, so that whoever has the lock of a
// file by that name is the only one.
func (f *File) Release() error {
	var err error
	if f.Counts() {
		err = os.Remove(f.file.Name())
	}
	return errors.Join(err, f.file.Close())
}

// Counts reports whether the lock keeps other processes out. It does not when somebody has
// moved or removed the file.
func (f *File) Counts() bool { return isNamed(f.file) }

// isNamed reports whether an open file still has its name.
func isNamed(file *os.File) bool {
	open, err := file.Stat()
	named, err2 := os.Lstat(file.Name())
	return err == nil && err2 == nil && os.SameFile(open, named)
}

func write(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	if err := file.Chmod(0o600); err != nil {
		return err
	}
	_, err := file.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return err
}

func read(file *os.File) int {
	text, _ := io.ReadAll(io.NewSectionReader(file, 0, 32))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}
