package test

import (
	"bytes"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// identity is the environment of olivia, who commits on 3 March 2025.
var identity = []string{
	"GIT_AUTHOR_NAME=Oskar Example", "GIT_AUTHOR_EMAIL=oskar@example.org", "GIT_AUTHOR_DATE=2025-03-01T08:30:00Z",
	"GIT_COMMITTER_NAME=Olivia Example", "GIT_COMMITTER_EMAIL=" + olivia, "GIT_COMMITTER_DATE=" + committed,
	"HGUSER=Olivia Example <" + olivia + ">",
}

// asking is a commit message that asks for a reminder in two weeks.
func asking(subject string) string { return subject + "\n\nMFC after: 2 weeks\n" }

// sh runs a script for sh in a directory, as olivia, and returns what it printed.
func sh(t *testing.T, dir, script string, env ...string) string {
	t.Helper()
	return shell(t, dir, script, env...).ok(t)
}

func shell(t *testing.T, dir, script string, env ...string) result {
	t.Helper()
	return program{dir: dir, env: append(slices.Clone(identity), env...)}.run(t, "sh", "-euc", script)
}

// branches makes all branches count, or those named.
func (s *service) branches(patterns ...string) {
	s.t.Helper()
	var quoted []string
	for _, p := range patterns {
		quoted = append(quoted, fmt.Sprintf("%q", p))
	}
	write(s.t, s.config, 0o644, strings.Replace(read(s.t, s.config),
		"[reminders]\n", "[reminders]\nbranches = ["+strings.Join(quoted, ", ")+"]\n", 1))
}

// newHooked is newService for one whose hooks start workers: these have ended
// when the state directory is removed.
func newHooked(t *testing.T) *service {
	t.Helper()
	s := newService(t, account{})
	t.Cleanup(func() {
		locks, _ := filepath.Glob(filepath.Join(s.state, "hooks", "*.lock"))
		for _, path := range locks {
			f, err := os.Open(path)
			ok(t, err)
			ok(t, syscall.Flock(int(f.Fd()), syscall.LOCK_EX))
			f.Close()
		}
	})
	return s
}

// hook runs one of vext hook's commands, which must succeed.
func (s *service) hook(args ...string) string {
	s.t.Helper()
	return s.try(committed, append([]string{"hook"}, args...)...).ok(s.t)
}

// subjects returns what waits, each as its branch and its subject, sorted.
func (s *service) subjects() []string {
	s.t.Helper()
	var subjects []string
	for _, item := range s.list() {
		subjects = append(subjects, item.Branch+" "+item.Subject)
	}
	slices.Sort(subjects)
	return subjects
}

// wantWaiting waits until what is there is just this: a commit is in the spool
// a little after its push.
func (s *service) wantWaiting(want ...string) {
	s.t.Helper()
	slices.Sort(want)
	var got []string
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if got = s.subjects(); slices.Equal(got, want) {
			return
		}
		if time.Now().After(deadline) || len(got) > len(want) {
			s.t.Fatalf("there are %s, want %s", few(got), few(want))
		}
	}
}

// runs lets vext run until it has queued n commits: while a worker is at it,
// that comes late, a run leaves the repository to that. There must not be more.
func (s *service) runs(n int) {
	s.t.Helper()
	total := 0
	eventually(s.t, fmt.Sprintf("%d commits are queued", n), func() bool {
		queued := 0
		if said := s.run(committed); said != "" {
			if _, err := fmt.Sscanf(said, "%d queued\n", &queued); err != nil {
				s.t.Fatalf("vext run said %q", said)
			}
		}
		total += queued
		return total >= n
	})
	if total += len(s.run(committed)); total != n {
		s.t.Errorf("more than %d commits are queued", n)
	}
}

// few shows some of many.
func few(items []string) string {
	if len(items) <= 10 {
		return fmt.Sprintf("%q", items)
	}
	return fmt.Sprintf("%d, such as %q", len(items), items[:10])
}

// numbered returns "PREFIX 1" to "PREFIX N".
func numbered(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%s %d", prefix, i+1)
	}
	return all
}

// listing returns all files below a directory with their modes, owners and
// contents, without those for which skip is true.
func listing(t *testing.T, dir string, skip func(path string) bool) string {
	t.Helper()
	var b bytes.Buffer
	ok(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		if err != nil || skip != nil && skip(rel) {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		owner := info.Sys().(*syscall.Stat_t)
		fmt.Fprintf(&b, "%s %v %d:%d ", rel, info.Mode(), owner.Uid, owner.Gid)
		switch {
		case info.Mode().IsRegular():
			fmt.Fprintf(&b, "%q", read(t, path))
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			ok(t, err)
			fmt.Fprintf(&b, "-> %s", to)
		}
		b.WriteString("\n")
		return nil
	}))
	return b.String()
}

// wantSame compares two listings.
func wantSame(t *testing.T, before, after string) {
	t.Helper()
	if before == after {
		return
	}
	lines := func(s string) []string { return slices.Sorted(strings.Lines(s)) }
	for _, line := range lines(after) {
		if !slices.Contains(lines(before), line) {
			t.Errorf("is there now:     %s", line)
		}
	}
	for _, line := range lines(before) {
		if !slices.Contains(lines(after), line) {
			t.Errorf("was there before: %s", line)
		}
	}
}

// listen starts a server on a free port of the loopback interface, waits until
// it answers, and ends it with the test. Another process can have taken the
// port meanwhile: then the next one is tried.
func listen(t *testing.T, server func(host, port string) *exec.Cmd) (address string) {
	t.Helper()
	var said bytes.Buffer
	for range 5 {
		address = freeAddress(t)
		host, port, err := net.SplitHostPort(address)
		ok(t, err)
		said.Reset()
		cmd := server(host, port)
		cmd.Stdout, cmd.Stderr = &said, &said
		cmd.WaitDelay = time.Second // what it has started may still hold its output
		ok(t, cmd.Start())
		ended := make(chan struct{})
		go func() { cmd.Wait(); close(ended) }()
		if answers(address, ended) {
			t.Cleanup(func() {
				cmd.Process.Signal(syscall.SIGTERM)
				<-ended
				if t.Failed() {
					t.Logf("%s said:\n%s", filepath.Base(cmd.Path), &said)
				}
			})
			return address
		}
		cmd.Process.Kill()
		<-ended
	}
	t.Fatalf("the server does not answer; it said:\n%s", &said)
	return ""
}

// answers waits until a connection can be made, or the server has ended.
func answers(address string, ended <-chan struct{}) bool {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return true
		}
		select {
		case <-ended:
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}
	return false
}
