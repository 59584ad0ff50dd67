package commit

import (
	"errors"
	"strings"
	"time"

	"vext/internal/calendar"
)

var errNoDelay = errors.New(`not a time such as "1 week", "in 2 weeks", "tomorrow", "monday" or "2026-12-24"`)

// ParseDelay reads how long to postpone a reminder: a period as in ParsePeriod, or a
// time from today on, which it returns as a date: "tomorrow", "monday" (the next), "in
// 2 weeks". The errors are those of ParsePeriod, or explain what can be read.
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
