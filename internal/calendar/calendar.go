// Package calendar counts days. A reminder is due on a day, not at an instant: two weeks
// are 14 days, also when the clock changes within them.
package calendar

import (
	"fmt"
	"time"
)

// A Day is a day of the Gregorian calendar, without a time zone. The zero Day means
// that there is none.
type Day struct{ n int32 } // 1 is 1 January of the year 0; lists of days are long

const (
	unixDay = 719529 // 1970-01-01
	seconds = 24 * 60 * 60
)

// dayOf returns the day that begins at t, in UTC.
func dayOf(t time.Time) Day { return Day{int32(t.Unix()/seconds + unixDay)} }

// midnight returns 00:00 UTC of the day, the zero time for the zero Day.
func (d Day) midnight() time.Time {
	if d.IsZero() {
		return time.Time{}
	}
	return time.Unix((int64(d.n)-unixDay)*seconds, 0).UTC()
}

// Of returns the day of t in the zone loc.
func Of(t time.Time, loc *time.Location) Day {
	y, m, d := t.In(loc).Date()
	return Date(y, m, d)
}

// Date returns the given day, normalized as by time.Date.
func Date(year int, month time.Month, day int) Day {
	return dayOf(time.Date(year, month, day, 0, 0, 0, 0, time.UTC))
}

// compact is the form of days in names of directories.
const compact = "20060102"

// Parse reads a day written as YYYYMMDD, the form of String.
func Parse(s string) (Day, error) {
	t, err := time.Parse(compact, s)
	if err != nil {
		return Day{}, fmt.Errorf("not a day of the form YYYYMMDD: %q", s)
	}
	return dayOf(t), nil
}

// String returns the day as YYYYMMDD, and "" for the zero Day.
func (d Day) String() string { return d.format(compact) }

// ISO returns the day as YYYY-MM-DD (ISO 8601), and "" for the zero Day.
func (d Day) ISO() string { return d.format(time.DateOnly) }

func (d Day) format(layout string) string {
	if d.IsZero() {
		return ""
	}
	return d.midnight().Format(layout)
}

// IsZero reports whether d is no day.
func (d Day) IsZero() bool { return d == Day{} }

// Year returns the year of d.
func (d Day) Year() int { return d.midnight().Year() }

// Month returns the month of d.
func (d Day) Month() time.Month { return d.midnight().Month() }

// AddDays returns the day n days after d.
func (d Day) AddDays(n int) Day { return dayOf(d.midnight().AddDate(0, 0, n)) }

// AddMonths returns the same day n months later, cut to that month's last day:
// 31 January and one month is 28 or 29 February.
func (d Day) AddMonths(n int) Day {
	y, m, day := d.midnight().Date()
	last := Date(y, m+time.Month(n)+1, 0).midnight().Day()
	return Date(y, m+time.Month(n), min(day, last))
}

// Next returns the first day after d with that day of the week.
func (d Day) Next(day time.Weekday) Day {
	return d.AddDays((int(day-d.midnight().Weekday())+6)%7 + 1)
}

// Before reports whether d is earlier than e.
func (d Day) Before(e Day) bool { return d.n < e.n }

// Sub returns the number of days from e to d.
func (d Day) Sub(e Day) int { return int(d.n - e.n) }

// layouts are the forms of times of the wall clock.
var layouts = []string{time.DateOnly, "2006-01-02 15:04", "2006-01-02T15:04", time.DateTime, "2006-01-02T15:04:05"}

// ParseTime parses a time of a command line or the configuration: a day such as
// 2026-12-04, for its first instant; a time of the wall clock in zone, 2026-12-04 15:00
// or 2026-12-04T15:00:00; or a time of RFC 3339 with its offset. A time that the wall
// clock skips is the instant of the change.
func ParseTime(s string, zone *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.In(zone), nil
	}
	for _, layout := range layouts {
		if wall, err := time.Parse(layout, s); err == nil {
			return firstAt(wall, zone), nil
		}
	}
	return time.Time{}, fmt.Errorf("not a time such as 2026-12-04 or 2026-12-04T15:00:00Z: %q", s)
}

// Start returns the first instant of the day in the zone loc. Where daylight
// saving begins at midnight, that is 01:00.
func (d Day) Start(loc *time.Location) time.Time { return firstAt(d.midnight(), loc) }

// firstAt returns the first instant at which the wall clock in loc shows wall, which is
// a time of UTC. When the clock skips wall, it is the instant of the change, for which
// time.Date does not specify its result.
func firstAt(wall time.Time, loc *time.Location) time.Time {
	// Offsets of two instants that are before and after in every zone.
	_, before := wall.Add(-26 * time.Hour).In(loc).Zone()
	_, after := wall.Add(26 * time.Hour).In(loc).Zone()
	early := wall.Add(-time.Duration(max(before, after)) * time.Second).In(loc)
	late := wall.Add(-time.Duration(min(before, after)) * time.Second).In(loc)
	shows := func(t time.Time) bool { return t.Format(time.DateTime) == wall.Format(time.DateTime) }
	switch {
	case shows(early):
		return early
	case shows(late):
		return late
	}
	leap, _ := late.ZoneBounds()
	return leap
}
