package watch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const deadline = 30 * time.Second

// A tree is a watched directory, and what was reported of it.
type tree struct {
	t    testing.TB
	root string
	w    *Watcher // nil when another process watches
	done chan error

	mu    sync.Mutex
	all   int
	seen  map[string]Event
	warns []string
	mode  string // of the other process, with the last batch
	count int    // its watches
}

// options are those of a tree in which nothing is ignored.
func options(root string) Options {
	return Options{
		Root: root, Poll: time.Hour, Now: time.Now,
		Skip: func(name string) bool { return name == ".git" },
	}
}

func newTree(t testing.TB, root string) *tree {
	return &tree{t: t, root: root, done: make(chan error, 1), seen: map[string]Event{}}
}

// watchTree watches until the test ends. It returns when everything is watched.
func watchTree(t testing.TB, o Options) *tree {
	t.Helper()
	tr := newTree(t, o.Root)
	o.Warn = func(text string) {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		tr.warns = append(tr.warns, text)
	}
	tr.w = New(o)
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() { tr.done <- tr.w.Run(ctx) })
	group.Go(func() {
		for batch := range tr.w.Events() {
			tr.take(batch)
		}
	})
	t.Cleanup(func() { cancel(); group.Wait() })
	tr.wait("the first scan", func() bool { return tr.all > 0 })
	tr.forget()
	return tr
}

func (tr *tree) take(batch []Event) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, e := range batch {
		if e.All {
			tr.all++
		} else {
			tr.seen[e.Path] = e
		}
	}
}

// forget forgets what was reported.
func (tr *tree) forget() {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.all = 0
	clear(tr.seen)
}

// wait waits for what the reports show; ok has the lock.
func (tr *tree) wait(what string, ok func() bool) {
	tr.t.Helper()
	for end := time.Now().Add(deadline); ; time.Sleep(2 * time.Millisecond) {
		tr.mu.Lock()
		is := ok()
		tr.mu.Unlock()
		if is {
			return
		}
		select {
		case err := <-tr.done:
			tr.done <- err
			tr.t.Fatalf("%s: ended: %v", what, err)
		default:
		}
		if time.Now().After(end) {
			tr.t.Fatalf("%s: not in time; %s", what, tr)
		}
	}
}

// reports waits until each path is reported, or that all in a directory above it may have
// changed.
func (tr *tree) reports(what string, paths ...string) {
	tr.t.Helper()
	tr.wait(what, func() bool { return !slices.ContainsFunc(paths, func(p string) bool { return !tr.covers(p) }) })
}

func (tr *tree) covers(path string) bool {
	if tr.all > 0 {
		return true
	}
	if _, ok := tr.seen[path]; ok {
		return true
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if tr.seen[dir].Dir {
			return true
		}
		if dir == "." || dir == "/" {
			return false
		}
	}
}

// quiet checks that nothing but these paths is reported, by a change after it.
func (tr *tree) quiet(what string, paths ...string) {
	tr.t.Helper()
	tr.write("mark")
	tr.wait(what, func() bool { _, ok := tr.seen["mark"]; return ok })
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.all > 0 {
		tr.t.Errorf("%s: everything is reported", what)
	}
	for path := range tr.seen {
		if path != "mark" && !slices.Contains(paths, path) {
			tr.t.Errorf("%s: %+v is reported", what, tr.seen[path])
		}
	}
}

func (tr *tree) String() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	var text strings.Builder
	fmt.Fprintf(&text, "%d times all, %d paths, mode %q, warnings %q", tr.all, len(tr.seen), tr.modeNow(), tr.warns)
	for i, path := range slices.Sorted(func(yield func(string) bool) {
		for path := range tr.seen {
			if !yield(path) {
				return
			}
		}
	}) {
		if i < 50 {
			fmt.Fprintf(&text, "\n%+v", tr.seen[path])
		}
	}
	return text.String()
}

// modeNow returns the mode. The caller has the lock.
func (tr *tree) modeNow() string {
	if tr.w == nil {
		return tr.mode
	}
	return tr.w.Mode()
}

func (tr *tree) abs(path string) string { return filepath.Join(tr.root, path) }

// write writes files, and makes the directories above them.
func (tr *tree) write(paths ...string) {
	tr.t.Helper()
	for _, path := range paths {
		writeFile(tr.t, tr.abs(path))
	}
}

func (tr *tree) must(err error) {
	tr.t.Helper()
	if err != nil {
		tr.t.Fatal(err)
	}
}

func writeFile(t testing.TB, path string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(time.Now().String()), 0o644)); err != nil {
		t.Fatal(err)
	}
}
