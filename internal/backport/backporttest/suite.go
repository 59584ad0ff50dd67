// Package backporttest has what tests of packages that use a backport.Looker share: a
// Looker whose answers a test sets, and the suite that every Looker passes.
package backporttest

import (
	"slices"
	"strings"
	"testing"

	"vext/internal/backport"
)

// A History is a repository that the suite makes. It begins with a commit on the development
// branch, of which the branches New and Old are copies.
type History interface {
	// Commit makes a commit on the development branch, which adds a file of that name, and
	// returns its revision.
	Commit(name, message string) string
	// Pick merges a commit to a branch, as the version control system records that, and
	// returns the revision.
	Pick(branch, revision string) string
	// Revert reverts a commit on the development branch, and returns the revision.
	Revert(revision string) string
	// Looker returns a Looker that has seen what was made so far. It takes messages with
	// "MFC after:" for requests.
	Looker() backport.Looker
}

// A Suite is what a kind of Looker is tested with.
type Suite struct {
	New func(t *testing.T) History
	// New and Old are the names of its two target branches.
	NewBranch, OldBranch string
	Unmade               string // a revision that no history has
	Applies              bool   // it finds out whether a commit applies
}

// Run tests a kind of Looker.
func (s Suite) Run(t *testing.T) {
	for name, test := range map[string]func(*testing.T, History){
		"merged": s.testMerged, "reverted": s.testReverted, "fixes": s.testFixes, "marks": s.testMarks,
		"not there": s.testNotThere, "order": s.testOrder, "asking": s.testAsking, "find": s.testFind, "apply": s.testApply, "update": s.testUpdate,
	} {
		t.Run(name, func(t *testing.T) { test(t, s.New(t)) })
	}
}

// look asks for one commit on both branches.
func (s Suite) look(t *testing.T, l backport.Looker, revision string, apply bool, marks ...backport.Mark) backport.Report {
	t.Helper()
	question := backport.Question{Revision: revision, Targets: []string{s.NewBranch, s.OldBranch}, Marks: marks}
	reports, err := l.Look(t.Context(), []backport.Question{question}, apply)
	if err != nil {
		t.Fatal(err)
	}
	if len(reports) != 1 || len(reports[0].Targets) != 2 || reports[0].Fixes == nil {
		t.Fatalf("reports %+v", reports)
	}
	for _, target := range reports[0].Targets {
		if target.Files == nil || target.Needs == nil {
			t.Errorf("%s: Files or Needs is nil", target.Branch)
		}
	}
	return reports[0]
}

// expect compares the states on both branches.
func expect(t *testing.T, r backport.Report, states ...backport.State) {
	t.Helper()
	for i, state := range states {
		if got := r.Targets[i]; got.State != state {
			t.Errorf("%s: %s (%s), want %s", got.Branch, got.State, got.Why, state)
		}
	}
}

func (s Suite) testMerged(t *testing.T, h History) {
	c := h.Commit("a", "a: add")
	by := h.Pick(s.NewBranch, c)
	r := s.look(t, h.Looker(), c, false)
	expect(t, r, backport.Merged, backport.Unknown)
	if got := r.Targets[0]; got.By != by || got.Since.IsZero() {
		t.Errorf("merged by %s at %s, want %s", got.By, got.Since, by)
	}
	if r.Command[s.NewBranch] != "" || !strings.Contains(r.Command[s.OldBranch], strings.TrimPrefix(c, "r")) {
		t.Errorf("commands %q", r.Command)
	}
}

func (s Suite) testReverted(t *testing.T, h History) {
	c, other := h.Commit("a", "a: add"), h.Commit("b", "b: add")
	by := h.Revert(c)
	l := h.Looker()
	if r := s.look(t, l, c, true); r.Reverted == nil || r.Reverted.By != by || len(r.Command) > 0 {
		t.Errorf("reverted %+v, want %s; commands %q", r.Reverted, by, r.Command)
	}
	if r := s.look(t, l, other, false); r.Reverted != nil {
		t.Errorf("another commit is reverted by %+v", r.Reverted)
	}
}

func (s Suite) testFixes(t *testing.T, h History) {
	c := h.Commit("a", "a: add")
	h.Commit("x", "x: add")
	fix := h.Commit("b", "b: fix\n\nFixes: "+c)
	second := h.Commit("c", "c: fix\n\nFixes: "+fix)
	h.Pick(s.NewBranch, c)
	l := h.Looker()
	r := s.look(t, l, c, false)
	if len(r.Fixes) != 2 || r.Fixes[0].Revision != fix || r.Fixes[0].Fixes != c || r.Fixes[1].Revision != second || r.Fixes[0].Subject != "b: fix" {
		t.Fatalf("fixes %+v, want %s and %s", r.Fixes, fix, second)
	}
	for _, f := range r.Fixes {
		expect(t, backport.Report{Targets: f.Targets}, backport.Unknown, backport.Unknown)
	}
	dangling, err := l.Dangling(t.Context(), s.NewBranch)
	if err != nil || len(dangling) != 1 || dangling[0].Revision != fix || dangling[0].Fixes != c {
		t.Errorf("dangling: %+v, %v", dangling, err)
	}
}

func (s Suite) testMarks(t *testing.T, h History) {
	c := h.Commit("a", "a: add")
	fix := h.Commit("b", "b: fix\n\nFixes: "+c)
	r := s.look(t, h.Looker(), c, true,
		backport.Mark{Kind: backport.MarkDone, Target: s.NewBranch, Who: "ida"},
		backport.Mark{Kind: backport.MarkNotWanted, Target: s.OldBranch, Who: "ida"},
		backport.Mark{Kind: backport.MarkNotAFix, Other: fix})
	expect(t, r, backport.Merged, backport.NotWanted)
	if len(r.Fixes) > 0 || len(r.Command) > 0 || r.Targets[0].Who != "ida" {
		t.Errorf("report %+v", r)
	}
}

func (s Suite) testNotThere(t *testing.T, h History) {
	c := h.Commit("a", "a: add")
	l := h.Looker()
	r := s.look(t, l, s.Unmade, true)
	expect(t, r, backport.Unknown, backport.Unknown)
	if r.Targets[0].Why == "" || r.Reverted != nil || len(r.Fixes) > 0 || len(r.Command) > 0 {
		t.Errorf("a commit that the repository lacks: %+v", r)
	}
	reports, err := l.Look(t.Context(), []backport.Question{{Revision: c, Targets: []string{"no-such-branch"}}}, true)
	if err != nil || len(reports) != 1 || reports[0].Targets[0].State != backport.Unknown || reports[0].Targets[0].Why == "" {
		t.Errorf("a branch that the repository lacks: %+v, %v", reports, err)
	}
}

func (s Suite) testOrder(t *testing.T, h History) {
	first, second := h.Commit("a", "a: add"), h.Commit("b", "b: add")
	h.Pick(s.OldBranch, first)
	l := h.Looker()
	reports, err := l.Look(t.Context(), []backport.Question{
		{Revision: second, Targets: []string{s.OldBranch}}, {Revision: first, Targets: []string{s.OldBranch, s.NewBranch}}, {Revision: second},
	}, false)
	if err != nil || len(reports) != 3 || reports[0].Revision != second || reports[1].Revision != first || len(reports[2].Targets) > 0 || reports[2].Targets == nil {
		t.Fatalf("reports %+v, %v", reports, err)
	}
	if got := reports[1].Targets; got[0].Branch != s.OldBranch || got[0].State != backport.Merged || got[1].Branch != s.NewBranch {
		t.Errorf("targets %+v", got)
	}
	if !slices.Contains(l.Branches(), s.NewBranch) || !slices.Contains(l.Branches(), s.OldBranch) {
		t.Errorf("branches %q", l.Branches())
	}
}

func (s Suite) testAsking(t *testing.T, h History) {
	first := h.Commit("a", "a: add\n\nMFC after: 1 week")
	h.Commit("b", "b: add")
	second := h.Commit("c", "c: add\n\nMFC after: 2 weeks")
	h.Pick(s.NewBranch, first)
	asking, err := h.Looker().Asking(t.Context(), []string{s.NewBranch, s.OldBranch})
	if err != nil || len(asking) != 2 || asking[0].Revision != first || asking[1].Revision != second || !strings.Contains(asking[1].Message, "2 weeks") {
		t.Errorf("asking: %+v, %v", asking, err)
	}
}

func (s Suite) testFind(t *testing.T, h History) {
	c := h.Commit("a", "a: add\n\nMFC after: 1 week")
	l := h.Looker()
	if found, err := l.Find(t.Context(), c); err != nil || found == nil || found.Revision != c || !strings.Contains(found.Message, "1 week") {
		t.Errorf("found %+v, %v", found, err)
	}
	if found, err := l.Find(t.Context(), s.Unmade); err != nil || found != nil {
		t.Errorf("found %+v, %v, which nobody made", found, err)
	}
}

func (s Suite) testApply(t *testing.T, h History) {
	c := h.Commit("a", "a: add")
	r := s.look(t, h.Looker(), c, true)
	if s.Applies {
		expect(t, r, backport.Clean, backport.Clean)
		return
	}
	expect(t, r, backport.Unknown, backport.Unknown)
	if r.Targets[0].Why == "" {
		t.Error("no reason")
	}
}

func (s Suite) testUpdate(t *testing.T, h History) {
	c := h.Commit("a", "a: add")
	l := h.Looker()
	expect(t, s.look(t, l, c, false), backport.Unknown, backport.Unknown)
	h.Pick(s.OldBranch, c)
	later := h.Commit("b", "b: add")
	if err := l.Update(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect(t, s.look(t, l, c, false), backport.Unknown, backport.Merged)
	h.Pick(s.NewBranch, later)
	if err := l.Update(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect(t, s.look(t, l, later, false), backport.Merged, backport.Unknown)
}
