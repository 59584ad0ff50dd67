package wake

import (
	"context"
	"time"
)

const (
	// lookEvery is the time between two looks where the system reports nothing.
	lookEvery = 15 * time.Second
	// lookSeldom is the same where it does.
	lookSeldom = 5 * time.Minute
	// calm is how long a network takes until it has its addresses.
	calm = time.Second
)

// Watch calls woke each time the machine was suspended, or has come to a new network, until
// ctx ends. Where the system reports that, the process is not woken in vain.
func Watch(ctx context.Context, now func() time.Time, woke func()) {
	every := lookEvery
	reports, stop, err := report()
	if err == nil {
		every = lookSeldom
		defer stop()
	}
	clock, network := NewClock(now), Addresses()
	clock.Jumped()
	timer := time.NewTimer(every)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-reports:
			timer.Reset(calm)
			continue
		case <-timer.C:
			timer.Reset(every)
		}
		addresses := Addresses()
		if clock.Jumped() || addresses != network {
			network = addresses
			woke()
		}
	}
}
