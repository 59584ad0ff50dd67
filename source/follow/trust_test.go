package follow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vext/internal/disk"
	"vext/internal/testkit"
	"vext/internal/vcs"
)

const someHash = "0123456789012345678901234567890123456789"

// register registers a repository at a path, with a position.
func register(t *testing.T, store Store, name, path string) *State {
	t.Helper()
	s, err := store.Register(t.Context(), name, path, vcs.Git, &Options{Command: []string{"/bin/vext", "hook", "fire"}})
	if err != nil {
		t.Fatal(err)
	}
	s.Positions["refs/heads/main"] = someHash
	if err := store.Save(s); err != nil {
		t.Fatal(err)
	}
	return s
}

// A file in hooks counts only when nobody but vext's user can have written it;
// one that does not is named, and keeps no other from counting.
func TestUntrustedFilesDoNotCount(t *testing.T) {
	for name, plant := range map[string]func(path, other string) error{
		"of another user": func(path, _ string) error {
			testkit.Root(t)
			return os.Chown(path, 65534, 65534)
		},
		"that everybody may write to": func(path, _ string) error { return os.Chmod(path, 0o646) },
		"that the group may write to": func(path, _ string) error { return os.Chmod(path, 0o660) },
		"a link":                      func(path, other string) error { return errors.Join(os.Rename(path, other), os.Symlink(other, path)) },
		"a FIFO":                      func(path, _ string) error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o644)) },
		"a directory":                 func(path, _ string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o755)) },
	} {
		t.Run(name, func(t *testing.T) {
			store := Hooked(testkit.State(t))
			register(t, store, "evil", "/srv/evil.git")
			register(t, store, "good", "/srv/good.git")
			path := store.path("evil", ".json")
			if err := plant(path, filepath.Join(t.TempDir(), "elsewhere")); err != nil {
				t.Fatal(err)
			}
			if _, err := store.Load("evil"); !errors.Is(err, disk.ErrUntrusted) || !strings.Contains(err.Error(), path) {
				t.Errorf("Load: %v", err)
			}
			if states, err := store.All(); err != nil || len(states) != 1 || states[0].Name != "good" {
				t.Errorf("All: %v, %v", states, err)
			}
			if s, err := store.At("/srv/evil.git"); s != nil || err != nil {
				t.Errorf("At: %v, %v", s, err)
			}
			if found := store.Untrusted(); len(found) != 1 || !strings.Contains(found[0].Error(), path) {
				t.Errorf("Untrusted: %v", found)
			}
			if name == "a directory" {
				return // which nothing replaces
			}
			if s, err := store.Register(t.Context(), "evil", "/srv/evil.git", vcs.Git, &Options{}); err != nil || s.Positions["refs/heads/main"] != someHash || len(store.Untrusted()) > 0 {
				t.Errorf("Register: %+v, %v", s, err)
			}
		})
	}
}

// A file that the user of a git server writes sets the positions of branches, and
// nothing else: no path, no option, and no argument of git's.
func TestPositionsNameNoRepository(t *testing.T) {
	store := Hooked(testkit.State(t))
	register(t, store, "w", "/srv/w.git")
	forged := fmt.Sprintf(`{"name": "x", "vcs": "hg", "where": "/home/mallory/evil", "options": {"command": ["/bin/evil"], "domain": "evil.example"},
"positions": {"refs/heads/main": "%s", "refs/heads/evil": "--output=/tmp/x", "refs/heads/r": "r5"}, "base": ["--all", "%[1]s"], "told": {"a": "HEAD"}, "past": {"a": ["x", "%[1]s"]}}`, someHash)
	if err := os.WriteFile(store.positions("w"), []byte(forged), 0o666); err != nil {
		t.Fatal(err)
	}
	s, err := store.Load("w")
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "w" || s.Kind != vcs.Git || s.Where != "/srv/w.git" || s.Options.Domain != "" || s.Options.Command[0] != "/bin/vext" {
		t.Errorf("it names %+v, %+v", s, s.Options)
	}
	if len(s.Positions) != 2 || len(s.Base) != 1 || len(s.Told) != 0 || len(s.Past["a"]) != 1 {
		t.Errorf("positions: %+v", s)
	}
}

// What an earlier version wrote, which had it all in one file, is read with
// nothing lost, whoever wrote that.
func TestEarlierHooks(t *testing.T) {
	store := Hooked(testkit.State(t))
	if err := store.prepare(); err != nil {
		t.Fatal(err)
	}
	earlier := fmt.Sprintf(`{"name": "w", "vcs": "git", "where": "/srv/w.git", "options": {"branches": ["main"]}, "begun": true, "positions": {"refs/heads/main": "%s"}, "vanished": [{"revision": "%[1]s"}]}`, someHash)
	path := store.path("w", ".json")
	for _, mode := range []os.FileMode{0o640, 0o666} {
		if err := errors.Join(os.WriteFile(path, []byte(earlier), mode), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		if mode == 0o640 {
			s, err := store.Load("w")
			if err != nil || s.Positions["refs/heads/main"] != someHash || s.Options.Branches[0] != "main" {
				t.Errorf("%+v, %v", s, err)
			}
		}
		s, err := store.Register(t.Context(), "w", "/srv/w.git", vcs.Git, &Options{})
		if err != nil || s.Positions["refs/heads/main"] != someHash || !s.Begun || len(s.Vanished) != 1 {
			t.Errorf("mode %o: %+v, %v", mode, s, err)
		}
		if err := os.Remove(store.positions("w")); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Forget(context.Background(), "w"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(store.dir); err == nil {
		t.Error("something is left")
	}
}

// A lock that is a link makes no file elsewhere.
func TestLockIsNoLink(t *testing.T) {
	store := Hooked(testkit.State(t))
	if err := store.prepare(); err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Symlink(elsewhere, store.path("w", ".lock")); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Lock(t.Context(), "w", 0); err == nil {
		t.Error("a link was locked")
	}
	if _, err := os.Lstat(elsewhere); err == nil {
		t.Error("a file was made elsewhere")
	}
}

// A copy that somebody else has put there is not used: its configuration could
// run what they like.
func TestUntrustedCopy(t *testing.T) {
	for name, plant := range map[string]func(dir string) error{
		"a link":                                func(dir string) error { return errors.Join(os.Rename(dir, dir+".x"), os.Symlink(dir+".x", dir)) },
		"a configuration that others may write": func(dir string) error { return os.Chmod(filepath.Join(dir, "config"), 0o666) },
		"a directory that others may write to":  func(dir string) error { return os.Chmod(dir, 0o770) },
		"of another user": func(dir string) error {
			testkit.Root(t)
			return os.Chown(dir, 65534, 65534)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.commit("main", "one")
			w.follow()
			if err := plant(filepath.Join(w.state, "repositories", "w.git")); err != nil {
				t.Fatal(err)
			}
			report := w.follower().Follow(t.Context(), []Repository{w.r}, true)[0]
			if !errors.Is(report.Err, disk.ErrUntrusted) {
				t.Errorf("%v", report.Err)
			}
		})
	}
}

// A file that does not count is logged by every run, and the others are caught up
// with.
func TestCatchUpSaysWhatIsUntrusted(t *testing.T) {
	w := newWorld(t)
	var log strings.Builder
	hooked := w.follower()
	hooked.Store, hooked.Log = Hooked(w.state), slog.New(slog.NewTextHandler(&log, nil))
	register(t, hooked.Store, "evil", "/srv/evil.git")
	path := hooked.Store.path("evil", ".json")
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	in := &Sources{Hooked: hooked, Followed: w.follower(), Repository: func(s *State) Repository { return Repository{Name: s.Name, Path: s.Where, Kind: s.Kind} }}
	if err := in.CatchUp(t.Context()); err != nil || !strings.Contains(log.String(), path) {
		t.Errorf("%v, said %s", err, log.String())
	}
	if alerts := in.Alerts(time.Now()); len(alerts) > 0 {
		t.Errorf("%+v", alerts)
	}
}
