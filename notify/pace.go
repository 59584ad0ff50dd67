package notify

import "time"

// A Pace is a token bucket: burst lines at once, then one every step.
type Pace struct {
	burst int
	Step  time.Duration // between two lines after the burst; 0 for no bound
	free  time.Time     // when the bucket is full again
}

// NewPace returns a pace of rate lines a second after the burst; 0 is no bound.
func NewPace(burst int, rate float64) *Pace {
	p := &Pace{burst: burst}
	if rate > 0 {
		p.Step = time.Duration(float64(time.Second) / rate)
	}
	return p
}

// Wait returns how long to wait before the next line, 0 for not at all.
func (p *Pace) Wait(now time.Time) time.Duration {
	if p.free.Before(now) { // also when it is zero
		return 0
	}
	// The bucket lacks a line for each step until free.
	return max(0, p.free.Sub(now)-time.Duration(p.burst-1)*p.Step)
}

// Spend counts a line that is sent now, whether it may be or not.
func (p *Pace) Spend(now time.Time) {
	if p.free.Before(now) {
		p.free = now
	}
	p.free = p.free.Add(p.Step)
}

// Slow halves the pace, after a server has reported a flood.
func (p *Pace) Slow() {
	p.Step = min(max(p.Step*2, 500*time.Millisecond), 10*time.Second)
	p.burst = max(1, p.burst/2)
}
