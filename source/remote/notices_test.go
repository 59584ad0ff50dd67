package remote

import (
	"context"
	"testing"
	"time"
)

func TestDescribe(t *testing.T) {
	for _, test := range []struct {
		all         []Summary
		title, body string
	}{
		{[]Summary{{"main", false, 1, "Fix it", "Fix it"}}, "widget: 1 new commit on origin/main", "Fix it"},
		{[]Summary{{"main", false, 2, "one", "two"}}, "widget: 2 new commits on origin/main", "one\ntwo"},
		{[]Summary{{"a/b", true, 3, "one\x1b[0m", "three"}}, "widget: 3 new commits on origin/a/b", "one [0m\n…\nthree"},
		{[]Summary{{"main", true, 0, "", ""}}, "widget: new branch origin/main", ""},
		{[]Summary{{"main", false, 0, "", ""}}, "widget: no new commit, but a change on origin/main", ""},
		{[]Summary{{"main", false, 2, "one", "two"}, {"next", true, 0, "", ""}}, "widget: 2 new commits on 2 branches of origin", "main: 2 new commits: one\nnext: new branch"},
	} {
		if title, body := describe("widget", "origin", test.all); title != test.title || body != test.body {
			t.Errorf("%q, %q", title, body)
		}
	}
}

// One notice about a remote is shown at once; what comes in the pause after it is shown
// together, and another remote does not wait.
func TestNotices(t *testing.T) {
	type shown struct{ title, body string }
	seen := make(chan shown, 10)
	n := NewNotices(func(_ context.Context, title, body string) { seen <- shown{title, body} }, 100*time.Millisecond)
	for _, one := range []notice{
		{"origin", []Summary{{"main", false, 1, "one", "one"}}}, {"origin", []Summary{{"main", false, 1, "two", "two"}}},
		{"upstream", []Summary{{"main", true, 0, "", ""}}}, {"origin", []Summary{{"main", false, 2, "three", "four"}}},
	} {
		n.news <- one
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan bool)
	go func() { n.Run(ctx, "widget"); close(ended) }()
	for _, want := range []shown{
		{"widget: 1 new commit on origin/main", "one"}, {"widget: new branch upstream/main", ""}, {"widget: 3 new commits on origin/main", "two\n…\nfour"},
	} {
		select {
		case got := <-seen:
			if got != want {
				t.Errorf("%q, want %q", got, want)
			}
		case <-time.After(within):
			t.Fatalf("not shown: %q", want)
		}
	}
	cancel()
	<-ended
	if len(seen) > 0 {
		t.Errorf("also %q", <-seen)
	}
}
