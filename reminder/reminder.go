// Package reminder processes the due date: it composes reminders, sends and records
// them. A run schedules the spool, and then sends what is due.
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
	WithoutMail bool // no mail is configured, on purpose
	Templates   *templates.Set
	From        *mail.Address
	Envelope    string                    // the envelope sender
	Operator    string                    // address, may be empty
	Vext        string                    // the beginning of the commands in mails, for sh(1); "" for vext
	Host        string                    // the name of this machine
	OnHost      func(address string) bool // whether the commands work there for a recipient; nil for nobody
	Digest      bool
	Explain     bool    // mail committers whose trailer is not understood
	MaxPerDay   int     // mails to one recipient a day for commits that can be forged; 0 for no limit
	Sources     Sources // may be nil
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
	Sent, Deferred, Quarantined int
	Unclear                     int // of the quarantined: the trailer is not understood
	InBackoff                   int // due, but failed before
	Held                        int // the recipient's daily maximum is reached
	HeldBefore                  int // the same, by an earlier run
	Waiting                     int // due, and in the outbox for IRC alone
	Enqueued                    int // reminders of which lines were put there
	DeliveredToo                int // lines told that go beside a mail
	Explained                   int // mails to committers whose trailer is not understood
	ByMail                      int // not told on IRC, and to go by mail with the next run; of Settle alone
}

// Empty reports whether the run had nothing to do.
func (s Summary) Empty() bool {
	return s == Summary{InBackoff: s.InBackoff, HeldBefore: s.HeldBefore, Waiting: s.Waiting, ByMail: s.ByMail}
}

// lockWait is how long a run waits for another to end, before it gives up.
const lockWait = 30 * time.Second

// MaxRun is how long a run may hold the lock. The next run continues, after other
// processes that wait for the lock.
const MaxRun = time.Hour

// errMaxRun is the reason for ending a run that took too long.
var errMaxRun = fmt.Errorf("the run took %s; the next run continues", MaxRun)

// Run schedules the spool and sends all that is due. After an error it goes on with
// whatever the error does not prevent; the rest is left for the next run. The error
// is queue.ErrLocked when another run did not end in time.
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

// locked does a part of a run under the lock, cleans up, and records the time of the
// run.
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
			s.Log.Debug("closing the connection to the mail server failed", "err", err)
		}
	}
	if isHistoryError(err) {
		return err
	}
	return errors.Join(err, lock.MarkRun(s.Queue.Now))
}

// runAll does all that is to be done, but for waiting for IRC.
func (s *Service) runAll(ctx context.Context, sum *Summary) error {
	caught := errors.Join(s.quarantineStrays(sum), s.catchUp(ctx))
	err := s.schedule(sum)
	if isHistoryError(err) {
		// What can't be recorded must not be sent.
		return errors.Join(caught, err)
	}
	err = errors.Join(caught, err, s.markVanished(ctx))
	_, sendErr := s.settle(ctx, sum)
	if !isHistoryError(sendErr) {
		sendErr = errors.Join(sendErr, s.sendDue(ctx, sum, nil))
	}
	if !isHistoryError(sendErr) {
		sendErr = errors.Join(sendErr, s.notifyOperator(ctx))
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
		err = errors.Join(err, s.notifyOperator(ctx))
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
			sum.Quarantined++
			if e.Cause == history.CausePeriod {
				sum.Unclear++
			}
			s.Log.Warn("quarantined", "name", e.Name, "reason", text.JoinLines(e.Reason))
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

// quarantineStrays quarantines stray files. It is the first step, because a stray
// file in the place of a day, or of a year's file, would prevent moves and records.
func (s *Service) quarantineStrays(sum *Summary) error {
	found, err := s.Queue.StrayFiles()
	moved, moveErr := s.Queue.QuarantineStrays(found)
	sum.Quarantined += len(moved)
	for _, f := range moved {
		s.Log.Warn("quarantined", "name", f.Name, "reason", text.JoinLines(f.Reason))
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
		{s.Sent, "sent"}, {s.Deferred, "to be retried"}, {s.Quarantined, "quarantined"}, {s.InBackoff, "in backoff"},
		{s.Explained, "explained"}, {s.Held + s.HeldBefore, "held for tomorrow"}, {s.Waiting, "waiting for IRC"}, {s.DeliveredToo, "told on IRC as well"},
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
