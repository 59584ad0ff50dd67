package reminder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vext/notify"
)

// When the file of what is pending can't be read, bounces are mailed all the same, and
// the next file can be read again.
func TestPendingUnreadable(t *testing.T) {
	for _, spoil := range []func(path string) error{
		func(path string) error { return os.Mkdir(path, 0o700) },
		func(path string) error { return os.WriteFile(path, nil, 0o600) },
		func(path string) error { return os.WriteFile(path, []byte(`["a", 1]`), 0o600) },
	} {
		s, out, irc := newIRC(t, channel)
		put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
		mustRun(t, s, 0, "1 queued, 1 sent")
		irc.reject("", "banned")
		os.Remove(pendingPath(s.Queue.State))
		if err := spoil(pendingPath(s.Queue.State)); err != nil {
			t.Fatal(err)
		}
		mustRun(t, s, 1, "1 sent another way")
		if _, err := os.Stat(pendingPath(s.Queue.State)); err == nil || out.recipients() != "jane@example.org" {
			t.Errorf("%v, mails to %s", err, out.recipients())
		}
	}
}

// halfDamaged is an outbox that takes messages, although nothing can be read.
type halfDamaged struct{ *fakeOutbox }

func (halfDamaged) Bounces(context.Context, time.Time) ([]notify.Bounce, error) { return nil, errAway }

// What was pending before the outbox could no longer be read is mailed as well.
func TestPendingBeforeDamage(t *testing.T) {
	s, out, irc := newIRC(t, channel)
	put(t, s, "a", "Ida <ida@example.org>", "MFC after: 0 days")
	put(t, s, "b", "Jane <jane@example.org>", "MFC after: 0 days")
	mustRun(t, s, 0, "2 queued, 2 sent")
	put(t, s, "c", "Tom <tom@example.org>", "MFC after: 0 days")
	s.Outbox = halfDamaged{irc}
	if _, err := s.Run(context.Background()); err == nil {
		t.Fatal("the outbox can be read")
	}
	irc.lines, s.Outbox = nil, irc
	mustRun(t, s, 0, "3 sent another way")
	if got := out.recipients(); got != "ida@example.org jane@example.org tom@example.org" {
		t.Errorf("mails to %s", got)
	}
}

// The outbox forgets what it has delivered: after a long pause that is not lost.
func TestPendingLongAgo(t *testing.T) {
	s, out, irc := newIRC(t, channel)
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	mustRun(t, s, 0, "1 queued, 1 sent")
	irc.deliver("")
	irc.lines = nil
	mustRun(t, s, 100, "nothing to do")
	if out.recipients() != "" {
		t.Errorf("mails to %s", out.recipients())
	}
}

// A run makes the directory that it writes new files in.
func TestPendingWithoutTmp(t *testing.T) {
	s, _, _ := newIRC(t, channel)
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	if err := os.RemoveAll(filepath.Join(s.Queue.State, "tmp")); err != nil {
		t.Fatal(err)
	}
	mustRun(t, s, 0, "1 queued, 1 sent")
}

// A reminder is not sent before it is noted as pending, however often that fails.
func TestPendingNotWritten(t *testing.T) {
	s, _, _ := newIRC(t, channel)
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	tmp := filepath.Join(s.Queue.State, "tmp")
	if err := errors.Join(os.RemoveAll(tmp), os.WriteFile(tmp, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := s.Run(context.Background()); err == nil {
			t.Error("no error")
		}
	}
	expectEvents(t, s, "a", "")
	if err := os.Remove(tmp); err != nil {
		t.Fatal(err)
	}
	mustRun(t, s, 0, "1 sent")
}

// counting counts the calls of Put.
type counting struct {
	picky
	calls *int
}

func (o counting) Put(ctx context.Context, all ...notify.Message) error {
	*o.calls++
	return o.picky.Put(ctx, all...)
}

// One reminder that the outbox rejects does not cost the others a transaction each.
func TestOutboxRejectsOneOfMany(t *testing.T) {
	s, _, irc := newIRC(t, channel)
	calls := 0
	s.Outbox = counting{picky{irc, "n77"}, &calls}
	for i := range 256 {
		put(t, s, fmt.Sprintf("n%d", i), "Jane <jane@example.org>", "MFC after: 0 days")
	}
	runAfter(t, s, 0, "256 queued, 256 sent")
	if calls > 30 {
		t.Errorf("%d calls", calls)
	}
}
