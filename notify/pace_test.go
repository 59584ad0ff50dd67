package notify

import (
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name   string
		burst  int
		rate   float64
		lines  int
		within time.Duration
	}{
		{"a burst goes at once", 5, 2, 5, 0},
		{"then two a second", 5, 2, 15, 5 * time.Second},
		{"no bound", 5, 0, 1000, 0},
		{"one every ten seconds", 1, 0.1, 3, 20 * time.Second},
	} {
		p, at := NewPace(test.burst, test.rate), now
		for range test.lines {
			at = at.Add(p.Wait(at))
			p.Spend(at)
		}
		if took := at.Sub(now); took != test.within {
			t.Errorf("%s: %d lines took %s, want %s", test.name, test.lines, took, test.within)
		}
	}
}

// Nobody has been waited for since the year 1: a pace begins with a burst,
// and has one again after a rest.
func TestPaceRests(t *testing.T) {
	p, now := NewPace(3, 1), time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for range 3 {
		if p.Wait(now) != 0 {
			t.Fatal("no burst in the beginning")
		}
		p.Spend(now)
	}
	if got := p.Wait(now); got != time.Second {
		t.Errorf("after the burst: %s", got)
	}
	now = now.Add(time.Hour)
	for range 3 {
		if p.Wait(now) != 0 {
			t.Fatal("no burst after a rest")
		}
		p.Spend(now)
	}
	if p.Wait(now) == 0 {
		t.Error("a rest has given more than a burst")
	}
}

func TestSlow(t *testing.T) {
	p := NewPace(5, 2)
	p.Slow()
	if p.Step != time.Second || p.burst != 2 {
		t.Errorf("step %s, burst %d", p.Step, p.burst)
	}
	p = NewPace(5, 0)
	for range 20 {
		p.Slow()
	}
	if p.Step != 10*time.Second || p.burst != 1 {
		t.Errorf("step %s, burst %d", p.Step, p.burst)
	}
}
