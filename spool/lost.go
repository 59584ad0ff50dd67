package spool

import (
	"path/filepath"
	"time"

	"vext/internal/disk"
)

// Lost records that something from a source was lost before it could be stored, as a
// datagram can be.
func (s Spool) Lost(source string) {
	if disk.MakeDir(s.history()) == nil { // of a service that has not had a commit yet
		touch(s.lostPath(source))
	}
}

// LastLost returns when Lost was last called for a source, the zero time if never.
func (s Spool) LastLost(source string) time.Time { return modified(s.lostPath(source)) }

func (s Spool) lostPath(source string) string {
	return filepath.Join(s.history(), "lost-"+Name(source))
}
