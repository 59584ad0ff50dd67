package history

import (
	"cmp"
	"os"
	"path/filepath"

	"vext/internal/disk"
)

// reserved is the space kept for the records of one mail, in bytes. A record has some
// 500.
const reserved = 16 << 10

func (h History) ballast() string { return filepath.Join(h.dir, "ballast") }

// Reserve allocates space, so that what is sent next can be recorded even when the
// disk fills up meanwhile.
func (h History) Reserve() error { return wrap("reserve space at", h.ballast(), h.reserve()) }

func (h History) reserve() error {
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
	if err = cmp.Or(err, f.Close()); err != nil {
		h.Release()
	}
	return err
}

// Release frees the space that Reserve allocated, if any.
func (h History) Release() error { return wrap("remove", h.ballast(), disk.Remove(h.ballast())) }
