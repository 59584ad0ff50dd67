package disk

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Rename moves a file or directory to a new name on the same file system. It never
// replaces: if the name exists, the error is fs.ErrExist. It is atomic if the file
// system can do that. The caller syncs the directories.
func Rename(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	// File systems without this flag return EINVAL, old kernels ENOSYS.
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return linkAndUnlink(from, to)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}
