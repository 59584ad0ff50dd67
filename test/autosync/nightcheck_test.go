package autosync

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/machines"
)

// calm brings everything back, waits until all are equal and stay so, and checks everything.
func (n *night) calm() {
	if n.cut {
		n.cutOff(n.w.A)
	}
	if n.full {
		n.fill(nil)
	}
	for _, m := range n.w.All {
		n.note(m, "calm")
		m.Try("git checkout -q main")
		if !m.Running() {
			m.Launch()
		}
	}
	begun := time.Now()
	n.w.Equal(calmPatience)
	n.t.Logf("%s: %d lines, %v; equal after %s", time.Since(n.begun).Round(time.Second), len(n.lines), n.counts, time.Since(begun).Round(time.Second))
	n.rests()
	n.checkCopies()
	n.checkLines()
}

// rests checks that nothing goes on: no commits that answer each other, and no tree that has
// stopped.
func (n *night) rests() {
	before := n.w.Heads()
	for _, m := range n.w.All {
		out := ""
		if !testkit.Eventually(machines.Patience, func() bool {
			data, err := m.Vext("autosync", "status", "--json").Output()
			out = string(data)
			return err == nil && strings.Contains(out, `"state": "watching"`)
		}) {
			n.t.Errorf("%s is equal, but does not watch: %s", m.Name, out)
		}
	}
	time.Sleep(5 * time.Second)
	if after := n.w.Heads(); !slices.Equal(before, after) {
		n.t.Errorf("commits go on by themselves: %s, then %s", before, after)
	}
}

// checkCopies checks that copies of conflicts do not multiply: there are never more than
// there were edits of two sides, and a copy of a copy is rare.
func (n *night) checkCopies() {
	copies, nested := 0, ""
	for _, name := range n.files(n.w.A) {
		if strings.Contains(name, " (conflict ") {
			copies++
		}
		if strings.Count(name, " (conflict ") > 2 {
			nested = name
		}
	}
	n.t.Logf("%d copies of conflicts", copies)
	if copies > 50+n.counts["edit"]/4 {
		n.t.Errorf("%d copies of conflicts after %d edits", copies, n.counts["edit"])
	}
	if nested != "" {
		n.t.Errorf("copies of copies of copies: %q", nested)
	}
}

// checkLines checks that every line is in the history of the server.
func (n *night) checkLines() {
	history := n.w.Lines()
	lost := 0
	for line, where := range n.lines {
		if history[line] {
			continue
		}
		if lost++; lost > 10 {
			continue
		}
		found := ""
		for _, m := range n.w.All {
			out, _ := m.Try("git log --all --reflog --format='%h %cd %s %D' -S " + quote(line) + "; grep -rlF " + quote(line) + " .")
			found += "\n" + m.Name + ": " + out
		}
		n.t.Errorf("lost: %q, written on %s; it is in:%s", line, where, found)
	}
	if lost > 0 {
		n.t.Errorf("%d of %d lines are lost", lost, len(n.lines))
	}
}

// note notes what is done, for the report.
func (n *night) note(m *machines.Machine, format string, args ...any) {
	text := fmt.Sprintf("%7.2f %s ", time.Since(n.begun).Seconds(), m.Name) + fmt.Sprintf(format, args...)
	n.done = append(n.done, text)
}

// report prints what was done last, and keeps everything if VEXT_TEST_KEEP names a directory.
func (n *night) report() {
	if !n.t.Failed() {
		return
	}
	n.t.Logf("what was done last:\n%s", strings.Join(n.done[max(0, len(n.done)-60):], "\n"))
	keep := os.Getenv("VEXT_TEST_KEEP")
	if keep == "" {
		n.t.Log("VEXT_TEST_KEEP=DIRECTORY keeps the trees, the server, and what was done")
		return
	}
	os.WriteFile(filepath.Join(keep, "done"), []byte(strings.Join(n.done, "\n")+"\n"), 0o644)
	for _, m := range n.w.All {
		os.WriteFile(filepath.Join(keep, m.Name+".log"), []byte(m.Log()), 0o644)
		exec.Command("cp", "-a", m.Tree, filepath.Join(keep, m.Name)).Run()
	}
	exec.Command("cp", "-a", n.w.Server, filepath.Join(keep, "server.git")).Run()
}
