package announce

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"vext/internal/commit"
	"vext/spool"
)

// A commit that was stored twice is announced once, in one batch or in two.
func TestStoredTwice(t *testing.T) {
	d := newFixture(t)
	nameless := arrival("", "of CVS")
	nameless.Repository, nameless.Source = "", ""
	push := []commit.Arrival{arrival("r1", "s"), arrival("r2", "s"), nameless}
	for _, together := range []bool{false, true} {
		d.arrive(push...)
		if !together {
			d.expect("first", "src: jane src main r1 s\nsrc: jane src main r2 s\nsrc: jane  main  of CVS")
			d.arrive(push...)
			d.expect("again", "")
			push[0].Revision, push[1].Revision, push[2].Subject = "r3", "r4", "of RCS"
			continue
		}
		d.arrive(push...)
		d.expect("both", "src: jane src main r3 s\nsrc: jane src main r4 s\nsrc: jane  main  of RCS")
	}
}

// A message has the time at which its commit was stored.
func TestSince(t *testing.T) {
	d := newFixture(t)
	since := func(what string, want time.Time) {
		t.Helper()
		if d.announceAll(t.Context()) || len(d.outbox.lines) != 1 || !d.outbox.lines[0].Since.Equal(want) {
			t.Errorf("%s: %+v, want %v: %s", what, d.outbox.lines, want, d.log)
		}
		d.outbox.taken()
	}
	put := func(name, revision string, at time.Time) {
		t.Helper()
		c := arrival(revision, "s")
		path := d.Spool.Path(name + ".announce")
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
	d.arrive(arrival("r4", "s"))
	if d.announceAll(t.Context()) || len(d.outbox.lines) != 1 || d.outbox.lines[0].Since.Before(before) || d.outbox.lines[0].Since.After(time.Now()) {
		t.Errorf("a new one: %+v", d.outbox.lines)
	}
}

// Counted commits of a long push are not announced when they come again, even after a
// crash before all of them are recorded.
func TestCountedAgain(t *testing.T) {
	const n = 6000
	var all []commit.Arrival
	for i := range n {
		all = append(all, arrival(fmt.Sprintf("r%d", i+1), "s"))
	}
	want := fmt.Sprintf("src: src: jane pushed %d commits to src main: r1..r%d | jane src main r1 s | jane src main r2 s | jane src main r3 s", n, n)
	for _, crashes := range []bool{false, true} {
		d := newFixture(t)
		d.arrive(all...)
		if crashes {
			paths, err := d.Spool.Announcements()
			if err != nil {
				t.Fatal(err)
			}
			b := new(batch)
			d.fill(b, paths)
			if err := errors.Join(d.outbox.Put(t.Context(), b.messages...), d.Seen.record(d.now, b.counted, nil)); err != nil {
				t.Fatal(err)
			}
			d.restart()
		}
		d.expect(fmt.Sprintf("all, crashes %v", crashes), want)
		for i := 0; i < n; i += 100 {
			d.arrive(all[i])
		}
		d.arrive(all...)
		d.arrive(all[maxCommits-10:]...)
		d.expect("one by one, and many at once", "")
	}
}

// The log says why a commit was ignored.
func TestIgnored(t *testing.T) {
	d := newFixture(t, Rule{Branches: []string{"main"}, To: []string{src}, Template: brief, Max: DefaultMax})
	c := arrival(hashA, "s")
	d.arrive(c)
	d.arrive(c)
	c.Refname = "refs/heads/dev"
	d.arrive(c)
	d.expect("one of three", "src: jane src main 0a1b2c3d4e5f s")
	for _, want := range []string{
		`branch=main source=hook why="announced before"`, `branch=dev source=hook why="no [[announce]] matches its branch"`,
	} {
		if log := d.log.String(); strings.Count(log, "commit=src@"+hashA+" "+want) != 1 {
			t.Errorf("no %s in\n%s", want, log)
		}
	}
}
