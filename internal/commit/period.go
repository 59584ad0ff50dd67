package commit

import (
	"errors"
	"strings"

	"vext/internal/calendar"
)

// A Period is what stands behind `MFC after:`: a number of days or months, or
// a date. The zero Period is due at once.
type Period struct {
	Days   int          // from days and weeks
	Months int          // from months and years
	Date   calendar.Day // set when a date was given instead
	words  string       // as people say it: "2 weeks", "1 month and 2 days"
}

// String returns the period in words: "1 week", "3 months", "4 Dec 2026".
func (p Period) String() string { return p.words }

// Wish says it behind "asked to be reminded": "after 2 weeks", "on Thu 24 Dec
// 2026", "at once". It is empty for what could not be read.
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

// ten years is the longest that anybody can be expected to mean.
const (
	maxYears  = 10
	maxMonths = maxYears * 12
	maxDays   = maxYears*365 + 3 // with three leap days
)

var (
	// ErrNoPeriod is returned for a value that asks for nothing: an empty one,
	// `never`, or the commit template's own line.
	ErrNoPeriod = errors.New("asks for no reminder")
	// ErrTooLong is returned for a period of more than ten years.
	ErrTooLong = errors.New("more than ten years")

	errUnreadable = errors.New("not a period such as \"2 weeks\" or \"2026-12-24\"")
	errNoDay      = errors.New("a day that does not exist") // 2026-02-30
)

// ParsePeriod reads the value of a trailer: a period such as "2 weeks", "2-3
// wks", "1 month and 2 days" or "about a fortnight", a date, or "now". The
// grammar is described in vext-filter(1): values with only one meaning are
// understood. A full stop, a remark in brackets and the rest of the commit template's
// text may follow. The error is ErrNoPeriod, ErrTooLong or says that the value can't
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
		return Period{}, ErrTooLong
	}
	return p, nil
}

// equals reports whether both mean the same, in whatever words.
func (p Period) equals(q Period) bool {
	p.words, q.words = "", ""
	return p == q
}

// noPeriod stands for a value that asks for nothing beside one that does.
var noPeriod = Period{Days: -1}

// Due returns the day on which a commit made on the day from is due. Months
// are counted on the calendar and cut to the month's last day. The error is
// ErrTooLong for a date more than ten years ahead, and for a day that has no
// eight digits.
func (p Period) Due(from calendar.Day) (calendar.Day, error) {
	if p.Date.IsZero() {
		due := from.AddMonths(p.Months).AddDays(p.Days)
		if due.Year() > 9999 { // a day has eight digits
			return calendar.Day{}, ErrTooLong
		}
		return due, nil
	}
	if from.AddMonths(maxMonths).Before(p.Date) {
		return calendar.Day{}, ErrTooLong
	}
	return p.Date, nil
}

// tidy lowers the value and folds every run of white space to one blank.
func tidy(value string) string {
	return strings.ToLower(strings.Join(strings.Fields(value), " "))
}

// templateUnits is how FreeBSD's commit template names its units; what follows
// it on a line is the template's explanation.
const templateUnits = "[day[s]|week[s]|month[s]]"

func asksNothing(s string) bool {
	for _, word := range []string{"never", "none", "no", "n/a", "-"} {
		if rest, ok := strings.CutPrefix(s, word); ok && isRemark(rest) {
			return true
		}
	}
	return s == "" || strings.HasPrefix(strings.TrimPrefix(s, "n "), templateUnits)
}

// isRemark reports whether what stands behind a period can be passed over:
// nothing, a full stop or the like, a remark in brackets (its end may be
// missing), or the commit template's text.
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
