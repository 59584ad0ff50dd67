package throttle

import (
	"context"
	"slices"
	"sync"
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

// The pause of a name begins when that name is handled, whatever else is.
func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		arrivals := make(chan string)
		var mu sync.Mutex
		at := map[string]time.Duration{}
		ctx, cancel := context.WithCancel(t.Context())
		go Run(ctx, arrivals, time.Minute, func(e string) string { return e[:1] },
			func(_, more string) string { return more }, func(e string) {
				mu.Lock()
				defer mu.Unlock()
				at[e] = time.Since(start)
			})
		arrivals <- "a1"
		time.Sleep(40 * time.Second)
		arrivals <- "b1"
		arrivals <- "a2"
		arrivals <- "b2"
		time.Sleep(30 * time.Second)
		synctest.Wait()
		mu.Lock()
		if len(at) != 3 || at["a2"] != time.Minute {
			t.Errorf("after 70 s: %v", at)
		}
		mu.Unlock()
		time.Sleep(time.Hour)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if at["b2"] != 100*time.Second {
			t.Errorf("%v", at)
		}
		cancel()
	})
}
