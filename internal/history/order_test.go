package history

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The order is that of appending, whatever the clock says, and the step back is
// marked.
func TestClockAhead(t *testing.T) {
	h := New(t.TempDir())
	for i, when := range []string{
		"2026-11-30T08:00:00Z", "2027-11-30T08:00:00Z", "2027-11-30T07:30:00Z", "2026-11-30T09:00:00Z", "2026-12-01T08:00:00Z", "2027-01-01T08:00:00Z",
	} {
		if err := h.Append(Event{Time: at(when), Kind: Sent, Name: string(rune('a' + i)), Clock: "copied"}); err != nil {
			t.Fatal(err)
		}
	}
	events, _ := all(t, h)
	var order, marked string
	for _, e := range events {
		order += e.Name
		if e.Clock != "" {
			marked += e.Name + " " + e.Clock
		}
	}
	if order != "abcdef" || marked != "d 2027-11-30T07:30:00Z" {
		t.Errorf("order %s, marked %s", order, marked)
	}
	if files, _ := filepath.Glob(filepath.Join(h.Dir(), "*")); len(files) != 2 {
		t.Errorf("files: %v", files)
	}
	if err := h.AppendPast(Event{Time: at("2003-01-01T08:00:00Z"), Kind: Sent, Name: "past"}); err != nil {
		t.Fatal(err)
	}
	if events, _ = all(t, h); events[len(events)-1].Name != "past" || events[len(events)-1].Clock != "" {
		t.Errorf("imported: %+v", events)
	}
}

// A file that has lost records is found, one that has more than was noted is
// right, and Append does not go on behind a loss.
func TestSums(t *testing.T) {
	event := func(year, name string) Event {
		return Event{Time: at(year + "-05-01T00:00:00Z"), Kind: Sent, Name: name}
	}
	for _, test := range []struct {
		name   string
		change func(t *testing.T, old, now string)
		lost   bool
	}{
		{"nothing", func(*testing.T, string, string) {}, false},
		{"an earlier version has appended", func(t *testing.T, _, now string) {
			add(t, now, `{"time":"2026-05-02T00:00:00Z","event":"sent","name":"x"}`+"\n")
		}, false},
		{"a crash in an append", func(t *testing.T, _, now string) { add(t, now, `{"time":"2026-05`) }, false},
		{"a new year's file", func(t *testing.T, _, now string) { add(t, strings.Replace(now, "2026", "2027", 1), "{}\n") }, false},
		{"an old year is missing", func(t *testing.T, old, _ string) { os.Remove(old) }, true},
		{"an old year is empty", func(t *testing.T, old, _ string) { os.Truncate(old, 0) }, true},
		{"this year is missing", func(t *testing.T, _, now string) { os.Remove(now) }, true},
		{"this year is empty", func(t *testing.T, _, now string) { os.Truncate(now, 0) }, true},
		{"the last record is gone", func(t *testing.T, _, now string) {
			info, _ := os.Stat(now)
			os.Truncate(now, info.Size()-40)
		}, true},
		{"other records of the same length", func(t *testing.T, _, now string) {
			data, _ := os.ReadFile(now)
			os.WriteFile(now, []byte(strings.ReplaceAll(string(data), "b", "z")), 0o600)
		}, true},
		{"a FIFO in its place", func(t *testing.T, old, _ string) { os.Remove(old); unix.Mkfifo(old, 0o600) }, true},
		{"a directory in its place", func(t *testing.T, old, _ string) { os.Remove(old); os.Mkdir(old, 0o700) }, true},
		{"the whole directory is gone", func(t *testing.T, old, _ string) { os.RemoveAll(filepath.Dir(old)) }, true},
	} {
		h := New(t.TempDir())
		if err := h.Append(event("2025", "a"), event("2026", "a"), event("2026", "b")); err != nil {
			t.Fatal(err)
		}
		test.change(t, h.path(2025), h.path(2026))
		err := h.Verify()
		if errors.Is(err, ErrLost) != test.lost || (err != nil) != test.lost {
			t.Errorf("%s: %v", test.name, err)
		}
		_, scanErr := h.Scan(func(*Event) {})
		if scanErr != nil {
			t.Errorf("%s: scan: %v", test.name, scanErr)
		}
		if test.lost {
			if err := os.Remove(h.sum); err != nil || h.Verify() != nil {
				t.Errorf("%s: after the sums were removed: %v", test.name, h.Verify())
			}
			continue
		}
		if err := h.Append(event("2026", "c")); err != nil || h.Verify() != nil {
			t.Errorf("%s: goes on: %v, %v", test.name, err, h.Verify())
		}
	}
	h := New(t.TempDir())
	if err := h.Append(event("2026", "a"), event("2026", "b")); err != nil {
		t.Fatal(err)
	}
	for name, lose := range map[string]func() error{
		"emptied": func() error { return os.Truncate(h.path(2026), 0) }, "missing": func() error { return os.Remove(h.path(2026)) },
	} {
		err := lose()
		if err := errors.Join(err, h.Append(event("2026", "c"))); !errors.Is(err, ErrLost) {
			t.Errorf("append behind a loss, %s: %v", name, err)
		}
		if _, err := os.Stat(h.path(2026)); err == nil && name == "missing" {
			t.Error("a file that is missing was made")
		}
	}
}

// Sums that a crash has left half written, or that somebody has changed, say
// nothing.
func TestUnreadableSums(t *testing.T) {
	for _, text := range []string{"", "\x00\x00\x00\x00", "2026.jsonl 000", "2026.jsonl 000000009999 short\n", "x\n"} {
		h := New(t.TempDir())
		e := Event{Time: at("2026-01-01T00:00:00Z"), Kind: Sent, Name: "a"}
		if err := h.Append(e); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(h.sum, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := h.Verify(); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if err := h.Append(e); err != nil || len(h.readSums()) != 1 {
			t.Errorf("%q: %v, %v", text, err, h.readSums())
		}
	}
}

func add(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// A FIFO or a directory in the place of a year's file neither blocks nor hides
// the others, and is named.
func TestStrays(t *testing.T) {
	h := New(t.TempDir())
	if err := h.Append(Event{Time: at("2026-01-01T00:00:00Z"), Kind: Sent, Name: "a"}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Mkfifo(h.path(2025), 0o600), os.Mkdir(h.path(2028), 0o700)); err != nil {
		t.Fatal(err)
	}
	if events, _ := all(t, h); len(events) != 1 {
		t.Errorf("%+v", events)
	}
	if strays, err := h.Strays(); err != nil || len(strays) != 2 {
		t.Errorf("%v, %v", strays, err)
	}
	if err := h.Append(Event{Time: time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC), Kind: Sent}); err == nil {
		t.Error("appended to a directory")
	}
}
