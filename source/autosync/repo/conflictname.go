package repo

import (
	"fmt"
	"path"
	"strings"
	"time"
	"unicode/utf8"
)

// maxName is how long the name of a file may be, in bytes, on nearly all file systems.
const maxName = 255

// ConflictName returns where our version of a file is kept when both sides have changed it:
// beside it, with the same extension, "notes (conflict laptop 2026-11-30 14.05).txt". A name
// for which taken returns true gets a number.
func ConflictName(name, host string, at time.Time, taken func(name string) bool) string {
	dir, base := path.Split(name)
	ext := path.Ext(base)
	if ext == base || strings.ContainsAny(ext, " \t\n") || len(ext) > maxName/4 { // .profile, "Mr. Smith"
		ext = ""
	}
	stem := strings.TrimSuffix(base, ext)
	for n := 1; ; n++ {
		mark := fmt.Sprintf(" (conflict %s %s", hostWord(host), at.Format("2006-01-02 15.04"))
		if n > 1 {
			mark += fmt.Sprintf(" %d", n)
		}
		mark += ")" + ext
		if full := dir + shorten(stem, maxName-len(mark)) + mark; !taken(full) {
			return full
		}
	}
}

// hostWord returns the name of a host as a part of the name of a file on every system.
func hostWord(host string) string {
	host = strings.Map(func(r rune) rune {
		if r < ' ' || r == utf8.RuneError || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '-'
		}
		return r
	}, host)
	if host == "" {
		return "here"
	}
	return shorten(host, 64)
}

// shorten cuts a text to n bytes, between two characters.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// What a person reads about the file of a conflict, after its path. changedTwice is that of the
// policy Copy, and is followed by the name of the copy.
const (
	deletedHere  = "was deleted here and changed on the other side: it stays"
	deletedThere = "was deleted on the other side and changed here: it stays"
	oursStays    = "was changed on both sides: yours stays, the other version is in the history"
	theirsStays  = "was changed on both sides: the other version stays, yours is in the history"
	changedTwice = "was changed on both sides: the other version stays"
)
