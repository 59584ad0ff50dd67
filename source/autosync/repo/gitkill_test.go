package repo_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vext/source/autosync/repo"
)

// pullVariable makes the test program a process that pulls in the directory that it names, and
// kills itself at the point after the comma.
const pullVariable = "VEXT_TEST_PULL"

func TestPullProcess(t *testing.T) {
	dir, point, ok := strings.Cut(os.Getenv(pullVariable), ",")
	if !ok {
		t.Skip("for other tests")
	}
	repo.SetFault(func(at string) {
		if at == point {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	})
	r, err := repo.Open(t.Context(), "git", repo.Options{Path: dir, Host: "beta", Now: func() time.Time { return someTime }})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("\npulling")
	if err := r.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Pull(t.Context(), repo.PullOptions{}); err != nil {
		t.Fatal(err)
	}
}

// pullProcess starts a process that pulls into B. With a point it kills itself there.
func (p *pair) pullProcess(point string) *exec.Cmd {
	p.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestPullProcess$", "-test.count=1")
	cmd.Env = append(os.Environ(), pullVariable+"="+p.b.Root()+","+point)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	p.check(err)
	p.check(cmd.Start())
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "pulling"; {
	}
	return cmd
}

// ready waits until the clone is ready: a git command of a process that was killed may run on.
func (p *pair) ready(r repo.Repository) {
	p.Helper()
	var busy *repo.BusyError
	for range 200 {
		err := r.Ready(p.Context())
		if err == nil {
			return
		}
		if !errors.As(err, &busy) {
			p.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.Fatal(busy)
}

// A process that is killed at any step of a checkout leaves what the next one repairs: what
// a person has staged and what has been edited since is still there.
func TestKilledAtAStep(t *testing.T) {
	person(t)
	for _, point := range []string{"lock", "journal", "tree", "branch", "index", "moved"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, repo.Options{})
			p.share("mkdir d; echo base >d/a; echo base >b; echo base >edited; echo x >x; echo staged >s; ln -s base l; printf 'a\\r\\n' >crlf; echo '*.t text' >.gitattributes; echo 'two words' >'n m.t'")
			p.part("rm d/a; rmdir d; echo theirs >d; echo theirs >b; rm x; mkdir n; echo new >n/n; echo theirs >edited; chmod +x b; ln -sfn theirs l; echo three >'n m.t'", "echo ours >ours")
			p.sh(p.b, "echo by hand >s; git add s; echo not yet >s")
			if err := p.pullProcess(point).Wait(); err == nil {
				t.Fatal("it was not killed")
			}
			p.sh(p.b, "echo since >>edited; echo alone >untracked")
			p.ready(p.b)
			if got := p.git(p.b, "show", ":s"); got != "by hand" {
				t.Errorf("staged: %q", got)
			}
			if staged := p.git(p.b, "diff", "--cached", "--name-only"); staged != "s" {
				t.Errorf("staged: %q", staged)
			}
			p.sh(p.b, "git reset -q s; git checkout -q s")
			p.save(p.b)
			p.pull(p.b)
			p.meet()
			want := sorted("b*: theirs\nd: theirs\nl -> theirs\nn/n: new\nours: ours\nuntracked: alone\ns: staged\ncrlf: a\r\n.gitattributes: *.t text\nn m.t: three")
			got := p.files(p.b)
			for line := range strings.Lines(want) {
				if !strings.Contains(got, strings.TrimSuffix(line, "\n")) {
					t.Errorf("files:\n%s\nwant:\n%s", got, line)
				}
			}
			if all := p.history(p.b); !strings.Contains(all, "since") {
				t.Errorf("an edit is lost:\n%s", got)
			}
		})
	}
}

// A process that is killed at any time, alone or with its git commands, leaves what the next
// one repairs.
func TestKilledAtAnyTime(t *testing.T) {
	person(t)
	p := newPair(t, repo.Options{})
	p.share("for d in 1 2 3 4 5 6 7 8; do mkdir $d; for f in $(seq 100); do seq $f 200 >$d/$f; done; done")
	caught := 0
	for round := range killRounds() {
		p.sh(p.a, fmt.Sprintf("for d in 1 2 3 4 5 6 7 8; do for f in $(seq 1 3 100); do echo %d >>$d/$f; done; rm -f $d/new*; echo %[1]d >$d/new%[1]d; done; echo %[1]d >round", round))
		p.save(p.a)
		p.push(p.a)
		p.sh(p.b, fmt.Sprintf("echo %d >>ours", round))
		p.save(p.b)
		cmd := p.pullProcess("none")
		journal := filepath.Join(p.b.Root(), ".git", "vext", "integrate")
		for range 2000 { // until the checkout begins
			if _, err := os.Lstat(journal); err == nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
		if syscall.Kill(cmd.Process.Pid, syscall.SIGKILL); round%2 == 0 {
			for _, pid := range childrenOf(cmd.Process.Pid, p.b.Root()) {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		cmd.Wait()
		if _, err := os.Lstat(journal); err == nil {
			caught++
		}
		p.ready(p.b)
		if changes, err := p.b.Changes(t.Context()); err != nil || len(changes) > 0 {
			t.Fatalf("round %d: %d changes, such as %+v, %v", round, len(changes), changes[:min(3, len(changes))], err)
		}
		var busy *repo.BusyError
		for _, err := p.b.Pull(t.Context(), repo.PullOptions{}); err != nil; _, err = p.b.Pull(t.Context(), repo.PullOptions{}) {
			if !errors.As(err, &busy) {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond)
		}
		p.push(p.b)
		p.pull(p.a)
		if a, b := p.files(p.a), p.files(p.b); a != b {
			t.Fatalf("round %d: they differ", round)
		}
	}
	p.meet()
	t.Logf("%d of them in the middle of a checkout", caught)
}

// killRounds is how often the process is killed: AUTOSYNC_KILLS=100.
func killRounds() int {
	n := 8
	fmt.Sscan(os.Getenv("AUTOSYNC_KILLS"), &n)
	return n
}

// childrenOf returns the git processes that work in a directory.
func childrenOf(parent int, dir string) (pids []int) {
	found, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range found {
		var pid int
		fmt.Sscanf(link, "/proc/%d/cwd", &pid)
		if target, err := os.Readlink(link); err == nil && target == dir && pid != parent {
			pids = append(pids, pid)
		}
	}
	return pids
}
