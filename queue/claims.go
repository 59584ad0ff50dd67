package queue

import (
	"fmt"
	"strings"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
	"vext/spool"
)

// A claim is what the history knows of a commit from a mail, or from a hook's JSON
// on standard input. Anybody can have written it, even before the commit was
// pushed, because a pull request shows its hash. So when the commit itself comes
// from a source that nobody can forge, a claim does not make it a duplicate unless
// the claim said the same. Usually it did: the mail is genuine, and comes first.

// isTrusted reports whether the decision is about a message that nobody can have
// forged.
func (d *Decision) isTrusted() bool { return !commit.Forgeable(d.Event.Source) }

// avoidName gives the message another name when a claim in the history has the
// same name: the state of the claim must not be taken for that of the message.
func (d *Decision) avoidName(byName *history.State) {
	isClaim := func(e *history.Event) bool { return e != nil && commit.Forgeable(e.Source) }
	if d.isTrusted() && (isClaim(byName.Queued) || isClaim(byName.Ended)) {
		d.file = d.Name
		d.Name = spool.DigestName([]byte(d.Event.Source + " " + d.Name))
		d.Event.Name = d.Name
	}
}

// isClaimed decides about a commit by the claims about it, and reports whether it
// did. A claim that said something else is replaced while it is in the queue. When
// it was sent or cancelled, the history says that it was for another reminder.
func (d *Decision) isClaimed(claim *history.State, waiting map[string]calendar.Day) bool {
	switch {
	case claim.Done && claim.Ended.Kind == history.Cancelled:
		if d.looksLike(claim) {
			d.duplicate("it was cancelled by " + claim.Ended.By)
			return true
		}
		d.Event.Reason = fmt.Sprintf("what was cancelled as %s was for %s", claim.Ended.Name, saidBy(claim))
	case claim.Done:
		if d.wasReminded(claim) {
			d.duplicate("the same reminder was sent, as " + claim.Ended.Name)
			return true
		}
		d.Event.Reason = fmt.Sprintf("what was sent as %s, and anybody can have written, was for %s", claim.Ended.Name, saidBy(claim))
	case claim.Queued == nil || !isIn(waiting, claim.Queued.Name):
	case claim.Snoozed != "" && d.looksLike(claim), claim.Snoozed == "" && d.isSameAs(claim):
		d.duplicateOf(claim.Queued, claim.Branches)
		return true
	default:
		d.replaces = &Entry{Name: claim.Queued.Name, Day: waiting[claim.Queued.Name]}
	}
	return false
}

// What a claim said.
type said struct {
	address, asked string
	due            calendar.Day // zero when that is not known
}

func saidBy(claim *history.State) said {
	e := claim.Queued
	if e == nil || claim.Ended != nil && claim.Ended.Kind == history.Sent {
		e = claim.Ended
	}
	s := said{address: e.Address, asked: e.Asked}
	s.due, _ = calendar.Parse(e.Due)
	return s
}

func (d *Decision) isTo(s said) bool { return strings.EqualFold(d.Event.Address, s.address) }

// isOnDay reports whether the claim was due on the decision's day. A mail may have
// no date but its own, which can be a day earlier or later.
func (d *Decision) isOnDay(s said) bool {
	days := d.Day.Sub(s.due)
	return !s.due.IsZero() && -1 <= days && days <= 1
}

// isSameAs reports whether a claim said exactly what the decision says.
func (d *Decision) isSameAs(claim *history.State) bool {
	s := saidBy(claim)
	return d.isTo(s) && s.asked == d.Event.Asked && d.isOnDay(s)
}

// looksLike reports whether a person who snoozed or cancelled a claim can have meant
// this commit. That is so when the claim was for the same recipient, and asked for
// the same or was due on the same day.
func (d *Decision) looksLike(claim *history.State) bool {
	s := saidBy(claim)
	return d.isTo(s) && (s.asked == d.Event.Asked || d.isOnDay(s))
}

// wasReminded reports whether a claim that was sent reminded the recipient of this
// commit, not before the day on which this commit is due.
func (d *Decision) wasReminded(claim *history.State) bool {
	s := saidBy(claim)
	return d.isTo(s) && !s.due.IsZero() && (!s.due.Before(d.Day) || d.isOnDay(s))
}

// String says for whom a claim was, and for which day.
func (s said) String() string {
	if s.due.IsZero() {
		return s.address
	}
	return s.address + " on " + s.due.Long()
}
