package reminder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	ics "github.com/arran4/golang-ical"

	"vext/internal/calendar"
	"vext/queue"
)

// A Quiet says on which days no reminder is sent. The zero Quiet has none.
type Quiet struct {
	weekends bool
	days     map[calendar.Day]bool
	yearly   []span // of the year in which each began
}

// A span is a number of days in a row; last is included.
type span struct{ first, last calendar.Day }

// QuietWeekends is the value for Saturdays and Sundays.
const QuietWeekends = "weekends"

// maxHoliday bounds a holiday, in days.
const maxHoliday = 100

// ParseQuiet reads which days are quiet: QuietWeekends, and the paths of calendars in ICS
// (RFC 5545), whose all-day events are. An event that recurs counts once, but every year with
// FREQ=YEARLY.
func ParseQuiet(values []string) (Quiet, error) {
	q := Quiet{days: map[calendar.Day]bool{}}
	for _, value := range values {
		if value == QuietWeekends {
			q.weekends = true
			continue
		}
		if err := q.read(value); err != nil {
			return q, fmt.Errorf("quiet: %w", err)
		}
	}
	return q, nil
}

func (q *Quiet) read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	c, err := ics.ParseCalendar(f)
	if err != nil {
		return &fs.PathError{Op: "read", Path: path, Err: err}
	}
	n := 0
	for _, e := range c.Events() {
		first, err := e.GetAllDayStartAt()
		if err != nil || !isDate(e) {
			continue
		}
		one := span{day(first), day(first)}
		if end, err := e.GetAllDayEndAt(); err == nil && day(first).Before(day(end)) {
			one.last = day(end).AddDays(-1) // the end is not included
		}
		if one.last.Sub(one.first) > maxHoliday {
			continue
		}
		n++
		if rule := e.GetProperty(ics.ComponentPropertyRrule); rule != nil && rule.Value == "FREQ=YEARLY" {
			q.yearly = append(q.yearly, one)
		}
		for d := one.first; !one.last.Before(d); d = d.AddDays(1) {
			q.days[d] = true
		}
	}
	if n == 0 {
		return &fs.PathError{Op: "read", Path: path, Err: errors.New("it has no event of whole days")}
	}
	return nil
}

// isDate reports whether an event begins with a day and not with a time.
func isDate(e *ics.VEvent) bool {
	start := e.GetProperty(ics.ComponentPropertyDtStart)
	return start != nil && len(start.Value) == len("20261224")
}

func day(t time.Time) calendar.Day { return calendar.Date(t.Year(), t.Month(), t.Day()) }

// has reports whether no reminder is sent on a day.
func (q *Quiet) has(d calendar.Day) bool {
	switch d.Start(time.UTC).Weekday() {
	case time.Saturday, time.Sunday:
		if q.weekends {
			return true
		}
	}
	if q.days[d] {
		return true
	}
	for _, one := range q.yearly {
		for year := d.Year() - 1; year <= d.Year(); year++ { // a holiday can go on into the next year
			first := one.first.AddMonths(12 * (year - one.first.Year()))
			if n := d.Sub(first); year > one.first.Year() && n >= 0 && n <= one.last.Sub(one.first) {
				return true
			}
		}
	}
	return false
}

// isEmpty reports whether no day is quiet.
func (q *Quiet) isEmpty() bool { return !q.weekends && len(q.days) == 0 }

// isQuiet reports whether the person who is reminded by a message has a quiet day now. The
// day is that of the zone in which the commit was made, where the commit has it, else of
// the configured zone.
func (s *Service) isQuiet(m *queue.Message) bool {
	zone := s.Queue.Zone
	if _, offset := m.Date.Zone(); offset != 0 {
		zone = m.Date.Location()
	}
	return s.Quiet.has(calendar.Of(s.Queue.Now, zone))
}

// withoutQuiet returns the items that may be sent now. The others wait for a day that is not
// quiet.
func (r *run) withoutQuiet(items []*dueItem) []*dueItem {
	if r.Quiet.isEmpty() {
		return items
	}
	var left []*dueItem
	for _, item := range items {
		m, err := r.message(item)
		if err == nil && r.isQuiet(m) && !item.isDone() && !item.isSnoozed() { // prepare returns the error
			r.sum.Quiet++
			continue
		}
		left = append(left, item)
	}
	return left
}
