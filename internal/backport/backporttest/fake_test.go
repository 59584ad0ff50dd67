package backporttest

import (
	"context"
	"reflect"
	"testing"

	"vext/internal/backport"
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
