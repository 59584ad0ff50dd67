// Package wake notices that a machine was suspended, or has come to a new network.
package wake

import (
	"net"
	"slices"
	"strings"
	"time"
)

// A Clock notices that the machine was suspended: the time of day has gone on, and the
// monotonic clock, by which timers go, has not.
type Clock struct {
	wall      func() time.Time
	monotonic func() time.Duration
	lag       time.Duration // of the monotonic clock
	began     bool
}

// NewClock takes a clock that has both times, such as time.Now.
func NewClock(now func() time.Time) *Clock {
	begun := now()
	return &Clock{
		wall:      func() time.Time { return now().Round(0) },
		monotonic: func() time.Duration { return now().Sub(begun) },
	}
}

// minSuspended is how far the clocks must differ. Setting a clock by less is no suspend.
const minSuspended = 20 * time.Second

// Jumped reports whether the machine was suspended since the last call.
func (c *Clock) Jumped() bool {
	lag := time.Duration(c.wall().UnixNano()) - c.monotonic()
	jump := lag - c.lag
	began := c.began
	c.lag, c.began = lag, true
	return began && jump > minSuspended
}

// Addresses returns the addresses with which this machine reaches others. A change of
// them says that the machine has come to a new network.
func Addresses() string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	var names []string
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.IsGlobalUnicast() {
			names = append(names, ip.String())
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}
