package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"vext/internal/backoff"
	"vext/internal/hint"
	"vext/internal/target"
	"vext/notify"
	"vext/outbox"
	"vext/queue"
)

// ErrEmpty is the error of a text without anything to send.
var ErrEmpty = errors.New("the text is empty")

// storeTime bounds how long storing messages may take if nobody waits for their
// delivery.
const storeTime = 10 * time.Second

// Notify sends lines to a target and waits until the server has confirmed
// them. With wait 0 it returns when they are stored.
func (s *Server) Notify(ctx context.Context, q *queue.Queue, to string, texts []string, wait time.Duration) error {
	job := &sendJob{to: to, wait: wait}
	if target.Protocol(to) == target.XMPP {
		texts = []string{strings.Join(texts, "\n")} // a message may have lines there
	}
	batch := rand.Text()
	for i, text := range texts {
		key := fmt.Sprintf("notify %s %d", batch, i)
		job.keys = append(job.keys, key)
		job.messages = append(job.messages, notify.Message{Target: to, Text: text, Key: key})
	}
	until := wait
	open := func(ctx context.Context) (Outbox, func() error, error) { return s.outbox(ctx, q.State) }
	if wait == 0 { // without a connection
		until = storeTime
		open = func(context.Context) (Outbox, func() error, error) { return s.LocalOutbox(q.State) }
	}
	bounded, cancel := context.WithTimeout(ctx, until)
	defer cancel()
	err := job.sendBy(ctx, bounded, open)
	for isGone(err) && backoff.Sleep(bounded, outboxStep) == nil {
		err = job.sendBy(ctx, bounded, open)
	}
	switch {
	case job.rejection != "":
		return job.rejected()
	case job.delivered || job.kept && wait == 0 || errors.Is(err, ErrEmpty):
		return err
	case ctx.Err() != nil:
		err = errors.New("interrupted")
	case job.lastError != "" && (err == nil || bounded.Err() != nil):
		err = errors.New(job.lastError)
	case err == nil:
		err = fmt.Errorf("the server has not confirmed it within %s", wait)
	case isLate(err):
		err = fmt.Errorf("the process that keeps the connections does not answer within %s", until)
	}
	return job.failed(err)
}

// isGone reports whether another process had the outbox and has ended or is about
// to, so that a retry makes sense.
func isGone(err error) bool { return errors.Is(err, outbox.ErrGone) || errors.Is(err, outbox.ErrInUse) }

// isLate reports whether an answer did not come in time.
func isLate(err error) bool {
	return errors.Is(err, outbox.ErrSilent) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// A sendJob is messages on their way to a target.
type sendJob struct {
	to       string
	wait     time.Duration
	messages []notify.Message
	keys     []string

	unsure bool // an outbox may have the messages
	kept   bool // an outbox has the messages
	progress
}

// sendBy opens an outbox and sends with the context bounded. The outbox is not opened
// once bounded has ended; when it is open it lives as long as ctx.
func (j *sendJob) sendBy(ctx, bounded context.Context, open func(context.Context) (Outbox, func() error, error)) error {
	life, end := context.WithCancel(ctx)
	defer end()
	stop := context.AfterFunc(bounded, end)
	o, done, err := open(life)
	stop()
	if err != nil {
		return err
	}
	err = j.send(bounded, o)
	return errors.Join(err, done())
}

// send enqueues the messages and waits for their delivery. It may be called again
// with another outbox: an outbox skips messages whose keys it knows.
func (j *sendJob) send(ctx context.Context, o notify.Outbox) error {
	if err := o.Put(ctx, j.messages...); err != nil {
		j.unsure = j.unsure || isGone(err) || isLate(err)
		return err
	}
	j.kept = true
	known, err := o.Outcomes(ctx, j.keys...)
	if err != nil {
		return err
	}
	if len(known) == 0 { // only colour codes
		j.kept = false
		return ErrEmpty
	}
	if j.wait > 0 {
		if j.progress, err = await(ctx, o, j.wait, j.keys); err != nil {
			return err
		}
		left, err := o.Outcomes(ctx, j.keys...)
		if err == nil && len(left) < len(known) {
			j.delivered, j.kept = false, false
			return errors.New("it was dropped, by vext " + target.Protocol(j.to) + " drop")
		}
	}
	// No retry needs the keys any more. A key that stays does no harm.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetTime)
	defer cancel()
	_ = o.Forget(ctx, j.keys...)
	return nil
}

// forgetTime bounds how long an outbox may take to forget keys.
const forgetTime = time.Second

// rejected returns an error with what the server has rejected permanently, and
// whether the rest is kept.
func (j *sendJob) rejected() error {
	advice := "it is not kept; change the text, or send it to another target"
	if j.pending > 0 {
		advice = "it is not kept; the other lines are kept, and vext serve or the next vext notify delivers them"
	}
	return hint.Wrap(fmt.Errorf("rejected by %s: %s", WithoutSecrets(j.to), j.rejection), advice)
}

// failed returns an error that says whether the messages are kept.
func (j *sendJob) failed(err error) error {
	text, advice := "not delivered yet to %s: %w", "it is kept, and delivered by vext serve or with the next vext notify; see "+j.status()
	switch {
	case j.kept:
	case j.unsure:
		advice = "it may be kept, and delivered later; see " + j.status()
	default:
		text, advice = "not delivered to %s, and not kept: %w", "send it again once that is fixed"
	}
	return hint.Wrap(fmt.Errorf(text, WithoutSecrets(j.to), err), advice)
}

// status returns the command that shows the target.
func (j *sendJob) status() string { return "vext " + target.Protocol(j.to) + " status" }

// polling is the pause between two looks at outcomes.
var polling = backoff.Backoff{Min: 20 * time.Millisecond, Max: 500 * time.Millisecond}

// progress is what became of messages so far.
type progress struct {
	delivered bool   // all of them
	pending   int    // neither delivered nor rejected
	rejection string // why one was rejected, "" if none was
	lastError string // why one is not delivered yet
}

// await waits until all messages with these keys are delivered or rejected, at most
// for a time, and returns their progress.
func await(ctx context.Context, o notify.Outbox, wait time.Duration, keys []string) (p progress, err error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for n := 1; ; n++ {
		outcomes, err := o.Outcomes(ctx, keys...)
		if err != nil && ctx.Err() == nil {
			return p, err
		}
		if err == nil {
			if p = progressOf(outcomes, keys); p.pending == 0 {
				return p, nil
			}
		}
		if backoff.Sleep(ctx, polling.After(n)) != nil {
			return p, nil
		}
	}
}

func progressOf(outcomes map[string]notify.Outcome, keys []string) (p progress) {
	for _, key := range keys {
		one, known := outcomes[key]
		switch {
		case !known || !one.Delivered.IsZero():
		case one.Rejected != "":
			p.rejection = one.Rejected
		default:
			p.pending++
			p.lastError = cmp.Or(one.LastError, p.lastError)
		}
	}
	p.delivered = p.pending == 0 && p.rejection == ""
	return p
}
