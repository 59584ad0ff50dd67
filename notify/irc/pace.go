package irc

import "time"

// A pace is a token bucket: burst lines at once, then one every step.
type pace struct {
	burst int
	step  time.Duration // 0 for no bound
	free  time.Time     // when the bucket is full again
}

func newPace(burst int, rate float64) *pace {
	p := &pace{burst: burst}
	if rate > 0 {
		p.step = time.Duration(float64(time.Second) / rate)
	}
	return p
}

// wait returns how long to wait before the next line, 0 for not at all.
func (p *pace) wait(now time.Time) time.Duration {
	if p.free.Before(now) { // also when it is zero
		return 0
	}
	// The bucket lacks a line for each step until free.
	return max(0, p.free.Sub(now)-time.Duration(p.burst-1)*p.step)
}

// spend counts a line that is sent now, whether it may be or not.
func (p *pace) spend(now time.Time) {
	if p.free.Before(now) {
		p.free = now
	}
	p.free = p.free.Add(p.step)
}

// slow halves the pace, after a server has reported a flood.
func (p *pace) slow() {
	p.step = min(max(p.step*2, 500*time.Millisecond), 10*time.Second)
	p.burst = max(1, p.burst/2)
}
