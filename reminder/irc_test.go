package reminder

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/calendar"
	"vext/internal/history"
	"vext/notify"
)

const channel = "irc://irc.example.org/#src"

// events returns what the history says of a message: kind, way and reason.
func events(t testing.TB, s *Service, name string) string {
	t.Helper()
	var all []string
	_, err := s.Queue.History.Scan(func(e *history.Event) {
		if e.Name == name && e.Kind != history.Queued {
			all = append(all, strings.TrimSpace(e.Kind+" "+e.Via+" "+e.Reason))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, "\n")
}

func expectEvents(t testing.TB, s *Service, name string, want ...string) {
	t.Helper()
	if got := events(t, s, name); got != strings.Join(want, "\n") {
		t.Errorf("history of %s:\n%s\nwant\n%s", name, got, strings.Join(want, "\n"))
	}
}

// expectNothing says that nothing of what was done is left anywhere.
func expectNothing(t testing.TB, s *Service, irc *fakeOutbox) {
	t.Helper()
	if entries, err := s.Queue.Entries(calendar.Day{}); len(entries) > 0 || err != nil {
		t.Errorf("left in the queue: %v, %v", entries, err)
	}
	for _, l := range irc.lines {
		if l.Delivered.IsZero() {
			t.Errorf("left in the outbox: %+v", l)
		}
	}
}

// A reminder for IRC alone is sent when the outbox has it, and counts once.
func TestIRCAlone(t *testing.T) {
	s, out, irc := newIRC(t, channel, "ircs://:secret@irc.example.net/jane,isnick")
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 1 day")
	mustRun(t, s, 0, "1 queued")
	mustRun(t, s, 1, "1 sent")
	mustRun(t, s, 1, "nothing to do")
	irc.deliver("")
	mustRun(t, s, 1, "nothing to do")
	if len(out.mails) > 0 || len(irc.said) != 2 {
		t.Errorf("mails to %q; delivered: %q", out.recipients(), irc.said)
	}
	expectEvents(t, s, "a", "sent "+channel+", ircs://irc.example.net/jane,isnick")
	expectNothing(t, s, irc)
	stats, err := CountSent(s.Queue.History, ByCommitter, calendar.Day{}, calendar.Day{}, time.UTC)
	if err != nil || stats.Total != 1 || stats.Counts[0].Name != "jane" {
		t.Errorf("%+v, %v", stats, err)
	}
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 1 day")
	mustRun(t, s, 2, "1 known already")
}

// A reminder that the outbox has, but that can't be recorded, is put again under the same
// key. One whose record is lost is delivered, or bounces.
func TestIRCNotRecorded(t *testing.T) {
	s, out, irc := newIRC(t, channel)
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	put(t, s, "b", "Jane <jane@example.org>", "MFC after: 1 day")
	mustRun(t, s, -1, "2 queued")
	year := filepath.Join(s.Queue.History.Dir(), "2026.jsonl")
	irc.onCall = func() {
		if len(irc.lines) == 0 {
			return
		}
		irc.onCall = func() {}
		if err := errors.Join(os.Rename(year, year+".away"), os.Mkdir(year, 0o700)); err != nil {
			t.Error(err)
		}
	}
	s.Queue.Now = now
	if _, err := s.Run(t.Context()); err == nil {
		t.Error("no error though nothing could be recorded")
	}
	if err := errors.Join(os.Remove(year), os.Rename(year+".away", year)); err != nil {
		t.Fatal(err)
	}
	mustRun(t, s, 0, "1 sent")
	before, err := os.ReadFile(year)
	if err != nil {
		t.Fatal(err)
	}
	irc.deliver("")
	mustRun(t, s, 1, "1 sent")
	if err := errors.Join(os.WriteFile(year, before, 0o600), os.Remove(filepath.Join(s.Queue.State, "history.sum"))); err != nil {
		t.Fatal(err)
	}
	mustRun(t, s, 1, "nothing to do")
	irc.reject("", "banned")
	mustRun(t, s, 1, "1 sent")
	if len(out.mails) != 1 || len(irc.said) != 1 {
		t.Errorf("mails to %q; delivered: %q", out.recipients(), irc.said)
	}
	expectNothing(t, s, irc)
}

// Alongside a mail the mail goes, and a message that bounces is recorded.
func TestMailAndIRC(t *testing.T) {
	s, out, irc := newIRC(t, "mail", channel, "irc://irc.example.org/nobody,isnick")
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 1 day")
	mustRun(t, s, 0, "1 queued")
	mustRun(t, s, 1, "1 sent")
	irc.reject("nobody", "no such nick")
	mustRun(t, s, 2, "nothing to do")
	mustRun(t, s, 9, "nothing to do")
	irc.deliver("#src")
	mustRun(t, s, 9, "nothing to do")
	if len(out.mails) != 1 || len(irc.said) != 1 {
		t.Errorf("mails to %q; delivered: %q", out.recipients(), irc.said)
	}
	expectEvents(t, s, "a", "sent test:, "+channel+", irc://irc.example.org/nobody,isnick", "unsaid irc://irc.example.org/nobody,isnick no such nick")
	expectNothing(t, s, irc)
}

// When a message bounces, because it was rejected or could not be delivered for a day,
// the mail goes instead, once, and says why, as the history does.
func TestMailInstead(t *testing.T) {
	for _, test := range []struct {
		name   string
		happen func(*fakeOutbox)
		hours  int
		why    string // "" for no mail
	}{
		{"not for long enough", func(*fakeOutbox) {}, 22, ""},
		{"a day", func(*fakeOutbox) {}, 23, "it could not be delivered in time"},
		{"rejected", func(o *fakeOutbox) { o.reject("", "no such channel") }, 0, "no such channel"},
		{"in flight", func(o *fakeOutbox) { o.send() }, 200, ""},
		{"delivered at the last moment", func(o *fakeOutbox) { o.deliver("") }, 200, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, out, irc := newIRC(t, channel)
			put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
			mustRun(t, s, 0, "1 queued, 1 sent")
			test.happen(irc)
			want, all := "nothing to do", []string{"sent " + channel}
			if test.why != "" {
				want = "1 sent another way"
				all = append(all, "unsaid "+channel+" "+test.why, "fallback test: IRC delivery failed: "+channel+": "+test.why)
			}
			for _, want := range []string{want, "nothing to do"} {
				s.Queue.Now = now.Add(time.Duration(test.hours) * time.Hour)
				sum, err := s.Run(context.Background())
				if err != nil || sum.String() != want {
					t.Errorf("%s, %v; want %s", sum, err, want)
				}
			}
			expectEvents(t, s, "a", all...)
			if test.why == "" {
				if len(out.mails) > 0 {
					t.Errorf("mails to %q", out.recipients())
				}
				return
			}
			expectNothing(t, s, irc)
			if len(out.mails) != 1 || !strings.Contains(string(out.mails[0].Data), "because IRC delivery failed") {
				t.Errorf("mails to %q", out.recipients())
			}
			stats, err := CountSent(s.Queue.History, ByCommitter, calendar.Day{}, calendar.Day{}, time.UTC)
			if err != nil || stats.Total != 1 {
				t.Errorf("%+v, %v", stats, err)
			}
		})
	}
}

// A message that is delivered does not make up for one that bounces: the mail goes, and
// what else is pending is not delivered any more.
func TestMailInsteadOfOne(t *testing.T) {
	s, out, irc := newIRC(t, channel, "irc://irc.example.org/jane,isnick", "irc://irc.example.org/#third")
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	mustRun(t, s, 0, "1 queued, 1 sent")
	irc.deliver("#src")
	irc.reject("jane", "no such nick")
	mustRun(t, s, 0, "1 sent another way")
	irc.deliver("")
	mustRun(t, s, 0, "nothing to do")
	expectNothing(t, s, irc)
	if len(out.mails) != 1 || len(irc.said) != 1 {
		t.Errorf("mails to %q, delivered %q", out.recipients(), irc.said)
	}
	expectEvents(t, s, "a", "sent "+channel+", irc://irc.example.org/jane,isnick, irc://irc.example.org/#third",
		"unsaid irc://irc.example.org/jane,isnick no such nick", "unsaid irc://irc.example.org/#third a mail goes instead",
		"fallback test: IRC delivery failed: irc://irc.example.org/jane,isnick: no such nick; irc://irc.example.org/#third: a mail goes instead")
}

// A message that has bounced and is no longer kept can't be mailed. That is an error in
// the log, and the reminder stays sent.
func TestBouncedAndNotKept(t *testing.T) {
	s, out, irc := newIRC(t, channel)
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	mustRun(t, s, 0, "1 queued, 1 sent")
	irc.reject("", "banned")
	if err := os.RemoveAll(filepath.Join(s.Queue.History.Dir(), "done")); err != nil {
		t.Fatal(err)
	}
	mustRun(t, s, 0, "nothing to do")
	expectEvents(t, s, "a", "sent "+channel, "unsaid "+channel+" banned")
	expectNothing(t, s, irc)
	if len(out.mails) > 0 {
		t.Errorf("mails to %q", out.recipients())
	}
}

// Who may be written to is checked only when the mail goes instead. What is
// quarantined then, and retried, tries IRC once more.
func TestIRCAndAllow(t *testing.T) {
	s, out, irc := newIRC(t, channel)
	put(t, s, "a", "x@elsewhere.example", "MFC after: 0 days")
	mustRun(t, s, 0, "1 queued, 1 sent")
	irc.reject("", "banned")
	mustRun(t, s, 0, "1 quarantined")
	failures, _ := s.Queue.Quarantined()
	if len(failures) != 1 || !strings.Contains(failures[0].Reason, "IRC delivery failed: "+channel+": banned\nx@elsewhere.example may not be written to") {
		t.Errorf("%+v", failures)
	}
	expectNothing(t, s, irc)
	if err := s.Queue.Retry(find(t, s, "a"), "ops"); err != nil {
		t.Fatal(err)
	}
	mustRun(t, s, 0, "1 queued, 1 sent another way")
	irc.deliver("")
	mustRun(t, s, 0, "nothing to do")
	if len(out.mails) > 0 || len(irc.said) != 1 {
		t.Errorf("mails to %q; delivered: %q", out.recipients(), irc.said)
	}
}

// What a person has snoozed or cancelled is not delivered.
func TestTakenBack(t *testing.T) {
	for _, to := range [][]string{{channel}, {"mail", channel}} {
		s, _, irc := newIRC(t, to...)
		put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
		put(t, s, "b", "Jane <jane@example.org>", "MFC after: 0 days")
		at(t, s, 0)
		if _, err := s.Queue.Snooze(find(t, s, "a"), mustPeriod(t, "1 week"), "ops"); err != nil {
			t.Fatal(err)
		}
		if err := s.Queue.Cancel(find(t, s, "b"), "ops"); err != nil {
			t.Fatal(err)
		}
		mustRun(t, s, 0, "nothing to do")
		if len(irc.lines) > 0 {
			t.Errorf("%v: still in the outbox: %+v", to, irc.lines)
		}
		irc.deliver("")
		at(t, s, 7)
		irc.deliver("")
		at(t, s, 7)
		expectNothing(t, s, irc)
		if len(irc.said) != 1 || !strings.Contains(irc.said[0], "subject of a") {
			t.Errorf("%v: delivered: %q", to, irc.said)
		}
	}
}

// A reminder that was sent is sent again when it was snoozed, even to the same day.
func TestSnoozeAfterIRC(t *testing.T) {
	for name, happen := range map[string]func(*fakeOutbox){"delivered": func(o *fakeOutbox) { o.deliver("") }, "pending": func(*fakeOutbox) {}} {
		s, _, irc := newIRC(t, channel)
		put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
		for i := range 3 {
			s.Queue.Now = now.Add(time.Duration(i) * time.Minute)
			if sum, err := s.Run(t.Context()); err != nil || sum.Sent != 1 {
				t.Fatalf("%s: %s, %v", name, sum, err)
			}
			happen(irc)
			s.Queue.Now = s.Queue.Now.Add(time.Second)
			if _, err := s.Queue.Snooze(find(t, s, "a"), mustPeriod(t, "2026-11-20"), "ops"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		irc.deliver("")
		if want := map[string]int{"delivered": 4, "pending": 1}[name]; len(irc.said) != want {
			t.Errorf("%s: delivered: %q", name, irc.said)
		}
	}
}

// An outbox that is not available keeps what is for it, and nothing else.
func TestOutboxFails(t *testing.T) {
	s, out, irc := newIRC(t, channel)
	both := way(t, "mail", channel)
	both.Committers = []string{"jane@*"}
	s.Queue.Policy.Routes = append(s.Queue.Policy.Routes[:0:0], both, way(t, "mail"))
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	put(t, s, "b", "Ida <ida@example.org>", "MFC after: 0 days")
	irc.err = errors.New("no space left on device")
	sum, err := at(t, s, 0)
	if err == nil || sum.String() != "2 queued, 1 sent, 1 to be retried" || out.recipients() != "ida@example.org" {
		t.Errorf("%s, %v; mails to %q", sum, err, out.recipients())
	}
	irc.err = nil
	mustRun(t, s, 2, "1 sent")
	irc.deliver("")
	mustRun(t, s, 2, "nothing to do")
	expectNothing(t, s, irc)
}

// Without IRC the mail goes instead.
func TestNoIRC(t *testing.T) {
	s, out, _ := newIRC(t, channel)
	s.Outbox = nil
	put(t, s, "b", "Ida <ida@example.org>", "MFC after: 0 days")
	put(t, s, "c", "Ida <ida@example.org>", "MFC after: 0 days")
	mustRun(t, s, 0, "2 queued, 2 sent")
	expectEvents(t, s, "b", "sent test: IRC delivery failed: it is not configured")
	if len(out.mails) != 2 {
		t.Errorf("mails to %q", out.recipients())
	}
}

// What an earlier version has enqueued, and not yet recorded as sent, is taken over:
// everybody is reminded once, whatever has become of the message.
func TestEnqueuedByEarlierVersion(t *testing.T) {
	for _, test := range []struct {
		name      string
		happen    func(*fakeOutbox)
		first     string
		mails     int
		delivered int
	}{
		{"pending", func(*fakeOutbox) {}, "1 sent", 0, 1},
		{"delivered", func(o *fakeOutbox) { o.deliver("") }, "1 sent", 0, 1},
		{"rejected", func(o *fakeOutbox) { o.reject("", "banned") }, "1 sent", 1, 0},
		{"not in the outbox yet", func(o *fakeOutbox) { o.lines = nil }, "1 sent", 0, 1},
	} {
		for _, snoozed := range []bool{false, true} {
			s, out, irc := newIRC(t, channel)
			put(t, s, "a", "Jane <jane@example.org>", "MFC after: 1 day")
			mustRun(t, s, 0, "1 queued")
			due := "20261121"
			if snoozed {
				due = "20261123"
				if _, err := s.Queue.Snooze(find(t, s, "a"), mustPeriod(t, "2026-11-23"), "ops"); err != nil {
					t.Fatal(err)
				}
			}
			e := history.Event{Time: now.AddDate(0, 0, 3), Kind: history.Enqueued, Name: "a", Due: due, Via: channel}
			if err := s.Queue.History.Append(e); err != nil {
				t.Fatal(err)
			}
			if err := irc.Put(t.Context(), notify.Message{Target: channel, Text: "x", Key: "reminder a " + due + " " + channel, Reminder: true}); err != nil {
				t.Fatal(err)
			}
			test.happen(irc)
			mustRun(t, s, 3, test.first)
			irc.deliver("")
			mustRun(t, s, 9, "nothing to do")
			if len(out.mails) != test.mails || len(irc.said) != test.delivered {
				t.Errorf("%s, snoozed %v: mails to %q; delivered: %q", test.name, snoozed, out.recipients(), irc.said)
			}
			expectNothing(t, s, irc)
			if got := strings.Count("\n"+events(t, s, "a"), "\nsent "); got != 1 {
				t.Errorf("%s: %d times sent:\n%s", test.name, got, events(t, s, "a"))
			}
		}
	}
}

// A message that an earlier version has enqueued alongside a mail is delivered, and one for
// which a mail went instead is not.
func TestPendingOfEarlierVersion(t *testing.T) {
	for _, test := range []struct {
		reason    string
		kinds     []string
		delivered int
	}{
		{"beside the mail", []string{history.Enqueued, history.Sent}, 1},
		{"", []string{history.Enqueued, history.Bounced, history.Sent}, 0},
	} {
		s, _, irc := newIRC(t, "mail", channel)
		for _, kind := range test.kinds {
			e := history.Event{Time: now, Kind: kind, Name: "a", Address: "jane@example.org", Due: "20261120", Via: channel, Reason: test.reason}
			if kind == history.Sent {
				e.Via = "test:"
			}
			if err := s.Queue.History.Append(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := irc.Put(t.Context(), notify.Message{Target: channel, Text: "x", Key: "reminder a 20261120 " + channel, Reminder: true}); err != nil {
			t.Fatal(err)
		}
		mustRun(t, s, 0, "nothing to do")
		irc.deliver("")
		if len(irc.said) != test.delivered {
			t.Errorf("%q: delivered %q", test.reason, irc.said)
		}
	}
}

// A clock that was wrong neither lets a line wait for years nor fills the
// history.
func TestIRCAndClock(t *testing.T) {
	s, out, irc := newIRC(t, channel)
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	mustRun(t, s, 9000, "1 queued, 1 sent")
	if _, err := s.Queue.Snooze(find(t, s, "a"), mustPeriod(t, "2051-08-01"), "ops"); err != nil {
		t.Fatal(err)
	}
	mustRun(t, s, 0, "nothing to do")
	before := events(t, s, "a")
	mustRun(t, s, 1, "nothing to do")
	if got := events(t, s, "a"); got != before {
		t.Errorf("history:\n%s\nbefore\n%s", got, before)
	}
	put(t, s, "b", "Jane <jane@example.org>", "MFC after: 0 days")
	mustRun(t, s, 9000, "1 queued, 1 sent")
	mustRun(t, s, 1, "1 sent another way")
	mustRun(t, s, 2, "nothing to do")
	if len(out.mails) != 1 {
		t.Errorf("mails to %q", out.recipients())
	}
	for _, l := range irc.lines {
		t.Errorf("left in the outbox: %+v", l)
	}
}

// In a digest each commit has a line of its own.
func TestDigestOnIRC(t *testing.T) {
	s, out, irc := newIRC(t, "mail", channel)
	s.Digest = true
	for _, id := range []string{"a", "b"} {
		put(t, s, id, "Jane <jane@example.org>", "MFC after: 1 day")
	}
	mustRun(t, s, 0, "2 queued")
	mustRun(t, s, 1, "2 sent")
	irc.deliver("")
	mustRun(t, s, 1, "nothing to do")
	if len(out.mails) != 1 || len(irc.said) != 2 {
		t.Errorf("mails to %q; delivered: %q", out.recipients(), irc.said)
	}
	expectNothing(t, s, irc)
}

// A run that may wait for IRC ends with what has become of its lines.
func TestAwait(t *testing.T) {
	s, out, irc := newIRC(t, channel)
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	put(t, s, "b", "Jane <jane@example.org>", "MFC after: 0 days")
	awaited := 0
	s.Await = func(_ context.Context, keys []string) {
		awaited++
		if len(keys) != 2 {
			t.Errorf("awaited: %q", keys)
		}
		irc.find(keys[0]).Rejected = "banned"
		irc.deliver("")
	}
	mustRun(t, s, 0, "2 queued, 2 sent, 1 sent another way")
	mustRun(t, s, 0, "nothing to do")
	if awaited != 1 || len(out.mails) != 1 || len(irc.said) != 1 {
		t.Errorf("awaited %d times; mails to %q; delivered: %q", awaited, out.recipients(), irc.said)
	}
	expectNothing(t, s, irc)
}

// ReviewOutbox records bounces, and sends nothing.
func TestReviewOutbox(t *testing.T) {
	s, out, irc := newIRC(t, channel)
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	put(t, s, "b", "Jane <jane@example.org>", "MFC after: 0 days")
	mustRun(t, s, 0, "2 queued, 2 sent")
	irc.lines[0].Rejected = "banned"
	irc.deliver("")
	if err := s.ReviewOutbox(context.Background()); err != nil || len(out.mails) > 0 {
		t.Errorf("%v; mails to %q", err, out.recipients())
	}
	mustRun(t, s, 0, "1 sent another way")
	expectNothing(t, s, irc)
}

// A preview has what is for IRC.
func TestPreviewIRC(t *testing.T) {
	s, _, irc := newIRC(t, channel)
	put(t, s, "a", "x@elsewhere.example", "MFC after: 1 day")
	mustRun(t, s, 0, "1 queued")
	for _, want := range []string{"send x@elsewhere.example 000000000000 to irc://irc.example.org/#src", "quarantine a"} {
		s.Queue.Now = now.AddDate(0, 0, 1)
		steps, err := s.Preview()
		if err != nil || len(steps) != 1 || steps[0].Action+" "+steps[0].What != want {
			t.Errorf("%+v, %v; want %s", steps, err, want)
		}
		if want != "quarantine a" {
			mustRun(t, s, 1, "1 sent")
			irc.reject("", "banned")
			if err := s.ReviewOutbox(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}
