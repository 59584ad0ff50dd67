package spool

import (
	"os"

	"vext/internal/disk"
)

// A Message is a message and the name that it is to have.
type Message struct {
	Name string
	Data []byte
}

// few is how many messages are cheaper to sync one by one.
const few = 4

// atOnce bounds how many lie in tmp/ at a time.
const atOnce = 1000

// PutAll is Put for many messages, which are synced together. It returns how
// many of them are new. On an error some may be there and some not; to put all
// of them once more makes that good.
func (s Spool) PutAll(messages []Message) (isNew int, err error) {
	if len(messages) <= few {
		for _, m := range messages {
			added, err := s.Put(m.Name, m.Data)
			if err != nil {
				return isNew, err
			}
			if added {
				isNew++
			}
		}
		return isNew, nil
	}
	if err := s.Check(); err != nil {
		return 0, err
	}
	files := make([]disk.File, 0, len(messages))
	for _, m := range messages {
		if info, err := os.Lstat(s.Path(m.Name)); err == nil && !info.Mode().IsRegular() {
			return 0, inTheWay(s.Path(m.Name))
		} else if err == nil {
			continue
		}
		files = append(files, disk.File{Path: s.Path(m.Name), Data: m.Data})
	}
	if err := s.make(); err != nil {
		return 0, err
	}
	for len(files) > 0 {
		n := min(len(files), atOnce)
		written, err := disk.WriteAllNew(s.tmp(), files[:n])
		isNew += written
		if err != nil {
			return isNew, err
		}
		files = files[n:]
	}
	return isNew, disk.SyncDir(s.Dir()) // also for those that were there
}
