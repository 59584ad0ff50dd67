package follow

import (
	"slices"
	"time"
)

// missMemory is for how long it is remembered that a hook has missed something.
const missMemory = 7 * 24 * time.Hour

// mostMissed bounds what is remembered.
const mostMissed = 20

// overtaken is how long after a run a hook may come that was still at work.
const overtaken = time.Minute

// missed notes that a run has found what the hook had not brought.
func (s *State) missed(now time.Time) {
	s.Missed = append(s.RecentMisses(now), now)
	s.Missed = s.Missed[max(0, len(s.Missed)-mostMissed):]
}

// brought notes that the hook has done its work. A run just before has only
// overtaken it.
func (s *State) brought(now time.Time) {
	s.HookRan = now
	s.Missed = slices.DeleteFunc(s.RecentMisses(now), func(t time.Time) bool { return now.Sub(t) < overtaken })
}

// RecentMisses returns when, in the last week, runs have found what the hook had
// not brought, oldest first.
func (s *State) RecentMisses(now time.Time) []time.Time {
	return slices.DeleteFunc(slices.Clone(s.Missed), func(t time.Time) bool { return now.Sub(t).Abs() > missMemory })
}

// IsUnreliable reports whether the hook is not to be relied on: in the last week it
// has missed what was pushed last, or several pushes. One that was interrupted
// and has worked since is no trouble.
func (s *State) IsUnreliable(now time.Time) bool {
	missed := s.RecentMisses(now)
	return len(missed) > 1 || len(missed) == 1 && missed[0].After(s.HookRan)
}

// UnreliableHint says what to look at where a hook misses pushes.
const UnreliableHint = "the hook did not run, or whoever pushed may not write to the state directory; guide-git.md says which rights that takes"
