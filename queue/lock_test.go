package queue

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The error names the holder of the lock and its time. Earlier versions can still read
// the times of the runs.
func TestLockHolder(t *testing.T) {
	q := newQueue(t)
	if _, held := HeldBy(q.State); held {
		t.Error("held by nobody")
	}
	lock, err := Acquire(context.Background(), q.State, 0)
	act(t, err)
	for _, runs := range []int{0, 1} {
		if runs == 1 {
			act(t, lock.MarkRun(now))
		}
		holder, held := HeldBy(q.State)
		if !held || holder.PID != os.Getpid() || time.Since(holder.Since).Abs() > time.Minute || holder.Program == "" {
			t.Errorf("after %d runs: %+v, %v", runs, holder, held)
		}
		_, err = Acquire(context.Background(), q.State, 0)
		var locked *LockedError
		if !errors.Is(err, ErrLocked) || !errors.As(err, &locked) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
			t.Errorf("after %d runs: %v", runs, err)
		}
		data, _ := os.ReadFile(lockPath(q.State))
		var a, b string
		_, err = fmt.Sscanf(string(data), "last run  %s\nfirst run %s\n", &a, &b)
		if last, _ := time.Parse(time.RFC3339, a); (err == nil && last.Equal(now)) != (runs == 1) {
			t.Errorf("an earlier version reads %q: %v", data, err)
		}
	}
	act(t, lock.Release())
	if holder, held := HeldBy(q.State); held {
		t.Errorf("released: %+v", holder)
	}
	data, _ := os.ReadFile(lockPath(q.State))
	if strings.Contains(string(data), "held") || strings.Contains(string(data), "\x00") {
		t.Errorf("it is left with %q", data)
	}
	if last, first := Runs(q.State); !last.Equal(now) || !first.Equal(now) {
		t.Errorf("runs: %s, %s", last, first)
	}
}

// A first run in the future is corrected.
func TestFirstRunAhead(t *testing.T) {
	q := newQueue(t)
	lock, err := Acquire(context.Background(), q.State, 0)
	act(t, err)
	defer lock.Release()
	act(t, lock.MarkRun(now.AddDate(1, 0, 0)))
	act(t, lock.MarkRun(now))
	if last, first := Runs(q.State); !last.Equal(now) || !first.Equal(now) {
		t.Errorf("%s, %s", last, first)
	}
}

// The file never has a password from a command line.
func TestProgram(t *testing.T) {
	for want, args := range map[string]string{
		"vext run": "/usr/bin/vext --state /x run -q", "vext": "vext", "vext follow": "vext follow add https://u:p@h/x",
		"vext serve": "vext --password=x serve",
	} {
		if got := program(strings.Fields(args)); got != want {
			t.Errorf("%s: %s", args, got)
		}
	}
}

// Another kind of file in the place of the lock is an error, and does not block.
func TestLockStray(t *testing.T) {
	q := newQueue(t)
	act(t, unix.Mkfifo(lockPath(q.State), 0o640))
	if _, err := Acquire(context.Background(), q.State, time.Hour); err == nil {
		t.Error("a FIFO is taken for the lock")
	}
	if _, held := HeldBy(q.State); held {
		t.Error("a FIFO is held")
	}
	Runs(q.State)
}

// No planted file in the state directory blocks a run, and each is quarantined once.
func TestPlanted(t *testing.T) {
	fifo := func(path string) error { return unix.Mkfifo(path, 0o640) }
	dir := func(path string) error { return os.MkdirAll(filepath.Join(path, "sub"), 0o750) }
	for _, path := range []string{
		"spool/x", "queue/20261204", "queue/20261204/y", "queue/junk", "history/2026.jsonl", "history/2027.jsonl", "history/done/20261120",
		"failed/x", "failed/x.why", "failed/a.why", "tmp/x", "history/ballast", "history/seen",
	} {
		for what, plant := range map[string]func(string) error{"FIFO": fifo, "directory": dir} {
			if what == "directory" && strings.HasPrefix(path, "queue/20261204") || what == "directory" && path == "history/done/20261120" {
				continue // is what belongs there, or is left where it is
			}
			q := newQueue(t)
			act(t, errors.Join(q.prepare(), os.MkdirAll(filepath.Join(q.State, "tmp"), 0o750), os.MkdirAll(q.Spool.Dir(), 0o750)))
			if strings.Contains(path, "20261204/") {
				act(t, os.MkdirAll(filepath.Dir(filepath.Join(q.State, path)), 0o750))
			}
			act(t, plant(filepath.Join(q.State, path)))
			put(t, q, mail{id: "a"}, mail{id: "soon", asks: "MFC after: soon"})
			for run := range 3 {
				found, err := q.StrayFiles()
				act(t, err)
				moved, err := q.QuarantineStrays(found)
				act(t, err)
				p, err := q.Plan(nil)
				act(t, err)
				if _, err := q.Apply(p); err != nil {
					t.Errorf("%s as %s, run %d: %v", what, path, run, err)
				}
				act(t, q.History.Reserve())
				act(t, q.History.Release())
				act(t, q.Spool.Sweep(now.AddDate(0, 0, 3)))
				if run > 0 && len(moved)+len(p) > 0 {
					t.Errorf("%s as %s, run %d: moved %v, %+v", what, path, run, moved, p)
				}
			}
			if items, err := q.Waiting(); err != nil || len(items) != 1 {
				t.Errorf("%s as %s: %v, %+v", what, path, err, items)
			}
			for _, list := range []func() ([]Item, error){q.Spooled, q.Quarantined, q.Done} {
				if _, err := list(); err != nil {
					t.Errorf("%s as %s: %v", what, path, err)
				}
			}
			act(t, q.Finish(findItem(t, q, "a").Entry()))
		}
	}
}

// A directory of another user that can't be moved is reported once.
func TestUnmovable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root can move everything")
	}
	q := newQueue(t)
	act(t, errors.Join(q.prepare(), os.MkdirAll(q.Spool.Dir(), 0o750)))
	act(t, os.Mkdir(q.Spool.Path("x"), 0o500))
	for run, want := range []int{1, 0, 0} {
		p, err := q.Plan(nil)
		act(t, err)
		if _, err := q.Apply(p); err != nil || len(p) != want {
			t.Errorf("run %d: %v, %+v", run, err, p)
		}
	}
}

// A run with a clock that is ahead removes no kept messages.
func TestSweepClockAhead(t *testing.T) {
	q := newQueue(t)
	put(t, q, mail{id: "a", branch: "refs/heads/wip"})
	schedule(t, q)
	lock, err := Acquire(context.Background(), q.State, 0)
	act(t, err)
	defer lock.Release()
	act(t, lock.MarkRun(q.Now))
	writing := filepath.Join(q.State, "tmp", fmt.Sprintf("%d.x", os.Getpid()))
	act(t, os.WriteFile(writing, nil, 0o640))
	q.Now = now.AddDate(1, 0, 0)
	act(t, errors.Join(q.SweepDone(), q.Spool.Sweep(q.Now)))
	if items, _ := q.Done(); len(items) != 1 {
		t.Error("a run a year ahead has removed what was kept")
	}
	if _, err := os.Stat(writing); err != nil {
		t.Error("and what is being written")
	}
	act(t, lock.MarkRun(q.Now)) // it was no jump
	act(t, q.SweepDone())
	if items, _ := q.Done(); len(items) != 0 {
		t.Error("nothing is ever removed")
	}
}

// One vext serve runs with a state directory. The file of a crashed one does not
// prevent the next.
func TestServing(t *testing.T) {
	state := t.TempDir()
	if err := os.WriteFile(filepath.Join(state, "serving"), []byte("12345678901234567890 and more\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	s, err := AcquireServing(state)
	if err != nil {
		t.Fatal(err)
	}
	var serving *ServingError
	if _, err := AcquireServing(state); !errors.As(err, &serving) || serving.PID != os.Getpid() {
		t.Errorf("a second one: %v, want that process %d runs", err, os.Getpid())
	}
	lock, err := Acquire(t.Context(), state, 0)
	if err != nil {
		t.Fatalf("a run beside it: %v", err)
	}
	lock.Release()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = AcquireServing(state); err != nil {
		t.Fatalf("after it has ended: %v", err)
	}
	s.Close()
}
