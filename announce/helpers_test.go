package announce

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"vext/filter"
	"vext/internal/commit"
	"vext/internal/testkit"
	"vext/internal/testkit/outboxtest"
	"vext/notify"
	"vext/policy"
	"vext/spool"
	"vext/templates"
)

const (
	src   = "irc://irc.example.org/src"
	bots  = "irc://irc.example.org/bots"
	hashA = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"
)

// An outbox is a notify.Outbox in memory.
type outbox struct {
	outboxtest.Memory
	mu    sync.Mutex
	fail  error
	lines []notify.Message
	more  chan struct{} // has an item when there is a new line
}

func newOutbox() *outbox { return &outbox{more: make(chan struct{}, 1)} }

func TestOutbox(t *testing.T) {
	outboxtest.Test(t, func(*testing.T) outboxtest.Case {
		o := newOutbox()
		return o.Case(o)
	})
}

func (o *outbox) Put(ctx context.Context, lines ...notify.Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail != nil {
		return o.fail
	}
	var keys []string
	for _, line := range lines {
		keys = append(keys, line.Key)
	}
	known, _ := o.Outcomes(ctx, keys...)
	if err := o.Memory.Put(ctx, lines...); err != nil {
		return err
	}
	for _, line := range lines {
		if _, is := known[line.Key]; !is || line.Key == "" {
			o.lines = append(o.lines, line)
		}
		known[line.Key] = notify.Outcome{}
	}
	select {
	case o.more <- struct{}{}:
	default:
	}
	return nil
}

// taken returns the messages since the last call as TARGET: TEXT, with | for line
// ends.
func (o *outbox) taken() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []string
	for _, line := range o.lines {
		_, channel, _ := strings.Cut(line.Target, ".org/")
		all = append(all, channel+": "+strings.ReplaceAll(line.Text, "\n", " | "))
	}
	o.lines = nil
	return strings.Join(all, "\n")
}

// A fixture is an Announcer with its outbox, and a filter that stores commits for it.
type fixture struct {
	*Announcer
	t      testing.TB
	state  string
	outbox *outbox
	filter *filter.Filter
	log    *testkit.Log
	now    time.Time
}

// brief is a template that is shorter than the default.
const brief = "{{.Author}} {{.Repository}} {{.Branch}} {{.Rev}} {{.Logmsg}}"

func newFixture(t testing.TB, rules ...Rule) *fixture {
	t.Helper()
	if len(rules) == 0 {
		rules = []Rule{{To: []string{src}, Template: brief, Max: DefaultMax}}
	}
	d := &fixture{t: t, state: testkit.State(t), outbox: newOutbox(), log: &testkit.Log{}, now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	s := spool.New(d.state)
	var err error
	if d.filter, err = filter.New(s, time.Now); err != nil {
		t.Fatal(err)
	}
	set, err := templates.Load("")
	if err != nil {
		t.Fatal(err)
	}
	words, err := NewWords(set, rules)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.StartAnnouncing(); err != nil {
		t.Fatal(err)
	}
	d.Announcer = &Announcer{
		Spool: s, Policy: &policy.Policy{Branches: policy.DefaultBranches}, Rules: rules, Words: words, Outbox: d.outbox,
		Log: slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Now: func() time.Time { return d.now },
	}
	d.restart()
	t.Cleanup(func() { d.Seen.Close() })
	return d
}

// restart opens the seen store again, as a new process does.
func (d *fixture) restart() {
	d.t.Helper()
	if d.Seen != nil {
		d.Seen.Close()
	}
	seen, err := OpenSeenStore(d.state, d.now, d.Log)
	if err != nil {
		d.t.Fatal(err)
	}
	d.Seen = seen
}

// arrive stores commits, as one push.
func (d *fixture) arrive(commits ...commit.Arrival) {
	d.t.Helper()
	if _, err := d.filter.Accept(filter.NewPush(commits...)); err != nil {
		d.t.Fatal(err)
	}
}

// expect announces once and compares the messages.
func (d *fixture) expect(what, want string) {
	d.t.Helper()
	if d.announceAll(d.t.Context()) {
		d.t.Errorf("%s: %s", what, d.log)
	}
	if got := d.outbox.taken(); got != want {
		d.t.Errorf("%s: said\n%s\nwant\n%s", what, got, want)
	}
	if left, _ := d.Spool.Announcements(); len(left) > 0 {
		d.t.Errorf("%s: left %v", what, left)
	}
}

func person(login string) commit.Person {
	return commit.Person{Name: strings.ToUpper(login), Email: login + "@example.org"}
}

// arrival returns a commit on main of src, by a hook.
func arrival(revision, subject string) commit.Arrival {
	return commit.Arrival{Commit: commit.Commit{
		Repository: "src", Refname: "refs/heads/main", Revision: revision, Subject: subject, Message: subject + "\n\nmore\n",
		Author: person("jane"), Committer: person("jane"), Sender: "jane@example.org", Source: commit.FromHook,
	}}
}

var errFull = errors.New("disk full")
