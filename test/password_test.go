package test

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"vext/internal/testkit"
)

// The password of a followed repository's URL is in the configuration and
// nowhere else: in nothing that vext prints, in no file of the state directory,
// and not where ps shows it; whether the server takes it or not.
func TestPasswordIsSeenByNobody(t *testing.T) {
	const password = "hunter2"
	testkit.Program(t, "git")
	w := newGitWorld(t)
	behind, err := url.Parse(serveGit(t, w.dir))
	ok(t, err)
	proxy := httputil.NewSingleHostReverseProxy(behind)
	var asked atomic.Int64
	var refuses atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, file := range files {
			if data, _ := os.ReadFile(file); strings.Contains(string(data), password) {
				t.Errorf("ps shows %q", data)
			}
		}
		if _, given, known := r.BasicAuth(); !known || given != password || refuses.Load() {
			rw.Header().Set("WWW-Authenticate", `Basic realm="w"`)
			http.Error(rw, "no", http.StatusUnauthorized)
			return
		}
		asked.Add(1)
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	at := strings.Replace(server.URL, "://", "://jane:"+password+"@", 1) + "/widget.git"
	write(t, w.config, 0o600, read(t, w.config)+"\n[[repository]]\nname = \"widget\"\nurl = \""+at+"\"\nfrom = \"2020-01-01\"\n")

	look := func(commands ...string) string {
		t.Helper()
		all := ""
		for _, command := range commands {
			r := w.try(committed, strings.Fields(command)...)
			all += r.stdout + r.stderr
			if strings.Contains(r.stdout+r.stderr, password) {
				t.Errorf("vext %s says %s%s", command, r.stdout, r.stderr)
			}
		}
		filepath.WalkDir(w.state, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				if strings.Contains(read(t, path), password) {
					t.Errorf("%s has the password", path)
				}
			}
			return err
		})
		return all
	}
	look("-v follow --once widget", "run", "check", "list", "list --json", "import --repository widget --since 2020-01-01")
	if asked.Load() == 0 || len(w.list()) != 2 {
		t.Errorf("the server was asked %d times; %d commits", asked.Load(), len(w.list()))
	}
	refuses.Store(true)
	contains(t, look("-v follow --once widget", "check", "run"), "Authentication failed")
}

// follow add keeps a password only in a file that others can't read.
func TestFollowAddWithPassword(t *testing.T) {
	w := newGitWorld(t)
	at := strings.Replace(serveGit(t, w.dir), "://", "://jane:hunter2@", 1) + "/widget.git"
	ok(t, os.Chmod(w.config, 0o644))
	r := w.try(committed, "follow", "add", at)
	r.want(t, 1)
	contains(t, r.stderr, "everybody can read "+w.config)
	if strings.Contains(r.stdout+r.stderr+read(t, w.config), "hunter2") {
		t.Errorf("it says %s%s, and the file is\n%s", r.stdout, r.stderr, read(t, w.config))
	}
	ok(t, os.Chmod(w.config, 0o600))
	r = w.try(committed, "follow", "add", at)
	r.want(t, 0)
	contains(t, read(t, w.config), at)
	if strings.Contains(r.stdout+r.stderr, "hunter2") {
		t.Errorf("it says %s%s", r.stdout, r.stderr)
	}
	anew := filepath.Join(w.dir, "new", "vext.toml")
	r = program{env: []string{"VEXT_STATE=" + w.state}}.run(t, w.vext, "--config", anew, "follow", "add", "--name", "other", at)
	r.want(t, 0)
	if info, err := os.Stat(anew); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
