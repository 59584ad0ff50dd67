package disk

import "os"

// linkAndUnlink is Rename where the system has no rename that keeps what is
// there. A crash between the two steps leaves the file under both names; the
// one in tmp is swept away later.
func linkAndUnlink(from, to string) error {
	if err := os.Link(from, to); err != nil {
		return err
	}
	return os.Remove(from)
}
