package backporttest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/internal/backport"
	"vext/internal/commit"
)

var _ backport.Looker = (*Fake)(nil)

// The marks of a person are stronger than what was set.
func TestFakeMarks(t *testing.T) {
	f := NewFake("main", "stable/14", "stable/15")
	f.SetTarget("a", backport.Target{Branch: "stable/15", State: backport.Clean})
	f.SetTarget("a", backport.Target{Branch: "stable/14", State: backport.Conflict, Files: []string{"f.c"}})
	f.AddFix("a", backport.Fix{Revision: "b", Fixes: "a"})
	f.AddFix("a", backport.Fix{Revision: "c", Fixes: "a"})
	question := backport.Question{Revision: "a", Targets: []string{"stable/15", "stable/14", "stable/13"}, Marks: []backport.Mark{
		{Kind: backport.MarkDone, Target: "stable/15", Who: "ida"},
		{Kind: backport.MarkNotAFix, Other: "b"},
	}}
	reports, err := f.Look(context.Background(), []backport.Question{question}, true)
	if err != nil {
		t.Fatal(err)
	}
	r := reports[0]
	states := []backport.State{r.Targets[0].State, r.Targets[1].State, r.Targets[2].State}
	if want := []backport.State{backport.Merged, backport.Conflict, backport.Unknown}; !reflect.DeepEqual(states, want) {
		t.Errorf("states %v, want %v", states, want)
	}
	if len(r.Fixes) != 1 || r.Fixes[0].Revision != "c" {
		t.Errorf("fixes %v", r.Fixes)
	}
	if want := map[string]string{"stable/14": "git cherry-pick -x a c"}; !reflect.DeepEqual(r.Command, want) {
		t.Errorf("commands %v, want %v", r.Command, want)
	}
}

// A fakeHistory sets the answers of a Fake as a repository would have them.
type fakeHistory struct {
	*Fake
	n     int
	fixes map[string][]string // by what they fix
}

func (h *fakeHistory) revision() string {
	h.n++
	return fmt.Sprintf("%040x", h.n)
}

func (h *fakeHistory) Commit(_, message string) string {
	c := &commit.Commit{Revision: h.revision(), Message: message}
	for _, branch := range h.Branches() {
		h.SetTarget(c.Revision, backport.Target{Branch: branch, State: backport.Clean})
	}
	if strings.Contains(message, "MFC after:") {
		h.AddAsking(c)
	}
	subject, body, _ := strings.Cut(message, "\n\n")
	if fixed, ok := strings.CutPrefix(body, "Fixes: "); ok {
		h.fixes[fixed] = append(h.fixes[fixed], c.Revision)
		pending := []backport.Target{{Branch: "stable/15", State: backport.Clean}, {Branch: "stable/14", State: backport.Clean}}
		fix := backport.Fix{Revision: c.Revision, Subject: subject, Fixes: fixed, Targets: pending}
		h.AddFix(fixed, fix)
		for first, fixes := range h.fixes {
			if slices.Contains(fixes, fixed) {
				h.AddFix(first, fix)
			}
		}
	}
	return c.Revision
}

func (h *fakeHistory) Pick(branch, revision string) string {
	by := h.revision()
	h.SetTarget(revision, backport.Target{Branch: branch, State: backport.Merged, By: by, Since: time.Unix(1_700_000_000, 0)})
	for _, fix := range h.fixes[revision] {
		h.AddDangling(branch, backport.Fix{Revision: fix, Fixes: revision})
	}
	return by
}

func (h *fakeHistory) Revert(revision string) string {
	by := h.revision()
	h.SetReverted(revision, &backport.Revert{By: by})
	return by
}

func (h *fakeHistory) Looker() backport.Looker { return h }

func TestFake(t *testing.T) {
	Suite{New: func(*testing.T) History {
		return &fakeHistory{Fake: NewFake("stable/14", "stable/15"), fixes: map[string][]string{}}
	}, NewBranch: "stable/15", OldBranch: "stable/14", Unmade: "12", Applies: true}.Run(t)
}
