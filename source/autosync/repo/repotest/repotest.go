// Package repotest has the suite that every repo.Repository passes, and a fake of one for
// the tests of what uses it. Only tests import it.
package repotest

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/source/autosync/repo"
)

// A Setup is two empty clones of an empty remote, and what a test can do to them. What is
// nil or false there is not tested.
type Setup struct {
	A, B repo.Repository

	// Contains reports whether a file of any commit in the history of a clone has this
	// content.
	Contains func(r repo.Repository, content string) bool
	// Unsafe are states of A in which nothing may be committed; each is entered by a call
	// and left by what that returns.
	Unsafe map[string]func() (leave func())
	// Cut makes the remote unreachable for A.
	Cut func()
	// Unrelate replaces the history of the remote by one that has nothing in common
	// with it.
	Unrelate func()
	// Refuses reports whether the version control cannot have a file of this name.
	Refuses func(name string) bool

	MergesLines bool // changes of different lines of one file are merged
	Coarse      bool // vext does not know the version control: it lists and integrates nothing itself
}

// now is the time of all conflicts.
var now = time.Date(2026, 11, 30, 14, 5, 0, 0, time.UTC)

// A suite is one test with a setup of its own.
type suite struct {
	*testing.T
	Setup
}

// Run tests an implementation, each test in parallel. setup returns new clones; of the options it sets Path, and
// Host to "alpha" and "beta", and takes the rest as it is.
func Run(t *testing.T, setup func(t *testing.T, o repo.Options) Setup) {
	for _, test := range []struct {
		name    string
		options repo.Options
		run     func(s *suite)
	}{
		{"nothing to do", repo.Options{}, (*suite).nothing},
		{"one commit", repo.Options{}, (*suite).oneCommit},
		{"names", repo.Options{}, (*suite).names},
		{"only what is given", repo.Options{}, (*suite).onlyGiven},
		{"the message fails", repo.Options{}, (*suite).messageFails},
		{"modes and links", repo.Options{}, (*suite).modes},
		{"file and directory", repo.Options{}, (*suite).fileAndDirectory},
		{"nested", repo.Options{}, (*suite).nested},
		{"unsafe", repo.Options{}, (*suite).unsafe},
		{"push and pull", repo.Options{}, (*suite).pushAndPull},
		{"behind", repo.Options{}, (*suite).behind},
		{"behind, merge", repo.Options{Merge: true}, (*suite).behind},
		{"identity", repo.Options{}, (*suite).identity},
		{"cut", repo.Options{}, (*suite).cut},
		{"unrelated", repo.Options{}, (*suite).unrelated},
		{"changed meanwhile", repo.Options{}, (*suite).changedMeanwhile},
		{"in the way", repo.Options{}, (*suite).inTheWay},
		{"different lines", repo.Options{}, (*suite).differentLines},
		{"conflict", repo.Options{}, (*suite).conflictCopy},
		{"conflict, merge", repo.Options{Merge: true}, (*suite).conflictCopy},
		{"conflict in two commits", repo.Options{}, (*suite).twoCommits},
		{"conflict, ours", repo.Options{Conflict: repo.Ours}, (*suite).policyOurs},
		{"conflict, theirs", repo.Options{Conflict: repo.Theirs}, (*suite).policyTheirs},
		{"conflict, stop", repo.Options{Conflict: repo.Stop}, (*suite).policyStop},
		{"conflict of new files", repo.Options{}, (*suite).addAdd},
		{"conflict of binary files", repo.Options{}, (*suite).binary},
		{"deleted here", repo.Options{}, (*suite).deletedHere},
		{"deleted there", repo.Options{}, (*suite).deletedThere},
		{"deleted there, merge", repo.Options{Merge: true}, (*suite).deletedThere},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.options.Now = func() time.Time { return now }
			test.run(&suite{t, setup(t, test.options)})
		})
	}
}

// check ends the test if there is an error.
func (s *suite) check(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// fileOf returns where a file is on disk.
func fileOf(r repo.Repository, name string) string {
	return filepath.Join(r.Root(), filepath.FromSlash(name))
}

// write writes a file.
func (s *suite) write(r repo.Repository, name, content string) {
	s.Helper()
	s.check(os.MkdirAll(filepath.Dir(fileOf(r, name)), 0o777))
	s.check(os.WriteFile(fileOf(r, name), []byte(content), 0o666))
}

// remove removes a file.
func (s *suite) remove(r repo.Repository, name string) {
	s.Helper()
	s.check(os.RemoveAll(fileOf(r, name)))
}

// has checks the content of a file.
func (s *suite) has(r repo.Repository, name, want string) {
	s.Helper()
	if got, err := os.ReadFile(fileOf(r, name)); err != nil || string(got) != want {
		s.Errorf("%q has %q, %v; want %q", name, got, err, want)
	}
}

// hasNot checks that a file is not there.
func (s *suite) hasNot(r repo.Repository, name string) {
	s.Helper()
	if _, err := os.Lstat(fileOf(r, name)); !os.IsNotExist(err) {
		s.Errorf("%q is there", name)
	}
}

// changes returns what has changed, as "added a.txt".
func (s *suite) changes(r repo.Repository, paths ...string) []string {
	s.Helper()
	changes, err := r.Changes(s.Context(), paths...)
	s.check(err)
	var found []string
	for _, c := range changes {
		found = append(found, string(c.Kind)+" "+c.Path)
	}
	return found
}

// clean checks that nothing has changed.
func (s *suite) clean(r repo.Repository) {
	s.Helper()
	if got := s.changes(r); len(got) > 0 {
		s.Errorf("not committed: %q", got)
	}
	s.check(r.Ready(s.Context()))
}

// save commits all that has changed in these paths.
func (s *suite) save(r repo.Repository, paths ...string) *repo.Commit {
	s.Helper()
	changes, err := r.Changes(s.Context(), paths...)
	s.check(err)
	c, err := r.Commit(s.Context(), changes, saying("save "+strings.Join(paths, " ")))
	s.check(err)
	if c == nil {
		s.Fatalf("nothing to commit in %q", paths)
	}
	return c
}

// saying returns the message of a commit.
func saying(message string) repo.Message {
	return func(context.Context, []repo.Stat) (string, error) { return message, nil }
}

// push pushes.
func (s *suite) push(r repo.Repository) *repo.Pushed {
	s.Helper()
	p, err := r.Push(s.Context())
	s.check(err)
	return p
}

// pull pulls.
func (s *suite) pull(r repo.Repository) *repo.Pulled {
	s.Helper()
	p, err := r.Pull(s.Context(), repo.PullOptions{})
	s.check(err)
	if p == nil {
		s.Fatal("a pull that works returns nil")
	}
	return p
}

// head returns the last commit.
func (s *suite) head(r repo.Repository) string {
	s.Helper()
	h, err := r.Head(s.Context())
	s.check(err)
	return h
}

// publish has A commit a file, and push.
func (s *suite) publish(name, content string) {
	s.Helper()
	s.write(s.A, name, content)
	s.save(s.A, name)
	s.push(s.A)
}

// share commits files of A, and brings them to B.
func (s *suite) share(files ...string) {
	s.Helper()
	var names []string
	for i := 0; i < len(files); i += 2 {
		s.write(s.A, files[i], files[i+1])
		names = append(names, files[i])
	}
	s.save(s.A, names...)
	s.push(s.A)
	s.pull(s.B)
}

// meet brings what B has to A, and checks that both have the same then.
func (s *suite) meet() {
	s.Helper()
	s.push(s.B)
	s.pull(s.A)
	if a, b := s.head(s.A), s.head(s.B); a != b {
		s.Errorf("after both have pulled: %s and %s", a, b)
	}
	if a, b := files(s.A), files(s.B); !slices.Equal(a, b) {
		s.Errorf("after both have pulled: %q and %q", a, b)
	}
	if !s.Coarse {
		s.clean(s.A)
		s.clean(s.B)
	}
}

// files returns the files of a work tree and what is in them.
func files(r repo.Repository) []string {
	var found []string
	filepath.WalkDir(r.Root(), func(full string, d os.DirEntry, err error) error {
		name, _ := filepath.Rel(r.Root(), full)
		switch {
		case err != nil:
			found = append(found, err.Error())
		case d.IsDir() && slices.Contains([]string{".git", ".hg", ".fake"}, name):
			return filepath.SkipDir
		case !d.IsDir():
			content, _ := os.ReadFile(full)
			found = append(found, name+": "+string(content))
		}
		return nil
	})
	return found
}

// keeps checks that the history of a clone has each of these contents.
func (s *suite) keeps(r repo.Repository, contents ...string) {
	s.Helper()
	for _, c := range contents {
		if s.Contains != nil && !s.Contains(r, c) {
			s.Errorf("the history has lost %q", c)
		}
	}
}

// unmarked checks that no file has a marker of a conflict.
func (s *suite) unmarked(r repo.Repository) {
	s.Helper()
	for _, f := range files(r) {
		if strings.Contains(f, "<<<<<<<") || strings.Contains(f, ">>>>>>>") {
			s.Errorf("a marker: %s", f)
		}
	}
}
