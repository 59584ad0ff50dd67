package commit

import (
	"errors"
	"strings"
	"time"

	"vext/internal/calendar"
)

// A Period is the value of a trailer such as `MFC after`: a number of days and months,
// or a date. The zero Period is due at once.
type Period struct {
	Days   int          // from days and weeks
	Months int          // from months and years
	Date   calendar.Day // set when a date was given instead
	words  string       // see String
}

// String returns the period in words: "1 week", "1 month and 2 days", "4 Dec 2026".
func (p Period) String() string { return p.words }

// Wish returns the period as it continues "asked to be reminded": "after 2 weeks", "on
// Thu 24 Dec 2026", "at once". It is empty if the value could not be read.
func (p Period) Wish() string {
	switch {
	case p.words == "":
		return ""
	case !p.Date.IsZero():
		return "on " + p.Date.Long()
	case p.Days == 0 && p.Months == 0:
		return "at once"
	}
	return "after " + p.words
}

// Bounds of a period: ten years.
const (
	maxYears  = 10
	maxMonths = maxYears * 12
	maxDays   = maxYears*365 + 3 // with three leap days
)

var (
	// ErrNoPeriod is the error for a value that asks for no reminder: an empty one,
	// `never`, or the commit template's own line.
	ErrNoPeriod = errors.New("asks for no reminder")
	// errTooLong is the error for a period of more than ten years.
	errTooLong = errors.New("more than ten years")

	errUnreadable = errors.New("not a period such as \"2 weeks\" or \"2026-12-24\"")
	errNoDay      = errors.New("a day that does not exist") // 2026-02-30
)

// ParsePeriod reads the value of a trailer: a period such as "2 weeks", "2-3
// wks", "1 month and 2 days" or "about a fortnight", a date, or "now". The
// grammar is described in vext-filter(1): values with only one meaning are
// understood. A full stop, a remark in brackets and the rest of the commit template's
// text may follow. The error is ErrNoPeriod, errTooLong or says that the value can't
// be read.
func ParsePeriod(value string) (Period, error) {
	s := tidy(value)
	if asksNothing(s) {
		return Period{}, ErrNoPeriod
	}
	s, between := cutPreface(s)
	date, rest, dateErr := readDate(s)
	if dateErr == nil && isRemark(rest) {
		return date, nil
	}
	if p, rest, ok := cutNow(s); ok && isRemark(rest) {
		return p, nil
	}
	p, rest, ok := cutRange(s, between)
	switch {
	case dateErr == errNoDay:
		return Period{}, errNoDay
	case !ok || !isRemark(cutAddition(rest)):
		return Period{}, errUnreadable
	case p.Days > maxDays || p.Months > maxMonths || p.Months > 0 && p.Days > 0 && p.Months*31+p.Days > maxMonths*30:
		return Period{}, errTooLong
	}
	return p, nil
}

// equals reports whether both have the same meaning.
func (p Period) equals(q Period) bool {
	p.words, q.words = "", ""
	return p == q
}

// noPeriod is the period of a value with ErrNoPeriod, to compare it with others.
var noPeriod = Period{Days: -1}

// Due returns the day on which a commit made on the day from is due. Months are
// counted on the calendar and cut to the month's last day. The error is errTooLong for
// a date more than ten years ahead, and for a year of five digits.
func (p Period) Due(from calendar.Day) (calendar.Day, error) {
	if p.Date.IsZero() {
		due := from.AddMonths(p.Months).AddDays(p.Days)
		if due.Year() > 9999 { // directories and history have eight digits for a day
			return calendar.Day{}, errTooLong
		}
		return due, nil
	}
	if from.AddMonths(maxMonths).Before(p.Date) {
		return calendar.Day{}, errTooLong
	}
	return p.Date, nil
}

// tidy returns the value in lower case, with one blank for every run of white space.
func tidy(value string) string {
	return strings.ToLower(strings.Join(strings.Fields(value), " "))
}

// templateUnits are the units in FreeBSD's commit template. The template's explanation
// follows on the line.
const templateUnits = "[day[s]|week[s]|month[s]]"

func asksNothing(s string) bool {
	for _, word := range []string{"never", "none", "no", "n/a", "-"} {
		if rest, ok := strings.CutPrefix(s, word); ok && isRemark(rest) {
			return true
		}
	}
	return s == "" || strings.HasPrefix(strings.TrimPrefix(s, "n "), templateUnits)
}

// isRemark reports whether the text behind a period does not matter: none, punctuation,
// a remark in brackets (of which the closing one may be missing), or the commit
// template's text.
func isRemark(rest string) bool {
	rest = strings.TrimSpace(rest)
	if i := strings.Index(rest, templateUnits); i >= 0 {
		switch strings.TrimSpace(rest[:i]) {
		case "", "<", "n", "<n", "< n", ".", ". n":
			return true
		}
	}
	rest = strings.TrimSpace(strings.TrimPrefix(rest, "."))
	if strings.Trim(rest, ".,;!") == "" {
		return true
	}
	for _, pair := range []string{"()", "[]", "{}", "<>"} {
		if rest[0] != pair[0] {
			continue
		}
		end := strings.LastIndexByte(rest, pair[1])
		return end < 0 || strings.Trim(rest[end+1:], " .") == ""
	}
	return rest == "request a reminder email" || rest == "request a reminder email."
}

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
