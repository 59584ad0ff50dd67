package commit

import (
	"errors"
	"testing"

	"vext/internal/calendar"
)

// Delays on Friday 20 November, for a reminder that is due on 4 December.
func TestParseDelay(t *testing.T) {
	for _, test := range []struct{ words, want string }{
		// From the day on which it is due.
		{"1 week", "2026-12-11"}, {"two weeks", "2026-12-18"}, {"1 month and 2 days", "2027-01-06"}, {"a fortnight", "2026-12-18"}, {"for 3 days", "2026-12-07"},
		// From today.
		{"in 2 weeks", "2026-12-04"}, {"in a month", "2026-12-20"}, {"tomorrow", "2026-11-21"}, {"Until tomorrow", "2026-11-21"},
		{"today", "2026-11-20"}, {"now", "2026-11-20"}, {"monday", "2026-11-23"}, {"Mon", "2026-11-23"}, {"on friday", "2026-11-27"},
		{"until SATURDAY", "2026-11-21"}, {"thursday", "2026-11-26"},
		// A date.
		{"2026-12-24", "2026-12-24"}, {"until 2026-12-24", "2026-12-24"}, {"24 Dec 2026", "2026-12-24"}, {"thu 24 dec 2026", "2026-12-24"},
	} {
		p, err := ParseDelay(test.words, day(t, "2026-11-20"))
		if err != nil {
			t.Errorf("%q: %v", test.words, err)
			continue
		}
		if due, err := p.Due(day(t, "2026-12-04")); err != nil || due.ISO() != test.want {
			t.Errorf("%q is %s, %v; want %s", test.words, due.ISO(), err, test.want)
		}
	}
	for _, words := range []string{"", "soon", "next week", "next monday", "mondays", "in", "until", "on", "for", "until 1 week or soon", "monday week"} {
		if p, err := ParseDelay(words, day(t, "2026-11-20")); err == nil {
			t.Errorf("%q is %v", words, p)
		}
	}
	if _, err := ParseDelay("never", day(t, "2026-11-20")); !errors.Is(err, ErrNoPeriod) {
		t.Errorf("never: %v", err)
	}
	if _, err := ParseDelay("in 11 years", day(t, "2026-11-20")); !errors.Is(err, errTooLong) {
		t.Errorf("in 11 years: %v", err)
	}
}

func FuzzParseDelay(f *testing.F) {
	for _, s := range []string{"1 week", "in 2 weeks", "tomorrow", "monday", "until 2026-12-24", "on on", "for a fortnight"} {
		f.Add(s)
	}
	today := calendar.Date(2026, 11, 20)
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParseDelay(s, today)
		if err == nil && (p.String() == "" || p.Date.IsZero() && p.Days < 0) {
			t.Errorf("%q is %+v", s, p)
		}
	})
}
