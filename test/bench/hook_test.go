package bench

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"vext/internal/testkit"
)

// A hooked is a repository with a hook of vext, and its twin without one.
type hooked struct {
	b     *testing.B
	dir   string
	state string
	vext  []string // the program and its first arguments
	want  int      // how many messages there are to be in the spool
}

func newHooked(b *testing.B, programs ...string) *hooked {
	b.Helper()
	for _, name := range programs {
		testkit.Program(b, name)
	}
	h := &hooked{b: b, dir: b.TempDir(), state: testkit.State(b)}
	path := filepath.Join(h.dir, "vext.toml")
	if err := os.WriteFile(path, fmt.Appendf(nil, config, "stdout:"), 0o600); err != nil {
		b.Fatal(err)
	}
	h.vext = []string{program(b, "vext"), "--config", path, "--state", h.state}
	return h
}

// install puts the hook in.
func (h *hooked) install(path string) {
	h.b.Helper()
	args := append(h.vext[1:], "hook", "install", "--domain", "example.org", filepath.Join(h.dir, path))
	if out, err := exec.Command(h.vext[0], args...).CombinedOutput(); err != nil {
		h.b.Fatalf("%v: %s", err, out)
	}
}

// sh runs a script, and returns how long it took and what it printed.
func (h *hooked) sh(script, stdin string) (time.Duration, string) {
	h.b.Helper()
	return h.run(stdin, "sh", "-ec", script)
}

func (h *hooked) run(stdin, name string, args ...string) (time.Duration, string) {
	h.b.Helper()
	var out bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = h.dir, strings.NewReader(stdin), &out, &out
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "HGRCPATH=",
		"GIT_AUTHOR_NAME=Jane", "GIT_AUTHOR_EMAIL=jane@example.org", "GIT_COMMITTER_NAME=Jane", "GIT_COMMITTER_EMAIL=jane@example.org",
		"HGUSER=jane@example.org"}
	begun := time.Now()
	err := cmd.Run()
	took := time.Since(begun)
	if err != nil {
		h.b.Fatalf("%s %q: %v\n%s", name, args, err, &out)
	}
	return took, strings.TrimSpace(out.String())
}

// drain waits until n more messages are in the spool and the worker has ended:
// it is not to take the next measurement's time.
func (h *hooked) drain(n int) {
	h.b.Helper()
	h.want += n
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if entries, _ := os.ReadDir(filepath.Join(h.state, "spool")); len(entries) == h.want {
			break
		}
		if time.Now().After(deadline) {
			h.b.Fatal("the hook does not hand its commits over")
		}
	}
	locks, _ := filepath.Glob(filepath.Join(h.state, "hooks", "*.lock"))
	for _, path := range locks {
		f, err := os.Open(path)
		if err != nil {
			h.b.Fatal(err)
		}
		syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		f.Close()
	}
	syscall.Sync() // nor are the file system's writes
}

// pushes measures pushes of so many commits each: the hook as git runs it, and
// git push with the hook and without it, one after the other.
func pushes(b *testing.B, times, commits int) {
	h := newHooked(b, "git")
	h.sh(`for name in alone with without; do git init --quiet --bare --initial-branch=main $name.git; done
git init --quiet --initial-branch=main clone
cd clone; git commit --quiet --allow-empty -m first
for name in alone with without; do git push --quiet ../$name.git main; done`, "")
	h.install("alone.git")
	h.install("with.git")
	for b.Loop() {
		var alone, with, without, delay []time.Duration
		for i := range times {
			_, old := h.sh("cd clone; git rev-parse main", "")
			h.sh("cd clone; git fast-import --quiet; git push --quiet ../alone.git main:refs/heads/hidden", askingCommits(i*commits, commits))
			_, tip := h.sh("cd clone; git rev-parse main", "")

			h.sh("git -C alone.git update-ref refs/heads/main "+tip, "")
			took, _ := h.sh("cd alone.git; exec hooks/post-receive", old+" "+tip+" refs/heads/main\n")
			alone = append(alone, took)
			h.drain(commits)

			withHook, _ := h.run("", "git", "-C", "clone", "push", "--quiet", "../with.git", "main")
			h.drain(commits)
			withoutHook, _ := h.run("", "git", "-C", "clone", "push", "--quiet", "../without.git", "main")
			with, without, delay = append(with, withHook), append(without, withoutHook), append(delay, withHook-withoutHook)
		}
		report(b, alone, with, without, delay, "push")
	}
}

// askingCommits writes commits that ask for a reminder for git fast-import.
func askingCommits(first, n int) string {
	var text strings.Builder
	for i := first; i < first+n; i++ {
		message := fmt.Sprintf("foo: fix %d\n\nMFC after: 1 week\n", i)
		fmt.Fprintf(&text, "commit refs/heads/main\ncommitter Jane <jane@example.org> %d +0000\ndata %d\n%s\n", time.Now().Unix(), len(message), message)
		if i == first {
			text.WriteString("from refs/heads/main^0\n")
		}
	}
	return text.String()
}

// Goal: a push of one commit is delayed by at most 50 ms at p95.
func BenchmarkGitHook1Goal50ms(b *testing.B) { pushes(b, 100, 1) }

// Goal: a push of 1,000 commits that all ask is delayed by at most 250 ms.
func BenchmarkGitHook1000Goal250ms(b *testing.B) { pushes(b, 10, 1000) }

// Goal: git commit in a work tree is delayed by at most 50 ms at p95.
func BenchmarkGitCommitHookGoal50ms(b *testing.B) {
	commits(b, 100, "git", scripts{
		create: `git init --quiet $name; cd $name; git commit --quiet --allow-empty -m first`,
		commit: `git -C $name $without commit --quiet --allow-empty -m "$message"`, without: "-c core.hooksPath=/dev/null",
		hook: `cd alone; exec .git/hooks/post-commit`,
	})
}

// Goal: hg commit is delayed by at most 50 ms at p95.
func BenchmarkHgHookGoal50ms(b *testing.B) {
	commits(b, 50, "hg", scripts{ // which takes its time
		create: `hg init $name`,
		commit: `cd $name; echo "$message" >>file; hg $without commit --quiet --addremove -m "$message"`, without: "--config hooks.commit.vext=",
		before: `sed -n 's/^commit.vext = //p' alone/.hg/hgrc >line`,
		hook:   `cd alone; . ../line`,
	})
}

// Goal: svn commit is delayed by at most 50 ms at p95.
func BenchmarkSvnHookGoal50ms(b *testing.B) {
	testkit.Program(b, "svnadmin")
	commits(b, 100, "svn", scripts{
		create: `svnadmin create $name
svn checkout --quiet "file://$PWD/$name" tree-$name; mkdir tree-$name/trunk; echo >tree-$name/trunk/file; svn add --quiet tree-$name/trunk`,
		commit: `echo "$message" >>tree-$name/trunk/file; svn commit --quiet --username jane -m "$message" tree-$name`,
		before: `mv alone/hooks/post-commit alone/hooks/off`,
		hook:   `exec env -i alone/hooks/off "$PWD/alone" 1 0-1`,
	})
}

// scripts are how one program is measured: to make the repository $name, to
// commit $message there, with $without so that no hook runs, and to run the hook
// of the one called alone, as it is after before.
type scripts struct{ create, commit, without, before, hook string }

// commits measures commits one by one: the hook alone, and a commit with the
// hook and one without it, one after the other.
func commits(b *testing.B, times int, program string, s scripts) {
	h := newHooked(b, program)
	for _, name := range []string{"alone", "with", "without"} {
		h.sh("name="+name+"; "+s.create, "")
	}
	h.install("alone")
	h.install("with")
	h.sh(s.before, "")
	for b.Loop() {
		var alone, with, without, delay []time.Duration
		for i := range times {
			message := fmt.Sprintf("message='foo: fix %d\n\nMFC after: 1 week'; ", i)
			h.sh("name=alone; without='"+s.without+"'; "+message+s.commit, "")
			took, _ := h.sh(s.hook, "")
			alone = append(alone, took)
			h.drain(1)
			withHook, _ := h.sh("name=with; without=; "+message+s.commit, "")
			h.drain(1)
			withoutHook, _ := h.sh("name=without; without=; "+message+s.commit, "")
			with, without, delay = append(with, withHook), append(without, withoutHook), append(delay, withHook-withoutHook)
		}
		report(b, alone, with, without, delay, "commit")
	}
}

// report reports the hook alone, what git or another does with it and without
// it, and the median of what this is longer: at p95 that is mostly the noise of
// the two.
func report(b *testing.B, alone, with, without, delay []time.Duration, what string) {
	percentile := func(took []time.Duration, n int) float64 {
		slices.Sort(took)
		return float64(took[(len(took)*n+99)/100-1]) / float64(time.Millisecond)
	}
	b.ReportMetric(percentile(alone, 95), "p95-hook-ms")
	b.ReportMetric(percentile(delay, 50), "p50-delay-ms")
	b.ReportMetric(percentile(with, 95), "p95-"+what+"-ms")
	b.ReportMetric(percentile(without, 95), "p95-"+what+"-without-ms")
}
