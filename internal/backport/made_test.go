package backport

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vext/internal/testkit"
	"vext/internal/vcs"
)

// A made is a history that a test makes with one git fast-import(1).
type made struct {
	t        testing.TB
	dir      string
	in       io.WriteCloser
	out      *bufio.Reader
	wait     func() error
	n        int
	branches map[string]*madeCommit // by name
	all      []*madeCommit
	merging  *madeCommit // the second parent of the next commit; usually nil
}

type madeCommit struct {
	hash            string
	files, changes  map[string]string // all of the tree; those that it changes
	message, author string
	written         int // the author's date
	mark            int
}

func newMade(t testing.TB) *made {
	testkit.Program(t, "git")
	m := &made{t: t, dir: filepath.Join(t.TempDir(), "made.git"), branches: map[string]*madeCommit{}}
	if out, err := m.git("init", "-q", "--bare", "-b", "main", m.dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := m.git("--git-dir="+m.dir, "fast-import", "--quiet", "--force")
	cmd.Stderr = t.Output()
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	m.in, m.out, m.wait = in, bufio.NewReader(out), cmd.Wait
	return m
}

func (m *made) git(args ...string) *exec.Cmd {
	cmd := exec.Command("git", args...)
	cmd.Env = append(testkit.EnvWithout("GIT_"), "GIT_CONFIG_NOSYSTEM=1", "HOME=/nonexistent")
	return cmd
}

// open ends the import, and opens the repository. Of the branches, main is that of the
// development.
func (m *made) open(cache string) *looker {
	m.t.Helper()
	if m.wait != nil {
		if err := errors.Join(m.in.Close(), m.wait()); err != nil {
			m.t.Fatal(err)
		}
		m.wait = nil
	}
	l, err := Open(m.t.Context(), Options{
		Kind: vcs.Git, Dir: m.dir, Cache: cache, IsDevelopment: func(refname string) bool { return refname == "refs/heads/main" },
		Asks: func(message []byte) bool { return bytes.Contains(message, []byte("MFC after:")) }, AsksID: "test",
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return l.(*looker)
}

// fork makes a branch at the commit of another.
func (m *made) fork(branch, from string) { m.branches[branch] = m.branches[from] }

// commit adds a commit to a branch. A change without contents removes the file.
func (m *made) commit(branch, author, message string, changes map[string]string) *madeCommit {
	return m.commitAt(branch, author, m.n+1, message, changes)
}

// merge adds a merge of another branch, which makes no other change.
func (m *made) merge(branch, from, message string) *madeCommit {
	m.merging = m.branches[from]
	return m.commit(branch, "ida", message, m.branches[from].changes)
}

// commitAt is commit with another date of the author, in hours.
func (m *made) commitAt(branch, author string, written int, message string, changes map[string]string) *madeCommit {
	m.t.Helper()
	m.n++
	parent := m.branches[branch]
	c := &madeCommit{files: map[string]string{}, changes: changes, message: message, author: author, written: written, mark: m.n}
	date := func(hour int) string { return fmt.Sprintf("%d +0000", 1_700_000_000+hour*3600) }
	fmt.Fprintf(m.in, "commit refs/heads/%s\nmark :%d\nauthor %s <%s@example.org> %s\ncommitter jane <jane@example.org> %s\ndata %d\n%s\n",
		branch, m.n, author, author, date(written), date(m.n), len(message), message)
	if parent != nil {
		fmt.Fprintf(m.in, "from :%d\n", parent.mark)
		maps.Copy(c.files, parent.files)
	}
	if m.merging != nil {
		fmt.Fprintf(m.in, "merge :%d\n", m.merging.mark)
		m.merging = nil
	}
	for _, path := range slices.Sorted(maps.Keys(changes)) {
		c.files[path] = changes[path]
		if changes[path] == "" {
			delete(c.files, path)
			fmt.Fprintf(m.in, "D %s\n", path)
			continue
		}
		fmt.Fprintf(m.in, "M 100644 inline %s\ndata %d\n%s\n", path, len(changes[path]), changes[path])
	}
	fmt.Fprintf(m.in, "\nget-mark :%d\n", m.n)
	hash, err := m.out.ReadString('\n')
	if err != nil {
		m.t.Fatal(err)
	}
	c.hash, m.branches[branch], m.all = strings.TrimSpace(hash), c, append(m.all, c)
	return c
}
