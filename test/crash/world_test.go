//go:build linux

package crash

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
)

// A world is a directory with all in it that one trial needs.
type world struct {
	t                   *testing.T
	root, state, config string
	out                 transport
	disturbed           string // what was done to the program
	left                string // and what it left on disk
}

const configuration = `
[reminders]
allow = ["*@example.org"]
digest = %v
explain = false
max_per_day = 0
[mail]
from = "Reminders <vext@example.org>"
via = "%s"
`

// newWorld makes a world whose state directory is a copy of another, or empty
// for "".
func newWorld(t *testing.T, state string, open func(w *world) transport, digest bool) *world {
	t.Helper()
	root := testkit.Scratch(t)
	w := &world{t: t, root: root, state: filepath.Join(root, "state"), config: filepath.Join(root, "vext.toml")}
	if err := os.Mkdir(w.state, 0o750); err != nil {
		t.Fatal(err)
	}
	if state != "" {
		if err := copyTree(w.state, state); err != nil {
			t.Fatal(err)
		}
	}
	w.out = open(w)
	w.write(w.config, fmt.Sprintf(configuration, digest, w.out.via()), 0o600)
	return w
}

// explains makes a world in which committers get mails about what can't be
// understood.
func explains(w *world) *world {
	w.t.Helper()
	w.write(w.config, strings.Replace(fmt.Sprintf(configuration, false, w.out.via()), "explain = false", "explain = true", 1), 0o600)
	return w
}

func (w *world) write(path, text string, mode fs.FileMode) {
	w.t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		w.t.Fatal(err)
	}
}

// remove makes room for the next world.
func (w *world) remove() {
	w.out.close()
	os.RemoveAll(w.root)
}

// copyTree copies directories and files with their modes.
func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == from {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		if d.IsDir() {
			return os.Mkdir(target, info.Mode().Perm())
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, info.Mode().Perm())
	})
}

// errorf reports an error with what led to it.
func (w *world) errorf(format string, args ...any) {
	w.t.Helper()
	w.t.Errorf("%s: %s\nit had left:\n%s", w.disturbed, fmt.Sprintf(format, args...), w.left)
}

// tree lists files and directories, for a person.
func tree(root string) string {
	var b strings.Builder
	for _, path := range list(root, "") {
		info, err := os.Lstat(filepath.Join(root, path))
		if err == nil {
			fmt.Fprintf(&b, "\t%v %5d %s\n", info.Mode(), info.Size(), path)
		}
	}
	return b.String()
}

// list returns the paths of all that lies under root/dir, from there.
func list(root, dir string) []string {
	var paths []string
	start := filepath.Join(root, dir)
	filepath.WalkDir(start, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && path != start {
			paths = append(paths, strings.TrimPrefix(path, start+"/"))
		}
		return nil
	})
	return paths
}

// filter returns the command line of the filter, vext that of vext.
func filter(w *world) []string {
	return []string{filepath.Join(testkit.Programs(w.t), "vext-filter"), "-state", w.state}
}

func vext(w *world, args ...string) []string {
	return append([]string{filepath.Join(testkit.Programs(w.t), "vext"), "--config", w.config, "--state", w.state}, args...)
}

// run is vext run at a time.
func run(now string) func(w *world) []string {
	return func(w *world) []string { return vext(w, "--now", now, "run") }
}

// runs runs the processor, which nothing happens to any more.
func (w *world) runs(now string) {
	w.t.Helper()
	if r := w.exec(nil, run(now)(w)...); r.exit != 0 {
		w.errorf("the next run ends with %d:\n%s", r.exit, r.stderr)
	}
}

// farFuture is when everything in tmp/ is old, by the clock of the machine:
// that is where the times of files come from.
func farFuture() string { return time.Now().Add(40 * time.Hour).UTC().Format(time.RFC3339) }

// holds checks what lies in a directory of the state: exactly this. Either of
// two mails of one commit will do.
func (w *world) holds(dir string, want ...string) {
	w.t.Helper()
	got := list(w.state, dir)
	for i := range got {
		got[i] = twins.Replace(got[i])
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		w.errorf("in %s/ are %q, want %q", dir, got, want)
	}
}

// isSound checks the modes of what is in the state directory, that every line
// of the history can be read, and that nothing lies beside it.
func (w *world) isSound() {
	w.t.Helper()
	w.hasModes(func(path string) bool {
		// A crash has no part in these, see TestModes.
		return path == "lock" || path == "history/seen" || strings.HasSuffix(path, ".why")
	})
	w.events()
	for _, path := range list(w.state, "history") {
		if path != "seen" && !strings.HasPrefix(path, "done") && !strings.HasSuffix(path, ".jsonl") {
			w.errorf("history/%s was left behind", path)
		}
	}
}

// hasModes checks the modes of all that is in the state directory.
func (w *world) hasModes(except func(path string) bool) {
	w.t.Helper()
	for _, path := range list(w.root, "state") {
		if except(path) {
			continue
		}
		info, err := os.Lstat(filepath.Join(w.state, path))
		if err != nil {
			w.errorf("%v", err)
			continue
		}
		want := fs.FileMode(0o640)
		if info.IsDir() {
			want = 0o750
		}
		if info.Mode().Perm() != want {
			w.errorf("%s has the mode %v, want %v", path, info.Mode().Perm(), want)
		}
	}
}

// An event is a line of the history.
type event struct {
	Time  time.Time
	Event string
	Name  string
}

// events returns the history. A line that can't be read is an error.
func (w *world) events() []event {
	w.t.Helper()
	paths, _ := filepath.Glob(filepath.Join(w.state, "history", "*.jsonl"))
	var all []event
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			w.errorf("%v", err)
		}
		for line := range strings.Lines(string(data)) {
			var e event
			if err := json.Unmarshal([]byte(line), &e); err != nil || e.Event == "" || e.Time.IsZero() {
				w.errorf("%s: %v: %q", path, err, line)
				continue
			}
			all = append(all, e)
		}
	}
	return all
}

// names returns the names of the messages that something happened to.
func (w *world) names(what string) []string {
	w.t.Helper()
	var names []string
	for _, e := range w.events() {
		if e.Event == what && !slices.Contains(names, e.Name) {
			names = append(names, e.Name)
		}
	}
	return names
}

// countsSent checks the number of reminders in the statistics.
func (w *world) countsSent(want int) {
	w.t.Helper()
	cmd := vext(w, "stats", "--csv")
	out := filepath.Join(w.root, "stats")
	r := w.exec(nil, append([]string{"/bin/sh", "-c", `out=$1; shift; exec "$@" > "$out"`, "sh", out}, cmd...)...)
	data, err := os.ReadFile(out)
	if err != nil || r.exit != 0 {
		w.errorf("vext stats ends with %d: %v\n%s", r.exit, err, r.stderr)
		return
	}
	got := 0
	for i, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		var n int
		if fields := strings.Split(line, ","); i > 0 && len(fields) == 3 {
			fmt.Sscan(fields[1], &n)
		}
		got += n
	}
	if got != want {
		w.errorf("vext stats counts %d, want %d:\n%s", got, want, data)
	}
}
