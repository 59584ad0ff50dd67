// Package bench measures vext against the figures that it promises, with the
// real programs. Each benchmark prints what was measured beside its goal;
// make bench runs them all once.
package bench

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"vext/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// program returns the path of vext or vext-filter.
func program(b *testing.B, name string) string { return filepath.Join(testkit.Programs(b), name) }

// The program that the filter is measured against: it reads its input and
// exits.
const peerSource = `package main

import (
	"io"
	"os"
)

func main() { io.Copy(io.Discard, os.Stdin) }
`

// The program that measures others. It is small itself: a process begins with
// the peak of the one that started it, and this one's would be the tests'.
const measureSource = `package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

func main() {
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdin, cmd.Stderr = os.Stdin, os.Stderr
	begun := time.Now()
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	took := time.Since(begun)
	fmt.Println(took.Nanoseconds(), cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
}
`

// compile builds a program from its source.
func compile(b *testing.B, source string) string {
	b.Helper()
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", "program", "main.go")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return filepath.Join(dir, "program")
}

const header = `From: Jane Miller <jane@example.org>
Date: Fri, 20 Nov 2026 09:30:12 +0000
Message-ID: <%[1]s@git.example.org>
Subject: git: %[2]s - main - foo: fix bar
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit
X-Git-Committer: jane
X-Git-Repository: src
X-Git-Refname: refs/heads/main
X-Git-Reftype: branch
X-Git-Commit: %[3]s
Auto-Submitted: auto-generated

The branch main has been updated by jane:

URL: https://git.example.org/src/commit/?id=%[3]s

commit %[3]s
Author:     Jane Miller <jane@example.org>
AuthorDate: 2026-11-20 09:00:00 +0000
Commit:     Jane Miller <jane@example.org>
CommitDate: 2026-11-20 09:29:58 +0000

    foo: fix bar

    It was broken on big machines.

    Reviewed by:    ida
%[4]s---
 sys/foo/bar.c | 4 ++--

diff --git a/sys/foo/bar.c b/sys/foo/bar.c
`

// mail writes a commit mail of at least size bytes.
func mail(n, size int, trailer string) []byte {
	hash := fmt.Sprintf("%040x", n)
	b := fmt.Appendf(nil, header, fmt.Sprint(n), hash[28:], hash, trailer)
	const line = "+\tif (error != 0)\t\t/* a line of a diff: no trailer in it */\n"
	if more := size - len(b); more > 0 {
		b = append(b, strings.Repeat(line, more/len(line)+1)...)
	}
	return b
}

// run runs a program on a file and returns how long it took.
func run(b *testing.B, input string, name string, args ...string) time.Duration {
	b.Helper()
	in, err := os.Open(input)
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	cmd := exec.Command(name, args...)
	cmd.Stdin = in
	begun := time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatalf("%s %v: %v", name, args, err)
	}
	return time.Since(begun)
}

// measure runs a program on a file and reports its time and the most memory
// that it had resident.
func measure(b *testing.B, input string, name string, args ...string) {
	b.Helper()
	in, err := os.Open(input)
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	cmd := exec.Command(compile(b, measureSource), append([]string{name}, args...)...)
	cmd.Stdin, cmd.Stderr = in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("%s %v: %v", name, args, err)
	}
	var took, kib int64
	if _, err := fmt.Sscan(string(out), &took, &kib); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Duration(took).Seconds(), "s")
	b.ReportMetric(float64(kib)/1024, "MiB")
}

// filterAgainstPeer alternates the filter and the peer on one mail and
// compares their medians.
func filterAgainstPeer(b *testing.B, size int) {
	dir := b.TempDir()
	input := filepath.Join(dir, "mail")
	if err := os.WriteFile(input, mail(1, size, ""), 0o600); err != nil {
		b.Fatal(err)
	}
	ours, theirs := program(b, "vext-filter"), compile(b, peerSource)
	state := testkit.State(b)
	for b.Loop() {
		var a, p []time.Duration
		for i := range 1050 {
			t := run(b, input, ours, "-state", state)
			u := run(b, input, theirs)
			if i >= 50 { // warm
				a, p = append(a, t), append(p, u)
			}
		}
		slices.Sort(a)
		slices.Sort(p)
		ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
		b.ReportMetric(ms(a[len(a)/2]), "filter-ms")
		b.ReportMetric(ms(p[len(p)/2]), "peer-ms")
		b.ReportMetric(float64(a[len(a)/2])/float64(p[len(p)/2]), "times-peer")
	}
}

// Goal: at most 1.2 times a Go program that only reads its input.
func BenchmarkFilter2KBGoal1_2TimesPeer(b *testing.B) { filterAgainstPeer(b, 2<<10) }

// Goal: at most 1.5 times a Go program that only reads its input.
func BenchmarkFilter1MBGoal1_5TimesPeer(b *testing.B) { filterAgainstPeer(b, 1<<20) }

// Goal: at most 16 MiB resident.
func BenchmarkFilter50MBGoal16MiB(b *testing.B) {
	input := filepath.Join(b.TempDir(), "mail")
	if err := os.WriteFile(input, mail(1, 50<<20, "    MFC after:      2 weeks\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	state := testkit.State(b)
	for b.Loop() {
		measure(b, input, program(b, "vext-filter"), "-state", state)
	}
}

const config = "[reminders]\nallow = [\"*@example.org\"]\nmax_per_day = 0\n[mail]\nfrom = \"mfc@example.org\"\nvia = \"%s\"\n"

// fill makes a state directory with n messages in the spool.
func fill(b *testing.B, n int, via string) (state, configPath string) {
	b.Helper()
	state = testkit.State(b)
	dir := filepath.Join(state, "spool")
	if err := os.Mkdir(dir, 0o750); err != nil {
		b.Fatal(err)
	}
	for i := range n {
		text := mail(i, 2<<10, fmt.Sprintf("    MFC after:      %d days\n", 1+i%30))
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d@git.example.org", i)), text, 0o640); err != nil {
			b.Fatal(err)
		}
	}
	configPath = filepath.Join(b.TempDir(), "vext.toml")
	if err := os.WriteFile(configPath, fmt.Appendf(nil, config, via), 0o600); err != nil {
		b.Fatal(err)
	}
	return state, configPath
}

// Goal: at most 8 s and 256 MiB to give 100,000 messages their days.
func BenchmarkSchedule100000Goal8s256MiB(b *testing.B) {
	for b.Loop() {
		state, configPath := fill(b, 100_000, "stdout:")
		measure(b, os.DevNull, program(b, "vext"), "--config", configPath, "--state", state, "--now", "2026-11-20T12:00:00Z", "run")
	}
}

// Goal: at most 1 s and 128 MiB to list 100,000 reminders.
func BenchmarkList100000Goal1s128MiB(b *testing.B) {
	state, configPath := fill(b, 100_000, "stdout:")
	vext := program(b, "vext")
	run(b, os.DevNull, vext, "--config", configPath, "--state", state, "--now", "2026-11-20T12:00:00Z", "run")
	for b.Loop() {
		measure(b, os.DevNull, vext, "--config", configPath, "--state", state, "list")
	}
}

// Goal: at most 20 s for 10,000 reminders over one SMTP connection, each
// recorded on disk before the next is sent.
func BenchmarkSend10000Goal20s(b *testing.B) {
	const n = 10_000
	var received, connections atomic.Int64
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		connections.Add(1)
		return &session{&received}, nil
	}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	defer func() { server.Close(); <-done }()
	state, configPath := fill(b, n, "smtp://"+listener.Addr().String())
	vext := program(b, "vext")
	run(b, os.DevNull, vext, "--config", configPath, "--state", state, "--now", "2026-11-20T12:00:00Z", "run")
	for b.Loop() {
		measure(b, os.DevNull, vext, "--config", configPath, "--state", state, "--now", "2027-01-20T12:00:00Z", "run")
	}
	if received.Load() != n || connections.Load() != 1 {
		b.Errorf("%d received over %d connections", received.Load(), connections.Load())
	}
}

type session struct{ received *atomic.Int64 }

func (*session) Mail(string, *smtp.MailOptions) error { return nil }
func (*session) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (*session) Reset()                               {}
func (*session) Logout() error                        { return nil }

func (s *session) Data(r io.Reader) error {
	s.received.Add(1)
	_, err := io.Copy(io.Discard, r)
	return err
}

// Goal: at most 1 s and 128 MiB for the statistics of 1,000,000 lines of
// history; here these are imported from a log of MFCns.
func BenchmarkStats1000000Goal1s128MiB(b *testing.B) {
	var log bytes.Buffer
	at := time.Date(2001, 8, 2, 0, 22, 1, 0, time.UTC)
	for i := range 1_000_000 {
		fmt.Fprintf(&log, "%s: MFC notification sent to \"Committer %d\" <login%d@FreeBSD.org>\n", at.Format(time.ANSIC), i%300, i%300)
		at = at.Add(10 * time.Second)
	}
	dir := b.TempDir()
	path := filepath.Join(dir, "MFCns.log")
	configPath := filepath.Join(dir, "vext.toml")
	if err := os.WriteFile(path, log.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(configPath, nil, 0o600); err != nil {
		b.Fatal(err)
	}
	state, vext := testkit.State(b), program(b, "vext")
	took := run(b, os.DevNull, vext, "--config", configPath, "--state", state, "import", path)
	for b.Loop() {
		b.ReportMetric(took.Seconds(), "import-s")
		measure(b, os.DevNull, vext, "--config", configPath, "--state", state, "stats")
	}
}
