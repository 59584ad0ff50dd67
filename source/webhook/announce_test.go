package webhook

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"vext/filter"
	"vext/internal/commit"
)

// announced returns the commits in announcements: REPOSITORY BRANCH SUBJECT, and how many
// are not described.
func (b *bench) announced() string {
	b.t.Helper()
	paths, err := b.Filter.Spool.Announcements()
	if err != nil {
		b.t.Fatal(err)
	}
	var all []string
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			b.t.Fatal(err)
		}
		arrivals, err := filter.ParseArrivals(data)
		if err != nil {
			b.t.Error(err)
		}
		for _, c := range arrivals {
			if c.Source != commit.FromWebhook {
				b.t.Errorf("source %q", c.Source)
			}
			line := fmt.Sprintf("%s %s %.12s", c.Repository, c.Branch(), c.Subject)
			if c.More > 0 {
				line += fmt.Sprintf(" +%d", c.More)
			}
			all = append(all, line)
		}
		os.Remove(path)
	}
	return strings.Join(all, "\n")
}

// Every commit of a push is announced, on every branch, except those of committers that
// are not among the hook's senders.
func TestAnnounce(t *testing.T) {
	push := payload(t, "github-push.json")
	for _, test := range []struct {
		name, text string
		change     func(*bench)
		count      int
	}{
		{"a push", push, func(*bench) {}, 3},
		{"a branch that does not count", strings.Replace(push, "refs/heads/main", "refs/heads/wip", 1), func(*bench) {}, 3},
		{"nobody may be reminded", push, func(b *bench) { b.hook().Allow = []string{"nobody@example.org"} }, 3},
		{"of strangers", push, func(b *bench) { b.hook().Senders = []string{"nobody@example.org"} }, 0},
		{"nobody announces", push, func(b *bench) {
			if err := b.Filter.Spool.StopAnnouncing(); err != nil {
				t.Fatal(err)
			}
		}, -1},
	} {
		b := newBench(t)
		if err := b.Filter.Spool.StartAnnouncing(); err != nil {
			t.Fatal(err)
		}
		test.change(b)
		want(t, test.name, b.push(test.text), 200, "")
		if test.count < 0 {
			if announces, err := b.Filter.Spool.Announces(); announces || err != nil {
				t.Errorf("%s: somebody announces", test.name)
			}
			continue
		}
		if got := b.announced(); strings.Count(got+"\n", "acme/widget ") != test.count {
			t.Errorf("%s: announced\n%s", test.name, got)
		}
	}
}

// Commits that a forge does not describe are counted. If they are looked up instead, the
// lookup announces the whole push; if that fails, nothing is announced, as the forge sends
// the push again.
func TestAnnounceIncomplete(t *testing.T) {
	many := payload(t, "gitlab-push-many.json")
	for _, test := range []struct {
		name   string
		err    error
		status int
		count  int
	}{
		{"found", nil, 200, 0},
		{"not followed", ErrNotFollowed, 200, 2},
		{"failed", errors.New("no network"), 503, 0},
	} {
		b := newBench(t)
		if err := b.Filter.Spool.StartAnnouncing(); err != nil {
			t.Fatal(err)
		}
		b.LookUp = counting(new(int), test.err)
		want(t, test.name, b.post(many, "X-Gitlab-Event", "Push Hook", "X-Gitlab-Token", secret), test.status, "")
		got := b.announced()
		if strings.Count(got, "acme/tools/widget main") != test.count || test.count > 0 && !strings.HasSuffix(got, " +29") {
			t.Errorf("%s: announced\n%s", test.name, got)
		}
	}
}
