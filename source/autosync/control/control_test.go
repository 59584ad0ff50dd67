package control

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vext/internal/testkit"
	"vext/source/autosync"
)

// A keptTree stands in for a Tree.
type keptTree struct {
	root    string
	did     []string
	syncing error
}

func (k *keptTree) Root() string              { return k.root }
func (k *keptTree) Status() autosync.Status   { return autosync.Status{Path: k.root} }
func (k *keptTree) Pause()                    { k.did = append(k.did, "pause") }
func (k *keptTree) Resume()                   { k.did = append(k.did, "resume") }
func (k *keptTree) Now(context.Context) error { k.did = append(k.did, "now"); return k.syncing }

// placesIn gives the test directories of its own for sockets.
func placesIn(t *testing.T, runtime bool) {
	t.Helper()
	dir := testkit.Scratch(t)
	users, machine, tmp := usersRun, machineRun, usersTmp
	t.Cleanup(func() { usersRun, machineRun, usersTmp = users, machine, tmp })
	usersRun, machineRun, usersTmp = filepath.Join(dir, "user"), []string{filepath.Join(dir, "no", "vext")}, filepath.Join(dir, "tmp")
	for _, name := range []string{"run", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("XDG_RUNTIME_DIR", "")
	if runtime {
		t.Setenv("XDG_RUNTIME_DIR", filepath.Join(dir, "run"))
	}
}

// serve opens a control for these trees, until the test ends.
func serve(t *testing.T, trees ...Tree) *Server {
	t.Helper()
	c, err := Open(func() []Tree { return trees }, time.Unix(1e9, 0).UTC(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { c.Serve(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return c
}

// Every process of the user is reached, whatever the environment of each was.
func TestControl(t *testing.T) {
	placesIn(t, true)
	one, two := &keptTree{root: "/b"}, &keptTree{root: "/a", syncing: errors.New("the remote is offline")}
	serve(t, one, two)
	t.Setenv("XDG_RUNTIME_DIR", "")
	other := &keptTree{root: "/c"}
	serve(t, other)
	clients := Clients()
	if len(clients) != 1 { // without the variable
		t.Fatalf("%d clients without XDG_RUNTIME_DIR", len(clients))
	}
	t.Setenv("XDG_RUNTIME_DIR", filepath.Join(filepath.Dir(usersTmp), "run"))
	clients = Clients()
	if len(clients) != 2 {
		t.Fatalf("%d clients", len(clients))
	}
	var paths []string
	for _, c := range clients {
		p, err := c.Status(t.Context())
		if err != nil || p.PID != os.Getpid() || p.Started.Unix() != 1e9 {
			t.Fatalf("%+v, %v", p, err)
		}
		for _, tree := range p.Trees {
			paths = append(paths, tree.Path)
		}
	}
	if !slices.Equal(paths, []string{"/a", "/b", "/c"}) {
		t.Errorf("trees %q", paths)
	}
	if done, err := clients[0].Do(t.Context(), DoNow); err != nil || len(done) != 2 || done[0] != (Outcome{Path: "/b"}) || done[1] != (Outcome{"/a", "the remote is offline"}) {
		t.Errorf("now: %+v, %v", done, err)
	}
	if done, err := clients[0].Do(t.Context(), DoPause, "/b", "/x"); err != nil || len(done) != 1 {
		t.Errorf("pause: %+v, %v", done, err)
	}
	if _, err := clients[1].Do(t.Context(), DoResume); err != nil {
		t.Error(err)
	}
	if got := strings.Join(slices.Concat(one.did, two.did, other.did), " "); got != "now pause now resume" {
		t.Errorf("did %q", got)
	}
	if _, err := clients[0].Do(t.Context(), "explode"); err == nil || err.Error() != `unknown request "explode"` {
		t.Error(err)
	}
}

// The socket of a process that was killed is removed, and that of one which ends.
func TestControlStale(t *testing.T) {
	placesIn(t, true)
	killed, err := Open(func() []Tree { return nil }, time.Time{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	killed.listener.SetUnlinkOnClose(false)
	killed.listener.Close()
	clients := Clients()
	if len(clients) != 1 {
		t.Fatalf("%d clients", len(clients))
	}
	if _, err := clients[0].Status(t.Context()); !errors.Is(err, ErrNoAnswer) {
		t.Error(err)
	}
	t.Run("serving", func(t *testing.T) { serve(t) })
	if left := Clients(); len(left) != 0 {
		t.Errorf("%d sockets are left", len(left))
	}
}

// A directory that others may change is not used.
func TestControlPlace(t *testing.T) {
	placesIn(t, false)
	squatted := filepath.Join(usersTmp, "vext-"+uid(), "autosync")
	if err := os.MkdirAll(squatted, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(squatted, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := makeControlDir(); err == nil || !strings.Contains(err.Error(), "not a private directory") {
		t.Error(err)
	}
	if dirs := controlDirs(nil); len(dirs) != 0 {
		t.Errorf("%q", dirs)
	}
	if err := os.RemoveAll(filepath.Dir(squatted)); err != nil {
		t.Fatal(err)
	}
	dir, err := makeControlDir()
	if err != nil || dir != squatted {
		t.Errorf("%s, %v", dir, err)
	}
	if dirs := controlDirs([]string{"/"}); len(dirs) != 1 {
		t.Errorf("%q", dirs)
	}
}

func uid() string { return filepath.Base(placesOf(os.Geteuid())[0].base) }

// A waitingTree is one whose file system does not answer.
type waitingTree struct {
	keptTree
	until chan struct{}
}

func (k *waitingTree) Status() autosync.Status {
	<-k.until
	return k.keptTree.Status()
}

// A tree whose file system does not answer does not keep the status of the others back.
func TestControlStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		c := new(Server)
		stop := make(chan struct{})
		defer close(stop)
		p := c.status([]Tree{&keptTree{root: "/a"}, &waitingTree{keptTree{root: "/b"}, stop}})
		if len(p.Trees) != 2 || p.Trees[0].State != "" || p.Trees[1].State != autosync.Failing || p.Trees[1].Path != "/b" {
			t.Errorf("%+v", p.Trees)
		}
		if took := time.Since(begun); took > 3*time.Second {
			t.Error(took)
		}
	})
}

// A path is found by its name, before its place.
func TestIndex(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct {
		path string
		want int
	}{{dir, 1}, {dir + "/x", 1}, {"/none", 0}, {"/nowhere", -1}} {
		if got := Index([]string{"/none", dir + "/"}, strings.Clone, test.path); got != test.want {
			t.Errorf("%s: %d", test.path, got)
		}
	}
}
