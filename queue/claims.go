package queue

import (
	"fmt"
	"strings"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
	"vext/spool"
)

// A claim is what the history has about a commit from a mail, or from a hook's JSON on
// standard input. Anybody can forge it, even before the commit is pushed, because a
// pull request shows its hash. So when the commit comes from a trusted source, a claim
// makes it a duplicate only if its recipient and request were the same. Usually they
// are: the mail is genuine, and comes first.

// isTrusted reports whether the message is from a source that nobody can forge.
func (d *Decision) isTrusted() bool { return !commit.Forgeable(d.Event.Source) }

// avoidName gives the message another name when the history has a claim with its name,
// because the state of the claim is not that of the message.
func (d *Decision) avoidName(byName *history.State) {
	isClaim := func(e *history.Event) bool { return e != nil && commit.Forgeable(e.Source) }
	if d.isTrusted() && (isClaim(byName.Queued) || isClaim(byName.Ended)) {
		d.file = d.Name
		d.Name = d.otherName()
		d.Event.Name = d.Name
	}
}

func (d *Decision) otherName() string {
	return spool.DigestName([]byte(d.Event.Source + " " + d.Name))
}

// isClaimed decides about a commit by the claims about it, and reports whether it did.
// A claim that differs is replaced while it is in the queue. When its reminder was
// sent or cancelled, the event records what it was for.
func (d *Decision) isClaimed(claim *history.State, waiting map[string]calendar.Day) bool {
	switch {
	case claim.Done && claim.Ended.Kind == history.Cancelled:
		if d.looksLike(claim) {
			d.duplicate("it was cancelled by " + claim.Ended.By)
			return true
		}
		d.Event.Reason = fmt.Sprintf("what was cancelled as %s was for %s", claim.Ended.Name, requestOf(claim))
	case claim.Done:
		if d.wasReminded(claim) {
			d.duplicate("the same reminder was sent, as " + claim.Ended.Name)
			return true
		}
		d.Event.Reason = fmt.Sprintf("what was sent as %s, which anybody can have forged, was for %s", claim.Ended.Name, requestOf(claim))
	case claim.Queued == nil || !isIn(waiting, claim.Queued.Name):
	case claim.Snoozed != "" && d.looksLike(claim), claim.Snoozed == "" && d.isSameAs(claim):
		d.duplicateOf(claim.Queued, claim.Branches)
		return true
	default:
		d.replaces = &Entry{Name: claim.Queued.Name, Day: waiting[claim.Queued.Name]}
	}
	return false
}

// A request is whom a claim would remind, and when.
type request struct {
	address, asked string
	due            calendar.Day // zero when not known
}

func requestOf(claim *history.State) request {
	e := claim.Queued
	if e == nil || claim.Sent {
		e = claim.Ended
	}
	r := request{address: e.Address, asked: e.Asked}
	r.due, _ = calendar.Parse(e.Due)
	return r
}

func (d *Decision) isTo(r request) bool { return strings.EqualFold(d.Event.Address, r.address) }

// isOnDay reports whether a request was for the decision's day. The date of a mail can
// differ from that of its commit by a day.
func (d *Decision) isOnDay(r request) bool {
	days := d.Day.Sub(r.due)
	return !r.due.IsZero() && -1 <= days && days <= 1
}

// isSameAs reports whether a claim had the request of the decision.
func (d *Decision) isSameAs(claim *history.State) bool {
	r := requestOf(claim)
	return d.isTo(r) && r.asked == d.Event.Asked && d.isOnDay(r)
}

// looksLike reports whether the snooze or cancellation of a claim counts for this
// commit: the claim had the same recipient, and the same period or day.
func (d *Decision) looksLike(claim *history.State) bool {
	r := requestOf(claim)
	return d.isTo(r) && (r.asked == d.Event.Asked || d.isOnDay(r))
}

// wasReminded reports whether a claim reminded the recipient of this commit on its day
// or later.
func (d *Decision) wasReminded(claim *history.State) bool {
	r := requestOf(claim)
	return d.isTo(r) && !r.due.IsZero() && (!r.due.Before(d.Day) || d.isOnDay(r))
}

// String names the recipient and the day.
func (r request) String() string {
	if r.due.IsZero() {
		return r.address
	}
	return r.address + " on " + r.due.Long()
}
