package remote

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/source/hook"
)

const someSHA = "4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"

// gitFiles makes the files that a git directory has at least, with some refs.
func gitFiles(t *testing.T, refs ...string) gitDir {
	t.Helper()
	dir := testkit.Scratch(t)
	write(t, filepath.Join(dir, "HEAD"))
	for _, name := range append(refs, "refs/heads/main") {
		write(t, filepath.Join(dir, name))
	}
	return gitDir{own: dir, common: dir}
}

// write writes a file as git does, and the directories above it.
func write(t testing.TB, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".lock", []byte(someSHA), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".lock", path); err != nil {
		t.Fatal(err)
	}
}

// A watched is a running refWatch.
type watched struct {
	t     *testing.T
	looks chan struct{}
	done  chan error
}

// run starts a watch, which ends with the test.
func run(t *testing.T, w *refWatch) *watched {
	t.Helper()
	r := &watched{t, make(chan struct{}, 1000), make(chan error, 1)}
	ready := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.done <- w.run(ctx, func() { close(ready) }, func() { r.looks <- struct{}{} })
	}()
	t.Cleanup(func() { cancel(); <-ended })
	select {
	case <-ready:
	case <-time.After(deadline):
		t.Fatal("not ready in time")
	}
	return r
}

func (r *watched) look(of string) {
	r.t.Helper()
	select {
	case <-r.looks:
	case err := <-r.done:
		r.t.Fatalf("%s: ended: %v", of, err)
	case <-time.After(deadline):
		r.t.Fatalf("%s: no look in time", of)
	}
}

// rest skips the looks that follow the first one.
func (r *watched) rest() {
	for {
		select {
		case <-r.looks:
		case <-time.After(2 * longQuiet):
			return
		}
	}
}

// none checks that nothing is pending. What is done after the call is noticed alone.
func (r *watched) none(after string) {
	r.t.Helper()
	select {
	case <-r.looks:
		r.t.Errorf("%s: a look", after)
	case <-time.After(2 * shortQuiet):
	}
}

// watching returns a refWatch that relies on inotify, or on signatures.
func watching(t *testing.T, dir gitDir) *refWatch {
	return &refWatch{dir: dir, warn: func(text string) { t.Log(text) }, checkPause: time.Hour, pollPause: time.Hour}
}

func TestRefWatch(t *testing.T) {
	d := gitFiles(t, "refs/heads/gone")
	at := func(name string) string { return filepath.Join(d.common, name) }
	r := run(t, watching(t, d))
	for _, s := range []struct {
		name  string
		do    func()
		looks bool
	}{
		{"a ref written by git", func() { write(t, at("refs/heads/main")) }, true},
		{"a ref written in place", func() { os.WriteFile(at("refs/heads/main"), []byte(someSHA), 0o644) }, true},
		{"a removed ref", func() { os.Remove(at("refs/heads/gone")) }, true},
		{"packed-refs", func() { write(t, at("packed-refs")) }, true},
		{"HEAD", func() { write(t, at("HEAD")) }, true},
		{"the file of a hook", func() { os.WriteFile(at(hook.ChangesFile), []byte("1"), 0o644) }, true},
		{"a lock", func() { os.WriteFile(at("refs/heads/main.lock"), nil, 0o644) }, false},
		{"a lock removed", func() { os.Remove(at("refs/heads/main.lock")) }, false},
		{"an index and an object", func() { write(t, at("index")); write(t, at("objects/12/34")); write(t, at("logs/HEAD")) }, false},
		{"a mode", func() { os.Chmod(at("refs/heads/main"), 0o600) }, false},
		{"a directory in a directory", func() { write(t, at("refs/heads/a/b/c/d")) }, true},
		{"a ref in it", func() { write(t, at("refs/heads/a/b/c/e")) }, true},
		{"its removal", func() { os.RemoveAll(at("refs/heads/a")) }, true},
		{"a directory of the same name", func() { write(t, at("refs/heads/a/b/f")) }, true},
		{"a ref in that", func() { write(t, at("refs/heads/a/b/g")) }, true},
		{"a renamed directory", func() { os.Rename(at("refs/heads/a"), at("refs/heads/z")) }, true},
		{"a ref in the renamed one", func() { write(t, at("refs/heads/z/b/h")) }, true},
		{"all refs removed", func() { os.RemoveAll(at("refs")) }, true},
		{"and made again", func() { write(t, at("refs/tags/v1")) }, true},
		{"a ref in them", func() { write(t, at("refs/tags/v2")) }, true},
		{"another format of refs", func() { write(t, at("reftable/tables.list")) }, true},
		{"a change in that", func() { write(t, at("reftable/tables.list")) }, true},
	} {
		s.do()
		if s.looks {
			r.look(s.name)
			r.rest()
		} else {
			r.none(s.name)
		}
	}
}

// While inotify reports nothing, signatures find the changes, also those that stat(2) does
// not tell from the one before.
func TestRefWatchPolled(t *testing.T) {
	d := gitFiles(t)
	w := &refWatch{dir: d, warn: func(string) {}}
	var err error
	if w.last, err = w.sign(); err != nil {
		t.Fatal(err)
	}
	w.isPolled.Store(true)
	w.burst = newBurst()
	looks := 0
	check := func(of string, want int) {
		t.Helper()
		looks = 0
		if err := w.check(func() { looks++ }); err != nil || looks != want {
			t.Errorf("%s: %d looks, %v, want %d", of, looks, err, want)
		}
	}
	check("nothing", 0)
	write(t, filepath.Join(d.common, "refs/heads/main"))
	check("a ref", 1)
	check("and once more", 1)
	check("nothing again", 0)
	os.WriteFile(filepath.Join(d.common, "refs/heads/x.lock"), nil, 0o644)
	check("a lock", 0)
	write(t, filepath.Join(d.common, "packed-refs"))
	check("packed-refs", 1)
	if got := w.pause(); got < pollPause || got > 2*pollPause {
		t.Errorf("pause %s", got)
	}
	os.Rename(d.common, d.common+"-away")
	t.Cleanup(func() { os.RemoveAll(d.common + "-away") })
	os.Mkdir(d.common, 0o755)
	if err := w.check(func() {}); err == nil {
		t.Error("another directory, and no error")
	}
}

// The rare check finds what inotify has not reported, and only that.
func TestRefWatchCheck(t *testing.T) {
	d := gitFiles(t)
	w := watching(t, d)
	w.checkPause = 20 * time.Millisecond
	r := run(t, w)
	r.look("the first check")
	r.none("nothing")
	for range 3 {
		if err := w.watcher.Remove(filepath.Join(d.common, "refs/heads")); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(d.common, "refs/heads/main"))
		r.look("a change without an event")
		r.rest() // and refs/heads is watched again
	}
}

// Refs are watched where symbolic links lead.
func TestRefWatchLinks(t *testing.T) {
	main := gitFiles(t, "packed-refs")
	dir := testkit.Scratch(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"packed-refs", "refs"} { // as git-new-workdir makes them
		if err := os.Symlink(filepath.Join(main.common, name), at(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("refs/heads/main", at("HEAD")); err != nil { // core.preferSymlinkRefs
		t.Fatal(err)
	}
	r := run(t, watching(t, gitDir{dir, dir}))
	for _, name := range []string{"refs/heads/main", "packed-refs", "refs/heads/new/ref", "refs/heads/new/ref"} {
		write(t, filepath.Join(main.common, name))
		r.look(name)
		r.rest()
	}
	write(t, filepath.Join(main.common, "index"))
	r.none("an index")
}

func TestRefWatchGone(t *testing.T) {
	for name, do := range map[string]func(dir string) error{
		"removed": os.RemoveAll,
		"renamed": func(dir string) error { return os.Rename(dir, dir+"-old") },
		"replaced": func(dir string) error {
			return errors.Join(os.Rename(filepath.Dir(dir), filepath.Dir(dir)+"-old"), os.MkdirAll(dir, 0o755))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(gitFiles(t, "sub/repo/HEAD", "sub/repo/refs/heads/main").common, "sub", "repo")
			w := watching(t, gitDir{dir, dir})
			w.checkPause = 20 * time.Millisecond
			r := run(t, w)
			if err := do(dir); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-r.done:
				if err == nil || !strings.Contains(err.Error(), "removed or replaced") {
					t.Error(err)
				}
			case <-time.After(deadline):
				t.Error("it goes on")
			}
		})
	}
}

// When the queue of events overflows, directories that came meanwhile are watched.
func TestRefWatchOverflow(t *testing.T) {
	if testing.Short() {
		t.Skip("it writes 5,000 files")
	}
	d := gitFiles(t)
	w := watching(t, d)
	stalled, resume := make(chan struct{}), make(chan struct{})
	looks := make(chan struct{}, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan struct{})
	isFirst := true
	go func() {
		defer close(ended)
		w.run(ctx, func() { close(ready) }, func() {
			if isFirst {
				isFirst = false
				close(stalled)
				<-resume
			}
			looks <- struct{}{}
		})
	}()
	defer func() { cancel(); <-ended }()
	<-ready
	write(t, filepath.Join(d.common, "refs/heads/main"))
	<-stalled
	for i := range 5_000 { // four events each, and the queue has 16,384
		write(t, filepath.Join(d.common, "refs/heads", fmt.Sprint(i)))
	}
	write(t, filepath.Join(d.common, "refs/heads/new/ref"))
	close(resume)
	r := &watched{t, looks, nil}
	r.look("the first")
	r.look("the overflow")
	r.rest()
	write(t, filepath.Join(d.common, "refs/heads/new/ref"))
	r.look("a ref in a directory whose event was lost")
}

// Where the limit of watches is reached, it says so, and reads the refs.
func TestRefWatchLimit(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has this limit")
	}
	if os.Getenv("VEXT_TEST_FEW_WATCHES") == "" {
		program, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("unshare", "-Ur", "sh", "-c", `echo 10 >/proc/sys/user/max_inotify_watches && exec "$0" "$@"`,
			program, "-test.run=^TestRefWatchLimit$", "-test.v")
		cmd.Env = append(os.Environ(), "VEXT_TEST_FEW_WATCHES=1")
		out, err := cmd.CombinedOutput()
		if !strings.Contains(string(out), "RUN") {
			t.Skipf("no user namespace here: %v: %s", err, out)
		} else if err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	var names []string
	for i := range 20 {
		names = append(names, fmt.Sprintf("refs/heads/%02d/ref", i))
	}
	d := gitFiles(t, names...)
	w := watching(t, d)
	said := make(chan string, 10)
	w.warn = func(text string) { said <- text }
	w.pollPause = 10 * time.Millisecond
	r := run(t, w)
	if text := <-said; !strings.Contains(text, "fs.inotify.max_user_watches") {
		t.Error(text)
	}
	for _, name := range names {
		write(t, filepath.Join(d.common, name))
		r.look(name)
	}
	for _, name := range names[5:] {
		os.RemoveAll(filepath.Dir(filepath.Join(d.common, name)))
	}
	for w.isPolled.Load() {
		r.look("a check, while the limit is reached")
	}
	if len(said) > 0 {
		t.Errorf("it says more: %s", <-said)
	}
}
