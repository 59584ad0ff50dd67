package calendar

import (
	"fmt"
	"time"
)

// Short returns the day for people who know the year: "Fri 4 Dec", with the
// year added when it is not that of today.
func (d Day) Short(today Day) string {
	if d.Year() == today.Year() {
		return d.midnight().Format("Mon 2 Jan")
	}
	return d.Long()
}

// Long returns the day in full: "Fri 4 Dec 2026".
func (d Day) Long() string { return d.midnight().Format("Mon 2 Jan 2006") }

// Distance returns how far d is from today: "today", "in 3 days",
// "in 2 weeks", "5 months ago".
func (d Day) Distance(today Day) string {
	switch n := d.Sub(today); {
	case n == 0:
		return "today"
	case n == 1:
		return "tomorrow"
	case n == -1:
		return "yesterday"
	case n > 0:
		return "in " + Span(n)
	default:
		return Span(n) + " ago"
	}
}

// Span returns n days, forward or back, in the largest unit that fits: "3 days",
// "2 weeks", "5 months".
func Span(n int) string {
	switch n = max(n, -n); {
	case n < 28 && (n%7 != 0 || n == 0):
		return Plural(n, "day")
	case n < 60:
		return Plural((n+3)/7, "week")
	case n < 730:
		return Plural((n*12+182)/365, "month")
	default:
		return Plural((n+182)/365, "year")
	}
}

// Plural returns a number and a unit: "1 day", "2 days".
func Plural(n int, unit string) string { return Verb(n, unit, unit+"s") }

// Verb returns a number and the form of a verb for it: "1 asks", "2 ask".
func Verb(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// Times returns a number of times: "once", "2 times".
func Times(n int) string {
	if n == 1 {
		return "once"
	}
	return Plural(n, "time")
}

// Ago returns t as seen from now: the day, the time and the distance, "Fri 20 Nov 2026
// 12:00, 1 hour ago"; "none yet" for the zero time.
func Ago(t, now time.Time, zone *time.Location) string {
	if t.IsZero() {
		return "none yet"
	}
	distance := Of(t, zone).Distance(Of(now, zone))
	if d := now.Sub(t); d >= 0 && d < 24*time.Hour {
		distance = Elapsed(d)
	}
	return t.In(zone).Format("Mon 2 Jan 2006 15:04") + ", " + distance
}

// Elapsed returns how long ago something was: "just now", "3 minutes ago".
func Elapsed(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return Plural(int(d/time.Minute), "minute") + " ago"
	case d < 24*time.Hour:
		return Plural(int(d/time.Hour), "hour") + " ago"
	}
	return Plural(int(d/(24*time.Hour)), "day") + " ago"
}
