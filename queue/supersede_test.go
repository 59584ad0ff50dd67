package queue

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
)

// A pair of commits: was, which is gone, and is, its successor.
const (
	wasHash = "1111111111111111111111111111111111111111"
	isHash  = "2222222222222222222222222222222222222222"
)

// A story is what happens to a pair, step by step, with a run after each.
type story struct {
	t       *testing.T
	q       *Queue
	pending []history.Event // passed to Supersede in every run
	sent    []string
}

func newStory(t *testing.T) *story { return &story{t: t, q: newQueue(t)} }

// do does a step: "was mail", "is webhook", "gone", "back", "send", "cancel was",
// "snooze was", "later".
func (s *story) do(step string) {
	s.t.Helper()
	words := strings.Fields(step + " x")
	revision := map[string]string{"was": wasHash, "is": isHash}
	switch words[0] {
	case "was", "is":
		id := revision[words[0]] + "+main@src"
		if words[1] == commit.FromMail {
			id = words[0] + "." + words[1] + "@x"
		}
		came(s.t, s.q, id, words[1], "src", revision[words[0]], 0)
	case "gone":
		s.pending = append(s.pending, s.event(wasHash, isHash))
	case "back":
		s.pending = append(s.pending, s.event(isHash, wasHash))
		s.do("was follow")
	case "later":
		s.q.Now = s.q.Now.AddDate(0, 1, 0)
	}
	plan(s.t, s.q)
	left, err := supersede(s.q, s.pending...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.pending = left
	switch words[0] {
	case "send":
		s.send()
	case "cancel", "snooze":
		items, err := s.q.Find(revision[words[1]][:12], nil)
		if err == nil && words[0] == "cancel" {
			err = s.q.Cancel(&items[0], "ida")
		} else if err == nil {
			_, err = s.q.Snooze(&items[0], period(s.t, "10 weeks"), "ida")
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *story) event(gone, successor string) history.Event {
	return history.Event{
		Time: s.q.Now, Kind: history.Vanished, Key: "src@" + gone, Repository: "src", Branch: "main",
		Revision: gone, Successor: successor,
	}
}

// send sends all reminders, as package reminder does.
func (s *story) send() {
	items, err := s.q.Waiting()
	if err != nil {
		s.t.Fatal(err)
	}
	for i := range items {
		item := &items[i]
		known, err := s.q.History.Lookup([]string{item.Name}, []string{item.Key})
		if err != nil {
			s.t.Fatal(err)
		}
		if byName := known.Name(item.Name); !byName.Done && (!known.Commit(item.Key).All.Done || byName.Snoozed != "") {
			s.sent = append(s.sent, map[string]string{wasHash: "was", isHash: "is"}[item.Revision])
			if err := s.q.record(item, history.Sent, "", item.Day.String()); err != nil {
				s.t.Fatal(err)
			}
		}
		if err := s.q.Finish(item.Entry()); err != nil {
			s.t.Fatal(err)
		}
	}
}

// A pair has one reminder, in whatever order and from whatever source its commits
// come, and whenever the first one is found gone; except when both were sent before.
func TestPairIsOneReminder(t *testing.T) {
	sources := []string{commit.FromMail, commit.FromWebhook, commit.FromFollow}
	for _, order := range [][]string{
		{"was", "is", "gone"}, {"was", "gone", "is"}, {"is", "was", "gone"},
		{"is", "gone", "was"}, {"gone", "was", "is"}, {"gone", "is", "was"},
	} {
		for _, was := range sources {
			for _, is := range sources {
				for sendAfter := range len(order) + 1 {
					isLate := slices.Index(order, "was") > slices.Index(order, "gone")
					if isLate && was != commit.FromMail && was != commit.FromWebhook {
						continue // a repository does not bring what it has not
					}
					s := newStory(t)
					var steps []string
					for i, step := range order {
						if i == sendAfter {
							steps = append(steps, "send")
						}
						switch step {
						case "was":
							step += " " + was
						case "is":
							step += " " + is
						}
						steps = append(steps, step)
					}
					steps = append(steps, "later", "send", "send", "was mail", "is mail", "send")
					for _, step := range steps {
						s.do(step)
					}
					want := 1
					if order[2] == "gone" && sendAfter == 2 {
						want = 2
					}
					if len(s.sent) != want || len(s.pending) != 0 {
						t.Errorf("%s: sent %q, pending %d", strings.Join(steps, ", "), s.sent, len(s.pending))
					}
				}
			}
		}
	}
}

// A snooze or cancellation of one commit of a pair holds for the pair.
func TestPairStories(t *testing.T) {
	for _, test := range []struct{ steps, sent string }{
		{"was hook, gone, is hook, later, send", "is"},
		{"was hook, is hook, gone, back, later, send", "was"},
		{"was hook, is hook, gone, back, is hook, gone, later, send", "is"},
		{"was hook, cancel was, gone, is hook, later, send", ""},
		{"was hook, is webhook, cancel is, gone, later, send", ""},
		{"was hook, is webhook, gone, cancel is, later, send", ""},
		{"was hook, is webhook, cancel was, snooze is, gone, later, later, later, send", "is"},
		{"was hook, send, is hook, gone, is follow, gone, later, send", "was"},
		{"was hook, is hook, gone, is follow, gone, later, send", "is"},
		{"was hook, is hook, gone, send, is follow, gone, later, send", "is"},
		{"was hook, gone, later, send, is hook, later, send", "was"},
	} {
		s := newStory(t)
		for step := range strings.SplitSeq(test.steps, ", ") {
			s.do(step)
		}
		if got := strings.Join(s.sent, " "); got != test.sent {
			t.Errorf("%s: sent %q, want %q", test.steps, got, test.sent)
		}
	}
}

// The reminder has the day of its own trailer, or that of a snooze, and the history has
// every step.
func TestSupersededDay(t *testing.T) {
	for _, test := range []struct{ steps, want string }{
		{"was hook, is hook, gone", "20261204"},
		{"was hook, snooze was, is hook, gone", "20270212"},
		{"was hook, snooze was, gone, is hook", "20270212"},
		{"was hook, is hook, snooze was, snooze is, gone", "20270212"},
	} {
		s := newStory(t)
		for step := range strings.SplitSeq(test.steps, ", ") {
			s.do(step)
		}
		items, err := s.q.Waiting()
		if err != nil || len(items) != 1 || items[0].Revision != isHash || items[0].Day.String() != test.want || items[0].Gone != "" {
			t.Errorf("%s: %v, %+v", test.steps, err, items)
		}
		var said []string
		if _, err := s.q.History.Scan(func(e *history.Event) {
			if e.Kind == history.Superseded || e.Kind == history.Supersedes {
				said = append(said, history.Describe(e, time.UTC))
			}
		}); err != nil {
			t.Fatal(err)
		}
		want := []string{"supersedes: 111111111111, which was amended or rebased to it", "superseded: amended or rebased to 222222222222"}
		if !slices.Equal(said, want) {
			t.Errorf("%s: %q", test.steps, said)
		}
		if days, _, err := s.q.days(); err != nil || len(days) != 1 {
			t.Errorf("%s: days %v, %v", test.steps, days, err)
		}
	}
}

// Of several amendments in one run, the last has the reminder, which stays snoozed.
func TestSupersedeChain(t *testing.T) {
	s := newStory(t)
	s.do("was hook")
	s.do("snooze was")
	s.do("is hook")
	last := strings.Repeat("3", 40)
	came(t, s.q, last+"+main@src", commit.FromHook, "src", last, 0)
	plan(t, s.q)
	left, err := supersede(s.q, s.event(wasHash, isHash), s.event(isHash, last))
	items, waitErr := s.q.Waiting()
	if err != nil || waitErr != nil || len(left) != 0 || len(items) != 1 || items[0].Revision != last || items[0].Day != calendar.Date(2027, time.February, 12) {
		t.Errorf("%v, %v, left %v, waiting %s", err, waitErr, left, fmt.Sprint(items))
	}
}

// A commit whose successor never comes is dropped after a time.
func TestSuccessorNeverComes(t *testing.T) {
	s := newStory(t)
	s.do("was hook")
	s.do("gone")
	if len(s.pending) != 1 {
		t.Fatalf("%+v", s.pending)
	}
	s.do("later")
	s.do("later")
	if len(s.pending) != 0 {
		t.Errorf("%+v", s.pending)
	}
	if s.do("send"); !slices.Equal(s.sent, []string{"was"}) {
		t.Errorf("sent %q", s.sent)
	}
}

// A quarantined message of an amended commit is finished, and not retried.
func TestSupersedeFailed(t *testing.T) {
	s := newStory(t)
	s.q.Policy.Allow = []string{"nobody@example.org"}
	s.do("was hook")
	s.q.Policy.Allow = []string{"*@example.org"}
	if items, err := s.q.Quarantined(); err != nil || len(items) != 1 {
		t.Fatalf("%v, %+v", err, items)
	}
	s.do("is hook")
	s.do("gone")
	failures, err := s.q.Quarantined()
	if err != nil || len(failures) != 0 {
		t.Errorf("%v, %+v", err, failures)
	}
	if _, err := os.Stat(filepath.Join(s.q.done(), "20261120", wasHash+"+main@src")); err != nil {
		t.Error(err)
	}
	s.do("later")
	if s.do("send"); !slices.Equal(s.sent, []string{"is"}) {
		t.Errorf("sent %q", s.sent)
	}
}

// A command about the first of a pair acts on its successor. The queue never brings
// the first back.
func TestSuccessor(t *testing.T) {
	last := strings.Repeat("3", 40)
	everyone := func(*Item) bool { return true }
	for _, test := range []struct{ steps, want string }{
		{"was hook", ""},
		{"was hook, is hook", ""},
		{"was hook, is hook, gone", isHash},
		{"was hook, is hook, gone, later, send", isHash},
		{"was hook, is hook, gone, cancel is", isHash},
		{"was hook, is hook, gone, last", last},
		{"was hook, is hook, gone, back", ""},
		{"was hook, send, is hook, gone", ""},
	} {
		s := newStory(t)
		for step := range strings.SplitSeq(test.steps, ", ") {
			if step == "last" {
				came(t, s.q, last+"+main@src", commit.FromHook, "src", last, 0)
				s.pending = append(s.pending, s.event(isHash, last))
			}
			s.do(step)
		}
		items, err := s.q.Find(wasHash[:12], nil)
		if err != nil {
			t.Fatal(err)
		}
		was := &items[0]
		is, err := s.q.Successor(was, everyone)
		if err != nil || was.SupersededBy != test.want || (is != nil) != (test.want != "") || is != nil && is.Revision != test.want {
			t.Errorf("%s: %v, by %q: %+v", test.steps, err, was.SupersededBy, is)
		}
		if none, err := s.q.Successor(was, func(*Item) bool { return false }); err != nil || none != nil {
			t.Errorf("%s: what is not to be seen: %v, %+v", test.steps, err, none)
		}
		if test.want == "" {
			continue
		}
		before := tree(t, s.q)
		_, err = s.q.Snooze(was, period(t, "1 week"), "ida")
		if cancelErr := s.q.Cancel(was, "ida"); err == nil || cancelErr == nil || tree(t, s.q) != before {
			t.Errorf("%s: %v, %v: it came back:\n%s", test.steps, err, cancelErr, tree(t, s.q))
		}
		if err := os.Remove(was.File()); err != nil {
			t.Fatal(err)
		}
		items, err = s.q.Find(wasHash[:12], nil) // by the history alone
		if err != nil || len(items) != 1 || items[0].IsKept() {
			t.Fatalf("%s: %v, %+v", test.steps, err, items)
		}
		if is, err := s.q.Successor(&items[0], everyone); err != nil || is == nil || is.Revision != test.want {
			t.Errorf("%s: no longer kept: %v, %+v", test.steps, err, is)
		}
	}
}

// A successor whose predecessor was reminded can be snoozed, from today.
func TestSnoozeSuperseded(t *testing.T) {
	s := newStory(t)
	for _, step := range []string{"was hook", "send", "is hook", "gone", "snooze is", "snooze is"} {
		if step == "snooze is" {
			items, err := s.q.Find(isHash[:12], nil)
			if err != nil {
				t.Fatal(err)
			}
			day, err := s.q.Snooze(&items[0], period(t, "1 week"), "ida")
			if err != nil && !errors.Is(err, ErrUnchanged) || day.String() != "20261127" {
				t.Errorf("%s, %v", day, err)
			}
			continue
		}
		s.do(step)
	}
	for range 3 {
		s.do("later")
		s.do("send")
	}
	if !slices.Equal(s.sent, []string{"was", "is"}) {
		t.Errorf("sent %q", s.sent)
	}
}

// Cancelling a quarantined message of an amended commit leaves the successor alone.
func TestCancelFailedOfAmended(t *testing.T) {
	s := newStory(t)
	for _, step := range []string{"was hook", "is hook", "gone"} {
		s.do(step)
	}
	put(t, s.q, mail{id: "late@x", from: "x@elsewhere.example"})
	schedule(t, s.q)
	item := one(t, s.q, "late@x")
	item.Key = "src@" + wasHash
	if is, err := s.q.Successor(item, func(*Item) bool { return true }); err != nil || is != nil {
		t.Errorf("%v, %+v", err, is)
	}
	if err := s.q.Cancel(item, "ida"); err != nil {
		t.Error(err)
	}
	items, err := s.q.Find(wasHash[:12], nil)
	if err != nil {
		t.Fatal(err)
	}
	if is, err := s.q.Successor(&items[0], func(*Item) bool { return true }); err != nil || is == nil || is.Place != InQueue {
		t.Errorf("%v, %+v", err, is)
	}
}

// A forged mail about one commit of a pair never prevents the reminder of the other.
func TestForgedPair(t *testing.T) {
	const mallory = "mallory@example.org"
	put := func(s *story, id, source, revision, who, asks string) {
		c := commit.Commit{
			ID: id, Source: source, Repository: "src", Refname: "refs/heads/main", Revision: revision, Subject: "s",
			Message: "s\n\nMFC after: " + asks + "\n", Committer: commit.Person{Name: "X", Email: who}, Date: s.q.Now,
		}
		if _, err := s.q.Spool.Put(id, c.Mail()); err != nil {
			t.Fatal(err)
		}
		plan(t, s.q)
	}
	for name, test := range map[string]struct {
		story func(s *story)
		sent  string
	}{
		"the one that is gone was not understood": {func(s *story) {
			put(s, "a", commit.FromFollow, wasHash, "ida@example.org", "soon")
			put(s, "forged", "", wasHash, mallory, "0 days")
			s.do("send")
			s.do("gone")
			put(s, "b", commit.FromFollow, isHash, "ida@example.org", "1 week")
		}, "was is"},
		"the one that is gone was there before": {func(s *story) {
			put(s, "forged", "", wasHash, mallory, "0 days")
			s.do("send")
			s.do("gone")
			put(s, "b", commit.FromFollow, isHash, "ida@example.org", "1 week")
		}, "was is"},
		"the successor is not understood": {func(s *story) {
			put(s, "a", commit.FromFollow, wasHash, "ida@example.org", "2 weeks")
			put(s, "forged", "", isHash, mallory, "0 days")
			s.do("gone")
			put(s, "b", commit.FromFollow, isHash, "ida@example.org", "soon")
		}, "is was"},
		"a mail that was confirmed": {func(s *story) {
			put(s, "a", "", wasHash, "ida@example.org", "2 weeks")
			put(s, "b", commit.FromFollow, wasHash, "ida@example.org", "2 weeks")
			s.do("gone")
			put(s, "c", commit.FromFollow, isHash, "ida@example.org", "2 weeks")
		}, "is"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			test.story(s)
			for _, step := range []string{"run", "send", "later", "send"} {
				s.do(step)
			}
			if sent := strings.Join(s.sent, " "); sent != test.sent {
				t.Errorf("sent %q, want %q", sent, test.sent)
			}
		})
	}
}

func supersede(q *Queue, gone ...history.Event) (left []history.Event, err error) {
	known, err := q.History.Lookup(nil, GoneKeys(gone))
	if err != nil {
		return nil, err
	}
	return q.Supersede(gone, known)
}
