// Package backoff computes and waits for the pauses between the attempts to do
// something that fails.
package backoff

import (
	"context"
	"time"
)

// A Backoff is a pause that doubles with each failure, from Min to Max.
type Backoff struct{ Min, Max time.Duration }

// After returns the pause after n failures in a row: 0 after none, Min after one.
func (b Backoff) After(n int) time.Duration {
	if n <= 0 {
		return 0
	}
	pause := b.Min
	for ; n > 1 && pause < b.Max; n-- {
		pause *= 2
	}
	return min(pause, b.Max)
}

// Jitter returns a pause that is up to a quarter shorter or longer, so that clients
// do not retry at the same time. random returns a number in [0, 1).
func Jitter(pause time.Duration, random func() float64) time.Duration {
	return pause + time.Duration((random()-0.5)*float64(pause)/2)
}

// Sleep waits for a pause. When ctx ends before that, it returns the error of ctx.
func Sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
