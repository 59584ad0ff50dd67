package queue

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/internal/commit"
	"vext/internal/history"
	"vext/policy"
)

const hash = "0123456789abcdef0123456789abcdef01234567"

// came spools a commit from a source, received that long ago.
func came(t *testing.T, q *Queue, id, source, repository, revision string, age time.Duration, more ...string) {
	t.Helper()
	c := commit.Commit{
		ID: id, Source: source, Repository: repository, Refname: "refs/heads/main", Revision: revision, Subject: "s",
		Message:   "s\n\nMFC after: 2 weeks\n" + strings.Join(more, "\n"),
		Committer: commit.Person{Name: "Ida", Email: "ida@example.org"}, Date: q.Now,
	}
	for _, m := range more {
		if branch, ok := strings.CutPrefix(m, "branch "); ok {
			c.Refname = "refs/heads/" + branch
		}
	}
	if _, err := q.Spool.Put(id, c.Mail()); err != nil {
		t.Fatal(err)
	}
	at := q.Now.Add(-age)
	if err := os.Chtimes(q.Spool.Path(id), at, at); err != nil {
		t.Fatal(err)
	}
}

// plan plans and applies, and returns the decisions.
func plan(t *testing.T, q *Queue) map[string]string {
	t.Helper()
	p, err := q.Plan(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Apply(p); err != nil {
		t.Fatal(err)
	}
	became := map[string]string{}
	for _, d := range p {
		became[d.Name] = d.Event.Kind
	}
	return became
}

// A commit is recognised in every form of its key.
func TestOneCommitManyNames(t *testing.T) {
	q := newQueue(t)
	q.Policy.Names = map[string]string{"freebsd/freebsd-src": "src", "src": "src"}
	for i, repository := range []string{
		"src", "src.git", "freebsd/freebsd-src", "FreeBSD/freebsd-src.git", "https://github.com/freebsd/freebsd-src",
		"https://user@github.com:443/freebsd/freebsd-src.git/", "ssh://git@github.com/freebsd/freebsd-src", "git@github.com:freebsd/freebsd-src.git", "",
	} {
		came(t, q, fmt.Sprintf("m%d@x", i), commit.FromHook, repository, hash, 0)
	}
	came(t, q, "short@x", "", "src", hash[:12], 0)
	came(t, q, "fork@x", commit.FromHook, "somebody/freebsd-src", hash, 0)
	count := map[string]int{}
	for name, kind := range plan(t, q) {
		count[kind]++
		if name == "fork@x" && kind != history.Queued {
			t.Errorf("another repository: %s", kind)
		}
	}
	if !maps.Equal(count, map[string]int{history.Queued: 2, history.Duplicate: 9}) {
		t.Errorf("got %v", count)
	}
	waiting, err := q.Waiting()
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range waiting {
		if item.Repository != "src" && item.Repository != "somebody/freebsd-src" {
			t.Errorf("it is called %q", item.Repository)
		}
	}
}

// The history can have a repository under a name that has become an alias.
func TestLaterAlias(t *testing.T) {
	q := newQueue(t)
	came(t, q, "a@x", commit.FromHook, "freebsd/freebsd-src", hash, 0)
	plan(t, q)
	q.Policy.Names = map[string]string{"freebsd/freebsd-src": "src"}
	came(t, q, "b@x", commit.FromHook, "src", hash, 0)
	if got := plan(t, q); got["b@x"] != history.Duplicate {
		t.Errorf("got %v", got)
	}
}

// A mail is held until another source brings its commit, or its time is over.
func TestHold(t *testing.T) {
	q := newQueue(t)
	q.Policy.Hold = 15 * time.Minute
	came(t, q, "young@x", "", "src", hash, time.Minute)
	if got := plan(t, q); got["young@x"] != Held {
		t.Errorf("got %v", got)
	}
	if items, err := q.Spooled(); err != nil || len(items) != 1 || !items[0].Held {
		t.Errorf("%v, %+v", err, items)
	}
	came(t, q, "hook@x", commit.FromHook, "src", hash, 0)
	p, err := q.Plan(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range p {
		if d.Name == "young@x" && (d.Event.Kind != history.Duplicate || !strings.Contains(d.Event.Reason, "came by hook")) {
			t.Errorf("got %s: %s", d.Event.Kind, d.Event.Reason)
		}
	}
	plan(t, q)
	other := strings.Repeat("a", 40)
	came(t, q, "old@x", "", "src", other, 15*time.Minute)
	came(t, q, "json@x", commit.FromJSON, "src", strings.Repeat("b", 40), 0)
	came(t, q, "future@x", "", "src", strings.Repeat("c", 40), -time.Hour)
	got := plan(t, q)
	if got["old@x"] != history.Queued || got["json@x"] != history.Queued || got["future@x"] != history.Queued {
		t.Errorf("got %v", got)
	}
	came(t, q, "late@x", commit.FromHook, "src", other, 0)
	if got := plan(t, q); got["late@x"] != history.Duplicate {
		t.Errorf("after the mail was taken: %v", got)
	}
}

// A held mail is not lost: when nothing else comes, a later run queues it.
func TestHoldEnds(t *testing.T) {
	q := newQueue(t)
	q.Policy.Hold = 15 * time.Minute
	came(t, q, "a@x", "", "src", hash, 0)
	plan(t, q)
	q.Now = q.Now.Add(15 * time.Minute)
	if got := plan(t, q); got["a@x"] != history.Queued {
		t.Errorf("got %v", got)
	}
}

// A cherry-pick is ignored, unless it is the first of its commit on a development
// branch.
func TestCopies(t *testing.T) {
	copied := "(cherry picked from commit " + hash + ")"
	for _, test := range []struct {
		name     string
		branches []string
		original bool
		more     []string
		want     string
	}{
		{"on stable, the original is known", []string{"main", "stable/*"}, true, []string{copied, "branch stable/14"}, history.Ignored},
		{"on stable, it is not", []string{"main", "stable/*"}, false, []string{copied, "branch stable/14"}, history.Ignored},
		{"on main, the original is known", nil, true, []string{copied}, history.Ignored},
		{"on main, it is not", nil, false, []string{copied}, history.Queued},
		{"by a short hash", nil, true, []string{"(cherry picked from commit " + hash[:12] + ")"}, history.Ignored},
		{"grafted", nil, true, []string{"(grafted from " + hash + ")"}, history.Ignored},
		{"of another", nil, true, []string{"(cherry picked from commit " + strings.Repeat("e", 40) + ")"}, history.Queued},
		{"only reported", nil, true, []string{"was " + copied}, history.Queued},
	} {
		q := newQueue(t)
		q.Policy.Branches = test.branches
		if test.original {
			came(t, q, "original@x", commit.FromHook, "src", hash, 0)
		}
		came(t, q, "copy@x", commit.FromHook, "src", strings.Repeat("d", 40), 0, test.more...)
		if got := plan(t, q); got["copy@x"] != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// The source that a mail names for itself is not trusted.
func TestSenders(t *testing.T) {
	q := newQueue(t)
	q.Policy.Senders = []string{"git@example.org"}
	came(t, q, "hook@x", commit.FromHook, "src", hash, 0)
	came(t, q, "mail@x", "mail", "src", strings.Repeat("a", 40), 0)
	came(t, q, "json@x", commit.FromJSON, "src", strings.Repeat("b", 40), 0)
	got := plan(t, q)
	if got["hook@x"] != history.Queued || got["mail@x"] != history.Ignored || got["json@x"] != history.Ignored {
		t.Errorf("got %v", got)
	}
}

func TestPlanPast(t *testing.T) {
	q := newQueue(t)
	came(t, q, "known@x", commit.FromHook, "src", hash, 0)
	plan(t, q)
	past := func(revision string, age int, asks string) commit.Commit {
		return commit.Commit{
			Repository: "src", Refname: "refs/heads/main", Revision: strings.Repeat(revision, 40), Source: commit.FromImport,
			Message: "s\n\n" + asks + "\n", Committer: commit.Person{Email: "ida@example.org"}, Date: q.Now.AddDate(0, 0, -age),
		}
	}
	known := past("0", 1, "MFC after: 1 week")
	known.Revision = hash
	stranger := past("7", 300, "MFC after: 1 week")
	stranger.Committer.Email = "stranger@example.net"
	commits := []commit.Commit{
		past("1", 300, "MFC after: 1 week"), past("2", 7, "MFC after: 1 week"), past("3", 1, "MFC after: 1 week"),
		past("4", 300, "MFC after: soon"), past("5", 300, "nothing"), known, stranger, past("1", 300, "MFC after: 1 week"),
	}
	p, err := q.PlanPast(commits)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range p {
		got = append(got, d.Event.Revision[:1]+" "+d.Event.Kind)
	}
	want := []string{"1 passed", "2 queued", "3 queued", "4 failed", "0 duplicate", "7 passed", "1 duplicate"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// An index finds commits by every form of their keys, and no others.
func TestSameCommit(t *testing.T) {
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"src@" + hash, "src@" + hash, true},
		{"src@" + hash, "@" + hash, true},
		{"src@" + hash, "ports@" + hash, false},
		{"src@" + hash, "src@" + hash[:12], true},
		{"src@" + hash, "src@" + hash[:11], false},
		{"src@" + hash, "@" + hash[:12], false},
		{"src@r12", "src@r12", true},
		{"src@r12", "@r12", false},
		{"src@r12", "src@r123", false},
		{"", "", false},
	} {
		if commit.SameCommit(test.a, test.b) != test.same || commit.SameCommit(test.b, test.a) != test.same {
			t.Errorf("%q, %q", test.a, test.b)
		}
		for _, pair := range [][2]string{{test.a, test.b}, {test.b, test.a}} {
			var x commit.Index[bool]
			found := false
			x.Add(pair[0], true)
			x.Find(pair[1], func(bool) bool { found = true; return true })
			if found != test.same {
				t.Errorf("%q found by %q: %v", pair[0], pair[1], found)
			}
		}
	}
}

// GitHub is the committer of commits that are merged on its pages: the author is
// reminded.
func TestRecipient(t *testing.T) {
	ann, jane := commit.Person{Name: "Ann", Email: "ann@example.org"}, commit.Person{Name: "Jane", Email: "jane@example.org"}
	github := commit.Person{Name: "GitHub", Email: "noreply@github.com"}
	for _, test := range []struct {
		policy    policy.Policy
		committer commit.Person
		want      commit.Person
	}{
		{policy.Policy{}, jane, jane}, {policy.Policy{ToAuthor: true}, jane, ann}, {policy.Policy{}, github, ann},
	} {
		if got := test.policy.Recipient(&commit.Commit{Author: ann, Committer: test.committer}); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

// A mail about a commit is replaced by the commit from its repository.
func TestMailGivesWay(t *testing.T) {
	for _, test := range []struct {
		name, from, asks string
		first, second    string // ways
		replaced         bool
	}{
		{"another asks", "nobody@example.org", "MFC after: 2 weeks", "", commit.FromFollow, true},
		{"for another day", "ida@example.org", "MFC after: 9 years", "", commit.FromWebhook, true},
		{"the same", "ida@example.org", "MFC after: 2 weeks", "", commit.FromHook, false},
		{"two mails", "nobody@example.org", "MFC after: 9 years", "", "", false},
		{"from a hook before", "nobody@example.org", "MFC after: 9 years", commit.FromHook, commit.FromFollow, false},
	} {
		q := newQueue(t)
		forged := commit.Commit{
			ID: "forged@x", Source: test.first, Repository: "src", Refname: "refs/heads/main", Revision: hash, Message: "s\n\n" + test.asks + "\n",
			Committer: commit.Person{Email: test.from}, Date: q.Now,
		}
		if _, err := q.Spool.Put(forged.ID, forged.Mail()); err != nil {
			t.Fatal(err)
		}
		plan(t, q)
		came(t, q, "true@x", test.second, "src", hash, 0)
		got := plan(t, q)
		waiting, err := q.Waiting()
		if err != nil || len(waiting) != 1 {
			t.Fatalf("%s: %v, %+v", test.name, err, waiting)
		}
		want := "forged@x"
		if test.replaced {
			want = "true@x"
		}
		if waiting[0].Name != want {
			t.Errorf("%s: %v, and %s waits", test.name, got, waiting[0].Name)
		}
		came(t, q, "again@x", commit.FromHook, "src", hash, 0)
		if got := plan(t, q); test.replaced && got["again@x"] != history.Duplicate {
			t.Errorf("%s: came again: %v", test.name, got)
		}
	}
}

// A cherry-pick of a cherry-pick has no original.
func TestCopyOfCopy(t *testing.T) {
	q := newQueue(t)
	q.Policy.Branches = nil
	stable, never := strings.Repeat("a", 40), strings.Repeat("b", 40)
	came(t, q, "stable@x", commit.FromHook, "src", stable, 0, "(cherry picked from commit "+never+")", "branch stable/14")
	came(t, q, "main@x", commit.FromHook, "src", strings.Repeat("c", 40), 0, "(cherry picked from commit "+never+")", "(cherry picked from commit "+stable+")")
	if got := plan(t, q); got["main@x"] != history.Queued || got["stable@x"] != history.Ignored {
		t.Errorf("%v", got)
	}
}
