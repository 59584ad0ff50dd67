// Package throttle bounds how often something is done for each of several names.
package throttle

import (
	"context"
	"time"
)

// Run calls do with what arrives, until ctx ends: at once, but for each name at most once
// in a pause. What arrives for a name meanwhile is merged, and do gets it after the pause.
func Run[E any](ctx context.Context, arrivals <-chan E, pause time.Duration, name func(E) string, merge func(before, more E) E, do func(E)) {
	waiting := map[string]*E{} // names in their pause, with what has arrived since; nil for nothing
	var over <-chan time.Time
	call := func(e E) {
		waiting[name(e)] = nil
		do(e)
		if over == nil {
			over = time.After(pause)
		}
	}
	for {
		select {
		case e := <-arrivals:
			before, isPaused := waiting[name(e)]
			if !isPaused {
				call(e)
				continue
			}
			if before != nil {
				e = merge(*before, e)
			}
			waiting[name(e)] = &e
		case <-over:
			over = nil
			due := waiting
			waiting = map[string]*E{}
			for _, e := range due {
				if e != nil {
					call(*e)
				}
			}
		case <-ctx.Done():
			return
		}
	}
}
