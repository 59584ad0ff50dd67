package follow

import (
	"slices"
	"strings"
	"testing"
	"time"

	"vext/internal/commit"
	"vext/policy"
)

// hooked makes the world's repository one with a hook, which is looked at once
// unless it is to be new.
func (w *world) hooked(isNew bool) {
	w.r = Repository{Name: "w", Path: w.git, Branches: policy.DefaultBranches, Source: commit.FromHook}
	if !isNew {
		w.pushed()
	}
}

// pushed passes a push to the follower, and returns what is remembered afterwards.
func (w *world) pushed(updates ...Update) *State {
	w.t.Helper()
	f := w.follower()
	f.Store = Hooked(w.state)
	if r := f.FollowPush(w.t.Context(), w.r, updates); r.Err != nil {
		w.t.Fatal(r.Err)
	}
	s, err := f.Store.Load("w")
	if err != nil {
		w.t.Fatal(err)
	}
	if len(s.Notes) > 0 {
		w.t.Errorf("noted %+v", s.Notes)
	}
	return s
}

// A hook that has missed what was pushed last, or several pushes, is not to be
// relied on; one that a run has only overtaken is.
func TestMisses(t *testing.T) {
	w := newWorld(t)
	w.hooked(false)
	miss := func(after time.Duration) *State {
		t.Helper()
		w.now = w.now.Add(after)
		w.commit("main", "a\n\nMFC after: 1 week")
		f := w.follower()
		f.Store, f.CatchingUp = Hooked(w.state), true
		if r := f.Follow(t.Context(), []Repository{w.r}, true)[0]; r.Err != nil || r.New != 1 {
			t.Fatalf("%+v", r)
		}
		s, err := f.Store.Load("w")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	push := func(after time.Duration) *State {
		t.Helper()
		w.now = w.now.Add(after)
		f := w.follower()
		f.Store = Hooked(w.state)
		if r := f.FollowPush(t.Context(), w.r, nil); r.Err != nil {
			t.Fatal(r.Err)
		}
		s, err := f.Store.Load("w")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	check := func(s *State, want bool, when string) {
		t.Helper()
		if s.IsUnreliable(w.now) != want {
			t.Errorf("%s: %t, %v, brought %v", when, !want, s.Missed, s.HookRan)
		}
	}
	check(miss(time.Hour), true, "the last push was missed")
	check(push(time.Second), false, "it was only overtaken")
	miss(time.Hour)
	check(push(time.Hour), false, "one was missed, and it has worked since")
	miss(time.Hour)
	s := push(time.Hour)
	check(s, true, "two were missed")
	w.now = w.now.Add(missedPeriod + time.Hour)
	check(s, false, "long ago")
}

// Two pushes can be reported in another order than that in which they came: each
// commit is taken once, and none is taken for gone.
func TestPushedOvertaken(t *testing.T) {
	const main, trunk = "refs/heads/main", "refs/heads/trunk"
	for _, test := range []struct {
		name  string
		setup func(w *world, base string) (first, second Update)
		want  []string
	}{
		{"on one branch", func(w *world, base string) (Update, Update) {
			a, b := w.commit("main", "a"), w.commit("main", "b")
			return Update{main, base, a}, Update{main, a, b}
		}, []string{"main a", "main b"}},
		{"on a new branch", func(w *world, base string) (Update, Update) {
			w.sh("git branch trunk main")
			a, b := w.commit("trunk", "a"), w.commit("trunk", "b")
			return Update{trunk, "", a}, Update{trunk, a, b}
		}, []string{"trunk a", "trunk b"}},
		{"deleted and made again", func(w *world, base string) (Update, Update) {
			a := w.commit("main", "a")
			return Update{main, base, ""}, Update{main, "", a}
		}, []string{"main a"}},
	} {
		for _, inOrder := range []bool{true, false} {
			w := newWorld(t)
			w.commit("main", "first")
			base := w.commit("main", "base")
			w.hooked(false)
			first, second := test.setup(w, base)
			tip := second.New
			if !inOrder {
				first, second = second, first
			}
			w.pushed(first)
			s := w.pushed(second)
			if got := w.spooled(); !slices.Equal(got, test.want) {
				t.Errorf("%s, in order %v: spooled %q", test.name, inOrder, got)
			}
			if s.Positions[first.Refname] != tip || len(s.Vanished) > 0 {
				t.Errorf("%s, in order %v: %+v", test.name, inOrder, s)
			}
		}
	}
}

// A push that was missed is made good by the next one, and one that comes
// before the repository was looked at brings only what it pushed.
func TestPushedAfterOthers(t *testing.T) {
	w := newWorld(t)
	w.commit("main", "base")
	w.hooked(false)
	w.commit("main", "missed")
	a := w.commit("main", "a")
	b := w.commit("main", "b")
	w.pushed(Update{"refs/heads/main", a, b})
	w.expect("missed", "main a", "main b", "main missed")

	w = newWorld(t)
	base := w.commit("main", "base")
	w.sh("git branch trunk main")
	w.commit("trunk", "known")
	w.sh("git branch master trunk")
	a = w.commit("main", "a")
	b = w.commit("master", "b")
	w.hooked(true)
	w.pushed(Update{"refs/heads/main", base, a}, Update{"refs/heads/master", "", b})
	w.expect("not looked at before", "main a", "master b")
	w.pushed(Update{"refs/heads/topic", "", strings.Repeat("1", 40)}) // of which nobody asks whether it is there
}
