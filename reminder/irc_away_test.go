package reminder

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"vext/notify"
	"vext/outbox"
	"vext/queue"
)

// runAfter runs the service hours later, when the outbox is not available.
func runAfter(t testing.TB, s *Service, hours int, want string) {
	t.Helper()
	s.Queue.Now = now.Add(time.Duration(hours) * time.Hour)
	sum, err := s.Run(context.Background())
	if !errors.Is(err, errAway) || sum.String() != want {
		t.Errorf("after %d hours: %s, %v; want %s", hours, sum, err, want)
	}
}

// When the outbox fails, the mail goes after a day, once, and the history has the reason.
func TestOutboxNeverThere(t *testing.T) {
	s, out, irc := newIRC(t, channel)
	s.Outbox = outbox.Failing(errAway)
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	runAfter(t, s, 0, "1 queued, 1 to be retried")
	runAfter(t, s, 22, "1 to be retried")
	runAfter(t, s, 23, "1 sent")
	runAfter(t, s, 48, "nothing to do")
	s.Outbox = irc
	mustRun(t, s, 3, "nothing to do")
	if len(out.mails) != 1 {
		t.Errorf("mails to %q", out.recipients())
	}
	const why = "the outbox is away"
	expectEvents(t, s, "a", "deferred  "+why, "deferred  "+why, "sent test: IRC delivery failed: "+why)
	expectNothing(t, s, irc)
}

// What will never be taken goes by mail at once.
func TestOutboxRejects(t *testing.T) {
	s, out, irc := newIRC(t, channel)
	irc.err = &notify.PermanentError{Err: errAway}
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	runAfter(t, s, 0, "1 queued, 1 sent")
	if len(out.mails) != 1 {
		t.Errorf("mails to %q", out.recipients())
	}
}

// picky is an outbox that rejects one reminder.
type picky struct {
	*fakeOutbox
	name string
}

func (o picky) Put(ctx context.Context, all ...notify.Message) error {
	for _, m := range all {
		if strings.Contains(m.Key, " "+o.name+" ") {
			return &notify.PermanentError{Err: errAway}
		}
	}
	return o.fakeOutbox.Put(ctx, all...)
}

// A reminder that the outbox rejects goes by mail, and no other does.
func TestOutboxRejectsOne(t *testing.T) {
	s, out, irc := newIRC(t, channel)
	s.Outbox = picky{irc, "b"}
	for _, name := range []string{"a", "b", "c"} {
		put(t, s, name, name+" <"+name+"@example.org>", "MFC after: 0 days")
	}
	runAfter(t, s, 0, "3 queued, 3 sent")
	irc.deliver("")
	s.Queue.Now = now.AddDate(0, 0, 2)
	mustRun(t, s, 2, "nothing to do")
	if got := out.recipients(); got != "b@example.org" || len(irc.said) != 2 {
		t.Errorf("mails to %s, delivered %q", got, irc.said)
	}
	expectNothing(t, s, irc)
}

// A mail that messages go alongside is held up by a full outbox for a day.
func TestOutboxFullBesideMail(t *testing.T) {
	s, out, irc := newIRC(t, "mail", channel)
	s.Outbox = full{irc}
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	runAfter(t, s, 0, "1 queued, 1 to be retried")
	runAfter(t, s, 12, "1 to be retried")
	runAfter(t, s, 23, "1 sent")
	s.Outbox = irc
	mustRun(t, s, 2, "nothing to do")
	if len(out.mails) != 1 {
		t.Errorf("mails to %q", out.recipients())
	}
	expectNothing(t, s, irc)
}

// full is an outbox that takes nothing.
type full struct{ *fakeOutbox }

func (full) Put(context.Context, ...notify.Message) error { return errAway }

// A run that is interrupted does not take that for an outbox that fails.
func TestInterruptedWhilePutting(t *testing.T) {
	s, out, irc := newIRC(t, channel)
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 1 day")
	mustRun(t, s, 0, "1 queued")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	irc.err = ctx.Err()
	s.Queue.Now = now.AddDate(0, 0, 2)
	if _, err := s.Run(ctx); err == nil {
		t.Error("no error")
	}
	expectEvents(t, s, "a", "")
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
		irc.deliver("")
	}
	mustRun(t, s, 0, "1 queued, 1 sent")
	if got := events(t, s, "a"); !strings.Contains(got, "sent "+channel) {
		t.Errorf("history:\n%s", got)
	}
	expectNothing(t, s, irc)
}
