package server

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/config"
	"vext/internal/testkit"
	"vext/internal/testkit/prosody"
	"vext/source/autosync"
)

// clones returns a bare repository and clones of it.
func clones(t *testing.T, names ...string) (dir string) {
	t.Helper()
	dir = testkit.Scratch(t)
	t.Setenv("HOME", dir)
	t.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(dir, "gitconfig"))
	t.Setenv("XDG_RUNTIME_DIR", filepath.Join(dir, "run"))
	script := `git config --global user.name Jane; git config --global user.email jane@example.org; git config --global init.defaultBranch main
mkdir -m 700 run; git init -q --bare srv; git clone -q srv first 2>/dev/null; cd first; echo x >x; git add x; git commit -qm x; git push -q; cd ..
for name in "$@"; do git clone -q srv "$name"; done`
	cmd := exec.Command("sh", append([]string{"-ec", script, "sh"}, names...)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

// keepAutosync keeps trees in sync until the test ends.
func keepAutosync(t *testing.T, c *config.Config) *Autosync {
	t.Helper()
	log := new(testkit.Log)
	s := &Server{Config: c, Now: time.Now, Log: slog.New(slog.NewTextHandler(log, nil))}
	a, err := s.OpenAutosync(t.Context(), AutosyncOptions{Tables: c.Autosync, Log: s.Log, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	stop := background(t.Context(), a.Run)
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(log)
		}
	})
	return a
}

func configOf(t *testing.T, text string) *config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vext.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 400 {
		if is() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("not so: %s", what)
}

const fastTable = "quiet = \"100ms\"\npush_after = \"100ms\"\nnotify = false\n"

// Two machines of one account on XMPP have each other's changes at once.
func TestAutosyncXMPP(t *testing.T) {
	server := prosody.Start(t, prosody.Options{})
	dir := clones(t, "second")
	server.Register("jane", "secret")
	var all []*Autosync
	for _, name := range []string{"first", "second"} {
		all = append(all, keepAutosync(t, configOf(t, "[xmpp]\njid = \""+prosody.JID("jane")+"\"\npassword = \"secret\"\nserver = \""+server.Addr+"\"\nca = \""+server.CA.File()+
			"\"\n[[autosync]]\npath = \""+filepath.Join(dir, name)+"\"\n"+fastTable)))
	}
	for _, a := range all {
		eventually(t, "connected", func() bool {
			links := a.trees[0].Status().Links
			return len(links) == 1 && links[0].Connected
		})
	}
	if err := os.WriteFile(filepath.Join(dir, "first", "note"), []byte("a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	eventually(t, "the file is on the other machine", func() bool {
		_, err := os.Stat(filepath.Join(dir, "second", "note"))
		return err == nil
	})
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("after %v", took)
	}
}

// A tree that cannot be opened is shown, and kept in sync once it can be.
func TestAutosyncLater(t *testing.T) {
	dir := clones(t)
	later := filepath.Join(dir, "later")
	a := keepAutosync(t, configOf(t, "[[autosync]]\npath = \""+filepath.Join(dir, "first")+"\"\n[[autosync]]\npath = \""+later+"\"\npeers = [\"remote\"]\n"))
	s := a.trees[1].Status()
	if s.State != autosync.Failing || !strings.Contains(s.Reason, "no such file") || len(s.Links) != 1 {
		t.Errorf("%+v", s)
	}
	if text, err := json.Marshal(s); err != nil || bytes.Contains(text, []byte("null")) { // scripts take a list for one
		t.Errorf("%s, %v", text, err)
	}
	cmd := exec.Command("git", "clone", "-q", filepath.Join(dir, "srv"), later)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	eventually(t, "kept in sync", func() bool {
		a.trees[1].Resume()
		return a.trees[1].Status().State == autosync.Watching
	})
	if err := a.trees[1].Now(t.Context()); err != nil {
		t.Error(err)
	}
}

// Where no tree can be opened, vext autosync says why and ends.
func TestAutosyncNone(t *testing.T) {
	dir := clones(t)
	c := configOf(t, "[[autosync]]\npath = \""+filepath.Join(dir, "none")+"\"\n")
	s := &Server{Config: c, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	if _, err := s.OpenAutosync(t.Context(), AutosyncOptions{Tables: c.Autosync, Log: s.Log, Now: time.Now}); err == nil {
		t.Error("it is open")
	}
}
