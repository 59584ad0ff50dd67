package bench

import (
	"bufio"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
)

// repositoryOf makes a repository with n commits on main, of which one in every
// asks for a reminder, and some are merges.
func repositoryOf(b *testing.B, n, every int) string {
	b.Helper()
	testkit.Program(b, "git")
	dir := filepath.Join(b.TempDir(), "src.git")
	if out, err := exec.Command("git", "init", "--quiet", "--bare", "--initial-branch=main", dir).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	cmd := exec.Command("git", "-C", dir, "fast-import", "--quiet")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(in)
	random := rand.New(rand.NewSource(1))
	at := 1_000_000_000
	for i := 1; i <= n; i++ {
		var message strings.Builder
		fmt.Fprintf(&message, "dir/file%d: keep the knob when it turns twice\n\n", i)
		for range random.Intn(14) {
			message.WriteString("A second turn put it back to where it was, which nobody expected.\n")
		}
		message.WriteString("\nReviewed by:\tida\n")
		if i%every == 0 {
			message.WriteString("MFC after:\t2 weeks\n")
		}
		at += random.Intn(4000) - 50 // clocks run backwards at times
		fmt.Fprintf(w, "commit refs/heads/main\nmark :%d\nauthor Jane Miller <jane%d@example.org> %d +0000\ncommitter Jane Miller <jane@example.org> %d +0000\ndata %d\n%s\n",
			i, i%50, at, at, message.Len(), message.String())
		if i > 1 {
			fmt.Fprintf(w, "from :%d\n", i-1)
		}
		if i > 200 && i%40 == 0 {
			fmt.Fprintf(w, "merge :%d\n", i-150)
		}
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		b.Fatal(err)
	}
	return dir
}

// BenchmarkFollow80000Goal1_5TimesGitLog walks a repository that is not known
// yet, with every message matched against the trailers, beside git log with the
// same fields. The copy is there in both cases.
func BenchmarkFollow80000Goal1_5TimesGitLog64MiB(b *testing.B) {
	const n = 80_000
	url := repositoryOf(b, n, 1000)
	state, dir := b.TempDir(), b.TempDir()
	config := filepath.Join(dir, "vext.toml")
	text := fmt.Sprintf("[[repository]]\nname = \"src\"\nurl = %q\nfrom = \"2000-01-01\"\n", url)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	follow := func() (time.Duration, int) {
		os.RemoveAll(filepath.Join(state, "spool"))
		os.Remove(filepath.Join(state, "repositories", "src.json"))
		return timed(b, program(b, "vext"), "--config", config, "--state", state, "follow", "--once")
	}
	gitLog := func() time.Duration {
		took, _ := timed(b, "git", "-C", filepath.Join(state, "repositories", "src.git"), "log", "-z",
			"--format=%H%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B", "main")
		return took
	}
	follow() // makes the copy
	var best, peer time.Duration
	most := 0
	for range 5 {
		took, peak := follow()
		most = max(most, peak)
		if best == 0 || took < best {
			best = took
		}
		if took = gitLog(); peer == 0 || took < peer {
			peer = took
		}
	}
	if spooled, _ := os.ReadDir(filepath.Join(state, "spool")); len(spooled) != n/1000 {
		b.Errorf("%d spooled", len(spooled))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(best.Seconds(), "s")
	b.ReportMetric(peer.Seconds(), "s-git-log")
	b.ReportMetric(best.Seconds()/peer.Seconds(), "times-git-log")
	b.ReportMetric(float64(most)/1024, "MiB")
}

// timed runs a program, and returns how long it took and the peak of its own
// memory in KiB, without that of the programs that it runs.
func timed(b *testing.B, name string, args ...string) (time.Duration, int) {
	b.Helper()
	cmd := exec.Command(name, args...)
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- cmd.Wait() }()
	peak := 0
	for {
		select {
		case err := <-done:
			if err != nil {
				b.Fatalf("%s: %v", name, err)
			}
			return time.Since(begun), peak
		case <-time.After(5 * time.Millisecond):
			peak = max(peak, highWater(cmd.Process.Pid))
		}
	}
}

// highWater returns the peak memory of a process in KiB, proc(5); 0 where that
// is unreachable.
func highWater(pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(fields[0])
	return n
}
