// Package reminder does what is to be done on the due date: compose the
// reminder, send it, record it. A run begins with the spool and ends with
// nothing due left behind.
package reminder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/emersion/go-message/mail"

	"vext/internal/history"
	"vext/internal/text"
	"vext/notify"
	"vext/queue"
	"vext/templates"
)

// A Service is what a run needs. It belongs to one goroutine.
type Service struct {
	Queue       *queue.Queue
	Mail        notify.Sender
	WithoutMail bool // nobody is to be written to, and that is as it should be
	Templates   *templates.Set
	From        *mail.Address
	Envelope    string                    // the envelope sender
	Operator    string                    // address, may be empty
	Vext        string                    // how a command begins that the reader of a mail is to type, for sh(1); "" for vext
	Host        string                    // the name of this machine
	OnHost      func(address string) bool // whether the commands work there for a recipient; nil for nobody
	Digest      bool
	Explain     bool   // committers are told that a trailer can't be understood
	MaxPerDay   int    // mails to one recipient a day that anybody can have caused; 0 for no limit
	Inflow      Inflow // may be nil
	Log         *slog.Logger
	Progress    func(what string) queue.Progress // may return nil

	// IRC takes the lines of the ways that have targets; nil where there is no
	// IRC. One that only can't be had now returns errors, and what is for it
	// waits.
	IRC notify.Outbox
	// Await, unless nil, is called once a run when lines wait, without the lock
	// of the state. It returns when the outcomes of those with the keys are
	// known, or after a while.
	Await func(ctx context.Context, keys []string)

	sentKeys map[string]bool // the commits that this run has reminded of
	today    *dayCount       // what went out today
	held     []history.Event // what is to wait for tomorrow, not yet recorded
	openKeys []string        // the lines that wait to be told
	missing  map[string]bool // the lines that the outbox should have and has not, by key
}

// A Summary counts what a run did.
type Summary struct {
	Queued, Ignored, Duplicates int
	Sent, Deferred, SetAside    int
	Unclear                     int // of those set aside: what the commit asks for is not understood
	Paused                      int // due, but tried lately
	Held                        int // their recipient has had the day's maximum
	HeldBefore                  int // the same, as an earlier run found
	Waiting                     int // due, and in the outbox for IRC alone
	Handed                      int // reminders of which lines were put there
	Told                        int // lines told that go beside a mail
	Explained                   int // trailers that can't be understood of which the committers were told
	ByMail                      int // not told on IRC, and to go by mail with the next run; of Settle alone
}

// Empty reports whether the run had nothing to do.
func (s Summary) Empty() bool {
	return s == Summary{Paused: s.Paused, HeldBefore: s.HeldBefore, Waiting: s.Waiting, ByMail: s.ByMail}
}

// lockWait is how long a run waits for another to end. After that it leaves
// the work to that one, and what comes later to the next.
const lockWait = 30 * time.Second

// MaxRun is how long a run may hold the lock. What it leaves is for the next,
// and whoever waits for the lock has a turn before.
const MaxRun = time.Hour

// errMaxRun is the reason for ending a run that took too long.
var errMaxRun = fmt.Errorf("the run took %s and leaves the rest to the next, so that others have a turn", MaxRun)

// Run schedules the spool and sends all that is due. Everything that can be
// done is done: an error is about the machine, or a mail server, and says what
// is left for the next run. The error is queue.ErrLocked when another run did
// not come to its end in time.
func (s *Service) Run(ctx context.Context) (Summary, error) {
	var sum Summary
	err := s.locked(ctx, func(ctx context.Context) error { return s.runAll(ctx, &sum) })
	if s.Await == nil || len(s.openKeys) == 0 || ctx.Err() != nil || isHistoryError(err) {
		return sum, err
	}
	s.Await(ctx, s.openKeys)
	again := s.locked(ctx, func(ctx context.Context) error { return s.runAgain(ctx, &sum) })
	if errors.Is(again, queue.ErrLocked) {
		again = nil // the other one settles, or the next
	}
	return sum, errors.Join(err, again)
}

// locked does a part of a run with the lock, cleans up, and notes when that
// was.
func (s *Service) locked(ctx context.Context, work func(context.Context) error) error {
	lock, err := queue.Acquire(ctx, s.Queue.State, lockWait)
	if err != nil {
		return err
	}
	defer lock.Release()
	if err := s.Queue.History.Verify(); err != nil {
		// What was sent already could be sent again.
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, MaxRun, errMaxRun)
	defer cancel()
	err = errors.Join(work(ctx), s.Queue.History.Release(), s.Queue.Spool.Sweep(s.Queue.Now), s.Queue.SweepDone())
	if s.Mail != nil {
		if err := s.Mail.Close(); err != nil {
			s.Log.Debug("the mail server did not say goodbye", "err", err)
		}
	}
	if isHistoryError(err) {
		return err
	}
	return errors.Join(err, lock.MarkRun(s.Queue.Now))
}

// runAll does all that is to be done, but for waiting for IRC.
func (s *Service) runAll(ctx context.Context, sum *Summary) error {
	caught := errors.Join(s.setStraysAside(sum), s.catchUp(ctx))
	err := s.schedule(sum)
	if isHistoryError(err) {
		// Without a history that can be written, nothing may be sent.
		return errors.Join(caught, err)
	}
	err = errors.Join(caught, err, s.markVanished(ctx))
	_, sendErr := s.settle(ctx, sum)
	if !isHistoryError(sendErr) {
		sendErr = errors.Join(sendErr, s.sendDue(ctx, sum, nil))
	}
	if !isHistoryError(sendErr) {
		sendErr = errors.Join(sendErr, s.tellOperator(ctx))
	}
	return errors.Join(err, sendErr)
}

// runAgain settles what was waited for, and sends by mail what IRC refused.
func (s *Service) runAgain(ctx context.Context, sum *Summary) error {
	failed, err := s.settle(ctx, sum)
	if len(failed) > 0 && !isHistoryError(err) {
		err = errors.Join(err, s.sendDue(ctx, sum, failed))
	}
	if !isHistoryError(err) {
		err = errors.Join(err, s.tellOperator(ctx))
	}
	return err
}

// isHistoryError reports whether err says that the history could not be read
// or written.
func isHistoryError(err error) bool { return errors.As(err, new(*history.Error)) }

// schedule gives the messages of the spool their days.
func (s *Service) schedule(sum *Summary) error {
	plan, planErr := s.Queue.Plan(s.progress("reading the spool"))
	done, err := s.Queue.Apply(plan)
	planErr = errors.Join(planErr, err)
	for i := range done {
		e := &done[i].Event
		switch e.Kind {
		case history.Queued:
			sum.Queued++
			s.Log.Info("queued", "name", e.Name, "due", e.Due, "for", e.Address)
		case history.Failed:
			sum.SetAside++
			if e.Cause == history.CausePeriod {
				sum.Unclear++
			}
			s.Log.Warn("set aside", "name", e.Name, "reason", text.JoinLines(e.Reason))
		case history.Ignored:
			sum.Ignored++
			s.Log.Info("ignored", "name", e.Name, "reason", text.JoinLines(e.Reason))
		default:
			sum.Duplicates++
			s.Log.Info("duplicate", "name", e.Name, "reason", text.JoinLines(e.Reason))
		}
	}
	return planErr
}

// setStraysAside quarantines stray files. It comes first, because a stray file in
// the place of a day, or of a year's file, would prevent messages from being moved
// and recorded.
func (s *Service) setStraysAside(sum *Summary) error {
	found, err := s.Queue.StrayFiles()
	moved, moveErr := s.Queue.QuarantineStrays(found)
	sum.SetAside += len(moved)
	for _, f := range moved {
		s.Log.Warn("set aside", "name", f.Name, "reason", text.JoinLines(f.Reason))
	}
	return errors.Join(err, moveErr)
}

func (s *Service) progress(what string) queue.Progress {
	if s.Progress == nil {
		return nil
	}
	return s.Progress(what)
}

// String returns the summary for a person: "2 queued, 1 sent".
func (s Summary) String() string {
	said := ""
	for _, part := range []struct {
		n    int
		what string
	}{
		{s.Queued, "queued"}, {s.Ignored, "ignored"}, {s.Duplicates, "known already"},
		{s.Sent, "sent"}, {s.Deferred, "to be tried again"}, {s.SetAside, "set aside"}, {s.Paused, "tried lately and not yet again"},
		{s.Explained, "explained"}, {s.Held + s.HeldBefore, "held for tomorrow"}, {s.Waiting, "waiting for IRC"}, {s.Told, "told on IRC as well"},
	} {
		if part.n > 0 {
			said += fmt.Sprintf(", %d %s", part.n, part.what)
		}
	}
	if said == "" {
		return "nothing to do"
	}
	return said[2:]
}
