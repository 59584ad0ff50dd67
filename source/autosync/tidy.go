package autosync

import (
	"context"
	"time"

	"vext/internal/backoff"
	"vext/source/autosync/repo"
)

// restPause is the time between two looks whether a tree rests, so that it can be tidied.
const restPause = time.Minute

// tidy has the repository tidied from time to time, when nothing else is to be done. It
// does not hold up the loop.
func (t *Tree) tidy(ctx context.Context) {
	tidier, ok := t.repo.(repo.Tidier)
	if !ok || t.o.DryRun != nil {
		return
	}
	pause := t.o.Rescan
	for backoff.Sleep(ctx, pause) == nil {
		if pause = restPause; !t.isAtRest() {
			continue
		}
		pause = t.o.Rescan
		if fault := t.guarded(func() {
			if err := tidier.Tidy(ctx); err != nil && ctx.Err() == nil {
				t.o.Log.Info("the repository was not tidied", "tree", t.Root(), "error", err)
			}
		}); fault != nil {
			return
		}
	}
}

// isAtRest reports whether nothing is to be committed or pushed, and nothing has failed.
func (t *Tree) isAtRest() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	state, _, _ := t.state()
	return state == Watching && len(t.pending.waiting) == 0 && t.remote.pushAt.IsZero()
}
