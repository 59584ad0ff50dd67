package reminder

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vext/internal/history"
	"vext/internal/text"
	"vext/queue"
)

// A run is one pass of the processor, and what it has found out.
type run struct {
	*Service
	sum      Summary
	index    *history.Index  // of what is due
	sentKeys map[string]bool // the commits of which this run has sent a reminder
	today    *dayCount       // the mails of today
	held     []history.Event // of reminders held until tomorrow, not yet recorded
	openKeys []string        // of the messages pending in the outbox
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
	r := &run{Service: s}
	err := s.locked(ctx, r.first)
	if s.Await == nil || len(r.openKeys) == 0 || ctx.Err() != nil || isHistoryError(err) {
		return r.sum, err
	}
	s.Await(ctx, r.openKeys)
	again := s.locked(ctx, r.again)
	if errors.Is(again, queue.ErrLocked) {
		again = nil // the other run, or the next, does the same
	}
	return r.sum, errors.Join(err, again)
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

// first does everything but wait for IRC.
func (r *run) first(ctx context.Context) error {
	caught := errors.Join(r.quarantineStrays(), r.catchUp(ctx))
	err := r.schedule()
	if isHistoryError(err) {
		// What can't be recorded must not be sent.
		return errors.Join(caught, err)
	}
	err = errors.Join(caught, err, r.markVanished(ctx))
	_, sendErr := r.reviewOutbox(ctx)
	if !isHistoryError(sendErr) {
		sendErr = errors.Join(sendErr, r.sendDue(ctx, nil))
	}
	if !isHistoryError(sendErr) {
		sendErr = errors.Join(sendErr, r.notifyOperator(ctx))
	}
	return errors.Join(err, sendErr)
}

// again mails the reminders that have bounced while the run waited.
func (r *run) again(ctx context.Context) error {
	bounced, err := r.reviewOutbox(ctx)
	if len(bounced) > 0 && !isHistoryError(err) {
		err = errors.Join(err, r.sendDue(ctx, bounced))
	}
	if !isHistoryError(err) {
		err = errors.Join(err, r.notifyOperator(ctx))
	}
	return err
}

// isHistoryError reports whether err says that the history could not be read
// or written.
func isHistoryError(err error) bool { return errors.As(err, new(*history.Error)) }

// schedule gives the messages of the spool their days.
func (r *run) schedule() error {
	plan, planErr := r.Queue.Plan(r.progress("reading the spool"))
	done, err := r.Queue.Apply(plan)
	planErr = errors.Join(planErr, err)
	for i := range done {
		e := &done[i].Event
		switch e.Kind {
		case history.Queued:
			r.sum.Queued++
			r.Log.Info("queued", "name", e.Name, "due", e.Due, "for", e.Address)
		case history.Failed:
			r.sum.Quarantined++
			if e.Cause == history.CausePeriod {
				r.sum.Unclear++
			}
			r.Log.Warn("quarantined", "name", e.Name, "reason", text.JoinLines(e.Reason))
		case history.Ignored:
			r.sum.Ignored++
			r.Log.Info("ignored", "name", e.Name, "reason", text.JoinLines(e.Reason))
		default:
			r.sum.Duplicates++
			r.Log.Info("duplicate", "name", e.Name, "reason", text.JoinLines(e.Reason))
		}
	}
	return planErr
}

// quarantineStrays quarantines stray files. It is the first step, because a stray
// file in the place of a day, or of a year's file, would prevent moves and records.
func (r *run) quarantineStrays() error {
	found, err := r.Queue.StrayFiles()
	moved, moveErr := r.Queue.QuarantineStrays(found)
	r.sum.Quarantined += len(moved)
	for _, f := range moved {
		r.Log.Warn("quarantined", "name", f.Name, "reason", text.JoinLines(f.Reason))
	}
	return errors.Join(err, moveErr)
}

func (s *Service) progress(what string) queue.Progress {
	if s.Progress == nil {
		return nil
	}
	return s.Progress(what)
}
