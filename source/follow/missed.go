package follow

import (
	"slices"
	"time"
)

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
