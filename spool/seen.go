package spool

import (
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

// seen is the file of vext-filter; those of other sources have a suffix: seen-lmtp,
// seen-webhook-github. Its modification time is that of the last commit. It contains the
// days with commits, one a line, from which vext check computes how long a source is
// usually silent.
const seen = "seen"

// Seen records that a commit has arrived, with or without a request, so that vext check
// can detect a broken source. The source is "" for vext-filter. Seen returns no error,
// because a message must be accepted even when this can't be recorded.
func (s Spool) Seen(source string) {
	path := s.seenPath(source)
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
	if f, err := disk.OpenFile(path, os.O_APPEND|os.O_WRONLY); err == nil {
		f.WriteString(days) // in one write, as other processes may write too
		f.Close()
	}
}

// dayOf returns the line for the day of a file's modification time.
func dayOf(info fs.FileInfo) string { return calendar.Of(info.ModTime(), time.UTC).String() + "\n" }

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

// DaysSeen returns the days, in UTC and up to now, on which commits came from one
// source, oldest first and each once. From a file of an earlier version it returns
// only the last day.
func (s Spool) DaysSeen(source string, now time.Time) []calendar.Day {
	data, err := os.ReadFile(s.seenPath(source))
	if err != nil {
		return nil
	}
	var days []calendar.Day
	for line := range strings.Lines(string(data)) {
		if day, err := calendar.Parse(strings.TrimSpace(line)); err == nil {
			days = append(days, day)
		}
	}
	days = append(days, calendar.Of(modified(s.seenPath(source)), time.UTC))
	today := calendar.Of(now, time.UTC)
	days = slices.DeleteFunc(days, func(day calendar.Day) bool { return today.Before(day) }) // the clock was wrong
	slices.SortFunc(days, func(a, b calendar.Day) int { return a.Sub(b) })
	return slices.Compact(days)
}

func (s Spool) seenPath(source string) string {
	if source == "" {
		return filepath.Join(s.history(), seen)
	}
	return filepath.Join(s.history(), seen+"-"+Name(source))
}

// LastSeen returns when Seen was last called for any source, the zero time if never.
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

// LastSeenBy returns when Seen was last called for one source, the zero time if never.
func (s Spool) LastSeenBy(source string) time.Time { return modified(s.seenPath(source)) }

func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
