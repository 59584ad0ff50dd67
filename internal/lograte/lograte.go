// Package lograte bounds the rate of similar log lines, which strangers can cause.
package lograte

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// interval is the minimum time between two lines.
const interval = time.Second

// A Limiter logs at most one line a second. The next line has the number of the lines
// that were not logged. The zero Limiter is ready for use, by many goroutines.
type Limiter struct {
	mu      sync.Mutex
	msg     string // of the last line
	last    time.Time
	skipped int // lines since then
}

// Log logs a line at the time now, and reports whether it did.
func (l *Limiter) Log(log *slog.Logger, now time.Time, level slog.Level, msg string, args ...any) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if since := now.Sub(l.last); since >= 0 && since < interval { // a clock that goes back silences nothing
		l.skipped++
		return false
	}
	if l.skipped > 0 {
		args = append(args, "not_logged", l.skipped)
	}
	l.msg, l.last, l.skipped = msg, now, 0
	log.Log(context.Background(), level, msg, args...)
	return true
}

// Flush logs how many lines were not logged, if any.
func (l *Limiter) Flush(log *slog.Logger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.skipped > 0 {
		log.Warn(l.msg+", and the like", "not_logged", l.skipped)
	}
	l.skipped = 0
}
