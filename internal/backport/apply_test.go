package backport

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
)

// numbered returns a file of lines, some of which are replaced.
func numbered(path string, n int, replace map[int]string) map[string]string {
	var lines []string
	for i := range n {
		line := fmt.Sprintf("line %d", i)
		if text, ok := replace[i]; ok {
			line = text
		}
		lines = append(lines, line)
	}
	return file(path, lines...)
}

func askApply(t *testing.T, g *looker, revision string) Report {
	t.Helper()
	reports, err := g.Look(t.Context(), []Question{{Revision: revision, Targets: []string{"new"}}}, true)
	if err != nil {
		t.Fatal(err)
	}
	return reports[0]
}

// outcome writes what a test pick found out, with the subjects of commits.
func (m *made) outcome(r *Report) string {
	subjects := map[string]string{}
	for _, c := range m.all {
		subjects[c.hash], _, _ = strings.Cut(c.message, "\n")
	}
	say := func(t Target) string {
		words := []string{string(t.State)}
		if len(t.Files) > 0 {
			words = append(words, fmt.Sprint(t.Files))
		}
		for _, need := range t.Needs {
			words = append(words, "needs "+subjects[need])
		}
		if t.Why != "" {
			words = append(words, t.Why)
		}
		return strings.Join(words, " ")
	}
	lines := []string{say(r.Targets[0])}
	for _, f := range r.Fixes {
		lines = append(lines, subjects[f.Revision]+": "+say(f.Targets[0]))
	}
	command := r.Command["new"]
	for hash, subject := range subjects {
		command = strings.ReplaceAll(command, hash, subject)
	}
	return strings.Join(append(lines, strings.TrimPrefix(command, "git cherry-pick -x ")), "; ")
}

// TestApply has one history for each outcome of a test pick.
func TestApply(t *testing.T) {
	for name, test := range map[string]struct {
		make func(m *made) *madeCommit
		want string
	}{
		"clean": {func(m *made) *madeCommit {
			return m.commit("main", "ida", "A", numbered("f", 40, map[int]string{20: "A"}))
		}, "clean; A"},
		"there already": {func(m *made) *madeCommit {
			c := m.commit("main", "ida", "A", numbered("f", 40, map[int]string{20: "A"}))
			m.commit("new", "bob", "other", numbered("f", 40, map[int]string{20: "A", 3: "other"}))
			return c
		}, "nothing-to-do; "},
		"conflict with a change of the branch": {func(m *made) *madeCommit {
			c := m.commit("main", "ida", "A", numbered("f", 40, map[int]string{20: "A"}))
			m.commit("new", "bob", "other", numbered("f", 40, map[int]string{20: "other"}))
			return c
		}, "conflict [f]; A"},
		"needs the commit that changed the same line": {func(m *made) *madeCommit {
			m.commit("main", "ida", "N", numbered("f", 40, map[int]string{20: "N"}))
			m.commit("main", "ida", "O", numbered("f", 40, map[int]string{20: "N", 2: "O"}))
			return m.commit("main", "ida", "A", numbered("f", 40, map[int]string{20: "A", 2: "O"}))
		}, "conflict [f] needs N; N A"},
		"needs two commits": {func(m *made) *madeCommit {
			m.commit("main", "ida", "N", numbered("f", 40, map[int]string{20: "N"}))
			m.commit("main", "ida", "P", numbered("f", 40, map[int]string{20: "N", 30: "P"}))
			m.commit("main", "ida", "O", numbered("f", 40, map[int]string{20: "N", 30: "P", 2: "O"}))
			return m.commit("main", "ida", "A", numbered("f", 40, map[int]string{20: "A", 30: "A", 2: "O"}))
		}, "conflict [f] needs N needs P; N P A"},
		"needs the commit that added the file": {func(m *made) *madeCommit {
			m.commit("main", "ida", "N", numbered("g", 40, nil))
			return m.commit("main", "ida", "A", numbered("g", 40, map[int]string{20: "A"}))
		}, "conflict [g] needs N; N A"},
		"what it needs is merged": {func(m *made) *madeCommit {
			n := m.commit("main", "ida", "N", numbered("f", 40, map[int]string{20: "N"}))
			c := m.commit("main", "ida", "A", numbered("f", 40, map[int]string{20: "A"}))
			m.commit("new", "ida", "M\n\n(cherry picked from commit "+n.hash+")\n", numbered("f", 40, map[int]string{20: "resolved"}))
			return c
		}, "conflict [f]; A"},
		"with its fix": {func(m *made) *madeCommit {
			c := m.commit("main", "ida", "A", numbered("f", 40, map[int]string{20: "A"}))
			m.commit("main", "ida", "F\n\nFixes: "+c.hash, numbered("f", 40, map[int]string{20: "F"}))
			return c
		}, "clean; F: clean; A F"},
		"its fix needs a commit": {func(m *made) *madeCommit {
			c := m.commit("main", "ida", "A", numbered("f", 40, map[int]string{20: "A"}))
			m.commit("main", "ida", "N", numbered("f", 40, map[int]string{20: "A", 30: "N"}))
			m.commit("main", "ida", "F\n\nFixes: "+c.hash, numbered("f", 40, map[int]string{20: "F", 30: "F"}))
			return c
		}, "clean; F: conflict [f]; A F"},
		"renamed on the branch": {func(m *made) *madeCommit {
			c := m.commit("main", "ida", "A", numbered("f", 40, map[int]string{20: "A"}))
			m.commit("new", "bob", "rename", maps.Collect(func(yield func(string, string) bool) {
				_ = yield("f", "") && yield("renamed", numbered("f", 40, nil)["f"])
			}))
			return c
		}, "clean; A"},
		"removed on the branch": {func(m *made) *madeCommit {
			c := m.commit("main", "ida", "A", numbered("f", 40, map[int]string{20: "A"}))
			m.commit("new", "bob", "remove", map[string]string{"f": ""})
			return c
		}, "conflict [f]; A"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMade(t)
			m.commit("main", "ida", "begin", numbered("f", 40, nil))
			m.fork("new", "main")
			m.commit("new", "ida", "new: begin", file("new", "0"))
			c := test.make(m)
			g := m.open("")
			before := contents(t, m.dir)
			r := askApply(t, g, c.hash)
			if got := m.outcome(&r); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if after := contents(t, m.dir); !maps.Equal(before, after) {
				t.Errorf("the repository has changed: %d files, before %d", len(after), len(before))
			}
		})
	}
}

// contents returns the files in a directory, with their sizes and times. The time of an
// object is left out: git renews it when it would write the same object.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			all[path] = fmt.Sprint(info.Mode(), info.Size())
			if !strings.Contains(path, "/objects/") {
				all[path] += info.ModTime().String()
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// The scratch repository is removed, also after errors and when the time has ended.
func TestApplyLeavesNothing(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	m := newMade(t)
	m.commit("main", "ida", "begin", numbered("f", 40, nil))
	m.fork("new", "main")
	m.commit("new", "ida", "other", file("new", "0"))
	c := m.commit("main", "ida", "A", numbered("f", 40, map[int]string{20: "A"}))
	g := m.open("")
	askApply(t, g, c.hash)
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	target := newTarget("new", Unknown)
	if err := g.apply(ctx, []*applyJob{{tip: g.heads["new"], commits: []string{c.hash}, targets: []*Target{&target}}}); err != nil {
		t.Errorf("at the end of the time: %v", err)
	}
	if target.State != Unknown || target.Why != "not looked at: there was no time left" {
		t.Errorf("at the end of the time: %+v", target)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := g.apply(stopped, []*applyJob{{tip: g.heads["new"], commits: []string{c.hash}, targets: []*Target{&target}}}); err == nil {
		t.Error("no error after the context was canceled")
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left in TMPDIR: %v, %v", left, err)
	}
}

// An older git, and objects that are missing, are reasons, and never conflicts.
func TestApplyUnknown(t *testing.T) {
	real := testkit.Program(t, "git")
	m := newMade(t)
	m.commit("main", "ida", "begin", numbered("f", 40, nil))
	m.fork("new", "main")
	m.commit("new", "ida", "other", numbered("f", 40, map[int]string{3: "other"}))
	c := m.commit("main", "ida", "A", numbered("f", 40, map[int]string{20: "A"}))
	g := m.open("")
	bin := t.TempDir()
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	for script, want := range map[string]string{
		"exit 129": "not looked at: git is older than 2.38",
		"echo 'fatal: unable to read blob object 1234' >&2; exit 128":   "not looked at: git merge-tree: unable to read blob object 1234",
		"echo 'merge-tree: 1 - not something we can merge' >&2; exit 1": "not looked at: git merge-tree: merge-tree: 1 - not something we can merge",
		"kill -9 $$": "not looked at: git merge-tree: signal: killed",
	} {
		text := fmt.Sprintf("#!/bin/sh\ncase \" $* \" in *' merge-tree '*) %s;; esac\nexec %s \"$@\"\n", script, real)
		if err := os.WriteFile(filepath.Join(bin, "git"), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		r := askApply(t, g, c.hash)
		if got := r.Targets[0]; got.State != Unknown || got.Why != want {
			t.Errorf("%s: %s %q, want %q", script, got.State, got.Why, want)
		}
	}
}
