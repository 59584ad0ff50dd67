package calendar

import (
	"fmt"
	"time"
)

// layouts are the forms of a time that people type: those without an offset are
// times of the wall clock.
var layouts = []string{time.DateOnly, "2006-01-02 15:04", "2006-01-02T15:04", time.DateTime, "2006-01-02T15:04:05"}

// ParseTime reads a time as people give it to commands and to the
// configuration: a day such as 2026-12-04, which is its first instant; a day
// and a time, 2026-12-04 15:00 or 2026-12-04T15:00:00, by the wall clock in
// zone; or a time of RFC 3339 with its offset. A time that the wall clock skips
// means the next one that it shows.
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
func (d Day) Start(loc *time.Location) time.Time { return firstAt(d.midnight, loc) }

// firstAt returns the first instant at which the wall clock in loc shows wall,
// which is given as a time of UTC. When the clock skips wall, that is the instant
// of the change. time.Date does not specify on which side of a change its result
// is.
func firstAt(wall time.Time, loc *time.Location) time.Time {
	// Offsets of two instants that are surely before and behind, of a place
	// anywhere on earth.
	_, before := wall.Add(-26 * time.Hour).In(loc).Zone()
	_, behind := wall.Add(26 * time.Hour).In(loc).Zone()
	early := wall.Add(-time.Duration(max(before, behind)) * time.Second).In(loc)
	late := wall.Add(-time.Duration(min(before, behind)) * time.Second).In(loc)
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
