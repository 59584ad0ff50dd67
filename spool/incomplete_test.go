package spool

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestIncomplete(t *testing.T) {
	state := newState(t)
	s := New(state)
	if got := s.IncompletePushes(); len(got) != 0 {
		t.Errorf("nothing was noted, but %+v", got)
	}
	want := IncompletePush{
		Time: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC), Hook: "github", Repository: "src", Refname: "refs/heads/main",
		Before: "a", After: "b", Listed: 5, Total: 12,
	}
	s.Incomplete(want) // also makes the directory
	s.Incomplete(IncompletePush{Repository: "doc"})
	path := filepath.Join(state, "history", "incomplete")
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"repository":"cut o` + "\n")
	f.Close()
	written := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	if err := os.Chtimes(path, written, written); err != nil {
		t.Fatal(err)
	}
	got := s.IncompletePushes()
	if len(got) != 2 || got[0] != want || got[1].Repository != "doc" || !got[1].Time.Equal(written) {
		t.Errorf("got %+v", got)
	}
}

// The size of the notes is bounded, and the newest are kept.
func TestIncompleteBounded(t *testing.T) {
	state := newState(t)
	s := New(state)
	s.Incomplete(IncompletePush{Repository: strings.Repeat("x", maxNote)})
	const n = 2000
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for k := range n / 4 {
				s.Incomplete(IncompletePush{Repository: fmt.Sprint(i), Listed: k})
			}
		})
	}
	wg.Wait()
	s.Incomplete(IncompletePush{Repository: "last"})
	size := int64(0)
	for _, name := range []string{"incomplete", "incomplete.old"} {
		if info, err := os.Stat(filepath.Join(state, "history", name)); err == nil {
			size += info.Size()
		}
	}
	got := s.IncompletePushes()
	if size > 2*maxNotes+4*maxNote || len(got) < 100 || got[len(got)-1].Repository != "last" {
		t.Errorf("%d notes in %d bytes", len(got), size)
	}
}

// Without a state directory, nothing is noted.
func TestIncompleteWithoutState(t *testing.T) {
	s := New(filepath.Join(t.TempDir(), "none"))
	s.Incomplete(IncompletePush{Repository: "src"})
	if got := s.IncompletePushes(); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

// Notes are removed once the commits were accepted.
func TestForgetIncomplete(t *testing.T) {
	s := New(t.TempDir())
	if err := s.make(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "a"} {
		s.Incomplete(IncompletePush{Repository: name, After: "x"})
	}
	s.ForgetIncomplete(func(e IncompletePush) bool { return e.Repository == "a" })
	if left := s.IncompletePushes(); len(left) != 1 || left[0].Repository != "b" {
		t.Errorf("%+v", left)
	}
}
