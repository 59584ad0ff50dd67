package watch

import (
	"errors"
	"fmt"
	"syscall"

	"vext/internal/watchable"
)

// isComplete returns whether everything is watched. It notes, and warns once, why not.
func (w *Watcher) isComplete() bool {
	w.mu.Lock()
	missing, unreliable := 0, 0
	for _, n := range w.polled(w.top, nil) {
		if n.wd == none {
			missing++
		} else {
			unreliable++
		}
	}
	need, watched, reason := w.count(w.top)+len(w.internal)+len(w.above), len(w.byWD), w.reason
	if missing == 0 {
		reason = w.unreliable
	}
	switch {
	case missing+unreliable == 0 || reason == nil:
		w.mode = "inotify"
	case watched == 0:
		w.mode = fmt.Sprintf("polling: %v", reason)
	default:
		w.mode = fmt.Sprintf("inotify and polling: %v", reason)
	}
	isComplete := missing+unreliable+len(w.unseen) == 0
	w.mu.Unlock()
	if !isComplete && reason != nil {
		w.warnPolling(reason, missing, watched, need)
	}
	return isComplete && !w.unsure
}

// warnPolling says why, and what to do.
func (w *Watcher) warnPolling(reason error, missing, watched, need int) {
	if !watchable.Supported {
		return // it cannot be changed
	}
	what := fmt.Sprintf("all directories are read every %s", w.o.Poll)
	if missing > 0 && watched > 0 {
		what = fmt.Sprintf("%d of %d directories are not watched, but read every %s", missing, missing+watched, w.o.Poll)
	}
	text := fmt.Sprintf("%s: %s: %v", w.root, what, reason)
	if hint := watchable.Hint(reason, need); hint != "" {
		text += "; " + hint
	}
	kind := "unreliable"
	var errno syscall.Errno
	if errors.As(reason, &errno) {
		kind = errno.Error()
	}
	w.warnOnce(kind, text)
}
