package autosync

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vext/internal/testkit"
	"vext/source/autosync/repo"
	"vext/source/autosync/repo/repotest"
	"vext/source/autosync/watch"
)

// Files that are gone with their file system are not deleted, until they are back or a person
// says so.
func TestUnmounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, repotest.NewRemote("r"), "desk", nil)
		m.mounted("photos", "scratch")
		m.write("a=1", "photos/1=x", "photos/2=y", "scratch/.tmp.swp=x")
		m.pass(time.Minute)
		m.commits("3 files: 3 new")
		pulls := m.fake.Count("Pull")
		m.mounted()
		m.write("a=2", "photos/1", "photos/2")
		m.pass(15 * time.Minute)
		s := m.state(Held)
		if want := `photos is not mounted any more (2 files are gone): nothing goes on until it is, or "vext autosync now"`; !strings.HasPrefix(s.Reason, want) {
			t.Errorf("%s, want %s", s.Reason, want)
		}
		if n := m.logged("held: "); n != 1 || len(m.shown()) != 1 {
			t.Errorf("said %d times, %q", n, m.shown())
		}
		m.commits("3 files: 3 new")
		if n := m.fake.Count("Pull"); n != pulls {
			t.Errorf("%d pulls while it is held", n-pulls)
		}
		m.mounted("photos")
		for _, name := range []string{"1", "2"} { // nothing reports what comes back
			if err := os.WriteFile(filepath.Join(m.root, "photos", name), []byte(map[string]string{"1": "x", "2": "y"}[name]), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		m.pass(time.Minute)
		m.state(Watching)
		m.commits("3 files: 3 new", "a: 1 line")
		m.mounted()
		m.write("photos/1")
		m.pass(time.Minute)
		m.state(Held)
		if err := m.tree.Now(t.Context()); err != nil {
			t.Error(err)
		}
		m.state(Watching)
		m.commits("3 files: 3 new", "a: 1 line", "photos/1: deleted")
		m.write("photos/2") // it is no mount point any more
		m.pass(time.Minute)
		m.commits("3 files: 3 new", "a: 1 line", "photos/1: deleted", "photos/2: deleted")
	})
}

// What is deleted where a file system is still mounted is committed, and one that has no file
// of the last commit may go.
func TestStillMounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, repotest.NewRemote("r"), "desk", nil)
		m.mounted("photos", "scratch")
		m.write("photos/1=x", "photos/2=y")
		m.pass(time.Minute)
		m.write("photos/1")
		m.pass(time.Minute)
		m.commits("2 files in photos/", "photos/1: deleted")
		m.mounted("photos")
		m.events(watch.Event{All: true})
		m.pass(time.Hour)
		m.state(Watching)
		if got := m.tree.mounts.known; !slices.Equal(got, []string{"photos"}) {
			t.Errorf("%q are remembered", got)
		}
	})
}

// A file system that is not yet mounted when autosync starts is known from before, and nothing
// is pulled into the directory that it covers.
func TestNotYetMounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, repotest.NewRemote("r"), "desk", nil)
		m.mounted("two words/photos")
		m.write("a=1", "two words/photos/1=x")
		m.pass(time.Minute)
		m.stop()
		m.mounted()
		if err := os.Remove(filepath.Join(m.root, "two words/photos/1")); err != nil {
			t.Fatal(err)
		}
		pulls := m.fake.Count("Pull")
		m.run("desk", nil)
		m.pass(time.Hour)
		m.state(Held)
		if n := m.fake.Count("Pull"); n != pulls {
			t.Errorf("%d pulls", n-pulls)
		}
		m.commits("2 files: 2 new")
	})
}

// Linux lists mount points; elsewhere a device of its own distinguishes them.
func TestMountPoints(t *testing.T) {
	testkit.Root(t)
	root := t.TempDir()
	name := "a b\\\t"
	dir := filepath.Join(root, "x", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	mountTmpfs(t, dir)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(root, link); err != nil {
		t.Fatal(err)
	}
	want := []string{"x/" + name}
	for _, at := range []string{root, link, filepath.Join(root, "x", "..")} {
		if got, err := mountPoints(at); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", at, got, err, want)
		}
	}
	if got, err := otherDevices(root); err != nil || !slices.Equal(got, want) {
		t.Errorf("by devices: %q, %v, want %q", got, err, want)
	}
	if got, err := mountPoints(dir); err != nil || len(got) != 0 {
		t.Errorf("in it: %q, %v", got, err)
	}
	for _, find := range []func(string) ([]string, error){mountPoints, otherDevices} {
		if _, err := find(filepath.Join(root, "none")); err == nil {
			t.Error("no error without a root")
		}
	}
}

// mountTmpfs mounts a file system until the test ends.
func mountTmpfs(t *testing.T, dir string) {
	t.Helper()
	if out, err := exec.Command("mount", "-t", "tmpfs", "none", dir).CombinedOutput(); err != nil {
		t.Skipf("nothing can be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() { exec.Command("umount", "-l", dir).Run() })
}

// A liveTree is a work tree of git that is really watched.
type liveTree struct {
	t    *testing.T
	root string
	tree *Tree
}

func newLiveTree(t *testing.T) *liveTree {
	g := &liveTree{t: t, root: t.TempDir()}
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	g.git("init", "-q")
	g.git("config", "user.name", "Test")
	g.git("config", "user.email", "test@example.org")
	return g
}

// git runs git, and returns what it prints.
func (g *liveTree) git(args ...string) string {
	g.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = g.root
	out, err := cmd.CombinedOutput()
	if err != nil {
		g.t.Fatalf("git %q: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// run opens the tree and runs it, until the function that it returns is called.
func (g *liveTree) run() (stop func()) {
	g.t.Helper()
	var err error
	g.tree, err = Open(g.t.Context(), Options{
		Repo: func(ctx context.Context) (repo.Repository, error) {
			return repo.Open(ctx, "git", repo.Options{Path: g.root, Host: "desk", Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		},
		Host: "desk", Now: time.Now, Quiet: 50 * time.Millisecond, Longest: time.Second,
		PullEvery: time.Hour, Rescan: time.Hour, Poll: 300 * time.Millisecond,
	})
	if err != nil {
		g.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(g.t.Context())
	done := make(chan error, 1)
	go func() { done <- g.tree.Run(ctx) }()
	return func() {
		cancel()
		if err := errors.Join(<-done, g.tree.Close()); err != nil {
			g.t.Error(err)
		}
	}
}

func (g *liveTree) eventually(what string, is func() bool) {
	g.t.Helper()
	if !testkit.Eventually(20*time.Second, is) {
		g.t.Fatalf("not seen: %s; %+v", what, g.tree.Status())
	}
}

// The same with git, a mounted file system, and what the kernel reports.
func TestUnmountedForReal(t *testing.T) {
	testkit.Root(t)
	testkit.Program(t, "git")
	g := newLiveTree(t)
	photos := filepath.Join(g.root, "photos")
	if err := os.Mkdir(photos, 0o755); err != nil {
		t.Fatal(err)
	}
	mountTmpfs(t, photos)
	for _, name := range []string{"a", "photos/1", "photos/2"} {
		if err := os.WriteFile(filepath.Join(g.root, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stop := g.run()
	g.eventually("a commit", func() bool {
		return g.git("ls-files") == "a\nphotos/1\nphotos/2" && g.tree.Status().State == Watching
	})
	if out, err := exec.Command("umount", photos).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	g.eventually("that it is held", func() bool { return g.tree.Status().State == Held })
	stop()
	stop = g.run() // it is not yet mounted
	defer stop()
	g.eventually("that it is held at the next start", func() bool { return g.tree.Status().State == Held })
	if got := g.git("status", "--porcelain"); got != "D photos/1\n D photos/2" {
		t.Errorf("git status: %q", got)
	}
	if err := g.tree.Now(t.Context()); err != nil {
		t.Error(err)
	}
	if got := g.git("ls-files"); got != "a" {
		t.Errorf("after now: %q", got)
	}
}
