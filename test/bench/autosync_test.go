package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/machines"
)

// defaults are those of vext, but for the push.
const defaults = "quiet = \"2s\"\npush_after = \"1h\"\npull_every = \"10m\"\n"

// A syncer is a program that commits what changes in a work tree.
type syncer struct {
	name  string
	start func(testing.TB, *machines.Machine)
}

// syncers are vext, and gitwatch beside it when it is in the PATH, or named by GITWATCH.
// The ancestor never ended a round of these; see CHANGELOG.md.
func syncers() []syncer {
	all := []syncer{{"vext", func(_ testing.TB, m *machines.Machine) { m.Start() }}}
	if path := gitwatch(); path != "" {
		all = append(all, syncer{"gitwatch", func(t testing.TB, m *machines.Machine) { m.Other(path, "-r", "origin") }})
	}
	return all
}

// gitwatch returns its path, "" where it is not installed.
func gitwatch() string {
	if path := os.Getenv("GITWATCH"); path != "" {
		return path
	}
	path, _ := exec.LookPath("gitwatch")
	return path
}

// committed waits until a file has that content in the last commit, and returns since when
// it took.
func committed(b *testing.B, m *machines.Machine, name, content string, begun time.Time) time.Duration {
	b.Helper()
	if !testkit.Eventually(machines.Patience, func() bool { out, _ := m.Try("git show HEAD:" + name); return out == content }) {
		b.Fatalf("%s is not committed", name)
	}
	return time.Since(begun)
}

// Goal: 10,000 files unpacked are one commit, within 5 s of quiet.
func BenchmarkAutosyncUnpack10000Goal1Commit5s(b *testing.B) {
	defer b.ReportMetric(0, "ns/op")
	for b.Loop() {
		for _, s := range syncers() {
			w := machines.New(b, machines.Options{Table: defaults})
			w.A.Sh("mkdir ../many; cd ../many; seq 10000 | split -l 1 -a 4 - f; tar cf ../many.tar -C .. many")
			s.start(b, w.A)
			w.A.Sh("tar xf ../many.tar")
			begun := time.Now()
			if !testkit.Eventually(5*time.Minute, func() bool { out, err := w.A.Try("git status --porcelain"); return out == "" && err == nil }) {
				b.Errorf("%s has not committed: %s", s.name, w.A.Log())
			}
			b.ReportMetric(time.Since(begun).Seconds(), s.name+"-s")
			b.ReportMetric(float64(number(b, w.A.Commits())-1), s.name+"-commits")
			w.A.Kill()
		}
	}
}

// Goal: 1,000 saves of one file in a minute are at most 3 commits.
func BenchmarkAutosyncSaves1000Goal3Commits(b *testing.B) {
	defer b.ReportMetric(0, "ns/op")
	for b.Loop() {
		w := machines.New(b, machines.Options{Table: defaults})
		w.A.Start()
		for n := range 1000 {
			w.A.Write("f", fmt.Sprintln(n))
			time.Sleep(58 * time.Millisecond)
		}
		w.A.Committed()
		b.ReportMetric(float64(number(b, w.A.Commits())-1), "commits")
		w.A.Kill()
	}
}

// Goals for a tree of 100,000 files in 10,000 directories: 60 MB, no wake-ups while it is
// idle, and from the change of one file to the commit 0.4 s beyond quiet.
func BenchmarkAutosyncTree100000Goal60MB0Wakeups400ms(b *testing.B) {
	defer b.ReportMetric(0, "ns/op")
	for b.Loop() {
		for _, s := range syncers() {
			w := machines.New(b, machines.Options{Table: defaults})
			tree100000(w.A)
			begun := time.Now()
			s.start(b, w.A)
			b.ReportMetric(time.Since(begun).Seconds(), s.name+"-start-s")
			time.Sleep(10 * time.Second)
			before := wakeups(b, w.A.PID())
			_, busy := cpu(b, w.A.PID())
			time.Sleep(30 * time.Second)
			b.ReportMetric(float64(wakeups(b, w.A.PID())-before)/30, s.name+"-wakeups/s")
			_, all := cpu(b, w.A.PID())
			b.ReportMetric((all-busy).Seconds()/30*100, s.name+"-cpu-percent")
			b.ReportMetric(memory(b, w.A.PID(), "VmRSS"), s.name+"-MiB")
			var took []time.Duration
			for n := range 7 {
				begun := time.Now()
				w.A.Write("d42/e7/f3", fmt.Sprintln(n))
				took = append(took, committed(b, w.A, "d42/e7/f3", fmt.Sprint(n), begun)-2*time.Second)
			}
			b.ReportMetric(percentile(took, 50), s.name+"-commit-p50-ms")
			w.A.Kill()
		}
	}
}

// tree100000 makes the tree and commits it.
func tree100000(m *machines.Machine) {
	for i := range 100 {
		for j := range 100 {
			dir := m.Path(fmt.Sprintf("d%d/e%d", i, j))
			if err := os.MkdirAll(dir, 0o755); err != nil {
				panic(err)
			}
			for k := range 10 {
				os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%d", k)), fmt.Appendln(nil, i, j, k), 0o644)
			}
		}
	}
	m.Sh("git add .; git commit -qm many; git push -q")
}

// Goal: a build that writes 100,000 ignored files causes no commit, and takes less than
// 20 % of one CPU.
func BenchmarkAutosyncIgnored100000Goal0Commits20PercentCPU(b *testing.B) {
	defer b.ReportMetric(0, "ns/op")
	for b.Loop() {
		for _, s := range syncers() {
			w := machines.New(b, machines.Options{Table: defaults, Files: map[string]string{".gitignore": "*.o\nbuild/\n", "src/x": ""}})
			s.start(b, w.A)
			time.Sleep(time.Second)
			begun := time.Now()
			_, busy := cpu(b, w.A.PID())
			edited := make(chan time.Duration, 1)
			for n := range 50_000 {
				if n == 10_000 {
					go func() { edited <- editMeanwhile(b, w) }()
				}
				if n%100 == 0 {
					time.Sleep(30 * time.Millisecond) // a compiler takes longer
					w.A.Write(fmt.Sprintf("build/%d/x", n/100), "x")
				}
				os.WriteFile(w.A.Path(fmt.Sprintf("build/%d/%d", n/100, n)), []byte("x"), 0o644)
				os.WriteFile(w.A.Path(fmt.Sprintf("src/%d.o", n)), []byte("x"), 0o644)
			}
			b.ReportMetric(time.Since(begun).Seconds(), s.name+"-build-s")
			b.ReportMetric((<-edited).Seconds(), s.name+"-edit-s")
			time.Sleep(5 * time.Second)
			_, all := cpu(b, w.A.PID())
			b.ReportMetric((all-busy).Seconds()/time.Since(begun).Seconds()*100, s.name+"-cpu-percent")
			b.ReportMetric(float64(number(b, w.A.Commits())-2), s.name+"-commits")
			w.A.Kill()
		}
	}
}

// editMeanwhile writes a file, and returns how long until it is committed, a minute at most.
func editMeanwhile(b *testing.B, w *machines.World) time.Duration {
	begun := time.Now()
	w.A.Write("src/x", "edited")
	ref := w.A.Path(".git/refs/heads/main")
	before, _ := os.ReadFile(ref)
	for now := before; string(now) == string(before) && time.Since(begun) < time.Minute; now, _ = os.ReadFile(ref) {
		time.Sleep(20 * time.Millisecond)
	}
	return time.Since(begun)
}

func number(b *testing.B, s string) int {
	b.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// wakeups returns how often the threads of a process have waited and were woken.
func wakeups(b *testing.B, pid int) (n int) {
	b.Helper()
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	for _, file := range files {
		data, _ := os.ReadFile(file)
		for line := range strings.Lines(string(data)) {
			if value, ok := strings.CutPrefix(line, "voluntary_ctxt_switches:"); ok {
				n += number(b, value)
			}
		}
	}
	return n
}
