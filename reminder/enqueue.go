package reminder

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"vext/internal/history"
	"vext/internal/target"
	"vext/notify"
	"vext/policy"
)

// patience is how long a message may be pending, or the outbox may fail, before a mail
// goes instead. It is less than a day, so that the next daily run never comes too early.
var patience = retries.Max

// These begin the reason of a mail that goes instead of messages to targets.
const (
	ircFailed  = "IRC delivery failed: "
	xmppFailed = "XMPP delivery failed: "
	bothFailed = "IRC and XMPP delivery failed: "
)

// failed returns the reason of a mail that goes instead of the messages of a route.
func failed(route *policy.Route, why string) string {
	isXMPP := func(t target.Target) bool { return t.Scheme == target.XMPP }
	switch {
	case !slices.ContainsFunc(route.Targets, isXMPP):
		return ircFailed + why
	case slices.IndexFunc(route.Targets, func(t target.Target) bool { return !isXMPP(t) }) < 0:
		return xmppFailed + why
	}
	return bothFailed + why
}

// isInstead reports whether the reason of a mail is that messages to targets failed.
func isInstead(reason string) bool {
	return slices.ContainsFunc([]string{ircFailed, xmppFailed, bothFailed}, func(begin string) bool { return strings.HasPrefix(reason, begin) })
}

// enqueue puts the messages of due items into the outbox, and returns the items that
// go by mail now. It records an item for targets alone as sent, and removes it from the queue.
// After a crash in between, the next run puts its messages again under the same keys, and
// the outbox ignores them. The error is a stopError when nothing may be sent.
func (r *run) enqueue(ctx context.Context, items []*dueItem) (mails []*dueItem, err error) {
	var forTargets []*dueItem
	var messages []notify.Message
	commits := map[string]bool{}
	for _, item := range items {
		all, err := r.messages(item)
		if err != nil {
			return nil, stopError{err} // one of the user's templates fails
		}
		key := item.event.Key
		switch {
		case len(all) == 0 || r.isInBackoff(item):
			mails = append(mails, item)
		case key != "" && commits[key]: // the next run finds that it was sent
		default:
			forTargets, messages = append(forTargets, item), append(messages, all...)
		}
		commits[key] = true
	}
	if len(forTargets) == 0 {
		return mails, nil
	}
	err = r.Outbox.Put(ctx, messages...)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, stopError{interrupted(ctx)}
	case notify.IsPermanent(err) && len(forTargets) > 1:
		return r.enqueueHalves(ctx, mails, forTargets)
	case err != nil:
		late, deferErr := r.notEnqueued(forTargets, err)
		return append(mails, late...), deferErr
	}
	var sent []*dueItem
	for _, item := range forTargets {
		item.enqueued = targetNames(item.route.Targets)
		if item.route.Mail {
			mails = append(mails, item)
			continue
		}
		sent = append(sent, item)
		r.sentKeys[item.event.Key] = item.event.Key != ""
	}
	noted := slices.Clone(r.noted) // more than openKeys when the outbox could not be read
	for i := range messages {
		r.openKeys, noted = append(r.openKeys, messages[i].Key), append(noted, messages[i].Key)
	}
	slices.SortStableFunc(mails, func(a, b *dueItem) int { return a.entry.Day.Sub(b.entry.Day) })
	if len(sent) == 0 {
		return mails, nil
	}
	if err := r.notePending(noted); err != nil {
		return mails, err // the next run puts them again
	}
	return mails, r.sent(sent)
}

// enqueueHalves enqueues each half alone, because the outbox rejects one of the items.
func (r *run) enqueueHalves(ctx context.Context, mails, items []*dueItem) ([]*dueItem, error) {
	var errs []error
	for half := range slices.Chunk(items, (len(items)+1)/2) {
		late, err := r.enqueue(ctx, half)
		mails, errs = append(mails, late...), append(errs, err)
		if isStop(err) {
			break
		}
	}
	slices.SortStableFunc(mails, func(a, b *dueItem) int { return a.entry.Day.Sub(b.entry.Day) })
	return mails, errors.Join(errs...)
}

// messages returns the messages of an item for its targets, and sets its route. It returns none
// for what goes by mail alone, or is not to be sent.
func (r *run) messages(item *dueItem) ([]notify.Message, error) {
	if len(r.Queue.Policy.Routes) == 0 || item.isDone() || item.isSnoozed() {
		return nil, nil
	}
	m, err := r.message(item)
	if err != nil {
		return nil, nil // prepare returns the error
	}
	route := r.Queue.Policy.RouteOf(&m.Commit)
	item.route = route
	due := item.entry.Day.String()
	why := bounceReasons(item.byName, due, &route)
	if why == "" && r.Outbox == nil {
		why = "it is not configured"
	}
	if why != "" && !route.Mail {
		item.reason = failed(&route, why)
	}
	if why != "" || len(route.Targets) == 0 {
		return nil, nil
	}
	line, err := r.lineText(r.wordsOf(item, m))
	if err != nil {
		return nil, err
	}
	var messages []notify.Message
	for i := range route.Targets {
		one := notify.Message{
			Target: route.Targets[i].URL(), Text: line, Project: m.Repository, Reminder: true,
			Key: messageKey(item.byName, item.entry.Name, due, route.Targets[i].String()),
		}
		if !route.Mail {
			one.Deadline = r.Queue.Now.Add(patience)
		}
		messages = append(messages, one)
	}
	return messages, nil
}

// notEnqueued handles items whose messages the outbox did not take. It defers them, and
// returns those that go by mail instead: all after a permanent error, else those for
// which the outbox has failed for too long.
func (r *run) notEnqueued(items []*dueItem, cause error) (mails []*dueItem, err error) {
	var rest []*dueItem
	for _, item := range items {
		d := item.byName.Deferrals()
		if !notify.IsPermanent(cause) && (d.Count == 0 || r.Queue.Now.Sub(d.First) < patience) {
			rest = append(rest, item)
			continue
		}
		if !item.route.Mail {
			item.reason = failed(&item.route, cleanCause(cause))
		}
		mails = append(mails, item)
	}
	return mails, errors.Join(cause, r.deferItems(rest, cause, patience))
}

// keyPrefix begins the keys of messages that are reminders.
const keyPrefix = "reminder "

// messageKey returns the key of the message of one reminder for one target: the same for
// each retry, another after a snooze. A password in the URL of the target is no part of
// it. Earlier versions did not distinguish snoozes.
func messageKey(state *history.State, name, due, via string) string {
	key := keyPrefix + name + " " + due + " " + via
	if state.PutOff != nil && state.Handed == nil {
		key += " " + state.PutOff.Time.UTC().Format(time.RFC3339)
	}
	return key
}

// via returns the transports by which an item was sent, as the history has them.
func (r *run) via(item *dueItem) string {
	all := item.enqueued
	if len(all) == 0 || item.route.Mail {
		all = append([]string{r.Mail.String()}, all...)
	}
	return strings.Join(all, ", ")
}
