package queue

import (
	"slices"
	"strings"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
	"vext/policy"
)

// Held is the kind of a decision that leaves a mail in the spool, until another source
// brings its commit or Policy.Hold has passed. It is never recorded.
const Held = "held"

// A plannedIndex finds the decision of a plan that queues a commit.
type plannedIndex struct{ commit.Index[*Decision] }

func (x *plannedIndex) add(d *Decision) { x.Add(d.Event.Key, d) }

// find returns the first decision about the commit with that key, nil for none.
func (x *plannedIndex) find(key string) (found *Decision) {
	x.Find(key, func(d *Decision) bool {
		found = d
		return false
	})
	return found
}

// findDuplicates changes the decisions about commits that came before to duplicates,
// and those about cherry-picks to ignored. A message is recognised by its name, and by
// its commit. Mails are considered last, because they are the fallback for every
// other source.
func (q *Queue) findDuplicates(plan []Decision, known *history.Index, waiting map[string]calendar.Day) {
	var queued []*Decision
	planned := &plannedIndex{}
	for i := range plan {
		d := &plan[i]
		if snoozed, err := calendar.Parse(known.Name(d.Name).Snoozed); err == nil && d.needsDay { // it was snoozed, and quarantined after that
			d.Day, d.Event.Kind, d.Event.Due, d.Event.Reason, d.Event.Cause = snoozed, history.Queued, snoozed.String(), "", ""
		}
		if d.Event.Kind == history.Queued {
			queued = append(queued, d)
			planned.add(d)
		}
	}
	slices.SortStableFunc(queued, func(a, b *Decision) int { return a.rank() - b.rank() })
	first := &plannedIndex{}
	for _, d := range queued {
		if d.isCopy(known, planned) {
			continue
		}
		d.avoidName(known.Name(d.Name))
		byName, byKey := known.Name(d.Name), &known.Commit(d.Event.Key).All
		if d.isTrusted() {
			byKey = &known.Commit(d.Event.Key).Trusted
		}
		day, isWaiting := waiting[d.Name]
		switch before := first.find(d.Event.Key); {
		case byName.Done || byKey.Done:
			d.duplicate("a reminder of it was sent or cancelled")
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
			first.add(d)
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

// rank orders trusted sources before forgeable ones, and mails last.
func (d *Decision) rank() int {
	switch {
	case d.cameByMail():
		return 2
	case !d.isTrusted():
		return 1
	}
	return 0
}

func (d *Decision) duplicate(reason string) {
	d.Event.Kind, d.Event.Due, d.Event.Reason = history.Duplicate, "", reason
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
func (d *Decision) isCopy(known *history.Index, planned *plannedIndex) bool {
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
