package repo

import (
	"path"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestConflictName(t *testing.T) {
	at := time.Date(2026, 11, 30, 14, 5, 9, 0, time.UTC)
	free := func(string) bool { return false }
	for name, want := range map[string]string{
		"notes.txt":            "notes (conflict laptop 2026-11-30 14.05).txt",
		"a/b c/ö.tar.gz":       "a/b c/ö.tar (conflict laptop 2026-11-30 14.05).gz",
		".profile":             ".profile (conflict laptop 2026-11-30 14.05)",
		"x/.profile":           "x/.profile (conflict laptop 2026-11-30 14.05)",
		".vimrc.bak":           ".vimrc (conflict laptop 2026-11-30 14.05).bak",
		"Makefile":             "Makefile (conflict laptop 2026-11-30 14.05)",
		"to Mr. Smith":         "to Mr. Smith (conflict laptop 2026-11-30 14.05)",
		"a.d/Makefile":         "a.d/Makefile (conflict laptop 2026-11-30 14.05)",
		"line\nbreak.txt":      "line\nbreak (conflict laptop 2026-11-30 14.05).txt",
		"ends with a blank.md": "ends with a blank (conflict laptop 2026-11-30 14.05).md",
	} {
		if got := ConflictName(name, "laptop", at, free); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	n := 0
	got := ConflictName("a.txt", "x/y", at, func(string) bool { n++; return n < 3 })
	if got != "a (conflict x-y 2026-11-30 14.05 3).txt" {
		t.Errorf("taken: %q", got)
	}
	if got := ConflictName("a", "", at, free); got != "a (conflict here 2026-11-30 14.05)" {
		t.Errorf("without a host: %q", got)
	}
	long := ConflictName("d/"+strings.Repeat("ö", 126)+".md", strings.Repeat("h", 300), at, free)
	if base := path.Base(long); len(base) > maxName || !utf8.ValidString(base) || !strings.HasSuffix(base, ").md") {
		t.Errorf("long: %d bytes, %q", len(base), base)
	}
}
