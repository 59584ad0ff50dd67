package spool

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"vext/internal/disk"
)

// An announcement is a message with the commits of one push, for the process that
// announces commits as they arrive. While there is such a process, the file
// STATE/announcing exists: the filter has no configuration.

func (s Spool) announcing() string { return filepath.Join(s.state, "announcing") }
func (s Spool) failed() string     { return filepath.Join(s.state, "failed") }

// notices is where earlier versions had announcements.
func (s Spool) notices() string { return filepath.Join(s.state, "notices") }

// Announces reports whether announcements are wanted. After an upgrade, until the next start
// of vext serve, the directory of the earlier version shows that.
func (s Spool) Announces() (bool, error) {
	isNew, err := exists(s.announcing())
	if isNew || err != nil {
		return isNew, err
	}
	return exists(s.notices())
}

func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// announcementEnd ends the names of announcements, and no others, see IsName.
const announcementEnd = ".announce"

// IsAnnouncement reports whether a file of that name or path is an announcement.
func IsAnnouncement(name string) bool { return strings.HasSuffix(name, announcementEnd) }

// announced counts the announcements of this process. By their numbers those of one
// process are in order, even if the clock is coarse.
var announced atomic.Uint32

// nanoDigits is how many digits the time has in the name of an announcement.
const nanoDigits = 19

// NewAnnouncement returns an announcement that arrives at a time. Its name is the time
// in nanoseconds, a number, and the digest of the data, by which those of different
// processes differ.
func NewAnnouncement(at time.Time, data []byte) Message {
	name := fmt.Sprintf("%0*d-%010d-%s%s", nanoDigits, at.UnixNano(), announced.Add(1), DigestName(data), announcementEnd)
	return Message{name, data}
}

// AnnouncementTime returns when an announcement arrived, the zero time when the file
// does not exist. The oldest versions had only the digest for a name; then it is the
// time of the file.
func AnnouncementTime(path string) time.Time {
	digits, _, _ := strings.Cut(filepath.Base(path), "-")
	if nano, err := strconv.ParseInt(digits, 10, 64); err == nil && len(digits) == nanoDigits && nano > 0 {
		return time.Unix(0, nano)
	}
	return modified(path)
}

// StartAnnouncing makes the spool ready for announcements, and moves those of earlier
// versions there. To call it again is harmless.
func (s Spool) StartAnnouncing() error {
	if err := s.Check(); err != nil {
		return err
	}
	if err := s.make(); err != nil {
		return err
	}
	announces, err := s.Announces()
	if err == nil && !announces {
		err = s.removeAnnouncements() // of long ago
	}
	if err != nil {
		return err
	}
	if isThere, _ := exists(s.announcing()); !isThere {
		if err := disk.WriteNew(s.tmp(), s.announcing(), nil); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return s.takeOverNotices()
}

// takeOverNotices moves announcements of earlier versions into the spool. It leaves
// other files alone.
func (s Spool) takeOverNotices() error {
	entries, err := os.ReadDir(s.notices())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		if moveErr := disk.Rename(filepath.Join(s.notices(), e.Name()), s.Path(e.Name()+announcementEnd)); moveErr != nil {
			err = errors.Join(err, moveErr)
		}
	}
	if err = errors.Join(err, disk.SyncDir(s.Dir())); err == nil {
		os.Remove(s.notices())
	}
	return err
}

// StopAnnouncing removes all announcements, and makes the spool accept no more.
func (s Spool) StopAnnouncing() error {
	return errors.Join(disk.Remove(s.announcing()), s.removeAnnouncements(), os.RemoveAll(s.notices()))
}

func (s Spool) removeAnnouncements() error {
	paths, err := s.Announcements()
	for _, path := range paths {
		err = errors.Join(err, disk.Remove(path))
	}
	return err
}

// list returns the entries of the spool whose names are, or are not, announcements'.
func (s Spool) list(announcements bool) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(s.Dir())
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return IsAnnouncement(e.Name()) != announcements }), err
}

// Requests returns what is in the spool apart from announcements.
func (s Spool) Requests() ([]fs.DirEntry, error) { return s.list(false) }

// Announcements returns the paths of the announcements in the spool, oldest first.
func (s Spool) Announcements() ([]string, error) {
	entries, err := s.list(true)
	times := map[string]time.Time{}
	var paths []string
	for _, e := range entries {
		if e.Type().IsRegular() {
			path := s.Path(e.Name())
			paths, times[path] = append(paths, path), AnnouncementTime(path)
		}
	}
	slices.SortFunc(paths, func(a, b string) int { return cmp.Or(times[a].Compare(times[b]), cmp.Compare(a, b)) })
	return paths, err
}

// QuarantineAnnouncement quarantines an announcement that can't be read.
func (s Spool) QuarantineAnnouncement(path, reason string) error {
	return s.Quarantine(path, Name(strings.TrimSuffix(filepath.Base(path), announcementEnd)), reason)
}
