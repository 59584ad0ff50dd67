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
	tally    *tally
	index    *history.Index  // of what the run is about
	gone     []string        // the keys of the commits that forced updates have removed, and of their successors
	sentKeys map[string]bool // the commits of which this run has sent a reminder
	mails    map[string]int  // how many mails count today, by recipient
	held     []history.Event // of reminders held until tomorrow, not yet recorded
	openKeys []string        // of the messages pending in the outbox
	noted    []string        // those that pendingPath has
	found    map[queue.Entry]*Backport
	read     map[queue.Entry]*queue.Message // the messages that were read to find it
	merged   []queue.Entry                  // of history/done: merged after their reminder
	notices  []notice                       // to be sent
	followed bool                           // whether that was looked for
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
	r.findOut(ctx)
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
		// Without the lost records, a reminder could be sent for the second time.
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

// first does everything but wait for the outbox.
func (r *run) first(ctx context.Context) error {
	caught := r.quarantineStrays()
	if r.Sources != nil {
		caught = errors.Join(caught, r.Sources.CatchUp(ctx))
	}
	r.findGone(ctx)
	plan, err := r.readPlan()
	if !isHistoryError(err) {
		err = errors.Join(err, r.schedule(plan))
	}
	if isHistoryError(err) {
		// What can't be recorded must not be sent.
		return errors.Join(caught, err)
	}
	err = errors.Join(caught, err, r.markVanished(ctx))
	_, sendErr := r.reviewOutbox(ctx)
	if !isHistoryError(sendErr) {
		sendErr = errors.Join(sendErr, r.reconsider())
	}
	if !isHistoryError(sendErr) {
		sendErr = errors.Join(sendErr, r.sendDue(ctx, nil))
	}
	if !isStop(sendErr) {
		sendErr = errors.Join(sendErr, r.sendNotices(ctx))
	}
	if !isHistoryError(sendErr) {
		sendErr = errors.Join(sendErr, r.notifyOperator(ctx))
	}
	return errors.Join(err, sendErr)
}

// readPlan reads the spool, and then the history once, for everything that the run is about. A
// run that is about nothing reads only the events since the last run.
func (r *run) readPlan() (plan []queue.Decision, err error) {
	plan, err = r.Queue.ReadSpool(r.progress("reading the spool"))
	r.tally = r.loadTally()
	if err := r.tally.update(r.Queue.History); err != nil {
		return nil, err
	}
	about := r.pending()
	about.Add(queue.Subjects(plan))
	return plan, errors.Join(err, r.lookUp(about))
}

// pending returns an index of what is due, not understood or gone, to be filled.
func (r *run) pending() *history.Index {
	x := r.Queue.History.NewIndex()
	x.Add(nil, r.gone)
	due, _ := r.Queue.Entries(r.Queue.Today()) // the method due returns the error
	for _, e := range due {
		x.AddWithCommit(e.Name)
	}
	unclear, _ := r.unclear() // unexplained returns the error
	for _, item := range unclear {
		x.Add([]string{item.entry.Name}, []string{item.event.Key})
	}
	return x
}

// lookUp brings the index of the run up to date, and makes sure that it has some messages
// and commits. It reads the history anew only for what the index lacks: what came in
// between, or an entry that somebody put into the queue by hand.
func (r *run) lookUp(about *history.Index) error {
	switch {
	case r.index != nil && r.index.Covers(about):
	case about.IsEmpty():
		r.index = about
		return nil
	default:
		r.index = about
	}
	return r.index.Fill()
}

// compare decides about the spool by the history. After that the run needs the index
// only of what is pending.
func (r *run) compare(plan *[]queue.Decision) error {
	if len(*plan) == 0 {
		return nil
	}
	err := r.Queue.Compare(plan, r.index)
	x := r.pending()
	for i := range *plan {
		if d := &(*plan)[i]; d.IsUrgent(r.Queue.Today()) {
			x.Add(nil, []string{d.Event.Key})
			x.AddWithCommit(d.Name)
		}
	}
	r.index.Narrow(x)
	r.index = x
	return err
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
func (r *run) schedule(plan []queue.Decision) error {
	planErr := r.compare(&plan)
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

// findGone finds out about which commits markVanished will be asked.
func (r *run) findGone(ctx context.Context) {
	if r.Sources == nil {
		return
	}
	r.Sources.Vanished(ctx, func(events []history.Event) ([]history.Event, error) {
		r.gone = append(r.gone, queue.GoneKeys(events)...)
		return events, nil // and to be passed again; markVanished returns the errors
	})
}

// markVanished records which commits of pending reminders a forced update removed.
// The reminder of a commit that was amended or rebased becomes that of its successor.
func (r *run) markVanished(ctx context.Context) error {
	if r.Sources == nil {
		return nil
	}
	return r.Sources.Vanished(ctx, func(events []history.Event) ([]history.Event, error) {
		for i := range events {
			events[i].Key = r.Queue.History.CanonicalKey(events[i].Key)
		}
		about := r.Queue.History.NewIndex()
		about.Add(nil, queue.GoneKeys(events))
		if err := r.lookUp(about); err != nil {
			return events, err
		}
		left, err := r.Queue.Supersede(events, r.index)
		if err == nil {
			err = r.index.Fill()
		}
		if err != nil {
			return events, err
		}
		var waiting []history.Event
		for _, e := range events {
			c := r.index.Commit(e.Key)
			state := &c.All
			if c.Trusted.Queued != nil {
				state = &c.Trusted
			}
			if state.Queued == nil || state.Done || state.Vanished != nil {
				continue
			}
			queued := state.Queued
			e.Time, e.Name = history.Stamp(r.Queue.Now), queued.Name
			e.Address, e.Committer, e.Subject, e.Asked = queued.Address, queued.Committer, queued.Subject, queued.Asked
			waiting = append(waiting, e)
			r.Log.Warn("commit vanished", "name", e.Name, "branch", e.Branch)
		}
		return left, r.Queue.History.Append(waiting...)
	})
}

func (s *Service) progress(what string) queue.Progress {
	if s.Progress == nil {
		return nil
	}
	return s.Progress(what)
}
