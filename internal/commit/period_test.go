package commit

import (
	"errors"
	"strings"
	"testing"
	"time"

	"vext/internal/calendar"
)

func day(t testing.TB, s string) calendar.Day {
	t.Helper()
	at, err := time.Parse(time.DateOnly, s)
	if err != nil {
		t.Fatal(err)
	}
	return calendar.Of(at, time.UTC)
}

// Periods, the due day for a commit of Friday 20 November 2026, and the period in words.
func TestParsePeriod(t *testing.T) {
	tests := []struct{ value, words, due string }{
		// As counted in real commits.
		{"1 week", "1 week", "2026-11-27"},
		{"2 weeks", "2 weeks", "2026-12-04"},
		{"3 days", "3 days", "2026-11-23"},
		{"1 month", "1 month", "2026-12-20"},
		{"3 weeks", "3 weeks", "2026-12-11"},
		{"5 days", "5 days", "2026-11-25"},
		{"1 day", "1 day", "2026-11-21"},
		{"4 days", "4 days", "2026-11-24"},
		{"4 weeks", "4 weeks", "2026-12-18"},
		{"2 days", "2 days", "2026-11-22"},
		{"10 days", "10 days", "2026-11-30"},
		{"24 days", "24 days", "2026-12-14"},
		{"0 days", "0 days", "2026-11-20"},
		{"6 weeks", "6 weeks", "2027-01-01"},
		// As people write them although MFCns did not understand.
		{"1 month (after r336539)", "1 month", "2026-12-20"},
		{"2 weeks (? mbuf KBI issue)", "2 weeks", "2026-12-04"},
		{"1 week.", "1 week", "2026-11-27"},
		{"1week", "1 week", "2026-11-27"},
		{"1 Week", "1 week", "2026-11-27"},
		{"one week", "1 week", "2026-11-27"},
		{"2w", "2 weeks", "2026-12-04"},
		{"3D", "3 days", "2026-11-23"},
		{"6 m", "6 months", "2027-05-20"},
		{"1y", "1 year", "2027-11-20"},
		{"two years", "2 years", "2028-11-20"},
		{"a month", "1 month", "2026-12-20"},
		{"An year", "1 year", "2027-11-20"},
		{"Twelve Months", "12 months", "2027-11-20"},
		{"7", "7 days", "2026-11-27"},
		{"two", "2 days", "2026-11-22"},
		{"2 week", "2 weeks", "2026-12-04"},
		{"\t 2 \t weeks \t", "2 weeks", "2026-12-04"},
		{"1 week [unless it breaks]", "1 week", "2026-11-27"},
		{"1 week (ask kib (he knows) first).", "1 week", "2026-11-27"},
		{"1 week (a remark that goes on", "1 week", "2026-11-27"},
		{"2 day(s)", "2 days", "2026-11-22"},
		{"007 days", "7 days", "2026-11-27"},
		{"10 years", "10 years", "2036-11-20"},
		{"3653 days", "3653 days", "2036-11-20"},
		// Abbreviated.
		{"2 wks", "2 weeks", "2026-12-04"},
		{"1 wk.", "1 week", "2026-11-27"},
		{"6 mos", "6 months", "2027-05-20"},
		{"1 mo", "1 month", "2026-12-20"},
		{"2 mths", "2 months", "2027-01-20"},
		{"1 yr", "1 year", "2027-11-20"},
		{"2 yrs.", "2 years", "2028-11-20"},
		{"2-week", "2 weeks", "2026-12-04"},
		// Hours, up to whole days.
		{"72 hours", "3 days", "2026-11-23"},
		{"36 hours", "2 days", "2026-11-22"},
		{"1 hour", "1 day", "2026-11-21"},
		{"48hrs", "2 days", "2026-11-22"},
		{"24h", "1 day", "2026-11-21"},
		{"0 hours", "0 days", "2026-11-20"},
		{"1 day and 12 hours", "2 days", "2026-11-22"},
		{"1 week, 12 hours", "1 week and 1 day", "2026-11-28"},
		// About.
		{"~2 weeks", "2 weeks", "2026-12-04"},
		{"~ 2 weeks", "2 weeks", "2026-12-04"},
		{"≈2w", "2 weeks", "2026-12-04"},
		{"about a month", "1 month", "2026-12-20"},
		{"approx. 2 weeks", "2 weeks", "2026-12-04"},
		{"roughly two weeks", "2 weeks", "2026-12-04"},
		{"at least 2 weeks", "2 weeks", "2026-12-04"},
		{">= 2 weeks", "2 weeks", "2026-12-04"},
		{"min. 2 weeks", "2 weeks", "2026-12-04"},
		{"2 weeks minimum", "2 weeks", "2026-12-04"},
		{"2+ weeks", "2 weeks", "2026-12-04"},
		{"2 weeks or more", "2 weeks", "2026-12-04"},
		{"1 week or so", "1 week", "2026-11-27"},
		{"two weeks or so (ask kib)", "2 weeks", "2026-12-04"},
		{"in 2 weeks", "2 weeks", "2026-12-04"},
		{"after about 2 weeks", "2 weeks", "2026-12-04"},
		{"2 weeks from now", "2 weeks", "2026-12-04"},
		{"2 weeks!", "2 weeks", "2026-12-04"},
		// Several parts.
		{"1 week and 2 days", "1 week and 2 days", "2026-11-29"},
		{"1 month, 2 weeks", "1 month and 2 weeks", "2027-01-03"},
		{"1 month 2 weeks", "1 month and 2 weeks", "2027-01-03"},
		{"1w2d", "1 week and 2 days", "2026-11-29"},
		{"1 week + 2 days", "1 week and 2 days", "2026-11-29"},
		{"1 mo. 2 wks.", "1 month and 2 weeks", "2027-01-03"},
		{"1 year, 2 months, and 3 days", "1 year, 2 months and 3 days", "2028-01-23"},
		{"2 days and a week", "2 days and 1 week", "2026-11-29"},
		// Ranges: the longer.
		{"2-3 weeks", "3 weeks", "2026-12-11"},
		{"2 - 3 weeks", "3 weeks", "2026-12-11"},
		{"2–3 weeks", "3 weeks", "2026-12-11"},
		{"2—3 weeks", "3 weeks", "2026-12-11"},
		{"2 to 3 weeks", "3 weeks", "2026-12-11"},
		{"2~3 weeks", "3 weeks", "2026-12-11"},
		{"2 or 3 weeks", "3 weeks", "2026-12-11"},
		{"two-three weeks", "3 weeks", "2026-12-11"},
		{"2w-3w", "3 weeks", "2026-12-11"},
		{"a week or two", "2 weeks", "2026-12-04"},
		{"2 weeks to 1 month", "1 month", "2026-12-20"},
		{"2 weeks - a month", "1 month", "2026-12-20"},
		{"between 2 and 3 weeks", "3 weeks", "2026-12-11"},
		{"about 2-3 weeks or so", "3 weeks", "2026-12-11"},
		// Other words.
		{"a fortnight", "2 weeks", "2026-12-04"},
		{"2 fortnights", "4 weeks", "2026-12-18"},
		{"a couple of weeks", "2 weeks", "2026-12-04"},
		{"couple of days", "2 days", "2026-11-22"},
		{"half a year", "6 months", "2027-05-20"},
		{"now", "0 days", "2026-11-20"},
		{"Immediately.", "0 days", "2026-11-20"},
		{"at once", "0 days", "2026-11-20"},
		{"today", "0 days", "2026-11-20"},
		{"tomorrow", "1 day", "2026-11-21"},
		// Left over from the template.
		{"1 month<N [day[s]|week[s]|month[s]].  Request a reminder email>", "1 month", "2026-12-20"},
		{"1 week [day[s]|week[s]|month[s]].  Request a reminder email.", "1 week", "2026-11-27"},
		{"2 weeks N [day[s]|week[s]|month[s]].  Request a reminder email.", "2 weeks", "2026-12-04"},
		// Dates.
		{"2026-12-24", "24 Dec 2026", "2026-12-24"},
		{"2026/12/24.", "24 Dec 2026", "2026-12-24"},
		{"2026/1/4", "4 Jan 2026", "2026-01-04"},
		{"2026-12-24 (Christmas)", "24 Dec 2026", "2026-12-24"},
		{"after 2026-12-24", "24 Dec 2026", "2026-12-24"},
		{"24 Dec 2026", "24 Dec 2026", "2026-12-24"},
		{"Thu 24 Dec 2026", "24 Dec 2026", "2026-12-24"},
		{"Thursday, December 24, 2026.", "24 Dec 2026", "2026-12-24"},
		{"4 january 2027 (after the holidays)", "4 Jan 2027", "2027-01-04"},
	}
	from := day(t, "2026-11-20")
	for _, test := range tests {
		p, err := ParsePeriod(test.value)
		if err != nil {
			t.Errorf("%q: %v", test.value, err)
			continue
		}
		due, err := p.Due(from)
		if err != nil || due.ISO() != test.due || p.String() != test.words {
			t.Errorf("%q is %q, due %s (%v); want %q, due %s", test.value, p, due.ISO(), err, test.words, test.due)
		}
	}
}

// Values without a request.
func TestNoPeriod(t *testing.T) {
	for _, value := range []string{
		"", " \t", "never", "Never.", "none", "no", "NO.", "never (see PR 1)", "n/a", "N/A.", "-",
		"N [day[s]|week[s]|month[s]].  Request a reminder email.",
		"[day[s]|week[s]|month[s]].  Request a reminder email.",
	} {
		if p, err := ParsePeriod(value); !errors.Is(err, ErrNoPeriod) {
			t.Errorf("%q: %v, %v; want ErrNoPeriod", value, p, err)
		}
	}
}

// Ambiguous values are errors.
func TestUnreadablePeriod(t *testing.T) {
	for _, value := range []string{
		"soon", "next week", "monday", "a", "an", "week", "-1 week", "1.5 weeks",
		"1 week, then ask", "r336539", "14.3", "thirteen days", "2026-02-30",
		"2026-13-01", "(2 weeks)", "no rush", "nonesuch", "1 week after", "1 week (a) b", "①week",
		"12/24/2026", "2026-12-24-1", ".", "+1 week", "1 week week", "0x10 days", "five5 days",
		// New words, in ways that leave a doubt.
		"asap", "a few weeks", "several days", "some time", "in", "about", "at least", "~", "a couple", "a few", "half a week", "up to 2 weeks",
		"at most 2 weeks", "less than 2 weeks", "2-3", "2 to 3", "12-24", "2026-12", "3-2 weeks", "1-2-3 weeks", "2 weeks to", "2 weeks or",
		"2 and 3 weeks", "between 2 weeks", "between 2 weeks and", "1h30m", "30 minutes", "1 week and 1 week", "1 week and", "1 week 2", "2 weeks and soon",
		"5 business days", "end of the month", "2 weeks after the next commit", "nowhere", "now or never", "today or tomorrow", "todays", "2 weeks?", "24 Dec",
		"32 Dec 2026", "Dec 2026", "24 Dec 20266", "Thu 24 Dec", "2 weeks 3 weeks", "week 2", "a or b weeks", "two-", "2 -", "½ year",
	} {
		if p, err := ParsePeriod(value); err == nil || errors.Is(err, ErrNoPeriod) {
			t.Errorf("%q: %v, %v; want an error", value, p, err)
		}
	}
	for _, value := range []string{"2026-02-30", "2026-13-01", "2027/2/29", "30 Feb 2027", "Feb 30, 2027", "Fri 31 Nov 2026", "2026-02-30."} {
		if p, err := ParsePeriod(value); err != errNoDay {
			t.Errorf("%q: %v, %v; want %v", value, p, err, errNoDay)
		}
	}
	for _, value := range []string{"11 years", "121 months", "522 weeks", "3654 days", "87673 hours", "10 years and 1 day", "9-11 years", "99999999999999999999 days", strings.Repeat("9", 1000)} {
		if p, err := ParsePeriod(value); !errors.Is(err, errTooLong) {
			t.Errorf("%.40q: %v, %v; want errTooLong", value, p, err)
		}
	}
	p, err := ParsePeriod("2037-01-01")
	if err == nil {
		_, err = p.Due(day(t, "2026-11-20"))
	}
	if !errors.Is(err, errTooLong) {
		t.Errorf("a date in eleven years: %v, want errTooLong", err)
	}
}

// Months are counted on the calendar and cut to the month's last day.
func TestDueOnTheCalendar(t *testing.T) {
	for _, test := range []struct{ from, period, due string }{
		{"2026-01-31", "1 month", "2026-02-28"},
		{"2028-01-31", "1 month", "2028-02-29"},
		{"2026-10-31", "1 month", "2026-11-30"},
		{"2028-02-29", "1 year", "2029-02-28"},
		{"2026-12-31", "2 months", "2027-02-28"},
		{"2026-10-28", "7 days", "2026-11-04"}, // over the end of summer time in New York
	} {
		p, err := ParsePeriod(test.period)
		if err != nil {
			t.Fatal(err)
		}
		if due, _ := p.Due(day(t, test.from)); due.ISO() != test.due {
			t.Errorf("%s and %s is %s, want %s", test.from, test.period, due.ISO(), test.due)
		}
	}
}

// The day of a commit is that of its own date in the configured zone, if that is
// plausible.
func TestDue(t *testing.T) {
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) time.Time {
		when, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	now, received := at("2026-11-20T12:00:00Z"), at("2026-11-20T11:00:00Z")
	week, _ := ParsePeriod("1 week")
	for _, test := range []struct {
		name      string
		date, now time.Time
		zone      *time.Location
		due       string
	}{
		{"its own day", at("2026-11-18T23:30:00Z"), now, time.UTC, "2026-11-25"},
		{"in the zone", at("2026-11-19T02:00:00Z"), now, newYork, "2026-11-25"},
		{"over the end of summer time", at("2026-10-28T12:00:00Z"), now, newYork, "2026-11-04"},
		{"without a date", time.Time{}, now, time.UTC, "2026-11-27"},
		{"a little ahead", at("2026-11-21T11:59:00Z"), now, time.UTC, "2026-11-28"},
		{"far ahead", at("2026-11-21T12:01:00Z"), now, time.UTC, "2026-11-27"},
		{"received after now", time.Time{}, at("2026-11-10T00:00:00Z"), time.UTC, "2026-11-17"},
		{"long ago", at("1999-01-01T00:00:00Z"), now, time.UTC, "1999-01-08"},
	} {
		c := Commit{Date: test.date}
		due, err := c.Due(week, received, test.now, test.zone)
		if err != nil || due.ISO() != test.due {
			t.Errorf("%s: due %s, %v; want %s", test.name, due.ISO(), err, test.due)
		}
	}
}

func FuzzParsePeriod(f *testing.F) {
	for _, s := range []string{"1 week", "2w", "one month (x)", "2026-12-24", "never", "N [day[s]|week[s]|month[s]]", "a", "99999999 years",
		"2-3 wks", "1 year, 2 months and 36 hours", "between a week and a fortnight or so", "~half a year", "117 months and 93 days", "Thu, Dec 24, 2026", "tomorrow", "1w2d"} {
		f.Add(s)
	}
	from := calendar.Date(2026, 11, 20)
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePeriod(s)
		if err != nil {
			return
		}
		due, err := p.Due(from)
		if err == nil && from.AddMonths(maxMonths).AddDays(1).Before(due) {
			t.Errorf("%q is due on %s", s, due)
		}
		if p.Date.IsZero() && due.Before(from) {
			t.Errorf("%q is due before the commit, on %s", s, due)
		}
		again, err := ParsePeriod(p.String())
		if err != nil || again != p {
			t.Errorf("%q is said as %q, which is %+v, %v", s, p, again, err)
		}
	})
}
