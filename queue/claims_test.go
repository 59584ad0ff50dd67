package queue

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
)

// A claimCase is a commit as a source describes it.
type claimCase struct {
	id, source, revision, to, asks string
	made                           time.Time
	more                           string
}

func (c claimCase) commit() commit.Commit {
	return commit.Commit{
		ID: c.id, Source: c.source, Repository: "src", Refname: "refs/heads/main", Revision: c.revision, Subject: "s",
		Message: "s\n\n" + c.asks + "\n" + c.more, Committer: commit.Person{Name: "Ida", Email: c.to}, Date: c.made,
	}
}

func (c claimCase) spool(t *testing.T, q *Queue) {
	t.Helper()
	one := c.commit()
	if _, err := q.Spool.Put(c.id, one.Mail()); err != nil {
		t.Fatal(err)
	}
}

// ways are sources: a forgeable one first, then trusted ones.
var ways = map[string][]string{"": {commit.FromWebhook, commit.FromImport}, commit.FromJSON: {commit.FromHook, commit.FromFollow}}

// find returns the item with a name, in any place.
func findItem(t *testing.T, q *Queue, name string) *Item {
	t.Helper()
	items, err := q.Find(name, nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return &items[0]
}

// finish records the end of a reminder and moves its message, as package reminder does.
func finish(t *testing.T, q *Queue, name, kind string) {
	t.Helper()
	item := findItem(t, q, name)
	e := *item.Event
	e.Time, e.Kind, e.Due = history.Stamp(q.Now), kind, item.Day.String()
	if err := q.History.Append(e); err != nil {
		t.Fatal(err)
	}
	if err := q.Finish(item.Entry()); err != nil {
		t.Fatal(err)
	}
}

func act(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func month(t *testing.T) commit.Period {
	t.Helper()
	p, err := commit.ParsePeriod("30 days")
	act(t, err)
	return p
}

// states bring a spooled message into a state.
var states = map[string]func(t *testing.T, q *Queue, name string){
	"in the spool": func(*testing.T, *Queue, string) {},
	"in the queue": func(t *testing.T, q *Queue, _ string) { plan(t, q) },
	"sent":         func(t *testing.T, q *Queue, name string) { plan(t, q); finish(t, q, name, history.Sent) },
	"snoozed": func(t *testing.T, q *Queue, name string) {
		plan(t, q)
		_, err := q.Snooze(findItem(t, q, name), month(t), "ops")
		act(t, err)
	},
	"sent and snoozed": func(t *testing.T, q *Queue, name string) {
		plan(t, q)
		finish(t, q, name, history.Sent)
		_, err := q.Snooze(findItem(t, q, name), month(t), "ops")
		act(t, err)
	},
	"cancelled": func(t *testing.T, q *Queue, name string) { plan(t, q); act(t, q.Cancel(findItem(t, q, name), "ops")) },
	"cancelled in the spool": func(t *testing.T, q *Queue, name string) {
		act(t, q.Cancel(findItem(t, q, name), "ops"))
	},
	"quarantined": func(t *testing.T, q *Queue, name string) {
		plan(t, q)
		item := findItem(t, q, name)
		act(t, q.Quarantine(item.Entry(), *item.Event, "550"))
	},
	"on IRC": func(t *testing.T, q *Queue, name string) {
		plan(t, q)
		e := *findItem(t, q, name).Event
		e.Kind, e.Via, e.Time = history.Enqueued, "irc://h/c", q.Now
		act(t, q.History.Append(e))
	},
	"unconfirmed": func(t *testing.T, q *Queue, name string) {
		plan(t, q)
		act(t, q.History.Append(history.Event{Time: q.Now, Kind: history.Unconfirmed, Name: name}))
	},
}

// takesPart spools the true commit, and reports whether its reminder is queued then.
func takesPart(t *testing.T, q *Queue, c claimCase) bool {
	t.Helper()
	if c.source == commit.FromImport {
		p, err := q.PlanPast([]commit.Commit{c.commit()})
		if err != nil {
			t.Fatal(err)
		}
		if p[0].Event.Kind != history.Queued {
			return false
		}
	}
	c.spool(t, q)
	plan(t, q)
	items, err := q.Waiting()
	if err != nil {
		t.Fatal(err)
	}
	mine := func(i Item) bool { return i.Source == c.source && i.Revision == c.revision }
	if !slices.ContainsFunc(items, mine) {
		return false
	}
	if len(items) != 1 {
		t.Errorf("%d reminders wait for one commit", len(items))
	}
	// It comes again, from another source and by mail.
	for i, source := range []string{commit.FromHook, ""} {
		again := c
		again.id, again.source = fmt.Sprintf("again%d@x", i), source
		again.spool(t, q)
	}
	plan(t, q)
	if again, _ := q.Waiting(); len(again) != 1 || !slices.ContainsFunc(again, mine) {
		t.Errorf("it came again: %d reminders wait", len(again))
	}
	return true
}

// A forgeable message never prevents the reminder of a commit from a trusted source,
// unless it had the same request: that is not sent twice.
func TestClaims(t *testing.T) {
	other := strings.Repeat("d", 40)
	for _, test := range []struct {
		name  string
		claim func(*claimCase)
		same  []string // states in which it stands for the true one
	}{
		{"the same", func(*claimCase) {}, []string{"in the queue", "sent", "snoozed", "sent and snoozed", "cancelled", "cancelled in the spool", "on IRC", "unconfirmed"}},
		{"made a day later", func(c *claimCase) { c.made = c.made.AddDate(0, 0, 1) }, []string{"in the queue", "sent", "snoozed", "sent and snoozed", "cancelled", "cancelled in the spool", "on IRC", "unconfirmed"}},
		{"dated in the past", func(c *claimCase) { c.made = c.made.AddDate(-1, 0, 0) }, []string{"snoozed", "sent and snoozed", "cancelled", "cancelled in the spool"}},
		{"in the past, and for another day", func(c *claimCase) { c.made, c.asks = c.made.AddDate(-1, 0, 0), "MFC after: 1 day" }, nil},
		{"for somebody else", func(c *claimCase) { c.to = "eve@example.org" }, nil},
		{"in nine years", func(c *claimCase) { c.asks = "MFC after: 9 years" }, []string{"sent"}},
		{"an abbreviated hash, in the past, for somebody else", func(c *claimCase) {
			c.revision, c.made, c.to = c.revision[:12], c.made.AddDate(-1, 0, 0), "eve@example.org"
		}, nil},
		{"under its name, for somebody else", func(c *claimCase) { c.id, c.to = "true@x", "eve@example.org" }, nil},
		{"the original of a copy", func(c *claimCase) { c.revision = other }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for state, bring := range states {
				for claimed, sources := range ways {
					for _, source := range sources {
						q := newQueue(t)
						real := claimCase{id: "true@x", source: source, revision: hash, to: "ida@example.org", asks: "MFC after: 2 weeks", made: q.Now}
						claim := real
						claim.id, claim.source = "claim@x", claimed
						test.claim(&claim)
						isCopy := claim.revision == other
						if isCopy {
							real.more = "\n(cherry picked from commit " + other + ")\n"
						}
						if state == "in the spool" && claim.id == real.id {
							continue // filter.Filter.Accept gives it another name
						}
						claim.spool(t, q)
						bring(t, q, claim.id)
						if isCopy {
							p, err := q.PlanPast([]commit.Commit{real.commit()})
							if err != nil || p[0].Event.Kind != history.Queued {
								t.Errorf("%s, by %q then %s: %v %+v", state, claimed, source, err, p)
							}
							continue
						}
						isUndecided := source == commit.FromImport && state == "quarantined" && test.name != "for somebody else"
						want := !slices.Contains(test.same, state)
						if got := takesPart(t, q, real); got != want && !isUndecided {
							t.Errorf("%s, by %q then %s: queued %v, want %v", state, claimed, source, got, want)
						}
					}
				}
			}
		})
	}
}

// A forgeable message after a commit from a trusted source adds and replaces nothing.
func TestClaimsAfterwards(t *testing.T) {
	for state, bring := range states {
		if state == "quarantined" || state == "in the spool" {
			continue // nothing is decided then: both are looked at by themselves
		}
		for claimed, sources := range ways {
			for _, source := range sources {
				q := newQueue(t)
				real := claimCase{id: "true@x", source: source, revision: hash, to: "ida@example.org", asks: "MFC after: 2 weeks", made: q.Now}
				real.spool(t, q)
				bring(t, q, real.id)
				before, err := q.Waiting()
				act(t, err)
				claim := real
				claim.id, claim.source, claim.to, claim.made = "claim@x", claimed, "eve@example.org", q.Now.AddDate(-1, 0, 0)
				claim.spool(t, q)
				if got := plan(t, q); got["claim@x"] != history.Duplicate {
					t.Errorf("%s by %s, then %q: %v", state, source, claimed, got)
				}
				after, err := q.Waiting()
				act(t, err)
				if len(before) != len(after) || len(after) == 1 && after[0].Name != before[0].Name {
					t.Errorf("%s by %s, then %q: %+v", state, source, claimed, after)
				}
			}
		}
	}
}

// The history has the reason for a second reminder.
func TestClaimReason(t *testing.T) {
	q := newQueue(t)
	claim := claimCase{id: "claim@x", revision: hash, to: "ida@example.org", asks: "MFC after: 2 weeks", made: q.Now.AddDate(-1, 0, 0)}
	claim.spool(t, q)
	states["sent"](t, q, claim.id)
	real := claim
	real.id, real.source, real.made = "true@x", commit.FromWebhook, q.Now
	real.spool(t, q)
	plan(t, q)
	known, err := q.History.Lookup([]string{"true@x"}, nil)
	act(t, err)
	due := calendar.Of(claim.made, q.Zone).AddDays(14)
	want := "the reminder that was sent as claim@x, which anybody can have forged, was for ida@example.org on " + due.Long()
	if got := known.Name("true@x").Queued; got == nil || got.Reason != want {
		t.Errorf("got %+v, want %q", got, want)
	}
}
