package vcs

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vext/internal/commit"
	"vext/internal/testkit"
	"vext/internal/weburl"
)

const (
	login    = "jane"
	password = "hunter2-se@cret/%"
	escaped  = "hunter2-se%40cret%2F%25"
)

// withPassword serves what handler does to whoever knows the password, and looks
// at each request whether a process shows that. It returns the URL, with it.
func withPassword(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, line := range commandLines() {
			if strings.Contains(line, "hunter2") {
				t.Errorf("ps shows %q", line)
			}
		}
		if user, given, ok := r.BasicAuth(); !ok || user != login || given != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="w"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		r.Header.Del("Authorization")
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "://", "://"+login+":"+escaped+"@", 1)
}

// commandLines returns those of all processes.
func commandLines() []string {
	var lines []string
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		data, _ := os.ReadFile(file)
		lines = append(lines, strings.ReplaceAll(string(data), "\x00", " "))
	}
	return lines
}

// wantNowhere looks for the password in everything below a directory.
func wantNowhere(t *testing.T, dir string) {
	t.Helper()
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(data), "hunter2") {
			t.Errorf("%s has the password", path)
		}
		return err
	})
}

// A password in a URL lets vext in, and is seen by nobody: not by ps, not in the
// copy, and not in an error.
func TestPasswordOfGit(t *testing.T) {
	g := newGit(t)
	g.commit("first")
	t.Setenv("HOME", t.TempDir())
	t.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(os.Getenv("HOME"), ".gitconfig"))
	run(t, "", "git", "config", "--file", os.Getenv("GIT_CONFIG_GLOBAL"), "credential.helper", "store")
	url := withPassword(t, &cgi.Handler{
		Path: filepath.Join(run(t, "", "git", "--exec-path"), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + filepath.Dir(g.dir), "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	}) + "/" + filepath.Base(g.dir)
	letsIn(t, Git, g, url)
	wantNowhere(t, os.Getenv("HOME")) // where git's own store is
}

func TestPasswordOfMercurial(t *testing.T) {
	h := newHg(t)
	h.commit("first")
	letsIn(t, Hg, h, withPassword(t, serveHg(t, h.dir)))
}

// serveHg serves a repository as a web server would, by hgweb.
func serveHg(t *testing.T, dir string) http.Handler {
	t.Helper()
	script := filepath.Join(t.TempDir(), "hgweb.cgi")
	text := fmt.Sprintf("from mercurial.hgweb import hgweb, wsgicgi\nwsgicgi.launch(hgweb(%q.encode()))\n", dir)
	if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	python := run(t, "", "hg", "debuginstall", "--template", "{pythonexe}") // the one that has Mercurial
	if err := exec.Command(python, "-c", "import mercurial.hgweb").Run(); err != nil {
		testkit.Missing(t, "Mercurial has no hgweb")
	}
	return &cgi.Handler{Path: python, Args: []string{script}, Root: "/", Env: []string{"HGRCPATH="}}
}

// letsIn looks at a repository behind a password, with the right one and with a
// wrong one.
func letsIn(t *testing.T, kind Kind, m maker, url string) {
	t.Helper()
	at := weburl.Parse(url)
	dir := filepath.Join(t.TempDir(), "copy."+string(kind))
	if got, err := Detect(t.Context(), at); got != kind || err != nil {
		t.Errorf("Detect: %q, %v", got, err)
	}
	r, err := Open(kind, dir, at)
	if err != nil {
		t.Fatal(err)
	}
	update(t, r)
	m.commit("second")
	for ref, position := range update(t, r) {
		if _, n := walk(t, r, Log{Ranges: []Range{{Refname: ref, New: position}}}); n != 2 {
			t.Errorf("%s: %d commits", ref, n)
		}
	}
	wantNowhere(t, filepath.Dir(dir))

	wrong := weburl.Parse(strings.Replace(url, escaped, "hunter2-wrong", 1))
	r, err = Open(kind, filepath.Join(t.TempDir(), "other"), wrong)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = r.Update(t.Context(), func(string) bool { return true }); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("with a wrong password: %v", err)
	}
	if _, err := Detect(t.Context(), wrong); err != nil && strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Detect with a wrong password: %v", err)
	}
}

// The same for Subversion, whose svnserve asks for a login by its own protocol.
func TestPasswordOfSubversion(t *testing.T) {
	s := newSvn(t)
	s.commit("first")
	svnserve := testkit.Program(t, "svnserve")
	for name, text := range map[string]string{
		"svnserve.conf": "[general]\nanon-access = none\nauth-access = read\npassword-db = passwd\nrealm = w\n",
		"passwd":        "[users]\n" + login + " = " + password + "\n",
	} {
		if err := os.WriteFile(filepath.Join(s.dir, "conf", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	port := freePort(t)
	cmd := exec.Command(svnserve, "--daemon", "--foreground", "--listen-host", "127.0.0.1", "--listen-port", port, "--root", filepath.Dir(s.dir))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	t.Setenv("HOME", t.TempDir())
	stop := watch(t)
	url := "svn://" + login + ":" + escaped + "@127.0.0.1:" + port + "/" + filepath.Base(s.dir)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if r, _ := Open(Svn, "", weburl.Parse(url)); r != nil {
			if _, err := r.Update(t.Context(), nil); err == nil {
				break
			}
		}
	}
	letsIn(t, Svn, s, url)
	r, _ := Open(Svn, "", weburl.Parse(url))
	if positions := update(t, r); positions[""] != "r2" {
		t.Errorf("%v", positions)
	}
	r.Walk(t.Context(), Log{Ranges: []Range{{New: "r2"}}}, func(*commit.Commit) error { return nil })
	stop()
	wantNowhere(t, os.Getenv("HOME"))
}

func freePort(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(nil)
	defer server.Close()
	return server.URL[strings.LastIndex(server.URL, ":")+1:]
}

// watch looks at the command lines of all processes until stop is called.
func watch(t *testing.T) (stop func()) {
	done := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for {
			for _, line := range commandLines() {
				if strings.Contains(line, "hunter2") {
					t.Errorf("ps shows %q", line)
				}
			}
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
			}
		}
	})
	return func() { close(done); watcher.Wait() }
}
