package reminder

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"vext/notify"
	"vext/policy"
)

// A crasher ends the service at its n-th step, as kill -9 would.
type crasher struct{ left int }

type crash struct{}

func (c *crasher) step() {
	if c.left--; c.left == 0 {
		panic(crash{})
	}
}

// Enabled makes every event that is logged a step.
func (c *crasher) Enabled(context.Context, slog.Level) bool  { return true }
func (c *crasher) Handle(context.Context, slog.Record) error { c.step(); return nil }
func (c *crasher) WithAttrs([]slog.Attr) slog.Handler        { return c }
func (c *crasher) WithGroup(string) slog.Handler             { return c }

// run runs the service at a time and reports whether it crashed.
func (c *crasher) run(t testing.TB, s *Service, at time.Time) (crashed bool) {
	t.Helper()
	defer func() {
		switch r := recover().(type) {
		case nil:
		case crash:
			crashed = true
		default:
			panic(r)
		}
	}()
	s.Queue.Now = at
	if _, err := s.Run(context.Background()); err != nil && !errors.Is(err, errAway) {
		t.Error(err)
	}
	return false
}

// However often the service crashes, and wherever: everybody is reminded once.
func TestCrashAnywhereWithIRC(t *testing.T) {
	for _, test := range []struct {
		name      string
		to        []string
		happen    func(*fakeOutbox)
		before    func(t testing.TB, day int, s *Service, o *fakeOutbox) // may be nil
		mails     int
		delivered int
	}{
		{"alone, delivered", []string{channel, "irc://h/jane,isnick"}, func(o *fakeOutbox) { o.deliver("") }, nil, 0, 2},
		{"alone, rejected", []string{channel}, func(o *fakeOutbox) { o.reject("", "banned") }, nil, 1, 0},
		{"alone, never delivered", []string{channel, "irc://h/jane,isnick"}, func(*fakeOutbox) {}, nil, 1, 0},
		{"alone, one delivered", []string{channel, "irc://h/jane,isnick"}, func(o *fakeOutbox) { o.deliver("jane") }, nil, 1, 1},
		{"alone, one rejected", []string{channel, "irc://h/jane,isnick"}, func(o *fakeOutbox) { o.reject("jane", "away") }, nil, 1, 0},
		{"beside, delivered", []string{"mail", channel}, func(o *fakeOutbox) { o.deliver("") }, nil, 1, 1},
		{"beside, rejected", []string{"mail", channel}, func(o *fakeOutbox) { o.reject("", "banned") }, nil, 1, 0},
		{"alone, the outbox is away", []string{channel, "irc://h/jane,isnick"}, func(*fakeOutbox) {}, awayFor(1, 2), 1, 0},
		{"alone, the outbox never was there", []string{channel}, func(*fakeOutbox) {}, awayFor(0, 2), 1, 0},
		{"beside, the outbox never was there", []string{"mail", channel}, func(*fakeOutbox) {}, awayFor(0, 2), 1, 0},
		{"alone, the outbox is lost", []string{channel}, func(*fakeOutbox) {}, lostOn(1), 1, 0},
		{"alone, the outbox is lost after the delivery", []string{channel}, func(o *fakeOutbox) { o.deliver("") }, lostOn(2), 0, 1},
		{"beside, the outbox is lost", []string{"mail", channel}, func(*fakeOutbox) {}, lostOn(1), 1, 0},
		{"alone, the target is renamed", []string{channel, "irc://h/jane,isnick"}, func(o *fakeOutbox) { o.deliver("jane"); o.deliver("#new") }, renamed, 0, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			for n, crashed := 1, true; crashed; n++ {
				for _, early := range []bool{false, true} {
					if crashed = crashAt(t, n, test.to, test.happen, test.before, early, test.mails, test.delivered); t.Failed() {
						t.Fatalf("with a crash at step %d, early %v", n, early)
					}
				}
			}
		})
	}
}

// crashAt plays a reminder of the first of four days, with a crash at the n-th
// step, and reports whether there was one. Something happens on IRC after the
// first day, and at the crash when it is early.
func crashAt(t *testing.T, n int, to []string, happen func(*fakeOutbox), before func(testing.TB, int, *Service, *fakeOutbox), early bool, mails, delivered int) (crashed bool) {
	s, out, irc := newIRC(t, to...)
	c := &crasher{left: n}
	s.Log, irc.onCall = slog.New(c), c.step
	sent := map[string]bool{} // a mail that is sent again has the same key
	out.fail = func(m *notify.Mail) error {
		c.step()
		sent[m.Key] = true
		c.step()
		return nil
	}
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	for day := range 4 {
		if before != nil {
			before(t, day, s, irc)
		}
		for c.run(t, s, now.AddDate(0, 0, day)) {
			crashed = true
			if early {
				happen(irc)
			}
		}
		happen(irc)
	}
	if len(sent) != mails || len(irc.said) != delivered {
		t.Errorf("%d mails, delivered: %q", len(sent), irc.said)
	}
	if got := strings.Count("\n"+events(t, s, "a"), "\nsent "); got != 1 {
		t.Errorf("%d times sent:\n%s", got, events(t, s, "a"))
	}
	expectNothing(t, s, irc)
	return crashed
}

var errAway = errors.New("the outbox is away")

// awayFor makes the outbox unavailable on some days.
func awayFor(first, last int) func(testing.TB, int, *Service, *fakeOutbox) {
	return func(_ testing.TB, day int, _ *Service, o *fakeOutbox) {
		if o.err = nil; day >= first && day <= last {
			o.err = errAway
		}
	}
}

// lostOn removes what the outbox has before the runs of a day.
func lostOn(lost int) func(testing.TB, int, *Service, *fakeOutbox) {
	return func(_ testing.TB, day int, _ *Service, o *fakeOutbox) {
		if day == lost {
			o.lines = nil
		}
	}
}

// renamed gives the channel another name on the second day.
func renamed(t testing.TB, day int, s *Service, _ *fakeOutbox) {
	if day > 0 {
		s.Queue.Policy.Routes = []policy.Route{way(t, "irc://irc.example.org/#new", "irc://h/jane,isnick")}
	}
}
