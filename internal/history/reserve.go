package history

import (
	"errors"
	"os"
	"path/filepath"

	"vext/internal/disk"
)

// reserved is the room kept for the records of one mail, which are of some 500
// bytes each.
const reserved = 16 << 10

func (h History) ballast() string { return filepath.Join(h.dir, "ballast") }

// Reserve takes room on the disk, so that what is about to be done can be
// recorded even when the disk fills up meanwhile. When there is none, it is
// the time to stop.
func (h History) Reserve() error {
	if err := disk.MakeDir(h.dir); err != nil {
		return err
	}
	if err := os.RemoveAll(h.ballast()); err != nil { // a FIFO, say, that an open would wait for
		return err
	}
	f, err := os.OpenFile(h.ballast(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, disk.FileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, reserved))
	if err == nil {
		err = f.Sync() // file systems that allocate late do it now
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, h.Release())
	}
	return nil
}

// Release gives back the room that Reserve took, if there is any.
func (h History) Release() error { return disk.Remove(h.ballast()) }
