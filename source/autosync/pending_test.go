package autosync

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// A clockwork drives a pending by events at given times, and notes its batches.
type clockwork struct {
	p     *pending
	start time.Time
	lines []string // "2s a b"
}

// run touches paths at times, and takes what is due, until the end. An event is "path", or
// "-path" for a deletion.
func (c *clockwork) run(events map[time.Duration][]string, end time.Duration) {
	const step = 50 * time.Millisecond
	for at := time.Duration(0); at <= end; at += step {
		now := c.start.Add(at)
		for _, path := range events[at] {
			name, isGone := strings.CutPrefix(path, "-")
			c.p.touch(name, now, look{}, !isGone, false)
		}
		for {
			b, next := c.p.take(now)
			if b == nil {
				if !next.IsZero() && !next.After(now) {
					panic("a time that has passed")
				}
				break
			}
			c.p.done(b, true)
			c.note(at, b)
		}
	}
}

func (c *clockwork) note(at time.Duration, b *batch) {
	names := slices.Sorted(maps.Keys(b.paths))
	if len(names) > 5 {
		names = []string{fmt.Sprint(len(names))}
	}
	c.lines = append(c.lines, fmt.Sprintf("%s %s", at, strings.Join(names, " ")))
}

// every returns events of names at a pace; the name may have a %d.
func every(pace, from, to time.Duration, name string, into map[time.Duration][]string) map[time.Duration][]string {
	if into == nil {
		into = map[time.Duration][]string{}
	}
	for at, n := from, 0; at < to; at, n = at+pace, n+1 {
		path := name
		if strings.Contains(name, "%d") {
			path = fmt.Sprintf(name, n)
		}
		into[at] = append(into[at], path)
	}
	return into
}

func TestPending(t *testing.T) {
	const ms, s = time.Millisecond, time.Second
	type events = map[time.Duration][]string
	untar := events{}
	for at := time.Duration(0); at < 10*s; at += 50 * ms {
		for i := range 50 {
			untar[at] = append(untar[at], fmt.Sprintf("f%d-%d", at, i))
		}
	}
	for _, test := range []struct {
		name   string
		events events
		end    time.Duration
		want   []string
	}{
		{"one edit", events{0: {"a"}}, 10 * s, []string{"2s a"}},
		{"two edits of a file", events{0: {"a"}, s: {"a"}}, 10 * s, []string{"3s a"}},
		{"two files within quiet are one commit", events{0: {"a"}, s: {"b"}}, 10 * s, []string{"3s a b"}},
		{"two files apart are two", events{0: {"a"}, 2 * s: {"b"}}, 10 * s, []string{"2s a", "4s b"}},
		{"five saves, a second apart", every(s, 0, 5*s, "f%d", nil), 20 * s, []string{"6s f0 f1 f2 f3 f4"}},
		{"a deletion waits twice as long", events{0: {"-a"}}, 10 * s, []string{"4s a"}},
		{"a move", events{0: {"-a", "b"}}, 10 * s, []string{"2s a b"}},
		{"a move whose other half is late", events{0: {"-a"}, s + 500*ms: {"b"}}, 10 * s, []string{"3.5s a b"}},
		{"a rename over the original", events{0: {"a.tmp"}, 100 * ms: {"-a.tmp", "a"}}, 10 * s, []string{"2.1s a a.tmp"}},
		{"a temporary file alone", events{0: {"x"}, s: {"-x"}}, 10 * s, []string{"5s x"}},
		{"an archive", untar, 20 * s, []string{"11.95s 10000"}},
		{"200 files in 4 s", every(50*ms, 0, 4*s, "f%d", every(50*ms, 0, 4*s, "g%d", nil)), 20 * s, []string{"5.95s 160"}},
		{"a file that never rests", every(s, 0, 125*s, "log", nil), 130 * s, []string{"1m0s log", "2m1s log", "2m6s log"}},
		{"1,000 saves in a minute", every(50*ms, 0, 60*s, "a", nil), 70 * s, []string{"1m0s a"}},
		{"an edit beside a file that never rests", every(s, 0, 30*s, "log", events{10 * s: {"a"}}), 40 * s, []string{"12s a", "31s log"}},
		{"a program that goes on making files holds up nothing for long", every(s, 0, 20*s, "f%d", events{4 * s: {"a"}}), 30 * s,
			[]string{"6s 6", "11s f5 f6 f7 f8 f9", "16s f10 f11 f12 f13 f14", "21s f15 f16 f17 f18 f19"}},
	} {
		c := &clockwork{p: newPending(2*s, 60*s), start: time.Date(2026, 11, 30, 14, 0, 0, 0, time.UTC)}
		c.run(test.events, test.end)
		if !slices.Equal(c.lines, test.want) {
			t.Errorf("%s: %q, want %q", test.name, c.lines, test.want)
		}
		if len(c.p.waiting) > 0 {
			t.Errorf("%s: %d left", test.name, len(c.p.waiting))
		}
	}
}
