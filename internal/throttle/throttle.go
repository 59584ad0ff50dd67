// Package throttle bounds how often something is done for each of several names.
package throttle

import (
	"context"
	"time"
)

// Run calls do with what arrives, until ctx ends: at once, but for each name at most once
// in a pause. What arrives for a name meanwhile is merged, and do gets it after the pause.
// The names do not wait for each other.
func Run[E any](ctx context.Context, arrivals <-chan E, pause time.Duration, name func(E) string, merge func(before, more E) E, do func(E)) {
	waiting := map[string]*E{} // names in their pause, with what has arrived since; nil for nothing
	over := make(chan string)
	call := func(e E) {
		n := name(e)
		waiting[n] = nil
		do(e)
		time.AfterFunc(pause, func() {
			select {
			case over <- n:
			case <-ctx.Done():
			}
		})
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
		case n := <-over:
			e := waiting[n]
			delete(waiting, n)
			if e != nil {
				call(*e)
			}
		case <-ctx.Done():
			return
		}
	}
}
