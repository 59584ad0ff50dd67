package announce

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vext/internal/commit"
	"vext/queue"
)

// A commit is announced once on a branch, by whichever ways it comes, however
// they call its repository, and also after a restart.
func TestOnce(t *testing.T) {
	d := newDesk(t)
	d.Policy.Names = map[string]string{"acme/src": "src"}
	const told = "src: jane src main 0a1b2c3d4e5f foo: fix bar"
	c := arrival(hashA, "foo: fix bar")
	d.hand(c)
	d.tells("a hook", told)
	for _, source := range []string{commit.FromWebhook, commit.FromFollow, commit.FromJSON, ""} {
		c.Source, c.Repository = source, "acme/src"
		d.hand(c)
		d.tells(source, "")
		d.restart()
	}
	c.Revision = hashA[:12]
	d.hand(c)
	d.tells("a mail that cuts the hash off", "")
	c.Refname = ""
	d.hand(c)
	d.tells("one that does not name the branch either", "")
	c = arrival(hashA, "foo: fix bar")
	c.Refname = "refs/heads/stable/15"
	d.hand(c, c)
	d.tells("another branch", "src: jane src stable/15 0a1b2c3d4e5f foo: fix bar")
	c.Repository = "fork"
	d.hand(c)
	d.tells("another repository", "src: jane fork stable/15 0a1b2c3d4e5f foo: fix bar")
	d.now = d.now.Add(memoryTime + expireEvery)
	d.keep(t.Context())
	d.hand(c)
	d.tells("a month later", "src: jane fork stable/15 0a1b2c3d4e5f foo: fix bar")
}

// Two ways at once are told of one after another, in one look.
func TestOnceTogether(t *testing.T) {
	d := newDesk(t)
	c := arrival(hashA, "foo: fix bar")
	d.hand(c)
	c.Revision, c.Source = hashA[:12], ""
	d.hand(c)
	d.tells("both", "src: jane src main 0a1b2c3d4e5f foo: fix bar")
}

// What has no revision is known by its Message-ID.
func TestOnceWithoutRevision(t *testing.T) {
	d := newDesk(t)
	c := arrival("", "Start the clock.")
	c.ID, c.Source = "a@b", ""
	d.hand(c)
	d.tells("a mail of CVS", "src: jane src main  Start the clock.")
	d.hand(c)
	d.tells("again", "")
	c.ID = "b@b"
	d.hand(c)
	d.tells("another", "src: jane src main  Start the clock.")
}

// However it crashes between its steps, every commit is told, and once.
func TestCrash(t *testing.T) {
	ctx := t.Context()
	const told = "src: jane src main 0a1b2c3d4e5f foo"
	for name, crash := range map[string]func(d *desk, b *batch){
		"before the outlet": func(*desk, *batch) {},
		"behind the outlet": func(d *desk, b *batch) {
			d.outlet.Put(ctx, b.lines...)
		},
		"behind the seen": func(d *desk, b *batch) {
			d.outlet.Put(ctx, b.lines...)
			d.Seen.remember(d.now, b.told, []string{b.lines[0].Key})
		},
	} {
		d := newDesk(t)
		d.hand(arrival(hashA, "foo"))
		paths, err := d.Spool.Announcements()
		if err != nil {
			t.Fatal(err)
		}
		b := &batch{reason: map[string]string{}}
		d.gather(b, paths)
		crash(d, b)
		d.restart()
		d.keep(ctx)
		d.tells(name, told)
		d.keep(ctx)
		if keys, _ := d.outlet.Waiting(t.Context()); len(keys) > 0 {
			t.Errorf("%s: the outlet still knows %v", name, keys)
		}
	}
}

// While the outlet takes nothing, what arrives waits, in its order.
func TestOutletFails(t *testing.T) {
	d := newDesk(t)
	d.outlet.fail = errFull
	var want []string
	for i := range 30 {
		d.hand(arrival(fmt.Sprintf("r%d", i+1), "s"))
		want = append(want, fmt.Sprintf("src: jane src main r%d s", i+1))
		if !d.look(t.Context()) {
			t.Error("no failure")
		}
	}
	if n := strings.Count(d.log.String(), "disk full"); n != 1 {
		t.Errorf("said %d times: %s", n, d.log)
	}
	d.outlet.fail = nil
	d.tells("afterwards", strings.Join(want, "\n"))
}

// Many commits of one push are their number and the first three of them, of each
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
		most    int
		commits []commit.Arrival
		want    string
	}{
		{"three", 3, push(3), "src: r1\nsrc: r2\nsrc: r3"},
		{"four", 3, push(4), "src: src: jane pushed 4 commits to src main: r1..r4 | r1 | r2 | r3"},
		{"one of two", 1, push(2), "src: src: jane pushed 2 commits to src main: r1..r2 | r1"},
		{"none at all", 0, push(1), "src: src: jane pushed 1 commit to src main: r1..r1"},
		{"most is more than three", 5, push(6), "src: src: jane pushed 6 commits to src main: r1..r6 | r1 | r2 | r3"},
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
		rule.Max = test.most
		d := newDesk(t, rule)
		d.hand(test.commits...)
		d.tells(test.name, test.want)
		d.hand(test.commits...)
		d.tells(test.name+", again", "")
	}
}

// Each rule that matches tells its targets, and each target is told once.
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
		d := newDesk(t, test.rules...)
		d.Policy.Names = map[string]string{"src-mirror": "src"}
		c := arrival(hashA, "s")
		if test.c != nil {
			test.c(&c)
		}
		d.hand(c)
		d.tells(test.name, test.want)
	}
}

// A stranger's mail has us write to nobody, where senders says who is none. Who
// looks into a repository need not ask.
func TestStrangers(t *testing.T) {
	for _, test := range []struct {
		source, sender string
		policy         queue.Policy
		told           bool
	}{
		{"", "eve@example.net", queue.Policy{Senders: []string{"*@example.org"}}, false},
		{commit.FromJSON, "eve@example.net", queue.Policy{Senders: []string{"*@example.org"}}, false},
		{"sendmail", "eve@example.net", queue.Policy{Senders: []string{"*@example.org"}}, false},
		{"", "jane@example.org", queue.Policy{Senders: []string{"*@example.org"}}, true},
		{"", "eve@example.net", queue.Policy{}, true},
		{commit.FromHook, "eve@example.net", queue.Policy{Senders: []string{"*@example.org"}}, true},
		{commit.FromWebhook, "eve@example.net", queue.Policy{Senders: []string{"*@example.org"}}, true},
		{commit.FromFollow, "eve@example.net", queue.Policy{Repositories: []string{"other"}}, true},
		{"", "jane@example.org", queue.Policy{Repositories: []string{"other"}}, false},
	} {
		d := newDesk(t)
		d.Policy = &test.policy
		c := arrival(hashA, "s")
		c.Source, c.Sender = test.source, test.sender
		d.hand(c)
		want := ""
		if test.told {
			want = "src: jane src main 0a1b2c3d4e5f s"
		}
		d.tells(fmt.Sprintf("%+v", test), want)
	}
}

// What can't be understood is set aside, and what can be is told.
func TestSetAside(t *testing.T) {
	d := newDesk(t)
	c := arrival(hashA, "s")
	good := string(c.Line())
	for i, text := range []string{"{", good + "nonsense\n"} {
		if err := d.Spool.PutAnnouncement([]byte(text)); err != nil {
			t.Fatal(err)
		}
		want := ""
		if i == 1 {
			want = "src: jane src main 0a1b2c3d4e5f s"
		}
		d.tells(text, want)
		failed, _ := filepath.Glob(filepath.Join(d.state, "failed", "*"))
		if len(failed) != 2*(i+1) {
			t.Errorf("%q: set aside %v", text, failed)
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

// A file that can't be read stays, and keeps no other waiting.
func TestUnreadable(t *testing.T) {
	d := newDesk(t)
	path := filepath.Join(d.state, "notices", "loop")
	if err := os.Mkdir(path+".d", 0o750); err != nil { // no file, and nobody's business
		t.Fatal(err)
	}
	d.hand(arrival(hashA, "s"))
	if d.look(t.Context()) {
		t.Error(d.log)
	}
	if got := d.outlet.said(); got != "src: jane src main 0a1b2c3d4e5f s" {
		t.Errorf("said %q", got)
	}
}
