package announce

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/commit"
	"vext/spool"
)

// What is handed over a second time, because the first was not known to have
// worked, is announced once: in one look, or in two.
func TestHandedOverTwice(t *testing.T) {
	d := newDesk(t)
	nameless := arrival("", "of CVS")
	nameless.Repository, nameless.Source = "", ""
	push := []commit.Arrival{arrival("r1", "s"), arrival("r2", "s"), nameless}
	for _, together := range []bool{false, true} {
		d.hand(push...)
		if !together {
			d.tells("first", "src: jane src main r1 s\nsrc: jane src main r2 s\nsrc: jane  main  of CVS")
			d.hand(push...)
			d.tells("again", "")
			push[0].Revision, push[1].Revision, push[2].Subject = "r3", "r4", "of RCS"
			continue
		}
		d.hand(push...)
		d.tells("both", "src: jane src main r3 s\nsrc: jane src main r4 s\nsrc: jane  main  of RCS")
	}
}

// A line says when its commit was handed over, however long that waited.
func TestSince(t *testing.T) {
	d := newDesk(t)
	since := func(what string, want time.Time) {
		t.Helper()
		if d.look(t.Context()) || len(d.outlet.lines) != 1 || !d.outlet.lines[0].Since.Equal(want) {
			t.Errorf("%s: %+v, want %v: %s", what, d.outlet.lines, want, d.log)
		}
		d.outlet.said()
	}
	put := func(name, revision string, at time.Time) {
		t.Helper()
		c := arrival(revision, "s")
		path := filepath.Join(d.state, "notices", name)
		if err := errors.Join(os.WriteFile(path, c.Line(), 0o640), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	at := d.now.Add(-3 * time.Hour).Add(123456789)
	put(fmt.Sprintf("%019d-0000000001-%s", at.UnixNano(), spool.DigestName([]byte("a"))), "r1", d.now)
	since("by its name", at)
	at = d.now.Add(-2 * time.Hour)
	put(spool.DigestName([]byte("b")), "r2", at)
	since("of the older form", at)
	put(spool.DigestName([]byte("c")), "r3", d.now.Add(time.Hour))
	since("of tomorrow", time.Time{})
	d.now = time.Now().Add(time.Minute)
	before := time.Now().Round(0)
	d.hand(arrival("r4", "s"))
	if d.look(t.Context()) || len(d.outlet.lines) != 1 || d.outlet.lines[0].Since.Before(before) || d.outlet.lines[0].Since.After(time.Now()) {
		t.Errorf("a new one: %+v", d.outlet.lines)
	}
}

// Those of a long push that are only counted are known as well when they come
// again, even if it crashes before all are remembered.
func TestCountedAgain(t *testing.T) {
	const n = 6000
	var all []commit.Arrival
	for i := range n {
		all = append(all, arrival(fmt.Sprintf("r%d", i+1), "s"))
	}
	want := fmt.Sprintf("src: src: jane pushed %d commits to src main: r1..r%d | jane src main r1 s | jane src main r2 s | jane src main r3 s", n, n)
	for _, crashes := range []bool{false, true} {
		d := newDesk(t)
		d.hand(all...)
		if crashes {
			paths, err := d.Spool.Announcements()
			if err != nil {
				t.Fatal(err)
			}
			b := &batch{reason: map[string]string{}}
			d.gather(b, paths)
			if err := errors.Join(d.outlet.Put(t.Context(), b.lines...), d.Seen.remember(d.now, b.counted, nil)); err != nil {
				t.Fatal(err)
			}
			d.restart()
		}
		d.tells(fmt.Sprintf("all, crashes %v", crashes), want)
		for i := 0; i < n; i += 100 {
			d.hand(all[i])
		}
		d.hand(all...)
		d.hand(all[mostCommits-10:]...)
		d.tells("one by one, and many at once", "")
	}
}

// The log says why a commit was passed over.
func TestPassedOver(t *testing.T) {
	d := newDesk(t, Rule{Branches: []string{"main"}, To: []string{src}, Template: brief, Max: DefaultMax})
	c := arrival(hashA, "s")
	d.hand(c)
	d.hand(c)
	c.Refname = "refs/heads/dev"
	d.hand(c)
	d.tells("one of three", "src: jane src main 0a1b2c3d4e5f s")
	for _, want := range []string{
		`branch=main source=hook why="it was announced before"`, `branch=dev source=hook why="no notice is for its branch"`,
	} {
		if log := d.log.String(); strings.Count(log, "commit=src@"+hashA+" "+want) != 1 {
			t.Errorf("no %s in\n%s", want, log)
		}
	}
}
