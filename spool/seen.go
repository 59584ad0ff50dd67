package spool

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"vext/internal/calendar"
	"vext/internal/disk"
)

// seen is the file that the filter touches; those of other ways in have their
// name behind it: seen-lmtp, seen-webhook-github. Its time is that of the last
// commit; in it stand the days on which there were any, one a line, by which
// vext check knows how long a way in is usually silent.
const seen = "seen"

// dayLayout is how a day is written there.
const dayLayout = "20060102"

// maxDays is the size of the file, in bytes, at which its older half is removed: some
// three years of daily commits.
const maxDays = 8 << 10

// Seen notes that a commit went by, whether it asked for anything or not, so
// that silence can be told from a way in that is closed. The way is "" for the
// filter, else made of letters, digits and what Name leaves as it is. That it
// can't be noted is no reason to refuse a message.
func (s Spool) Seen(way string) {
	path := s.seenPath(way)
	before, beforeErr := os.Stat(path)
	if !touch(path) {
		return
	}
	now, err := os.Stat(path)
	if err != nil {
		return
	}
	today := dayOf(now)
	isFirst := beforeErr != nil || before.Size() == 0
	if !isFirst && dayOf(before) == today {
		return
	}
	days := today
	if isFirst && beforeErr == nil && dayOf(before) != today { // of a version that noted no days
		days = dayOf(before) + today
	}
	if now.Size() >= maxDays {
		s.shortenDays(path)
	}
	if f, err := disk.OpenFile(path, os.O_APPEND|os.O_WRONLY); err == nil {
		f.WriteString(days) // in one piece: others may be writing
		f.Close()
	}
}

// dayOf returns the line of the day on which a file was last written.
func dayOf(info fs.FileInfo) string { return info.ModTime().UTC().Format(dayLayout) + "\n" }

// touch sets a file's time, and creates a missing file. It reports whether it
// succeeded.
func touch(path string) bool {
	err := unix.Utimes(path, nil)
	if !errors.Is(err, fs.ErrNotExist) {
		return err == nil
	}
	f, err := disk.OpenFile(path, os.O_CREATE|os.O_WRONLY)
	if err == nil {
		f.Close()
	}
	return err == nil
}

// shortenDays keeps the later half of the days in a file.
func (s Spool) shortenDays(path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		return
	}
	half := data[len(data)/2:]
	disk.Replace(s.tmp(), path, half[bytes.IndexByte(half, '\n')+1:])
}

// DaysSeen returns the days, in UTC and up to now, on which commits came from one
// source, oldest first and each once. From a file of an earlier version it returns
// only the last day.
func (s Spool) DaysSeen(way string, now time.Time) []calendar.Day {
	data, err := os.ReadFile(s.seenPath(way))
	if err != nil {
		return nil
	}
	var days []calendar.Day
	for line := range strings.Lines(string(data)) {
		if day, err := calendar.Parse(strings.TrimSpace(line)); err == nil {
			days = append(days, day)
		}
	}
	days = append(days, calendar.Of(modified(s.seenPath(way)), time.UTC))
	today := calendar.Of(now, time.UTC)
	days = slices.DeleteFunc(days, func(day calendar.Day) bool { return today.Before(day) }) // the clock was wrong
	slices.SortFunc(days, func(a, b calendar.Day) int { return a.Sub(b) })
	return slices.Compact(days)
}

func (s Spool) seenPath(way string) string {
	if way == "" {
		return filepath.Join(s.history(), seen)
	}
	return filepath.Join(s.history(), seen+"-"+Name(way))
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
