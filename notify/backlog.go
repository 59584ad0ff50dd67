package notify

import (
	"errors"
	"log/slog"
	"time"

	"vext/internal/target"
)

// ErrNotSent is the error of messages that have not been sent, or may not have arrived.
var ErrNotSent = errors.New("not confirmed")

// awayTime is the minimum age of a backlog, and of the last delivery before it, from
// which vext concludes that it was away.
const awayTime = 5 * time.Minute

// WasAway reports whether a recipient has a backlog from before this process started, and
// vext was away for more than a moment.
func WasAway(q Queue, url string, now time.Time) bool {
	b, err := q.Backlog(url)
	return err == nil && b.Count > 0 && now.Sub(b.Oldest) >= awayTime && now.Sub(b.Delivered) >= awayTime
}

// A Claimer claims the messages for one recipient. Before that it summarizes a backlog that
// is too long or too old.
type Claimer struct {
	Queue    Queue
	URL      string // of the recipient
	Target   *target.Target
	MaxCount int                 // a longer backlog of a recipient who was away is summarized; 0 for never
	MaxAge   time.Duration       // an older one of anybody is; 0 for never
	InFlight func(c *Claim) bool // this message, or one before it, was begun: none is summarized
	Log      *slog.Logger
}

// Next claims the first pending message behind a number, nil when there is none. isAway is
// whether the recipient may have been unavailable since the last claim.
func (cl *Claimer) Next(after uint64, now time.Time, isAway bool) (*Claim, error) {
	if isAway {
		b, err := cl.Queue.Backlog(cl.URL)
		if err == nil && cl.MaxCount > 0 && b.Count > cl.MaxCount {
			err = cl.summarize()
		}
		if err != nil {
			return nil, err
		}
	}
	c, err := cl.Queue.Next(cl.URL, after)
	if err != nil || c == nil || c.Reminder || cl.MaxAge == 0 || now.Sub(c.Accepted) <= cl.MaxAge {
		return c, err
	}
	b, err := cl.Queue.Backlog(cl.URL)
	if err != nil || b.Count < 2 || cl.InFlight(c) {
		return c, err
	}
	cl.Queue.Done(c, ErrNotSent)
	if err := cl.summarize(); err != nil {
		return nil, err
	}
	return cl.Queue.Next(cl.URL, after)
}

func (cl *Claimer) summarize() error {
	cl.Log.Info("a backlog is summarized", "target", cl.Target.String())
	return cl.Queue.Summarize(cl.URL)
}
