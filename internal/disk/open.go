package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// ErrNotRegular is the error for a path that names a directory, a FIFO or a device instead
// of a regular file.
var ErrNotRegular = errors.New("not a regular file")

// Open opens a regular file for reading, see OpenFile.
func Open(path string) (*os.File, error) { return OpenFile(path, os.O_RDONLY) }

// OpenFile is os.OpenFile for a regular file. When path is a FIFO it does not wait for
// the other end, but returns ErrNotRegular.
func OpenFile(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag|unix.O_NONBLOCK, FileMode)
	if errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EMLINK) {
		// A FIFO that nobody reads or a socket; the others for a link that is not followed.
		err = &fs.PathError{Op: "open", Path: path, Err: ErrNotRegular}
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: ErrNotRegular}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// OpenUnlinked is Open for a file that others may have written. The error is
// ErrNotRegular for a link, too.
func OpenUnlinked(path string) (*os.File, error) { return OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW) }

// ReadFile is os.ReadFile for a file that Open can open.
func ReadFile(path string) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// ReadRegular reads a file that others may have written. The error is ErrUntrusted when
// the file is a link or not regular.
func ReadRegular(path string) ([]byte, error) { return readUnlinked(path, nil) }

// readUnlinked reads a regular file that is not a link and that check, unless nil, accepts.
func readUnlinked(path string, check func(fs.FileInfo) error) ([]byte, error) {
	f, err := OpenUnlinked(path)
	if errors.Is(err, ErrNotRegular) {
		return nil, fmt.Errorf("%s: %w: it is not a regular file", path, ErrUntrusted)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if check != nil {
		info, err := f.Stat()
		if err == nil {
			err = check(info)
		}
		if err != nil {
			return nil, err
		}
	}
	return io.ReadAll(f)
}
