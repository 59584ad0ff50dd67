package disk

import (
	"errors"
	"io/fs"
	"os"
)

// linkAndUnlink is Rename where the system has no rename that keeps what is
// there. A crash between the two steps leaves the file under both names; who
// moves it next finds that, and the one in tmp is swept away later.
func linkAndUnlink(from, to string) error {
	// Directories have no second name. Only the holder of the lock moves one,
	// so that nobody comes between the question and the move.
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
