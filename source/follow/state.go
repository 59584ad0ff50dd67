package follow

import (
	"maps"
	"slices"
	"time"

	"vext/internal/vcs"
)

// A State is what is stored about one repository.
type State struct {
	Name      string              `json:"name"`
	Kind      vcs.Kind            `json:"vcs"`
	Where     string              `json:"where"`           // the URL, or the path of a hook's repository
	Clone     string              `json:"clone,omitempty"` // of a user, in which vext remote has looked last
	As        string              `json:"as,omitempty"`    // its name in commits, if different
	Options   *Options            `json:"options,omitempty"`
	Begun     bool                `json:"begun"`
	Positions map[string]string   `json:"positions"`          // up to which the commits of each branch are stored
	Base      []string            `json:"base,omitempty"`     // the tips at the first look
	Uncounted map[string]bool     `json:"uncounted,omitzero"` // branches whose requests are not stored, see below
	Told      map[string]string   `json:"told,omitempty"`     // their positions, as earlier versions kept them
	NotesAt   map[string]string   `json:"notes_at,omitempty"` // up to which the notes of a ref are stored; "" when it was not there
	Past      map[string][]string `json:"past,omitempty"`     // earlier positions
	Start     time.Time           `json:"start,omitzero"`     // when it was added; later commits count
	ID        string              `json:"id,omitempty"`       // of a Subversion repository
	LastTry   time.Time           `json:"last_try,omitzero"`
	LastOK    time.Time           `json:"last_ok,omitzero"`
	Failures  int                 `json:"failures,omitempty"` // since LastOK
	Failing   time.Time           `json:"failing_since,omitzero"`
	Next      time.Time           `json:"next_try,omitzero"` // the end of the backoff
	Error     string              `json:"error,omitempty"`
	Warnings  []string            `json:"warnings,omitempty"`
	Notes     []Note              `json:"notes,omitempty"` // the last few
	Gap       *Gap                `json:"gap,omitempty"`
	Vanished  []VanishedCommit    `json:"vanished,omitempty"` // not yet in the history
	HookRan   time.Time           `json:"brought,omitzero"`   // when the hook last ran
	Missed    []time.Time         `json:"missed,omitempty"`   // when runs found commits that the hook had missed, oldest first
	Arrivals  []time.Time         `json:"arrivals,omitempty"` // the last time of each day at which commits arrived, oldest first
}

// Options are the options of a repository with a hook.
type Options struct {
	Branches []string `json:"branches,omitempty"`
	Domain   string   `json:"domain,omitempty"`
	Command  []string `json:"command,omitempty"` // that the hook runs
	Made     bool     `json:"made,omitempty"`    // vext made the directory of the hooks
}

// A Note is a message about a repository that vext follow list shows later.
type Note struct {
	Time time.Time `json:"time"`
	Text string    `json:"text"`
}

// A Gap is a missing revision that may still arrive.
type Gap struct {
	Revision int       `json:"revision"`
	Since    time.Time `json:"since"`
}

// A VanishedCommit is a commit with a request that a forced update removed from its
// branch.
type VanishedCommit struct {
	Time      time.Time `json:"time"`
	Revision  string    `json:"revision"`
	Branch    string    `json:"branch"`
	Successor string    `json:"successor,omitempty"` // the revision after an amend or a rebase
}

// maxNotes bounds the notes that are kept.
const maxNotes = 20

// maxArrivals bounds the number of days that are kept.
const maxArrivals = 100

// arrived records that commits have arrived.
func (s *State) arrived(now time.Time) {
	now = now.UTC().Truncate(time.Second)
	isLater := func(t time.Time) bool { return !t.Before(now.Truncate(24 * time.Hour)) } // or the clock was wrong
	s.Arrivals = append(slices.DeleteFunc(s.Arrivals, isLater), now)
	s.Arrivals = s.Arrivals[max(0, len(s.Arrivals)-maxArrivals):]
}

// State.Positions has the position of each branch: the commits up to it are stored. While
// commits are announced, branches that do not count for reminders have a position, too.
// The requests of their commits are not stored, so State.Uncounted names these branches.
// Their commits may still count, on another branch, or when the configuration changes.
// Uncounted is nil until the positions before the first announcement are recorded.

// takeOver reads the positions of an earlier version, which kept those of uncounted
// branches in Told. It ignores what Told has of a branch that counts: that position is
// from the time before the branch counted.
func (s *State) takeOver(counts func(refname string) bool) {
	for refname, position := range s.Told {
		if _, known := s.Positions[refname]; !known || !counts(refname) {
			s.setUncounted(refname, position)
		}
	}
	s.Told = nil
}

// setUncounted sets the position of a branch that does not count.
func (s *State) setUncounted(refname, position string) {
	if s.Uncounted == nil {
		s.Uncounted = map[string]bool{}
	}
	if old, known := s.Positions[refname]; known && !s.Uncounted[refname] {
		s.Base = append(s.Base, old) // up to there its requests are stored
	}
	s.Positions[refname], s.Uncounted[refname] = position, true
}

// forget removes the position of a branch.
func (s *State) forget(refname string) {
	delete(s.Positions, refname)
	delete(s.Uncounted, refname)
}

// known returns the positions up to which all requests are stored, except that of one
// branch.
func (s *State) known(except string) []string {
	var known []string
	for refname, position := range s.Positions {
		if !s.Uncounted[refname] && (refname != except || except == "") {
			known = append(known, position)
		}
	}
	return append(known, s.Base...)
}

// isCounted reports whether the requests of a branch are stored up to its position.
func (s *State) isCounted(refname string) bool {
	_, known := s.Positions[refname]
	return known && !s.Uncounted[refname]
}

// maxPast bounds the earlier positions of a branch that are kept.
const maxPast = 20

// move sets the position of a branch. For Mercurial, from which commits can be
// stripped, it keeps the earlier positions, too.
func (p *pass) move(refname, position string) {
	s := p.state
	if !p.repository.wants(refname) {
		if s.Uncounted != nil && (s.Uncounted[refname] || len(s.Uncounted) < maxBase || p.isAnnounced(refname)) {
			s.setUncounted(refname, position)
		}
		return
	}
	if old := s.Positions[refname]; s.Kind == vcs.Hg && s.isCounted(refname) && old != position {
		if s.Past == nil {
			s.Past = map[string][]string{}
		}
		past := append(s.Past[refname], old)
		s.Past[refname] = past[max(0, len(past)-maxPast):]
	}
	if p.repository.Tracks != nil {
		s.keepSeen(refname, position)
	}
	delete(s.Uncounted, refname)
	s.Positions[refname] = position
}

// recordUncounted records, before the first announcement, the positions of the branches
// that do not count, and removes them when commits are no longer announced.
func (p *pass) recordUncounted(tips map[string]string) {
	s := p.state
	switch {
	case !p.announcing:
		maps.DeleteFunc(s.Positions, func(refname, _ string) bool { return s.Uncounted[refname] })
		s.Uncounted = nil
	case s.Uncounted == nil:
		s.Uncounted = map[string]bool{}
		for _, u := range updatesTo(tips) {
			if !p.repository.wants(u.Refname) {
				p.move(u.Refname, u.New)
			}
		}
	}
}

// missedPeriod is how long a miss of a hook counts.
const missedPeriod = 7 * 24 * time.Hour

// maxMissed bounds the misses that are kept.
const maxMissed = 20

// overtakeTime bounds how long after a run the hook may record commits that the run
// has already found, without this counting as a miss.
const overtakeTime = time.Minute

// missed records that a run found commits that the hook had missed.
func (s *State) missed(now time.Time) {
	s.Missed = append(s.RecentMisses(now), now)
	s.Missed = s.Missed[max(0, len(s.Missed)-maxMissed):]
}

// brought records that the hook has run. A run just before found the commits of
// the same push, so its miss does not count.
func (s *State) brought(now time.Time) {
	s.HookRan = now
	s.Missed = slices.DeleteFunc(s.RecentMisses(now), func(t time.Time) bool { return now.Sub(t) < overtakeTime })
}

// RecentMisses returns the times in the last week when a run found commits that the
// hook had missed, oldest first.
func (s *State) RecentMisses(now time.Time) []time.Time {
	return slices.DeleteFunc(slices.Clone(s.Missed), func(t time.Time) bool { return now.Sub(t).Abs() > missedPeriod })
}

// IsUnreliable reports whether the hook has missed the last push or, in the last
// week, several pushes. A hook that missed one push and has run since is reliable.
func (s *State) IsUnreliable(now time.Time) bool {
	missed := s.RecentMisses(now)
	return len(missed) > 1 || len(missed) == 1 && missed[0].After(s.HookRan)
}

// UnreliableHint is the advice for a hook that is unreliable.
const UnreliableHint = "the hook did not run, or the user who pushed may not write to the state directory; guide-git.md lists the rights that are needed"
