package queue

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
	"vext/policy"
	"vext/spool"
)

// Held is the kind of a decision that leaves a mail in the spool, until another source
// brings its commit or Policy.Hold has passed. It is never recorded.
const Held = "held"

// findDuplicates changes the decisions about commits that came before to duplicates,
// and those about cherry-picks to ignored. A message is recognised by its name, and by
// its commit. Mails are considered last, because they are the fallback for every
// other source.
func (q *Queue) findDuplicates(plan []Decision, known *history.Index, waiting map[string]calendar.Day) {
	var queued []*Decision
	planned := &commit.Index[*Decision]{}
	for i := range plan {
		d := &plan[i]
		if snoozed, err := calendar.Parse(known.Name(d.Name).Snoozed); err == nil && d.needsDay { // it was snoozed, and quarantined after that
			d.Day, d.Event.Kind, d.Event.Due, d.Event.Reason, d.Event.Cause = snoozed, history.Queued, snoozed.String(), "", ""
		}
		if d.Event.Kind == history.Queued {
			queued = append(queued, d)
			planned.Add(d.Event.Key, d)
		}
	}
	slices.SortStableFunc(queued, func(a, b *Decision) int {
		return cmp.Or(a.rank()-b.rank(), a.asked.Date.Compare(b.asked.Date))
	})
	first := &commit.Index[*Decision]{}
	for _, d := range queued {
		if d.isAsked() {
			q.decideAsked(d, lastQueued(first, d.Event.Key), known, waiting)
			first.Add(d.Event.Key, d)
			continue
		}
		if d.isCopy(known, planned) {
			continue
		}
		d.avoidName(known.Name(d.Name))
		byName, byKey := known.Name(d.Name), &known.Commit(d.Event.Key).All
		if d.isTrusted() {
			byKey = &known.Commit(d.Event.Key).Trusted
		}
		day, isWaiting := waiting[d.Name]
		var before *Decision
		first.Find(d.Event.Key, func(other *Decision) bool {
			before = other
			return false
		})
		switch {
		case byName.Done || byKey.Done:
			d.duplicate("a reminder of it was sent or cancelled, or it is merged")
		case isWaiting:
			d.duplicate("it is in the queue for " + day.Long())
		case byKey.Queued != nil && isIn(waiting, byKey.Queued.Name):
			d.duplicateOf(byKey.Queued, byKey.Branches)
		case before != nil:
			d.duplicateOf(&before.Event, nil)
		case d.isTrusted() && d.isClaimed(&known.Commit(d.Event.Key).Claimed, waiting):
		case d.young:
			d.Event.Kind, d.Event.Due, d.Event.Reason = Held, "", "it came by mail, and waits for another source"
		default:
			first.Add(d.Event.Key, d)
			if snoozed, err := calendar.Parse(byName.Snoozed); err == nil {
				d.Day, d.Event.Due = snoozed, byName.Snoozed // it was quarantined after that
			}
		}
	}
}

func isIn(waiting map[string]calendar.Day, name string) bool {
	_, ok := waiting[name]
	return ok
}

func (d *Decision) cameByMail() bool { return d.Event.Source == commit.FromMail }

// rank orders trusted sources before forgeable ones, and mails behind them. Last are
// requests that were made after their commits, see decideAsked.
func (d *Decision) rank() int {
	switch {
	case d.isAsked():
		return 3
	case d.cameByMail():
		return 2
	case !d.isTrusted():
		return 1
	}
	return 0
}

func (d *Decision) duplicate(reason string) {
	d.Event.Kind, d.Event.Due, d.Event.By, d.Event.Reason = history.Duplicate, "", "", reason
}

// lastQueued returns the last of the decisions about a commit that is still to be queued.
func lastQueued(all *commit.Index[*Decision], key string) (last *Decision) {
	all.Find(key, func(d *Decision) bool {
		if d.Event.Kind == history.Queued {
			last = d
		}
		return true
	})
	return last
}

// duplicateOf makes a duplicate of the decision, or history.OnBranch if the commit came
// on another branch, which its reminder names.
func (d *Decision) duplicateOf(before *history.Event, branches []string) {
	for _, known := range append(branches, before.Branch, "") {
		switch {
		case known != d.Event.Branch:
			continue
		case d.cameByMail() && before.Source != commit.FromMail && before.Source != "":
			d.duplicate("the mail was not needed: the same commit came by " + before.Source + " as " + before.Name)
		default:
			d.duplicate("the same commit came as " + before.Name)
		}
		return
	}
	d.duplicate("the same commit, on another branch, came as " + before.Name)
	d.Event.Kind = history.OnBranch
}

// developmentBranches are the branches on which a cherry-pick can arrive before its
// original.
var developmentBranches = append([]string{"develop", "devel", "development"}, policy.DefaultBranches...)

// isCopy ignores a cherry-pick, whose trailer was copied with the rest of the message,
// and reports whether it did. On a development branch, a cherry-pick counts if its
// original never came.
func (d *Decision) isCopy(known *history.Index, planned *commit.Index[*Decision]) bool {
	if len(d.copyOf) == 0 {
		return false
	}
	cameItself := slices.ContainsFunc(d.copyOf, func(key string) bool {
		s, isPlanned := &known.Commit(key).All, false
		if d.isTrusted() {
			s = known.Commit(key).Believed()
		}
		planned.Find(key, func(original *Decision) bool {
			isPlanned = original != d && len(original.copyOf) == 0 && (original.isTrusted() || !d.isTrusted())
			return !isPlanned
		})
		return s.Queued != nil || s.Done || isPlanned
	})
	onDevelopment := d.Event.Branch == "" || slices.Contains(developmentBranches, d.Event.Branch)
	if !cameItself && onDevelopment {
		return false
	}
	_, revision := commit.CutKey(d.copyOf[0])
	d.Event.Kind, d.Event.Due = history.Ignored, ""
	d.Event.Reason = "a cherry-pick of " + commit.ShortRevision(revision) + ", which has the trailer"
	return true
}

// originals returns the keys of the commits from which a commit was made, according to
// the lines that git cherry-pick -x and hg graft add to its message.
func originals(c *commit.Commit) []string {
	var keys []string
	for line := range strings.Lines(c.Message) {
		line = strings.TrimSpace(line)
		for _, before := range []string{"(cherry picked from commit ", "(grafted from "} {
			rest, ok := strings.CutPrefix(line, before)
			revision, closed := strings.CutSuffix(rest, ")")
			if ok && closed && len(revision) >= 7 && commit.IsHex(revision) {
				keys = append(keys, commit.MakeKey(c.Repository, revision))
			}
		}
	}
	return keys
}

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
		d.Event.Reason = fmt.Sprintf("the reminder that was cancelled as %s was for %s", claim.Ended.Name, requestOf(claim))
	case claim.Done && claim.Ended.Kind == history.Merged:
		if d.looksLike(claim) {
			d.duplicate("it is merged, as " + claim.Ended.Name + " says")
			return true
		}
		d.Event.Reason = fmt.Sprintf("the reminder that was not sent as %s, because the commit was merged, was for %s", claim.Ended.Name, requestOf(claim))
	case claim.Done:
		if d.wasReminded(claim) {
			d.duplicate("the same reminder was sent, as " + claim.Ended.Name)
			return true
		}
		d.Event.Reason = fmt.Sprintf("the reminder that was sent as %s, which anybody can have forged, was for %s", claim.Ended.Name, requestOf(claim))
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

func (r request) String() string {
	if r.due.IsZero() {
		return r.address
	}
	return r.address + " on " + r.due.Long()
}
