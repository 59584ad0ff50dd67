package disk

import (
	"errors"
	"io/fs"
	"os"
)

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
