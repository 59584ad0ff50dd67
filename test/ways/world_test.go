package ways

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vext/internal/testkit"
)

// A world is a repository in which commits are made, a bare one that they are
// pushed to, and vext with all sources.
type world struct {
	t                     *testing.T
	bin, dir              string
	work, bare, state     string
	config, serve, broken string // configurations: of all but serve, of serve, of a source that fails
	commits               []made
	base                  string // what was there before any source was set up
}

// A made commit is a commit and what is expected of it.
type made struct {
	hash, branch, message string
	asks                  bool // there is to be a reminder
}

// newWorld makes the repositories and a history. The trailers are due at once.
func newWorld(t *testing.T) *world {
	testkit.Program(t, "git")
	dir := testkit.Scratch(t)
	w := &world{
		t: t, bin: testkit.Programs(t), dir: dir, work: filepath.Join(dir, "work"), bare: filepath.Join(dir, "src.git"), state: filepath.Join(dir, "state"),
		config: filepath.Join(dir, "vext.toml"), serve: filepath.Join(dir, "serve.toml"), broken: filepath.Join(dir, "broken.toml"),
	}
	w.run("git", "init", "--quiet", "--initial-branch=main", w.work)
	w.run("git", "init", "--quiet", "--bare", "--initial-branch=main", w.bare)
	w.git("config", "user.name", "Jane Miller")
	w.git("config", "user.email", "jane@example.org")
	w.base = w.make("main", "before all\n\nMFC after: 0 days\n", false)
	w.git("push", "--quiet", w.bare, "main")
	if err := os.Mkdir(w.state, 0o750); err != nil {
		t.Fatal(err)
	}
	common := fmt.Sprintf("[reminders]\nallow = [\"*@example.org\"]\nbranches = [\"main\", \"devel\", \"stable/*\"]\n[mail]\nfrom = \"mfc@example.org\"\nvia = \"maildir:%s/Maildir\"\n", dir)
	// The commits change nothing and are on stable/14: with it as a target nobody were reminded.
	repository := "[[repository]]\nname = \"src\"\ntargets = [\"none/*\"]\naliases = [\"example/src\", \"https://git.example.org/src.git\"]\n"
	w.write(w.config, common+repository+fmt.Sprintf("url = %q\nfrom = %q\n", w.work, w.base))
	w.write(w.broken, common+repository+fmt.Sprintf("url = %q\nfrom = %q\n", dir+"/missing", w.base))
	w.write(w.serve, common+repository+"[http]\nlisten = \"127.0.0.1:0\"\n[[hook]]\nname = \"forge\"\nsecret = \"secret\"\nrepositories = [\"src\"]\n")
	w.history()
	return w
}

// history makes commits of every sort.
func (w *world) history() {
	one := w.make("main", "one\n\nMFC after: 0 days\n", true)
	w.make("main", "two asks for nothing\n", false)
	w.make("main", "three\n\nlong text\n\nReviewed by: ann\nMFC after:\t0 days (? not sure)\nMFC to: 14.3\n", true)
	w.git("branch", "stable/14", w.base)
	w.make("stable/14", "one\n\nMFC after: 0 days\n\n(cherry picked from commit "+one+")\n", false)
	w.git("branch", "devel", "main")
	for i := range w.commits { // the same commits on a second branch
		if c := w.commits[i]; c.branch == "main" && c.asks {
			w.commits = append(w.commits, made{c.hash, "devel", c.message, false})
		}
	}
	w.make("devel", "four is on devel alone\n\nBackport after: 0d\n", true)
	w.make("main", "five\n\nMerge after: never\n", false)
	w.make("main", "six: "+strings.Repeat("ü", 100)+"\n\nX-MFC-after: 0 days\n", true)
}

// make makes a commit on a branch.
func (w *world) make(branch, message string, asks bool) string {
	if out, _ := exec.Command("git", "-C", w.work, "symbolic-ref", "--short", "HEAD").Output(); strings.TrimSpace(string(out)) != branch {
		w.git("checkout", "--quiet", branch)
	}
	w.git("commit", "--quiet", "--allow-empty", "--message", message)
	hash := w.git("rev-parse", "HEAD")
	if w.base != "" {
		w.commits = append(w.commits, made{hash, branch, message, asks})
	}
	return hash
}

func (w *world) git(args ...string) string {
	w.t.Helper()
	return w.run("git", append([]string{"-C", w.work}, args...)...)
}

func (w *world) run(name string, args ...string) string {
	w.t.Helper()
	out, err := w.try("", name, args...)
	if err != nil {
		w.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(out)
}

// try runs a program, with something on its standard input.
func (w *world) try(stdin, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "HOME="+w.dir)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (w *world) vext(args ...string) string {
	w.t.Helper()
	return w.run(filepath.Join(w.bin, "vext"), append([]string{"--config", w.config, "--state", w.state}, args...)...)
}

func (w *world) write(path, text string) {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// A source brings the history, or fails to.
type source struct {
	name string
	run  func(w *world, fails bool)
}

var sources = []source{{"mail", (*world).byMail}, {"hook", (*world).byHook}, {"webhook", (*world).byWebhook}, {"follow", (*world).byFollowing}}

// byMail hands each commit to the filter as FreeBSD's mailer writes it.
func (w *world) byMail(fails bool) {
	state := w.state
	if fails {
		state = filepath.Join(w.dir, "missing")
	}
	for i, c := range w.commits {
		mail := fmt.Sprintf(`From: Jane Miller <jane@example.org>
To: commits@example.org
Date: %[6]s
Message-Id: <%[1]d.%[2]s@example.org>
Subject: =?utf-8?q?git=3A_%.12[2]s_-_%[3]s?=
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit
X-Git-Committer: jane
X-Git-Repository: src
X-Git-Refname: refs/heads/%[3]s
X-Git-Commit: %[2]s

commit %[2]s
Author:     Jane Miller <jane@example.org>
AuthorDate: %[5]s
Commit:     Jane Miller <jane@example.org>
CommitDate: %[5]s

    %[4]s
---
`, i, c.hash, c.branch, strings.ReplaceAll(strings.TrimRight(c.message, "\n"), "\n", "\n    "),
			time.Now().Format("2006-01-02 15:04:05 -0700"), time.Now().Format(time.RFC1123Z))
		out, err := w.try(mail, filepath.Join(w.bin, "vext-filter"), "-state", state)
		if status := exitStatus(err); fails && c.asks && status != 75 || !fails && status != 0 {
			w.t.Fatalf("vext-filter: %d\n%s", status, out)
		}
	}
}

func exitStatus(err error) int {
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}

// byHook pushes. A hook that fails has lost its program.
func (w *world) byHook(fails bool) {
	script := filepath.Join(w.bare, "hooks", "post-receive")
	text, err := os.ReadFile(script)
	if err != nil {
		w.t.Fatal(err)
	}
	if fails {
		broken := strings.ReplaceAll(string(text), filepath.Join(w.bin, "vext"), filepath.Join(w.bin, "gone"))
		if broken == string(text) {
			w.t.Fatal("the hook does not name the program")
		}
		if err := os.WriteFile(script, []byte(broken), 0o755); err != nil {
			w.t.Fatal(err)
		}
	}
	w.git("push", "--quiet", "--force", w.bare, "main", "devel", "stable/14")
	if !fails { // it may still be at work
		w.vext("hook", "status", w.bare)
		w.waitForHook()
	}
}

// waitForHook waits until a hook that continues after its push has ended.
func (w *world) waitForHook() {
	w.t.Helper()
	f, err := os.Open(filepath.Join(w.state, "hooks", "src.lock"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	for range 500 {
		state, err := os.ReadFile(filepath.Join(w.state, "hooks", "src.positions"))
		if err == nil && strings.Contains(string(state), w.git("rev-parse", "main")) && syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.t.Fatal("the hook does not end")
}

// byWebhook sends what GitHub would, for each branch.
func (w *world) byWebhook(fails bool) {
	address, stop := w.startServe()
	defer stop()
	for _, branch := range []string{"main", "devel", "stable/14"} {
		var commits []map[string]any
		for _, c := range w.commits {
			if c.branch != branch {
				continue
			}
			person := map[string]string{"name": "Jane Miller", "email": "jane@example.org", "username": "jane"}
			commits = append(commits, map[string]any{
				"id": c.hash, "message": c.message, "timestamp": time.Now().Format(time.RFC3339), "author": person, "committer": person,
				"url": "https://git.example.org/src/commit/" + c.hash, "distinct": true,
			})
		}
		body, err := json.Marshal(map[string]any{
			"ref": "refs/heads/" + branch, "before": w.base, "after": w.git("rev-parse", branch), "created": false, "deleted": false, "forced": false,
			"commits": commits, "repository": map[string]any{"name": "src", "full_name": "example/src", "clone_url": "https://git.example.org/src.git"},
		})
		if err != nil {
			w.t.Fatal(err)
		}
		secret, want := "secret", http.StatusOK
		if fails {
			secret, want = "another", http.StatusUnauthorized
		}
		for range 2 { // a forge may send everything twice
			mac := hmac.New(sha256.New, []byte(secret))
			mac.Write(body)
			r, err := http.NewRequest("POST", "http://"+address+"/hook/forge", bytes.NewReader(body))
			if err != nil {
				w.t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("X-GitHub-Event", "push")
			r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				w.t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != want {
				w.t.Fatalf("webhook: %s", answer.Status)
			}
		}
	}
}

// startServe starts vext serve and returns where it takes webhooks.
func (w *world) startServe() (address string, stop func()) {
	w.t.Helper()
	cmd := exec.Command(filepath.Join(w.bin, "vext"), "--config", w.serve, "--state", w.state, "serve")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	said := ""
	for lines.Scan() {
		said += lines.Text() + "\n"
		if _, rest, ok := strings.Cut(lines.Text(), `msg="listening for webhooks" address=`); ok {
			address = rest
		}
		if strings.Contains(lines.Text(), "msg=waiting") { // it has caught up
			break
		}
	}
	if address == "" {
		w.t.Fatalf("vext serve does not listen:\n%s", said)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines.Scan() {
		}
	}()
	return address, func() {
		cmd.Process.Signal(syscall.SIGTERM)
		<-ended
		if err := cmd.Wait(); err != nil {
			w.t.Errorf("vext serve: %v", err)
		}
	}
}

// byFollowing looks at the repository in which the commits are made.
func (w *world) byFollowing(fails bool) {
	if !fails {
		w.vext("follow", "--once")
		return
	}
	out, err := w.try("", filepath.Join(w.bin, "vext"), "--config", w.broken, "--state", w.state, "follow", "--once")
	if exitStatus(err) != 1 {
		w.t.Fatalf("vext follow: %v\n%s", err, out)
	}
}
