package commit

import (
	"errors"
	"strings"
	"time"

	"vext/internal/calendar"
)

var errNoDelay = errors.New(`not a time such as "1 week", "in 2 weeks", "tomorrow", "monday" or "2026-12-24"`)

// ParseDelay reads until when a person wants to put a reminder off: a period as
// ParsePeriod reads it, or what counts from today: "tomorrow", "monday" (the next
// such day), "in 2 weeks". What counts from today is returned as a date. The
// errors are those of ParsePeriod, or say what can be read here.
func ParseDelay(words string, today calendar.Day) (Period, error) {
	s := tidy(words)
	for _, before := range []string{"until ", "till ", "on "} {
		s = strings.TrimPrefix(s, before)
	}
	if day, ok := parseWeekday(s); ok {
		return onDay(today.Next(day)), nil
	}
	_, _, isNow := cutNow(s)
	inPeriod, fromToday := strings.CutPrefix(s, "in ")
	p, err := ParsePeriod(strings.TrimPrefix(inPeriod, "for "))
	if err == errUnreadable {
		return p, errNoDelay
	}
	if err != nil || !p.Date.IsZero() || !isNow && !fromToday {
		return p, err
	}
	due, err := p.Due(today)
	return onDay(due), err
}

func onDay(day calendar.Day) Period {
	return datePeriod(day.Start(time.UTC))
}
