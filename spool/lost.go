package spool

import (
	"path/filepath"
	"time"

	"vext/internal/disk"
)

// Lost records that something from a source was lost before it could be stored, as a
// datagram can be.
func (s Spool) Lost(way string) {
	if disk.MakeDir(s.history()) == nil { // of a service that has not had a commit yet
		touch(s.lostPath(way))
	}
}

// LastLost returns when Lost was last called for a way, the zero time if never.
func (s Spool) LastLost(way string) time.Time { return modified(s.lostPath(way)) }

func (s Spool) lostPath(way string) string {
	return filepath.Join(s.history(), "lost-"+Name(way))
}
