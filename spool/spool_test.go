package spool

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/internal/calendar"
)

func newState(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	return dir
}

// The first message with a name is kept, and every copy counts as stored.
func TestPut(t *testing.T) {
	s := New(newState(t))
	for i, data := range []string{"first", "second"} {
		isNew, err := s.Put("a@b", []byte(data))
		if err != nil || isNew != (i == 0) {
			t.Errorf("%s: new %v, %v", data, isNew, err)
		}
	}
	data, err := os.ReadFile(s.Path("a@b"))
	if err != nil || string(data) != "first" {
		t.Errorf("it holds %q, %v", data, err)
	}
}

func TestPutWithoutState(t *testing.T) {
	s := New(filepath.Join(t.TempDir(), "none"))
	if _, err := s.Put("a@b", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want fs.ErrNotExist", err)
	}
}

// A name is the Message-ID if that is a valid file name, otherwise a digest; no two IDs
// share a name, and no name leaves the directory.
func TestName(t *testing.T) {
	for _, id := range []string{"a@b", "202101060630.1066UCkI062325@gitrepo.freebsd.org", "A-Z_0+9=@x", strings.Repeat("a", 200)} {
		if got := Name(id); got != id {
			t.Errorf("the name of %q is %q", id, got)
		}
		if got := Name("<" + id + ">"); got != id {
			t.Errorf("the name of <%q> is %q", id, got)
		}
	}
	const digest = "sha256-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	if got := Name(""); got != digest {
		t.Errorf("the name of nothing is %q", got)
	}
	seen := map[string]string{}
	for _, id := range []string{"", ".", "..", "../a", "a/b", "a b", "a\x00b", "ä@b", ".hidden", strings.Repeat("a", 201), "a@b.why", digest, "a\nb", "a%b"} {
		name := Name(id)
		if !strings.HasPrefix(name, "sha256-") || !IsName(name) {
			t.Errorf("the name of %q is %q", id, name)
		}
		if other, ok := seen[name]; ok {
			t.Errorf("%q and %q are both %q", id, other, name)
		}
		seen[name] = id
	}
}

// Only old files are swept: other processes may be writing the others.
func TestSweep(t *testing.T) {
	state := newState(t)
	s := New(state)
	if err := s.make(); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for name, age := range map[string]time.Duration{"old": 37 * time.Hour, "young": 35 * time.Hour} {
		path := filepath.Join(state, "tmp", name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Sweep(now); err != nil {
		t.Fatal(err)
	}
	left, _ := filepath.Glob(filepath.Join(state, "tmp", "*"))
	if len(left) != 1 || filepath.Base(left[0]) != "young" {
		t.Errorf("left: %v", left)
	}
}

func TestSeen(t *testing.T) {
	state := newState(t)
	s := New(state)
	s.Seen("") // there is no history yet
	if !s.LastSeen().IsZero() {
		t.Error("seen without a history")
	}
	if err := os.Mkdir(filepath.Join(state, "history"), 0o750); err != nil {
		t.Fatal(err)
	}
	s.Seen("")
	if s.LastSeen().IsZero() {
		t.Error("not noted")
	}
}

// The days with commits are recorded once each, also in a file of a version without days;
// days of a wrong clock do not count.
func TestDaysSeen(t *testing.T) {
	state := newState(t)
	s := New(state)
	if err := os.Mkdir(filepath.Join(state, "history"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(state, "tmp"), 0o750); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	path := filepath.Join(state, "history", "seen-lmtp")
	if err := os.WriteFile(path, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	for _, days := range []int{40, 20, 10} { // since it was last touched
		if err := os.Chtimes(path, now, now.AddDate(0, 0, -days)); err != nil {
			t.Fatal(err)
		}
		if days == 40 {
			if got := s.DaysSeen("lmtp", now); len(got) != 1 || got[0] != calendar.Of(now.AddDate(0, 0, -40), time.UTC) {
				t.Errorf("of an earlier version: %v", got)
			}
		}
		s.Seen("lmtp")
		s.Seen("lmtp")
	}
	want := []calendar.Day{calendar.Of(now.AddDate(0, 0, -40), time.UTC), calendar.Of(now, time.UTC)}
	if got := s.DaysSeen("lmtp", now); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := s.DaysSeen("lmtp", now.AddDate(0, 0, -1)); !slices.Equal(got, want[:1]) {
		t.Errorf("of a clock that was ahead: %v", got)
	}
	if got := s.DaysSeen("other", now); got != nil {
		t.Errorf("of another: %v", got)
	}
}

func TestDefaultState(t *testing.T) {
	t.Setenv("VEXT_STATE", "/x")
	if dir, err := DefaultState(); dir != "/x" || err != nil {
		t.Errorf("%q, %v", dir, err)
	}
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"a@b", "../x", "", "sha256-00", "a.why", "<a@b>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		name := Name(id)
		if !IsName(name) || len(name) > maxName || filepath.Base(name) != name || name == "." || name == ".." {
			t.Errorf("the name of %q is %q", id, name)
		}
	})
}
