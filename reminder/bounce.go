package reminder

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"vext/internal/calendar"
	"vext/internal/history"
	"vext/internal/target"
	"vext/policy"
	"vext/queue"
)

// noTarget is the reason of a bounce when the routes no longer name its target. Then
// the reminder goes to the targets of its route now.
const noTarget = "no longer a target"

// A delivery is the message of one reminder for one target.
type delivery struct {
	key, name, due, via string
	day                 calendar.Day
	reason              string // why it bounced
}

// parseKey returns the delivery with a key of messageKey.
func parseKey(key string) (d delivery, ok bool) {
	rest, ok := strings.CutPrefix(key, keyPrefix)
	fields := strings.Fields(rest)
	if !ok || len(fields) < 3 {
		return d, false
	}
	day, err := calendar.Parse(fields[1])
	return delivery{key: key, name: fields[0], due: fields[1], via: fields[2], day: day}, err == nil
}

// ReviewOutbox brings the outbox and the history into agreement: it removes messages of
// reminders that were snoozed or cancelled, and puts reminders that have bounced back
// into the queue, from where the next Run mails them. It takes the lock as Run does.
func (s *Service) ReviewOutbox(ctx context.Context) error {
	lock, err := queue.Acquire(ctx, s.Queue.State, lockWait)
	if err != nil {
		return err
	}
	defer lock.Release()
	_, err = (&run{Service: s}).reviewOutbox(ctx)
	return err
}

// reviewOutbox is ReviewOutbox of a run. It returns the names of the reminders that have
// bounced. Each step can be interrupted and is repeated by the next call: the
// outbox keeps a bounce until everything about it is done.
func (r *run) reviewOutbox(ctx context.Context) (reopened []string, err error) {
	if r.Outbox == nil {
		return nil, nil
	}
	r.readPending()
	reopened, err = r.handleBounces(ctx)
	if err != nil {
		return reopened, err
	}
	unwanted, err := r.unwanted(ctx)
	if err != nil {
		return reopened, err
	}
	if err := r.notePending(r.openKeys); err != nil || len(unwanted) == 0 {
		return reopened, err
	}
	for reason, keys := range unwanted {
		if err := r.Outbox.Bounce(ctx, reason, keys...); err != nil {
			return reopened, err
		}
	}
	more, err := r.handleBounces(ctx)
	return append(reopened, more...), err
}

// handleBounces records the bounces of current reminders, and of those that the outbox has
// lost, and reopens these reminders. Then the outbox forgets all bounces of reminders.
func (r *run) handleBounces(ctx context.Context) (reopened []string, err error) {
	bounces, err := r.Outbox.Bounces(ctx, r.Queue.Now)
	if err != nil {
		return nil, err
	}
	lost, err := r.lost(ctx)
	if err != nil {
		return nil, err
	}
	var all []delivery
	var keys []string
	for _, b := range append(bounces, lost...) {
		if d, ok := parseKey(b.Key); ok {
			d.reason = b.Reason
			all, keys = append(all, d), append(keys, d.key)
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	states, err := r.statesOf(all)
	if err != nil {
		return nil, err
	}
	var events []history.Event
	for _, d := range all {
		state := states.Name(d.name)
		if !r.isCurrent(d, state) {
			continue
		}
		cause := ""
		if !byMail(state) && r.isKept(d) {
			reopened, cause = append(reopened, d.name), history.CauseFallback
		}
		// A bounce of this target that is recorded already can be an earlier one, after which
		// the reminder was sent again.
		if !state.HasBounced(d.due, d.via) || state.Done && !byMail(state) {
			events = append(events, r.bounced(d, state, cause))
		}
	}
	if err := r.Queue.History.Append(events...); err != nil {
		return nil, err
	}
	for i := range events {
		e := &events[i]
		r.Log.Warn("bounced", "name", e.Name, "target", e.Via, "reason", e.Reason)
	}
	var errs []error
	for _, d := range all {
		if _, waits := r.Queue.Entry(d.day, d.name); !waits && slices.Contains(reopened, d.name) {
			errs = append(errs, r.Queue.Reopen(d.name, d.day))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return reopened, err
	}
	return reopened, r.Outbox.Forget(ctx, keys...)
}

// bounced returns the event of a bounce.
func (r *run) bounced(d delivery, state *history.State, cause string) history.Event {
	e := *cmp.Or(state.Ended, state.Queued, &history.Event{Name: d.name})
	e.Time, e.Kind, e.Due, e.Via = history.Stamp(r.Queue.Now), history.Bounced, d.due, d.via
	e.Reason, e.Cause, e.By, e.Asked = d.reason, cause, "", ""
	return e
}

// byMail reports whether a reminder has gone by mail as well.
func byMail(state *history.State) bool {
	return state.Done && slices.ContainsFunc(strings.Split(state.Ended.Via, ", "), func(via string) bool { return !isTarget(via) })
}

func isTarget(via string) bool {
	return target.Protocol(via) != ""
}

// isKept reports whether there is a message that can be mailed.
func (r *run) isKept(d delivery) bool {
	if _, waits := r.Queue.Entry(d.day, d.name); waits || r.Queue.IsKept(d.name) {
		return true
	}
	r.Log.Error("a reminder has bounced, and can't be mailed because its message is no longer kept", "name", d.name, "target", d.via, "reason", d.reason)
	return false
}

// statesOf returns an index with the reminders of deliveries. The index also has what is
// due, so that the run reads the history only once.
func (r *run) statesOf(all []delivery) (*history.Index, error) {
	var names []string
	for _, d := range all {
		names = append(names, d.name)
	}
	about := r.pending()
	about.Add(names, nil)
	err := r.lookUp(about)
	return r.index, err
}

// isCurrent reports whether a message is the latest one of its reminder: the reminder was
// neither snoozed nor cancelled since, and did not go by mail instead.
func (r *run) isCurrent(d delivery, state *history.State) bool {
	if e := state.Ended; state.Done {
		return state.Sent && e.Due == d.due &&
			(slices.Contains(strings.Split(e.Via, ", "), d.via) ||
				e.Kind == history.Sent && !isInstead(e.Reason) && !state.HasBounced(d.due, d.via))
	}
	// Also one whose record could not be written, or was lost.
	return d.key == messageKey(state, d.name, d.due, d.via)
}

// unwanted returns the keys of pending messages that are not to be delivered any more, by
// the reason.
func (r *run) unwanted(ctx context.Context) (map[string][]string, error) {
	pending, err := r.Outbox.Pending(ctx)
	if err != nil {
		return nil, err
	}
	var all []delivery
	r.openKeys = nil
	for _, key := range pending {
		if d, ok := parseKey(key); ok {
			all = append(all, d)
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	states, err := r.statesOf(all)
	if err != nil {
		return nil, err
	}
	unwanted := map[string][]string{}
	for _, d := range all {
		if reason := r.unwantedReason(d, states.Name(d.name)); reason != "" {
			unwanted[reason] = append(unwanted[reason], d.key)
		} else {
			r.openKeys = append(r.openKeys, d.key)
		}
	}
	return unwanted, nil
}

func (r *run) unwantedReason(d delivery, state *history.State) string {
	if !r.isCurrent(d, state) {
		return "it was snoozed or cancelled"
	}
	route := r.routeOf(d, state)
	switch {
	case !route.Has(d.via):
		return noTarget
	case !state.Done && bounceReasons(state, d.due, &route) != "":
		return "a mail goes instead"
	case !state.Done && r.isLate(state.Handed):
		return "it could not be delivered in time"
	}
	return ""
}

// isLate reports whether a message that an earlier version enqueued instead of a mail has
// been pending for too long. It has no deadline.
func (r *run) isLate(handed *history.Event) bool {
	return handed != nil && handed.Reason != history.AlongsideMail && r.Queue.Now.Sub(handed.Time).Abs() >= patience
}

// routeOf returns the route that a reminder has now.
func (r *run) routeOf(d delivery, state *history.State) policy.Route {
	if entry, waits := r.Queue.Entry(d.day, d.name); waits {
		if m, err := r.Queue.Read(entry); err == nil {
			return r.Queue.Policy.RouteOf(&m.Commit)
		}
	}
	if e := cmp.Or(state.Ended, state.Queued); e != nil {
		return r.Queue.Policy.RouteOfEvent(e)
	}
	return policy.Route{}
}

// bounceReasons returns why messages for targets of a route have bounced, of the reminder
// that was due on a day; "" when none has.
func bounceReasons(state *history.State, due string, route *policy.Route) string {
	var reasons []string
	for _, e := range state.Bounces {
		if e.Due == due && e.Reason != noTarget && route.Has(e.Via) {
			reasons = append(reasons, e.Via+": "+e.Reason)
		}
	}
	return strings.Join(reasons, "; ")
}

// MessageKeys returns the keys in the outbox of the messages of a reminder, by
// target, as its events have them: those of the last time that it was sent.
func MessageKeys(events []history.Event) map[string]string {
	var state history.State
	keys := map[string]string{}
	for i := range events {
		e := &events[i]
		switch e.Kind {
		case history.Sent, history.Fallback:
			for _, via := range strings.Split(e.Via, ", ") {
				if isTarget(via) {
					keys[via] = messageKey(&state, e.Name, e.Due, via)
				}
			}
		case history.Snoozed:
			clear(keys)
		}
		state.Take(e)
		if e.Kind == history.Enqueued {
			keys[e.Via] = messageKey(&state, e.Name, e.Due, e.Via)
		}
	}
	return keys
}
