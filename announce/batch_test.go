package announce

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vext/internal/commit"
	"vext/policy"
	"vext/spool"
)

// A commit is announced once on a branch, whichever sources bring it, under whatever
// name of its repository, and also after a restart.
func TestOnce(t *testing.T) {
	d := newFixture(t)
	d.Policy.Names = map[string]string{"acme/src": "src"}
	const announced = "src: jane src main 0a1b2c3d4e5f foo: fix bar"
	c := arrival(hashA, "foo: fix bar")
	d.arrive(c)
	d.expect("a hook", announced)
	for _, source := range []string{commit.FromWebhook, commit.FromFollow, commit.FromJSON, ""} {
		c.Source, c.Repository = source, "acme/src"
		d.arrive(c)
		d.expect(source, "")
		d.restart()
	}
	c.Revision = hashA[:12]
	d.arrive(c)
	d.expect("a mail that cuts the hash off", "")
	c.Refname = ""
	d.arrive(c)
	d.expect("one that does not name the branch either", "")
	c = arrival(hashA, "foo: fix bar")
	c.Refname = "refs/heads/stable/15"
	d.arrive(c, c)
	d.expect("another branch", "src: jane src stable/15 0a1b2c3d4e5f foo: fix bar")
	c.Repository = "fork"
	d.arrive(c)
	d.expect("another repository", "src: jane fork stable/15 0a1b2c3d4e5f foo: fix bar")
	d.now = d.now.Add(keepSeen + expireEvery)
	d.clean(t.Context())
	d.arrive(c)
	d.expect("a month later", "src: jane fork stable/15 0a1b2c3d4e5f foo: fix bar")
}

// Two sources bring one commit in one batch.
func TestOnceTogether(t *testing.T) {
	d := newFixture(t)
	c := arrival(hashA, "foo: fix bar")
	d.arrive(c)
	c.Revision, c.Source = hashA[:12], ""
	d.arrive(c)
	d.expect("both", "src: jane src main 0a1b2c3d4e5f foo: fix bar")
}

// A commit without a revision is recognised by its Message-ID.
func TestOnceWithoutRevision(t *testing.T) {
	d := newFixture(t)
	c := arrival("", "Start the clock.")
	c.ID, c.Source = "a@b", ""
	d.arrive(c)
	d.expect("a mail of CVS", "src: jane src main  Start the clock.")
	d.arrive(c)
	d.expect("again", "")
	c.ID = "b@b"
	d.arrive(c)
	d.expect("another", "src: jane src main  Start the clock.")
}

// After a crash between any two steps, every commit is announced once.
func TestCrash(t *testing.T) {
	ctx := t.Context()
	const announced = "src: jane src main 0a1b2c3d4e5f foo"
	for name, crash := range map[string]func(d *fixture, b *batch){
		"before the outbox": func(*fixture, *batch) {},
		"after the outbox": func(d *fixture, b *batch) {
			d.outbox.Put(ctx, b.messages...)
		},
		"after the seen store": func(d *fixture, b *batch) {
			d.outbox.Put(ctx, b.messages...)
			d.Seen.record(d.now, b.described, []string{b.messages[0].Key})
		},
	} {
		d := newFixture(t)
		d.arrive(arrival(hashA, "foo"))
		paths, err := d.Spool.Announcements()
		if err != nil {
			t.Fatal(err)
		}
		b := new(batch)
		d.fill(b, paths)
		crash(d, b)
		d.restart()
		d.clean(ctx)
		d.expect(name, announced)
		d.clean(ctx)
		if keys, _ := d.outbox.Pending(t.Context()); len(keys) > 0 {
			t.Errorf("%s: the outbox still has %v", name, keys)
		}
	}
}

// While the outbox fails, commits stay stored, in their order.
func TestOutboxFails(t *testing.T) {
	d := newFixture(t)
	d.outbox.fail = errFull
	var want []string
	for i := range 30 {
		d.arrive(arrival(fmt.Sprintf("r%d", i+1), "s"))
		want = append(want, fmt.Sprintf("src: jane src main r%d s", i+1))
		if !d.announceAll(t.Context()) {
			t.Error("no failure")
		}
	}
	if n := strings.Count(d.log.String(), "disk full"); n != 1 {
		t.Errorf("said %d times: %s", n, d.log)
	}
	d.outbox.fail = nil
	d.expect("afterwards", strings.Join(want, "\n"))
}

// A large push is announced by its number of commits and the first three, for each
// branch.
func TestMany(t *testing.T) {
	rule := Rule{To: []string{src}, Template: "{{.Rev}}", Max: DefaultMax}
	push := func(n int) []commit.Arrival {
		var all []commit.Arrival
		for i := range n {
			all = append(all, arrival(fmt.Sprintf("r%d", i+1), "s"))
		}
		return all
	}
	for _, test := range []struct {
		name    string
		max     int
		commits []commit.Arrival
		want    string
	}{
		{"three", 3, push(3), "src: r1\nsrc: r2\nsrc: r3"},
		{"four", 3, push(4), "src: src: jane pushed 4 commits to src main: r1..r4 | r1 | r2 | r3"},
		{"one of two", 1, push(2), "src: src: jane pushed 2 commits to src main: r1..r2 | r1"},
		{"none at all", 0, push(1), "src: src: jane pushed 1 commit to src main: r1..r1"},
		{"max is more than three", 5, push(6), "src: src: jane pushed 6 commits to src main: r1..r6 | r1 | r2 | r3"},
		{"two branches", 3, func() []commit.Arrival {
			all := push(5)
			all[1].Refname = "refs/heads/x"
			return all
		}(), "src: src: jane pushed 4 commits to src main: r1..r5 | r1 | r3 | r4\nsrc: r2"},
		{"two people", 3, func() []commit.Arrival {
			all := push(4)
			all[1].Committer = person("tom")
			return all
		}(), "src: src: jane and tom pushed 4 commits to src main: r1..r4 | r1 | r2 | r3"},
		{"three people, one of them on GitHub's pages", 3, func() []commit.Arrival {
			all := push(4)
			all[1].Committer, all[2].Committer = person("tom"), commit.Person{Name: "GitHub", Email: "noreply@github.com"}
			all[2].Author = commit.Person{Email: "1234+ida@users.noreply.github.com"}
			return all
		}(), "src: src: jane and 2 others pushed 4 commits to src main: r1..r4 | r1 | r2 | r3"},
		{"not all described, and a page", 3, func() []commit.Arrival {
			all := push(2)
			all[1].More, all[1].Page = 35, "https://example.org/compare"
			return all
		}(), "src: src: jane pushed 37 commits to src main: https://example.org/compare | r1 | r2"},
	} {
		rule.Max = test.max
		d := newFixture(t, rule)
		d.arrive(test.commits...)
		d.expect(test.name, test.want)
		d.arrive(test.commits...)
		d.expect(test.name+", again", "")
	}
}

// Each matching rule announces to its targets, once to each target.
func TestRules(t *testing.T) {
	for _, test := range []struct {
		name  string
		rules []Rule
		c     func(*commit.Arrival)
		want  string
	}{
		{"two rules", []Rule{{To: []string{src}, Template: "1"}, {To: []string{"irc://IRC.example.org/#Src", bots}, Template: "2"}}, nil, "src: 1\nbots: 2"},
		{"a repository", []Rule{{Repositories: []string{"other"}, To: []string{src}, Template: "1"}, {Repositories: []string{"s*"}, To: []string{bots}, Template: "2"}}, nil, "bots: 2"},
		{"a branch", []Rule{{Branches: []string{"stable/*"}, To: []string{src}, Template: "1"}, {Branches: []string{"ma*"}, To: []string{bots}, Template: "2"}}, nil, "bots: 2"},
		{"another name", []Rule{{Repositories: []string{"src-mirror"}, To: []string{src}, Template: "1"}}, nil, "src: 1"},
		{"no branch", []Rule{{Branches: []string{"main"}, To: []string{src}, Template: "1"}}, func(c *commit.Arrival) { c.Refname = "" }, "src: 1"},
		{"no rule", []Rule{{Branches: []string{"dev"}, To: []string{src}, Template: "1"}}, nil, ""},
	} {
		for i := range test.rules {
			test.rules[i].Max = 3
		}
		d := newFixture(t, test.rules...)
		d.Policy.Names = map[string]string{"src-mirror": "src"}
		c := arrival(hashA, "s")
		if test.c != nil {
			test.c(&c)
		}
		d.arrive(c)
		d.expect(test.name, test.want)
	}
}

// With senders set, a stranger's mail is not announced. Trusted sources are not
// checked.
func TestStrangers(t *testing.T) {
	for _, test := range []struct {
		source, sender string
		policy         policy.Policy
		announced      bool
	}{
		{"", "eve@example.net", policy.Policy{Senders: []string{"*@example.org"}}, false},
		{commit.FromJSON, "eve@example.net", policy.Policy{Senders: []string{"*@example.org"}}, false},
		{"sendmail", "eve@example.net", policy.Policy{Senders: []string{"*@example.org"}}, false},
		{"", "jane@example.org", policy.Policy{Senders: []string{"*@example.org"}}, true},
		{"", "eve@example.net", policy.Policy{}, true},
		{commit.FromHook, "eve@example.net", policy.Policy{Senders: []string{"*@example.org"}}, true},
		{commit.FromWebhook, "eve@example.net", policy.Policy{Senders: []string{"*@example.org"}}, true},
		{commit.FromFollow, "eve@example.net", policy.Policy{Repositories: []string{"other"}}, true},
		{"", "jane@example.org", policy.Policy{Repositories: []string{"other"}}, false},
	} {
		d := newFixture(t)
		d.Policy = &test.policy
		c := arrival(hashA, "s")
		c.Source, c.Sender = test.source, test.sender
		d.arrive(c)
		want := ""
		if test.announced {
			want = "src: jane src main 0a1b2c3d4e5f s"
		}
		d.expect(fmt.Sprintf("%+v", test), want)
	}
}

// Invalid files are quarantined, and valid lines before the fault are announced.
func TestQuarantine(t *testing.T) {
	d := newFixture(t)
	c := arrival(hashA, "s")
	good := string(c.Line())
	for i, text := range []string{"{", good + "nonsense\n"} {
		if _, err := d.Spool.PutAll(spool.NewAnnouncement(d.now, []byte(text))); err != nil {
			t.Fatal(err)
		}
		want := ""
		if i == 1 {
			want = "src: jane src main 0a1b2c3d4e5f s"
		}
		d.expect(text, want)
		failed, _ := filepath.Glob(filepath.Join(d.state, "failed", "*"))
		if len(failed) != 2*(i+1) {
			t.Errorf("%q: quarantined %v", text, failed)
		}
	}
	why, err := filepath.Glob(filepath.Join(d.state, "failed", "*.why"))
	if err != nil || len(why) != 2 {
		t.Fatal(why, err)
	}
	if text, _ := os.ReadFile(why[0]); !strings.Contains(string(text), "not a commit") {
		t.Errorf("why: %s", text)
	}
}

// A file that can't be read stays, and does not block the others.
func TestUnreadable(t *testing.T) {
	d := newFixture(t)
	if err := os.Mkdir(d.Spool.Path("dir.announce"), 0o750); err != nil { // ignored
		t.Fatal(err)
	}
	d.arrive(arrival(hashA, "s"))
	if d.announceAll(t.Context()) {
		t.Error(d.log)
	}
	if got := d.outbox.taken(); got != "src: jane src main 0a1b2c3d4e5f s" {
		t.Errorf("said %q", got)
	}
}
