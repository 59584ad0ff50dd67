package calendar

import (
	"fmt"
	"time"
)

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
