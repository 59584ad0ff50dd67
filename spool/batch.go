package spool

import (
	"errors"
	"io/fs"
	"os"
	"slices"

	"vext/internal/disk"
)

// A Message is what is put into the spool, and its name there: a request for a
// reminder, which is a mail with one commit, or an announcement, see
// NewAnnouncement.
type Message struct {
	Name string
	Data []byte
}

// maxAtOnce bounds how many files are in tmp/ at a time.
const maxAtOnce = 1000

// PutAll stores messages durably and returns how many of them are new. A message whose
// name is taken is not stored. After an error some messages may be stored; to put all
// of them again is harmless. The state directory itself must exist.
func (s Spool) PutAll(messages ...Message) (isNew int, err error) {
	if err := s.Check(); err != nil || len(messages) == 0 {
		return 0, err
	}
	files := make([]disk.File, 0, len(messages))
	for _, m := range messages {
		info, err := os.Lstat(s.Path(m.Name))
		if err == nil && !info.Mode().IsRegular() {
			return 0, &fs.PathError{Op: "put", Path: s.Path(m.Name), Err: errors.New("something else is in the way")}
		}
		if err != nil {
			files = append(files, disk.File{Path: s.Path(m.Name), Data: m.Data})
		}
	}
	for some := range slices.Chunk(files, maxAtOnce) {
		n, err := disk.WriteAllNew(s.tmp(), some)
		if errors.Is(err, fs.ErrNotExist) {
			if err := s.make(); err != nil {
				return isNew, err
			}
			n, err = disk.WriteAllNew(s.tmp(), some)
		}
		isNew += n
		if err != nil {
			return isNew, err
		}
	}
	// Also for messages that were there: the process that stored them may have died
	// before it synced their names.
	return isNew, disk.SyncDir(s.Dir())
}
