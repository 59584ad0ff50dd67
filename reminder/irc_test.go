package reminder

import (
	"context"
	"errors"
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
func expectNothing(t testing.TB, s *Service, irc *outlet) {
	t.Helper()
	if entries, err := s.Queue.Entries(calendar.Day{}); len(entries) > 0 || err != nil {
		t.Errorf("left in the queue: %v, %v", entries, err)
	}
	for _, l := range irc.lines {
		t.Errorf("left in the outbox: %+v", l)
	}
}

// A reminder by IRC alone waits in the queue until the server has confirmed it,
// and counts as sent, once.
func TestIRCAlone(t *testing.T) {
	s, out, irc := newIRC(t, channel, "ircs://:secret@irc.example.net/jane,isnick")
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 1 day")
	mustRun(t, s, 0, "1 queued")
	mustRun(t, s, 1, "1 waiting for IRC")
	irc.tell("#src")
	item := find(t, s, "a")
	if got := strings.Join(item.IRC, " "); got != channel+" ircs://irc.example.net/jane,isnick" {
		t.Errorf("listed: %q", got)
	}
	mustRun(t, s, 1, "1 waiting for IRC")
	irc.tell("jane")
	mustRun(t, s, 1, "1 sent")
	mustRun(t, s, 1, "nothing to do")
	if len(out.mails) > 0 || len(irc.said) != 2 {
		t.Errorf("mails to %q; told: %q", out.recipients(), irc.said)
	}
	expectEvents(t, s, "a", "handed "+channel, "handed ircs://irc.example.net/jane,isnick",
		"sent "+channel+", ircs://irc.example.net/jane,isnick")
	expectNothing(t, s, irc)
	stats, err := CountSent(s.Queue.History, ByCommitter, calendar.Day{}, calendar.Day{}, time.UTC)
	if err != nil || stats.Total != 1 || stats.Counts[0].Name != "jane" {
		t.Errorf("%+v, %v", stats, err)
	}
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 1 day")
	mustRun(t, s, 2, "1 known already")
}

// Beside a mail the line is nobody's business but its own: the mail goes, and
// what becomes of the line is noted when it is known.
func TestMailAndIRC(t *testing.T) {
	s, out, irc := newIRC(t, "mail", channel, "irc://irc.example.org/nobody,isnick")
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 1 day")
	mustRun(t, s, 0, "1 queued")
	mustRun(t, s, 1, "1 sent")
	irc.refuse("nobody", "no such nick")
	mustRun(t, s, 2, "nothing to do")
	mustRun(t, s, 9, "nothing to do")
	irc.tell("#src")
	mustRun(t, s, 9, "1 told on IRC as well")
	mustRun(t, s, 9, "nothing to do")
	if len(out.mails) != 1 || len(irc.said) != 1 {
		t.Errorf("mails to %q; told: %q", out.recipients(), irc.said)
	}
	expectEvents(t, s, "a", "handed "+channel+" beside the mail", "handed irc://irc.example.org/nobody,isnick beside the mail", "sent test:",
		"unsaid irc://irc.example.org/nobody,isnick no such nick", "said "+channel)
	expectNothing(t, s, irc)
}

// When IRC can't be had for a day, or refuses, the mail goes instead, and says
// in the history why.
func TestMailInstead(t *testing.T) {
	for _, test := range []struct {
		name   string
		happen func(*outlet)
		hours  int
		want   string
		events []string
	}{
		{"not for long enough", func(*outlet) {}, 22, "1 waiting for IRC", []string{"handed " + channel}},
		{"a day", func(*outlet) {}, 23, "1 sent", []string{
			"handed " + channel, "unsaid " + channel + " it could not be told for a day",
			"sent test: IRC could not be had: " + channel + ": it could not be told for a day"}},
		{"a day, and it is known why", func(o *outlet) { o.lines[0].LastError = "connection refused" }, 24, "1 sent", []string{
			"handed " + channel, "unsaid " + channel + " connection refused",
			"sent test: IRC could not be had: " + channel + ": connection refused"}},
		{"refused", func(o *outlet) { o.refuse("", "no such channel") }, 0, "1 sent", []string{
			"handed " + channel, "unsaid " + channel + " no such channel",
			"sent test: IRC could not be had: " + channel + ": no such channel"}},
		{"on the wire", func(o *outlet) { o.send() }, 200, "1 waiting for IRC", []string{"handed " + channel}},
		{"told at the last moment", func(o *outlet) { o.tell("") }, 200, "1 sent", []string{"handed " + channel, "sent " + channel}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, out, irc := newIRC(t, channel)
			put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
			mustRun(t, s, 0, "1 queued, 1 waiting for IRC")
			test.happen(irc)
			s.Queue.Now = now.Add(time.Duration(test.hours) * time.Hour)
			sum, err := s.Run(context.Background())
			if err != nil || sum.String() != test.want {
				t.Errorf("%s, %v; want %s", sum, err, test.want)
			}
			expectEvents(t, s, "a", test.events...)
			if test.want == "1 sent" {
				expectNothing(t, s, irc)
				if len(out.mails)+len(irc.said) != 1 {
					t.Errorf("mails to %q; told: %q", out.recipients(), irc.said)
				}
			}
		})
	}
}

// One target that is told does not make up for one that can't be: the mail
// goes, and the history has both. A line on the wire is waited for.
func TestMailInsteadOfOne(t *testing.T) {
	s, out, irc := newIRC(t, channel, "irc://irc.example.org/jane,isnick")
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	mustRun(t, s, 0, "1 queued, 1 waiting for IRC")
	irc.send()
	irc.refuse("jane", "no such nick")
	mustRun(t, s, 0, "1 waiting for IRC")
	irc.tell("#src")
	mustRun(t, s, 0, "1 sent")
	expectNothing(t, s, irc)
	if len(out.mails) != 1 {
		t.Errorf("mails to %q", out.recipients())
	}
	if got := events(t, s, "a"); !strings.Contains(got, "sent test:, "+channel+" IRC could not be had: irc://irc.example.org/jane,isnick: no such nick") {
		t.Errorf("history:\n%s", got)
	}
}

// Who may be written to is asked only when the mail goes instead. What is set
// aside then, and put back, tries IRC once more.
func TestIRCAndAllow(t *testing.T) {
	s, out, irc := newIRC(t, channel)
	put(t, s, "a", "x@elsewhere.example", "MFC after: 0 days")
	mustRun(t, s, 0, "1 queued, 1 waiting for IRC")
	irc.refuse("", "banned")
	mustRun(t, s, 0, "1 quarantined")
	failures, _ := s.Queue.Quarantined()
	if len(failures) != 1 || !strings.Contains(failures[0].Reason, "IRC could not be had: "+channel+": banned\nx@elsewhere.example may not be written to") {
		t.Errorf("%+v", failures)
	}
	expectNothing(t, s, irc)
	if err := s.Queue.Retry(find(t, s, "a"), "ops"); err != nil {
		t.Fatal(err)
	}
	mustRun(t, s, 0, "1 queued, 1 waiting for IRC")
	irc.tell("")
	mustRun(t, s, 0, "1 sent")
	if len(out.mails) > 0 || len(irc.said) != 1 {
		t.Errorf("mails to %q; told: %q", out.recipients(), irc.said)
	}
}

// What a person has put off or taken out is not told.
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
		irc.tell("")
		at(t, s, 7)
		irc.tell("")
		at(t, s, 7)
		expectNothing(t, s, irc)
		if len(irc.said) != 1 || !strings.Contains(irc.said[0], "subject of a") {
			t.Errorf("%v: told: %q", to, irc.said)
		}
		if got := events(t, s, "b"); !strings.Contains(got, "unsaid "+channel+" it was cancelled") {
			t.Errorf("%v: history:\n%s", to, got)
		}
	}
}

// A reminder that was told is told again when it was snoozed, even to the same
// day.
func TestSnoozeAfterTold(t *testing.T) {
	s, _, irc := newIRC(t, channel)
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	for i := range 3 {
		at(t, s, 0)
		irc.tell("")
		mustRun(t, s, 0, "1 sent")
		if len(irc.said) != i+1 {
			t.Fatalf("told: %q", irc.said)
		}
		if _, err := s.Queue.Snooze(find(t, s, "a"), mustPeriod(t, "2026-11-20"), "ops"); err != nil {
			t.Fatal(err)
		}
	}
}

// An outbox that can't be had now keeps what is for it, and nothing else.
func TestOutboxFails(t *testing.T) {
	s, out, irc := newIRC(t, channel)
	both := way(t, "mail", channel)
	both.Committers = []string{"jane@*"}
	s.Queue.Policy.Routes = append(s.Queue.Policy.Routes[:0:0], both, way(t, "mail"))
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	put(t, s, "b", "Ida <ida@example.org>", "MFC after: 0 days")
	irc.err = errors.New("no space left on device")
	sum, err := at(t, s, 0)
	if err == nil || out.recipients() != "ida@example.org" {
		t.Errorf("%s, %v; mails to %q", sum, err, out.recipients())
	}
	irc.err = nil
	mustRun(t, s, 2, "1 sent")
	irc.tell("")
	mustRun(t, s, 2, "1 told on IRC as well")
	expectNothing(t, s, irc)
}

// Without IRC the mail goes instead, also of what was handed over when there
// was one, and one error says so.
func TestNoIRC(t *testing.T) {
	s, out, irc := newIRC(t, channel)
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	mustRun(t, s, 0, "1 queued, 1 waiting for IRC")
	s.IRC = nil
	put(t, s, "b", "Ida <ida@example.org>", "MFC after: 0 days")
	put(t, s, "c", "Ida <ida@example.org>", "MFC after: 0 days")
	sum, err := at(t, s, 0)
	if sum.String() != "2 queued, 2 sent, 1 waiting for IRC" || err == nil || strings.Count(err.Error(), "\n") > 0 {
		t.Errorf("%s, %v", sum, err)
	}
	expectEvents(t, s, "b", "sent test: there is no IRC")
	mustRun(t, s, 1, "1 sent")
	// It comes back, and still has the line.
	s.IRC = irc
	mustRun(t, s, 1, "nothing to do")
	irc.tell("")
	if len(out.mails) != 3 || len(irc.said) > 0 {
		t.Errorf("mails to %q; told: %q", out.recipients(), irc.said)
	}
	expectNothing(t, s, irc)
}

// An outbox that was lost, or a crash before the line was in it, is made good.
func TestOutboxLost(t *testing.T) {
	s, _, irc := newIRC(t, channel)
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	mustRun(t, s, 0, "1 queued, 1 waiting for IRC")
	irc.lines = nil
	mustRun(t, s, 0, "1 waiting for IRC")
	irc.tell("")
	mustRun(t, s, 0, "1 sent")
	expectNothing(t, s, irc)
}

// A clock that was wrong neither lets a line wait for years nor fills the
// history.
func TestIRCAndClock(t *testing.T) {
	s, out, irc := newIRC(t, channel)
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	mustRun(t, s, 9000, "1 queued, 1 waiting for IRC")
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
	mustRun(t, s, 9000, "1 queued, 1 waiting for IRC")
	mustRun(t, s, 1, "1 sent")
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
	irc.tell("")
	mustRun(t, s, 1, "2 told on IRC as well")
	if len(out.mails) != 1 || len(irc.said) != 2 {
		t.Errorf("mails to %q; told: %q", out.recipients(), irc.said)
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
		irc.tell("")
	}
	mustRun(t, s, 0, "2 queued, 2 sent")
	mustRun(t, s, 0, "nothing to do")
	if awaited != 1 || len(out.mails) != 1 || len(irc.said) != 1 {
		t.Errorf("awaited %d times; mails to %q; told: %q", awaited, out.recipients(), irc.said)
	}
	expectNothing(t, s, irc)
}

// Settle records what became of the lines, and sends nothing.
func TestSettle(t *testing.T) {
	s, out, irc := newIRC(t, channel)
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	put(t, s, "b", "Jane <jane@example.org>", "MFC after: 0 days")
	mustRun(t, s, 0, "2 queued, 2 waiting for IRC")
	irc.lines[0].Rejected = "banned"
	irc.tell("")
	sum, err := s.Settle(context.Background())
	if err != nil || sum.String() != "1 sent" || len(out.mails) > 0 {
		t.Errorf("%s, %v; mails to %q", sum, err, out.recipients())
	}
	mustRun(t, s, 0, "1 sent")
	expectNothing(t, s, irc)
}

// A look ahead says what is for IRC, and what waits for it.
func TestPreviewIRC(t *testing.T) {
	s, _, _ := newIRC(t, channel)
	put(t, s, "a", "x@elsewhere.example", "MFC after: 1 day")
	mustRun(t, s, 0, "1 queued")
	for _, want := range []string{"send x@elsewhere.example 000000000000 to irc://irc.example.org/#src", "wait x@elsewhere.example 000000000000"} {
		s.Queue.Now = now.AddDate(0, 0, 1)
		steps, err := s.Preview()
		if err != nil || len(steps) != 1 || steps[0].Action+" "+steps[0].What != want {
			t.Errorf("%+v, %v; want %s", steps, err, want)
		}
		mustRun(t, s, 1, "1 waiting for IRC")
	}
}

// A reminder that waits for IRC is not overdue for a day.
func TestWithoutIRC(t *testing.T) {
	s, out, _ := newIRC(t, channel)
	out.fail = func(*notify.Mail) error { return &notify.UnavailableError{Err: errors.New("connection refused")} }
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	put(t, s, "b", "Jane <jane@example.org>", "MFC after: 1 month")
	mustRun(t, s, 0, "2 queued, 1 waiting for IRC")
	for hours, want := range map[int]int{0: 1, 23: 1, 24: 2} {
		lines := history.NewLines(now)
		_, err := s.Queue.History.Scan(lines.Take)
		entries, entriesErr := s.Queue.Entries(calendar.Day{})
		if err := errors.Join(err, entriesErr); err != nil {
			t.Fatal(err)
		}
		if got := WithoutIRC(entries, lines, now.Add(time.Duration(hours)*time.Hour)); len(got) != want {
			t.Errorf("after %d hours: %v, want %d", hours, got, want)
		}
	}
}
