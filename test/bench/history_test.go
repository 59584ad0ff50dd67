package bench

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"vext/internal/testkit"
)

// writeHistory makes a state directory whose history has a million lines over five
// years, as vext writes them: a commit is queued, and sent two weeks later.
func writeHistory(b *testing.B) (state, configPath string) {
	b.Helper()
	state = testkit.State(b)
	for _, dir := range []string{"spool", "history"} {
		if err := os.Mkdir(filepath.Join(state, dir), 0o750); err != nil {
			b.Fatal(err)
		}
	}
	const lines, between, late = 1_000_000, 150 * time.Second, 14 * 24 * time.Hour
	var f *os.File
	var w *bufio.Writer
	at := time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range lines {
		if f == nil || f.Name() != yearPath(state, at) {
			closeFile(b, f, w)
			var err error
			if f, err = os.Create(yearPath(state, at)); err != nil {
				b.Fatal(err)
			}
			w = bufio.NewWriterSize(f, 1<<20)
		}
		commit, rest := i/2, `"asked":"MFC after: 2 weeks","due":"%s","source":"mail"`
		event, due := "queued", at.Add(late)
		if i%2 == 1 {
			event, due, rest = "sent", at, `"due":"%s","via":"smtp://mail.example.org:25","source":"mail"`
		}
		hash := fmt.Sprintf("%08x%032x", commit*2654435761%(1<<32), commit+1<<20)
		fmt.Fprintf(w, `{"time":"%s","event":"%s","name":"%d.%s@git.example.org","address":"login%d@example.org","committer":"Committer %[5]d",`+
			`"repository":"src","branch":"main","revision":"%s","key":"src@%[6]s","subject":"foo: fix bar number %[3]d, in a subject of the usual length",`+rest+"}\n",
			at.Format(time.RFC3339), event, commit, hash[:12], commit%300, hash, due.Format("20060102"))
		at = at.Add(between)
	}
	closeFile(b, f, w)
	configPath = filepath.Join(b.TempDir(), "vext.toml")
	if err := os.WriteFile(configPath, fmt.Appendf(nil, config, "stdout:"), 0o600); err != nil {
		b.Fatal(err)
	}
	return state, configPath
}

func yearPath(state string, at time.Time) string {
	return filepath.Join(state, "history", at.Format("2006")+".jsonl")
}

func closeFile(b *testing.B, f *os.File, w *bufio.Writer) {
	b.Helper()
	if f == nil {
		return
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}

// Goals, over a history of 1,000,000 lines: the statistics at most 1 s; a run with
// nothing to do at most 50 ms; a run that sends one reminder at most 1.6 times the
// statistics; list and show at most 1.3 times.
func BenchmarkHistory1000000GoalStats1sIdle50msSend1_6List1_3Show1_3(b *testing.B) {
	state, configPath := writeHistory(b)
	name := filepath.Join(state, "spool", "0@git.example.org")
	if err := os.WriteFile(name, mail(0xabcdef, 2<<10, "    MFC after:      2 days\n"), 0o640); err != nil {
		b.Fatal(err)
	}
	vext := program(b, "vext")
	// cpu returns the processor time that a command needs, which other processes of
	// the machine disturb less than its duration, in seconds; the least of n.
	cpu := func(n int, now string, args ...string) float64 {
		b.Helper()
		var least time.Duration
		for i := range n {
			cmd := exec.Command(vext, append([]string{"--config", configPath, "--state", state, "--now", now}, args...)...)
			if out, err := cmd.CombinedOutput(); err != nil {
				b.Fatalf("vext %v: %v\n%s", args, err, out)
			}
			if took := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(); i == 0 || took < least {
				least = took
			}
		}
		return least.Seconds()
	}
	const queued, due = "2026-11-20T12:00:00Z", "2026-11-22T12:00:00Z"
	for b.Loop() {
		cpu(1, queued, "run")
		stats := cpu(3, queued, "stats")
		b.ReportMetric(stats, "stats-s")
		b.ReportMetric(1000*cpu(5, queued, "run"), "idle-ms")
		b.ReportMetric(cpu(3, queued, "list")/stats, "list-times-stats")
		b.ReportMetric(cpu(3, queued, "show", "0@git.example.org")/stats, "show-times-stats")
		b.ReportMetric(cpu(1, due, "run")/stats, "send-times-stats")
	}
}
