package wake

import (
	"testing"
	"time"
)

func TestClockWatch(t *testing.T) {
	wall, monotonic := time.Date(2026, 12, 4, 0, 0, 0, 0, time.UTC), time.Duration(0)
	c := &Clock{wall: func() time.Time { return wall }, monotonic: func() time.Duration { return monotonic }}
	for _, step := range []struct {
		wall, monotonic time.Duration
		jumped          bool
	}{
		{0, 0, false}, {3 * time.Second, 3 * time.Second, false}, {time.Hour, 3 * time.Second, true}, {3 * time.Second, 3 * time.Second, false},
		{-time.Hour, 3 * time.Second, false}, {5 * time.Second, 0, false}, {time.Hour, time.Hour, false},
	} {
		wall, monotonic = wall.Add(step.wall), monotonic+step.monotonic
		if got := c.Jumped(); got != step.jumped {
			t.Errorf("%+v: %v", step, got)
		}
	}
	if NewClock(time.Now).Jumped() {
		t.Error("jumped at first")
	}
}
