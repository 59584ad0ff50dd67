package reminder

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"vext/notify"
	"vext/queue"
)

// runAfter runs the service hours later, when IRC can't be had.
func runAfter(t testing.TB, s *Service, hours int, want string) {
	t.Helper()
	s.Queue.Now = now.Add(time.Duration(hours) * time.Hour)
	sum, err := s.Run(context.Background())
	if !errors.Is(err, errAway) || sum.String() != want {
		t.Errorf("after %d hours: %s, %v; want %s", hours, sum, err, want)
	}
}

// When there is no outlet to be had at all, the mail goes after a day, once, and
// the history says why.
func TestOutletNeverThere(t *testing.T) {
	s, out, irc := newIRC(t, channel)
	s.IRC = notify.FailingOutbox{Err: errAway}
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	runAfter(t, s, 0, "1 queued, 1 waiting for IRC")
	runAfter(t, s, 22, "1 waiting for IRC")
	runAfter(t, s, 23, "1 sent")
	runAfter(t, s, 48, "nothing to do")
	s.IRC = irc
	mustRun(t, s, 3, "nothing to do")
	if len(out.mails) != 1 {
		t.Errorf("mails to %q", out.recipients())
	}
	const why = "it could not be taken back: the outlet is away"
	expectEvents(t, s, "a", "handed "+channel, "unsaid "+channel+" "+why, "sent test: IRC could not be had: "+channel+": "+why)
	expectNothing(t, s, irc)
}

// A line that waits in an outlet that went away is taken back when that comes
// back.
func TestOutletGoesAway(t *testing.T) {
	for _, test := range []struct {
		name    string
		goAway  func(*Service, *outlet)
		happens func(*outlet)
		want    string
	}{
		{"nothing can be asked", func(_ *Service, o *outlet) { o.err = errAway }, func(*outlet) {}, "1 sent"},
		{"nothing can be taken back", func(s *Service, o *outlet) { s.IRC = keeping{o} }, func(*outlet) {}, "1 sent"},
		{"a target refuses, and nothing can be taken back", func(s *Service, o *outlet) { s.IRC = keeping{o} }, func(o *outlet) { o.refuse("jane", "away") }, "1 sent"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, out, irc := newIRC(t, channel, "irc://irc.example.org/jane,isnick")
			put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
			mustRun(t, s, 0, "1 queued, 1 waiting for IRC")
			test.goAway(s, irc)
			test.happens(irc)
			runAfter(t, s, 24, test.want)
			irc.err, s.IRC = nil, irc
			mustRun(t, s, 2, "nothing to do")
			irc.tell("")
			if len(out.mails) != 1 || len(irc.said) > 0 {
				t.Errorf("mails to %q; told: %q", out.recipients(), irc.said)
			}
			expectNothing(t, s, irc)
		})
	}
}

// keeping is an outlet from which nothing can be taken back.
type keeping struct{ *outlet }

func (keeping) Withdraw(context.Context, ...string) ([]string, error) { return nil, errAway }

// A mail that a line goes beside is held up by a full outbox for a day.
func TestOutboxFullBesideMail(t *testing.T) {
	s, out, irc := newIRC(t, "mail", channel)
	s.IRC = full{irc}
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	runAfter(t, s, 0, "1 queued")
	runAfter(t, s, 12, "nothing to do")
	runAfter(t, s, 23, "1 sent")
	s.IRC = irc
	mustRun(t, s, 2, "nothing to do")
	if len(out.mails) != 1 {
		t.Errorf("mails to %q", out.recipients())
	}
	expectNothing(t, s, irc)
}

// full is an outlet that takes nothing.
type full struct{ *outlet }

func (full) Put(context.Context, ...notify.Message) error { return errAway }

// A run that is told to end does not take that for an outlet that is away.
func TestToldToEndWhileAsking(t *testing.T) {
	s, out, irc := newIRC(t, channel)
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	mustRun(t, s, 0, "1 queued, 1 waiting for IRC")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	irc.err = ctx.Err()
	s.Queue.Now = now.AddDate(0, 0, 2)
	if _, err := s.Run(ctx); err == nil {
		t.Error("no error")
	}
	expectEvents(t, s, "a", "handed "+channel)
	if len(out.mails) > 0 {
		t.Errorf("mails to %q", out.recipients())
	}
}

// While a run waits for IRC others may have the lock, and when one has it then,
// what became of the lines is left to it.
func TestAwaitWithoutLock(t *testing.T) {
	s, _, irc := newIRC(t, channel)
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	s.Await = func(ctx context.Context, _ []string) {
		lock, err := queue.Acquire(ctx, s.Queue.State, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer lock.Release()
		irc.tell("")
	}
	mustRun(t, s, 0, "1 queued, 1 sent")
	if got := events(t, s, "a"); !strings.Contains(got, "sent "+channel) {
		t.Errorf("history:\n%s", got)
	}
	expectNothing(t, s, irc)
}
