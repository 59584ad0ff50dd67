package autosync

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"vext/internal/backoff"
	"vext/internal/hint"
	"vext/source/autosync/repo"
)

// A setback is why something cannot be done for now, and when it is retried. Its zero
// value is none.
type setback struct {
	state  State // "" for none
	reason string
	n      int // failures in a row
	until  time.Time
}

// retries are the pauses after failures.
var retries = map[State]backoff.Backoff{
	Busy:    {Min: time.Second, Max: 20 * time.Second}, // also woken by changes in the repository
	Offline: {Min: 30 * time.Second, Max: 10 * time.Minute},
	Failing: {Min: 5 * time.Second, Max: 10 * time.Minute},
}

// hooks is the pause after a hook that failed: at most 5 tries in 10 minutes.
var hooks = backoff.Backoff{Min: 40 * time.Second, Max: 30 * time.Minute}

// stateOf returns what an error of a repository makes of a tree.
func stateOf(err error) State {
	var (
		busy    *repo.BusyError
		stopped *repo.StoppedError
		offline *repo.OfflineError
		held    *heldError
	)
	switch {
	case errors.As(err, &busy):
		return Busy
	case errors.As(err, &stopped):
		return Stopped
	case errors.As(err, &offline):
		return Offline
	case errors.As(err, &held):
		return Held
	}
	return Failing
}

// add notes a failure. again is how long a tree is left alone that has stopped, or is held.
func (s *setback) add(err error, now time.Time, again time.Duration) {
	state := stateOf(err)
	if state != s.state {
		s.n = 0
	}
	s.n++
	s.state, s.reason = state, err.Error()
	if advice := hint.Of(err); advice != "" {
		s.reason += "; " + advice
	}
	pause := retries[state].After(s.n)
	var hook *repo.HookError
	switch {
	case state == Stopped, state == Held:
		pause = again
	case errors.As(err, &hook):
		pause = hooks.After(s.n)
	}
	s.until = now.Add(backoff.Jitter(pause, rand.Float64))
}

// clear ends a setback, and reports whether there was one.
func (s *setback) clear() bool {
	was := s.state != ""
	*s = setback{}
	return was
}

// wake has it retried at a time, in these states.
func (s *setback) wake(at time.Time, states ...State) {
	if slices.Contains(states, s.state) {
		s.until = earlier(s.until, at)
	}
}
