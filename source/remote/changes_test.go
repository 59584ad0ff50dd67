package remote

import (
	"context"
	"reflect"
	"slices"
	"testing"
	"time"
)

func TestBranch(t *testing.T) {
	r := &Remote{Fetch: []string{
		"+refs/heads/*:refs/remotes/origin/*", "+refs/pull/*/head:refs/remotes/origin/pr/*", "^refs/heads/tmp/*", "stable:refs/old/stable", "refs/heads/x",
	}}
	for ref, want := range map[string]string{
		"refs/remotes/origin/main": "refs/heads/main", "refs/remotes/origin/a/b": "refs/heads/a/b", "refs/old/stable": "refs/heads/stable",
		"refs/remotes/origin/pr/7": "", "refs/remotes/upstream/main": "", "refs/heads/main": "", "refs/tags/v1": "",
	} {
		if name, ok := r.Branch(ref); ok != (want != "") || ok && name != want {
			t.Errorf("%s: %s, %v", ref, name, ok)
		}
	}
}

// A fetched is one call of Options.Fetched.
type fetched struct {
	remote  string
	changes []RefChange
}

func recordFetched() (option func(*Daemon), calls chan fetched) {
	calls = make(chan fetched, 100)
	return func(d *Daemon) {
		d.opts.Fetched = func(_ context.Context, r Remote, changes []RefChange) error {
			calls <- fetched{r.Name, changes}
			return nil
		}
	}, calls
}

// Options.Fetched is called for each remote before it is connected, of what a fetch has changed,
// and that another process has fetched.
func TestFetched(t *testing.T) {
	f := newFixture(t)
	option, calls := recordFetched()
	r := f.start(option)
	next := func() fetched {
		t.Helper()
		select {
		case call := <-calls:
			return call
		case <-time.After(within):
			t.Fatal("not called")
			return fetched{}
		}
	}
	if got := next(); got.remote != "origin" || got.changes != nil {
		t.Errorf("at the start: %+v", got)
	}
	c := r.connection()
	c.ready()
	next() // the first look
	old := gitFor(t, f.clone, "rev-parse", "origin/main")
	f.other("git commit -q --allow-empty -m two; git commit -q --allow-empty -m 'three, last'; git push -q origin main main:other")
	c.say()
	main := gitFor(t, f.server, "rev-parse", "main")
	got := next()
	want := []RefChange{{"refs/remotes/origin/main", old, main}, {"refs/remotes/origin/other", "", main}}
	if !slices.Equal(got.changes, want) {
		t.Errorf("%+v", got.changes)
	}
	summaries, err := r.d.Summarize(t.Context(), *r.d.all()[0].remote.Load(), got.changes)
	if !reflect.DeepEqual(summaries, []Summary{{"main", false, 2, "two", "three, last"}, {Branch: "other", New: true}}) || err != nil {
		t.Errorf("%+v, %v", summaries, err)
	}
	f.other("git commit -q --allow-empty -m four; git push -q origin main :other")
	shell(t, f.clone, "git fetch -q")
	c.say()
	if got := next(); got.changes != nil {
		t.Errorf("after another's fetch: %+v", got)
	}
	c.say()
	select {
	case got := <-calls:
		if got.changes != nil { // it is called twice at most
			t.Errorf("without a change: %+v", got)
		}
	case <-time.After(100 * time.Millisecond):
	}
}
