package remote

import (
	"time"

	"vext/internal/backoff"
)

// A pace is how often things are done. Tests are faster.
type pace struct {
	check   time.Duration // of the configuration's files and the clock
	connect backoff.Backoff
	upMax   time.Duration // between attempts while the remote was connected in the last upFor
	upFor   time.Duration
	steady  time.Duration // a connection that long ends a backoff
	busy    time.Duration // after "too many requests" or a failure inside the server
	fetch   backoff.Backoff
	lock    time.Duration // until a fetch that found a lock is retried
	turn    time.Duration // after which a fetch does not wait for another
	list    time.Duration // a listing may take
	idle    time.Duration // a fetch may print nothing
	poll    backoff.Backoff
}

// A jitter of a quarter is added: 11 s becomes at most 14 s, 4 min at most 5.
var defaultPace = pace{
	check:   3 * time.Second,
	connect: backoff.Backoff{Min: time.Second, Max: 4 * time.Minute},
	upMax:   11 * time.Second,
	upFor:   time.Hour,
	steady:  time.Minute,
	busy:    30 * time.Second,
	fetch:   backoff.Backoff{Min: time.Second, Max: 4 * time.Minute},
	lock:    time.Second,
	turn:    10 * time.Second,
	list:    2 * time.Minute,
	idle:    5 * time.Minute,
	poll:    backoff.Backoff{Min: 15 * time.Second, Max: 10 * time.Minute},
}

// A connectPause is the pause between attempts to connect to one remote.
type connectPause struct {
	pace
	failures int
	upAt     time.Time // when the remote was last connected; at first when its session began
}

// next returns the pause after a connection, or an attempt, that lasted that long.
// wasConnected says that there was a connection. A server that was up a short time ago is
// probably back soon, so the pauses stay short for an hour.
func (c *connectPause) next(wasConnected bool, lasted time.Duration, now time.Time, err error) time.Duration {
	if wasConnected {
		c.upAt = now
		if lasted >= c.steady {
			c.failures = 0
		}
	}
	c.failures++
	pause := c.connect.After(c.failures)
	if now.Sub(c.upAt) < c.upFor {
		pause = min(pause, c.upMax)
	}
	if isBusy(err) {
		pause = max(pause, c.busy)
	}
	return pause
}

// A retryTimer is the pause after a fetch or a push that has failed.
type retryTimer struct {
	timer    *time.Timer
	failures int
}

// C returns the channel on which the end of the pause is sent; nil while there is none.
func (r *retryTimer) C() <-chan time.Time {
	if r.timer == nil {
		return nil
	}
	return r.timer.C
}

func (r *retryTimer) stop() {
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
}

func (r *retryTimer) reset() {
	r.stop()
	r.failures = 0
}

func (r *retryTimer) again(b backoff.Backoff, random func() float64) {
	r.stop()
	r.failures++
	r.timer = time.NewTimer(backoff.Jitter(b.After(r.failures), random))
}

// A vainPace bounds the looks that find nothing to fetch, or fail: a remote may report
// changes without end. Looks that follow are not missed, but a little later.
type vainPace struct {
	looks <-chan struct{}  // nil while there is a rest
	rest  <-chan time.Time // its end is sent on it
	over  time.Time        // when the looks in vain are forgotten
}

const (
	vainPause = time.Second // for each look in vain. A poll may be as often
	vainBurst = 20          // that go without a pause
	vainMax   = 60          // that a look counts as after many failures
)

// looked counts a look. What fails again and again counts more and more: a retry has its
// own backoff.
func (v *vainPace) looked(now time.Time, isUseful bool, failures int) {
	if isUseful || v.over.Before(now) {
		v.over = now
	}
	if isUseful {
		return
	}
	v.over = v.over.Add(vainPause * time.Duration(min(1+failures, vainMax)))
	if pause := v.over.Sub(now) - vainBurst*vainPause; pause > 0 {
		v.looks, v.rest = nil, time.After(pause)
	}
}
