package spool

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"vext/internal/disk"
)

// seen is the file that the filter touches; those of other ways in have their
// name behind it: seen-lmtp, seen-webhook-github.
const seen = "seen"

// Seen notes that a commit went by, whether it asked for anything or not, so
// that silence can be told from a way in that is closed. The way is "" for the
// filter, else made of letters, digits and what Name leaves as it is. That it
// can't be noted is no reason to refuse a message.
func (s Spool) Seen(way string) { touch(s.seenPath(way)) }

// touch sets a file's time, and makes it where it is missing.
func touch(path string) {
	if err := unix.Utimes(path, nil); errors.Is(err, fs.ErrNotExist) {
		if f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, disk.FileMode); err == nil {
			f.Close()
		}
	}
}

func (s Spool) seenPath(way string) string {
	if way == "" {
		return filepath.Join(s.history(), seen)
	}
	return filepath.Join(s.history(), seen+"-"+Name(way))
}

// Refused notes that somebody spoke to a way in who may not: a secret that is
// wrong on one side, or a stranger. It does not count as a commit.
func (s Spool) Refused(way string) { touch(s.refusedPath(way)) }

// LastRefused returns when Refused was last called for a way, the zero time if
// never.
func (s Spool) LastRefused(way string) time.Time { return modified(s.refusedPath(way)) }

func (s Spool) refusedPath(way string) string {
	return filepath.Join(s.history(), "refused-"+Name(way))
}

// LastSeen returns when Seen was last called for any way, the zero time if
// never.
func (s Spool) LastSeen() time.Time {
	var last time.Time
	entries, _ := os.ReadDir(s.history())
	for _, e := range entries {
		if e.Name() != seen && !strings.HasPrefix(e.Name(), seen+"-") {
			continue
		}
		if info, err := e.Info(); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last
}

// LastSeenBy returns when Seen was last called for one way, the zero time if
// never.
func (s Spool) LastSeenBy(way string) time.Time { return modified(s.seenPath(way)) }

func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
