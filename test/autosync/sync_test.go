package autosync

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/machines"
)

// What one machine writes, the other has soon.
func TestSync(t *testing.T) {
	t.Parallel()
	w := machines.New(t, machines.Options{SSH: true})
	w.Start()
	w.A.Write("notes/todo.md", "one\ntwo\nthree\n")
	w.Equal(machines.Patience)
	if got := w.A.Git("log -1 --format=%s"); got != "notes/todo.md: new, 3 lines" && !strings.HasPrefix(got, "notes/todo.md: ") {
		t.Errorf("the subject is %q", got)
	}
	w.A.Append("notes/todo.md", "four\n")
	w.Equal(machines.Patience)
	if got := w.A.Git("log -1 --format=%s"); !strings.HasPrefix(got, "notes/todo.md: ") {
		t.Errorf("the subject is %q", got)
	}
	w.B.Sh("rm notes/todo.md; mkdir photos; for n in $(seq 12); do echo $n >photos/$n; done")
	w.Equal(machines.Patience)
	w.Stop()
	w.Check()
}

// Three machines that change different files at once come to the same.
func TestThree(t *testing.T) {
	t.Parallel()
	w := machines.New(t, machines.Options{Machines: 3})
	w.Start()
	for n := range 5 {
		for _, m := range w.All {
			m.Write(fmt.Sprintf("%s/%d", m.Name, n), m.Name+"\n")
		}
		time.Sleep(300 * time.Millisecond)
	}
	w.Equal(machines.Patience)
	if files := w.A.Git("ls-files"); strings.Count(files, "\n") != 15 {
		t.Errorf("%s", files)
	}
	w.Stop()
	w.Check()
}

// A change that was made while nothing ran is taken in at the start, and SIGTERM commits
// what is quiet, and pushes nothing.
func TestStopAndStart(t *testing.T) {
	t.Parallel()
	w := machines.New(t, machines.Options{Table: "push_after = \"1h\"\n"})
	w.A.Write("before", "before\n")
	w.A.Start()
	w.A.Committed()
	w.A.Write("last", "last\n")
	time.Sleep(50 * time.Millisecond)
	w.A.Stop()
	w.A.Write("meanwhile", "meanwhile\n")
	w.A.Launch()
	w.A.Committed()
	w.A.Stop()
	if server := w.A.Git("-C " + w.Server + " rev-list --count main"); server != "1" {
		t.Errorf("%s commits were pushed", server)
	}
	w.Check()
}

// Empty directories made with a file in them at once lose no file.
func TestDeepDirectories(t *testing.T) {
	t.Parallel()
	w := machines.New(t, machines.Options{})
	w.A.Start()
	for n := range 100 {
		w.A.Sh(fmt.Sprintf("mkdir -p n%d/a/b/c && echo %d >n%d/a/b/c/f", n, n, n))
	}
	w.A.Committed()
	if got := w.A.Git("ls-files | wc -l"); got != "101" {
		t.Errorf("%s files", got)
	}
	w.A.Stop()
}

// Many new files are one commit, and so is the renaming of their directory.
func TestBatches(t *testing.T) {
	t.Parallel()
	w := machines.New(t, machines.Options{Table: "quiet = \"1s\"\n"})
	w.A.Start()
	w.A.Sh("mkdir d; cd d; seq 10000 | split -l 1 -a 4 - f")
	w.A.Committed()
	if got := w.A.Commits(); got != "2" {
		t.Errorf("10,000 new files are %s commits", got)
	}
	w.A.Sh("git ls-files d | tail -n +1001 | xargs git rm -q --cached; git commit -qm fewer; cd d; ls | tail -n +1001 | xargs rm")
	before := w.A.Commits()
	w.A.Sh("mv d e")
	w.A.Committed()
	if got := w.A.Git("log -1 -M --summary --format= | grep -c '^ rename '"); got != "1000" {
		t.Errorf("%s renames in %s commits after %s", got, w.A.Commits(), before)
	}
	w.A.Stop()
	w.Check()
}

// A file that is written every second is committed, and does not hold up another.
func TestRestless(t *testing.T) {
	t.Parallel()
	w := machines.New(t, machines.Options{Table: "quiet = \"500ms\"\nlongest = \"3s\"\npush_after = \"1h\"\n"})
	w.A.Start()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		f, err := os.OpenFile(w.A.Path("log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		for n := 0; ; n++ {
			fmt.Fprintf(f, "line %d\n", n)
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	time.Sleep(500 * time.Millisecond)
	begun := time.Now()
	w.A.Write("other", "other\n")
	if !testkit.Eventually(machines.Patience, func() bool { _, err := w.A.Try("git cat-file -e HEAD:other"); return err == nil }) {
		t.Error("the other file is held up")
	}
	if took := time.Since(begun); took > 2900*time.Millisecond {
		t.Logf("the other file took %s", took)
	}
	if !testkit.Eventually(machines.Patience, func() bool { _, err := w.A.Try("git cat-file -e HEAD:log"); return err == nil }) {
		t.Error("the log is never committed")
	}
	close(stop)
	<-done
	w.A.Committed()
	w.A.Stop()
}

// Changes that the kernel could not report, because the program did not run, are found.
func TestOverflow(t *testing.T) {
	t.Parallel()
	w := machines.New(t, machines.Options{Table: "push_after = \"1h\"\n"})
	w.A.Start()
	w.A.Signal(syscall.SIGSTOP)
	w.A.Sh("mkdir d; cd d; seq 20000 | split -l 1 -a 4 - f")
	w.A.Signal(syscall.SIGCONT)
	w.A.Committed()
	if got := w.A.Git("ls-files | wc -l"); got != "20001" {
		t.Errorf("%s files", got)
	}
	w.A.Stop()
}

// Latency from a write to the other machine's disk, over the polling of the server: see the
// benchmarks for that over XMPP.
func TestCommitLatency(t *testing.T) {
	t.Parallel()
	w := machines.New(t, machines.Options{Table: "push_after = \"1h\"\n"})
	w.A.Start()
	var took []time.Duration
	for n := range 10 {
		begun := time.Now()
		w.A.Write("f", fmt.Sprintln(n))
		if !testkit.Eventually(machines.Patience, func() bool { out, _ := w.A.Try("git show HEAD:f"); return out == fmt.Sprint(n) }) {
			t.Fatal("not committed")
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	if took[len(took)/2] > 3*time.Second {
		t.Errorf("%s", took)
	}
	w.A.Stop()
}
