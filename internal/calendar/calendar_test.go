package calendar

import (
	"testing"
	"time"
)

func TestOf(t *testing.T) {
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)
	if got := Of(at, newYork); got != Date(2026, 11, 19) {
		t.Errorf("in New York it is %s", got)
	}
	if got := Of(at, time.UTC); got != Date(2026, 11, 20) {
		t.Errorf("in UTC it is %s", got)
	}
}

func TestParse(t *testing.T) {
	if d, err := Parse("20261204"); err != nil || d != Date(2026, 12, 4) || d.String() != "20261204" || d.ISO() != "2026-12-04" {
		t.Errorf("20261204 is %s, %v", d.ISO(), err)
	}
	for _, s := range []string{"", "2026-12-04", "20261304", "20260230", "2026120", "abcdefgh", "202612040", " 2026124"} {
		if d, err := Parse(s); err == nil {
			t.Errorf("%q is taken for %s", s, d)
		}
	}
}

func TestAddMonths(t *testing.T) {
	for _, test := range []struct {
		from   Day
		months int
		want   string
	}{
		{Date(2026, 1, 31), 1, "20260228"}, {Date(2028, 1, 31), 1, "20280229"}, {Date(2026, 11, 30), 3, "20270228"},
		{Date(2026, 12, 15), 12, "20271215"}, {Date(2028, 2, 29), 12, "20290228"}, {Date(2026, 5, 31), 0, "20260531"},
	} {
		if got := test.from.AddMonths(test.months).String(); got != test.want {
			t.Errorf("%s and %d months is %s, want %s", test.from, test.months, got, test.want)
		}
	}
}

// Days in words.
func TestDistance(t *testing.T) {
	today := Date(2026, 11, 20)
	for days, want := range map[int]string{
		0: "today", 1: "tomorrow", -1: "yesterday", 2: "in 2 days", 7: "in 1 week", 10: "in 10 days", 13: "in 13 days",
		14: "in 2 weeks", 15: "in 15 days", 21: "in 3 weeks", 30: "in 4 weeks", 59: "in 8 weeks", 61: "in 2 months",
		365: "in 12 months", 800: "in 2 years", -5: "5 days ago", -14: "2 weeks ago", -400: "13 months ago",
	} {
		if got := today.AddDays(days).Distance(today); got != want {
			t.Errorf("%d days from now is %q, want %q", days, got, want)
		}
	}
	if got := Date(2026, 12, 4).Short(today); got != "Fri 4 Dec" {
		t.Errorf("short: %q", got)
	}
	if got := Date(2027, 1, 4).Short(today); got != "Mon 4 Jan 2027" {
		t.Errorf("short in another year: %q", got)
	}
}
