//go:build !darwin && !freebsd && !netbsd

package autosync

import (
	"io/fs"
	"syscall"
	"time"
)

// changeTime returns when a file, its name or its mode was changed, which an archive does
// not set; the zero time if it is unknown.
func changeTime(info fs.FileInfo) time.Time {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(s.Ctim.Unix())
	}
	return time.Time{}
}
