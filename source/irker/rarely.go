package irker

import (
	"log/slog"
	"sync"
	"time"
)

// between is how far apart the lines are that a rarely logs.
const between = time.Second

// A rarely logs at most one line a second, and how many it did not.
type rarely struct {
	log *slog.Logger
	now func() time.Time

	mu     sync.Mutex
	msg    string // of the last line
	last   time.Time
	silent int // those that came since
}

// warn reports whether it has logged the line.
func (r *rarely) warn(msg string, args ...any) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if gone := now.Sub(r.last); gone >= 0 && gone < between {
		r.silent++
		return false
	}
	if r.silent > 0 {
		args = append(args, "not_logged", r.silent)
	}
	r.msg, r.last, r.silent = msg, now, 0
	r.log.Warn(msg, args...)
	return true
}

// rest logs how many lines were not logged since the last.
func (r *rarely) rest() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.silent > 0 {
		r.log.Warn(r.msg+", and the like", "not_logged", r.silent)
	}
	r.silent = 0
}
