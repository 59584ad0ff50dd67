package xmpp

import (
	"time"

	"vext/notify"
)

// A longer backlog of a recipient who may have been unavailable is summarized, and an older
// one of anybody, as those on IRC are by default.
const (
	maxBacklog    = 50
	maxBacklogAge = time.Hour
)

// claim claims the next message.
func (r *recipient) claim() (*notify.Claim, error) {
	var isAway bool
	r.locked(func() { isAway, r.isAway = r.isAway, false })
	c := notify.Claimer{
		Queue: r.queue, URL: r.url, Target: &r.target, Log: r.Log,
		MaxCount: maxBacklog, MaxAge: maxBacklogAge,
		InFlight: func(c *notify.Claim) bool { return r.bodies.number == c.Number },
	}
	return c.Next(0, r.Now(), isAway)
}
