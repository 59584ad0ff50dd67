package reminder

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"vext/internal/commit"
	"vext/internal/history"
	"vext/notify"
)

// unconfirmedBackoffs are the times after which a mail is sent again that a server
// received without answering. After the last it counts as sent.
var unconfirmedBackoffs = [...]time.Duration{time.Hour, retries.Max}

// reason returns the Reason of the Sent event, "" for an ordinary one.
func (d *dueItem) reason() string {
	var reasons []string
	if d.instead != "" {
		reasons = append(reasons, d.instead)
	}
	if d.assumed {
		reasons = append(reasons, fmt.Sprintf("counts as sent: sent %d times without an answer", len(unconfirmedBackoffs)+1))
	}
	return strings.Join(reasons, "; ")
}

// notConfirmed handles items whose mail got no answer: they are sent again a few
// times, and then count as sent.
func (r *run) notConfirmed(items []*dueItem, cause error) error {
	now := history.Stamp(r.Queue.Now)
	var events []history.Event
	var assumed []*dueItem
	for _, item := range items {
		taken := item.byName.Deferrals().Taken
		if taken >= len(unconfirmedBackoffs) {
			item.assumed = true
			assumed = append(assumed, item)
			continue
		}
		r.sum.Deferred++
		events = append(events, history.Event{
			Time: now, Kind: history.Unconfirmed, Name: item.entry.Name, Key: item.event.Key, Source: item.event.Source, Cause: item.cause(),
			Address: r.Queue.Policy.Recipient(&item.message.Commit).Email, Via: r.Mail.String(),
			Reason: cleanCause(cause), Until: now.Add(unconfirmedBackoffs[taken]).Format(time.RFC3339),
		})
	}
	r.count(items)
	err := cause
	if notify.IsUnavailable(cause) {
		err = stopError{cause}
	}
	if len(events) > 0 {
		full, recordErr := r.record(events...)
		if recordErr = errors.Join(full, recordErr); recordErr != nil {
			err = errors.Join(stopError{recordErr}, err)
		}
	}
	if len(assumed) > 0 {
		err = errors.Join(r.sent(assumed), err)
	}
	return err
}

// cause returns the Cause of an event about a mail for the item: whether it is
// one that explains a trailer.
func (d *dueItem) cause() string {
	if d.why != nil {
		return history.CausePeriod
	}
	return ""
}

// isForgeable reports whether anybody can have written the message of an item.
func (d *dueItem) isForgeable() bool { return commit.Forgeable(d.event.Source) }
