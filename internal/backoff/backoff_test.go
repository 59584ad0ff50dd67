package backoff

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestAfter(t *testing.T) {
	for _, test := range []struct {
		b    Backoff
		n    int
		want time.Duration
	}{
		{Backoff{time.Second, time.Minute}, -1, 0},
		{Backoff{time.Second, time.Minute}, 0, 0},
		{Backoff{time.Second, time.Minute}, 1, time.Second},
		{Backoff{time.Second, time.Minute}, 2, 2 * time.Second},
		{Backoff{time.Second, time.Minute}, 6, 32 * time.Second},
		{Backoff{time.Second, time.Minute}, 7, time.Minute},
		{Backoff{time.Second, time.Minute}, 1 << 40, time.Minute},
		{Backoff{5 * time.Minute, 23 * time.Hour}, 9, 1280 * time.Minute},
		{Backoff{5 * time.Minute, 23 * time.Hour}, 10, 23 * time.Hour},
		{Backoff{time.Hour, time.Minute}, 1, time.Minute},
		{Backoff{}, 5, 0},
	} {
		if got := test.b.After(test.n); got != test.want {
			t.Errorf("%v after %d: %s, want %s", test.b, test.n, got, test.want)
		}
	}
}

func TestJitter(t *testing.T) {
	for random, want := range map[float64]time.Duration{0: 6 * time.Second, 0.5: 8 * time.Second, 0.75: 9 * time.Second} {
		if got := Jitter(8*time.Second, func() float64 { return random }); got != want {
			t.Errorf("%v: %s, want %s", random, got, want)
		}
	}
}

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		if err := Sleep(t.Context(), time.Hour); err != nil || time.Since(begun) != time.Hour {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := Sleep(ctx, time.Hour); err != context.DeadlineExceeded || time.Since(begun) != time.Hour+time.Second {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
	})
}
