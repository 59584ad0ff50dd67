package irker

import (
	"context"
	"slices"
	"time"

	"vext/internal/backoff"
	"vext/internal/text"
	"vext/notify"
)

// retries is the backoff of messages that could not be stored.
var retries = backoff.Backoff{Min: 100 * time.Millisecond, Max: 30 * time.Second}

// putTimeout bounds a call of Put, so that the service can end.
const putTimeout = time.Minute

// deliver stores the messages of requests together, and then calls answer once. A
// client that wants an answer gets the error and repeats its request. Other requests
// are retried until they are stored or ctx has ended.
func (v *serving) deliver(ctx context.Context, requests []request, answer func()) {
	err := v.keep(ctx, requests)
	answer()
	held := slices.DeleteFunc(slices.Clone(requests), func(r request) bool { return r.ack })
	for failures := 1; ; failures++ {
		left := 0
		for i := range held {
			left += len(held[i].lines)
		}
		if left == 0 {
			return
		}
		if ctx.Err() != nil {
			v.Log.Error("irker: messages are lost, because they could not be stored", "lines", left, "err", err)
			return
		}
		v.warn(&v.system, "irker: cannot store messages; retrying", "lines", left, "err", err)
		backoff.Sleep(ctx, retries.After(failures))
		err = v.keep(ctx, held)
	}
}

// keep stores the messages of requests, together if possible, and removes them from
// the requests. err is why messages are left, which may be stored later.
func (v *serving) keep(ctx context.Context, requests []request) (err error) {
	var all []notify.Message
	for i := range requests {
		all = append(all, requests[i].lines...)
	}
	err = v.put(ctx, all)
	if !notify.IsPermanent(err) {
		for i := range requests {
			requests[i].kept(err)
		}
		return err
	}
	err = nil
	for i := range requests {
		if failed := v.keepEach(ctx, &requests[i]); failed != nil {
			err = failed
		}
	}
	return err
}

// kept records the result for all messages of the request.
func (r *request) kept(err error) {
	if len(r.lines) == 0 {
		return
	}
	if r.failed = err; err == nil {
		r.lines = nil
	}
}

// keepEach stores the messages of a request one by one, after a permanent error for one
// of them, such as for a target too many, which is skipped. failed is why messages are
// left.
func (v *serving) keepEach(ctx context.Context, r *request) (failed error) {
	var left []notify.Message
	var refused error
	kept := false
	for _, line := range r.lines {
		err := v.put(ctx, []notify.Message{line})
		switch {
		case err == nil:
			kept = true
		case notify.IsPermanent(err):
			v.warn(&v.system, "irker: skipping a target", "target", shown(line.Target), "err", err)
			r.refused = append(r.refused, text.Shorten(shown(line.Target), maxShown))
			refused = err
		default:
			left, failed = append(left, line), err
		}
	}
	r.lines, r.failed = left, failed
	if !kept && failed == nil {
		r.failed = refused
	}
	return failed
}

// put stores messages, also after ctx has ended.
func (v *serving) put(ctx context.Context, lines []notify.Message) error {
	if len(lines) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), putTimeout)
	defer cancel()
	return v.Outbox.Put(ctx, lines...)
}
