package reminder

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"vext/internal/history"
	"vext/notify"
)

// ircPatience is how long a message may be pending before a mail goes instead, and for how
// long the outbox may fail. A daily run is never a minute too early for it.
var ircPatience = retries.Max

// ircFailed begins the reason of a mail that goes instead of messages to IRC.
const ircFailed = "IRC delivery failed: "

// enqueue puts the messages for IRC of what is due into the outbox, and returns the items
// that go by mail now. What goes to IRC alone is sent then: it is recorded and
// leaves the queue. After a crash before that it is put again under the same key,
// which the outbox ignores. The error is a stopError when nothing may be sent.
func (r *run) enqueue(ctx context.Context, items []*dueItem) (mails []*dueItem, err error) {
	var forIRC []*dueItem
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
			forIRC, messages = append(forIRC, item), append(messages, all...)
		}
		commits[key] = true
	}
	if len(forIRC) == 0 {
		return mails, nil
	}
	err = r.IRC.Put(ctx, messages...)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, stopError{interrupted(ctx)}
	case err != nil:
		late, deferErr := r.notEnqueued(forIRC, err)
		return append(mails, late...), deferErr
	}
	var sent []*dueItem
	for _, item := range forIRC {
		for _, t := range item.route.Targets {
			item.enqueued = append(item.enqueued, t.String())
		}
		if item.route.Mail {
			mails = append(mails, item)
			continue
		}
		sent = append(sent, item)
		r.sentKeys[item.event.Key] = item.event.Key != ""
	}
	for i := range messages {
		r.openKeys = append(r.openKeys, messages[i].Key)
	}
	slices.SortStableFunc(mails, func(a, b *dueItem) int { return a.entry.Day.Sub(b.entry.Day) })
	if len(sent) == 0 {
		return mails, nil
	}
	return mails, r.sent(sent)
}

// messages returns the messages for IRC of an item, and sets its route. It returns none
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
	item.message, item.route = m, route
	if why := bounceReasons(item.byName, item.entry.Day.String(), &route); why != "" {
		if !route.Mail {
			item.instead = ircFailed + why
		}
		return nil, nil
	}
	if r.IRC == nil {
		if !route.Mail {
			item.instead = ircFailed + "it is not configured"
		}
		return nil, nil
	}
	var messages []notify.Message
	for i := range route.Targets {
		if len(messages) == 0 {
			item.line, err = r.lineText(r.words(m, item.entry.Name, &item.commit.All, r.Queue.Today()))
			if err != nil {
				return nil, err
			}
		}
		one := notify.Message{
			Target: route.Targets[i].URL(), Text: item.line, Project: m.Repository, Reminder: true,
			Key: messageKey(item.byName, item.entry.Name, item.entry.Day.String(), route.Targets[i].String()),
		}
		if !route.Mail {
			one.Deadline = r.Queue.Now.Add(ircPatience)
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
		if !notify.IsPermanent(cause) && (d.Count == 0 || r.Queue.Now.Sub(d.First) < ircPatience) {
			rest = append(rest, item)
			continue
		}
		if !item.route.Mail {
			item.instead = ircFailed + cleanCause(cause)
		}
		mails = append(mails, item)
	}
	return mails, errors.Join(cause, r.deferUntil(rest, cause, ircPatience))
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
