package throttle

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Each name is handled at once, and what arrives for it in its pause is merged.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		arrivals, done := make(chan string), make(chan string, 10)
		ctx, cancel := context.WithCancel(t.Context())
		go Run(ctx, arrivals, time.Minute, func(e string) string { return e[:1] },
			func(before, more string) string { return before + more[1:] }, func(e string) { done <- e })
		expect := func(want ...string) {
			t.Helper()
			synctest.Wait()
			var got []string
			for len(done) > 0 {
				got = append(got, <-done)
			}
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		}
		for _, e := range []string{"a1", "a2", "b1", "a3", "c1", "b2"} {
			arrivals <- e
		}
		expect("a1", "b1", "c1")
		time.Sleep(time.Minute)
		expect("a23", "b2")
		arrivals <- "a4"
		arrivals <- "c2"
		expect("c2")
		time.Sleep(time.Minute)
		expect("a4")
		time.Sleep(time.Hour)
		expect()
		cancel()
	})
}
