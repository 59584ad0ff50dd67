package commit

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"vext/internal/calendar"
)

// A Period is what stands behind `MFC after:`: a number of days or months, or
// a date. The zero Period is due at once.
type Period struct {
	Days   int          // from days and weeks
	Months int          // from months and years
	Date   calendar.Day // set when a date was given instead
	words  string       // as it is said to people: "2 weeks"
}

// String returns the period in words: "1 week", "3 months", "4 Dec 2026".
func (p Period) String() string { return p.words }

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
)

// ParsePeriod reads the value of a trailer: a number in digits or a word up to
// twelve, then a unit (days when there is none), or a date. A full stop, a
// remark in brackets and what is left of the commit template may follow. The
// error is ErrNoPeriod, ErrTooLong or says that the value can't be read.
func ParsePeriod(value string) (Period, error) {
	s := tidy(value)
	if asksNothing(s) {
		return Period{}, ErrNoPeriod
	}
	if p, rest, ok := cutDate(s); ok && isRemark(rest) {
		return p, nil
	}
	n, rest, written, ok := cutNumber(s)
	if !ok {
		return Period{}, errUnreadable
	}
	unit, rest, ok := cutUnit(rest)
	if !ok || !isRemark(rest) || (unit == "" && written && n == 1 && s[0] == 'a') {
		return Period{}, errUnreadable // "a" alone is an article, not a number
	}
	return newPeriod(n, unit)
}

func newPeriod(n int, unit string) (Period, error) {
	var p Period
	switch unit {
	case "", "day":
		p.Days, unit = n, "day"
	case "week":
		p.Days = n * 7
	case "month":
		p.Months = n
	case "year":
		p.Months = n * 12
	}
	if p.Days > maxDays || p.Months > maxMonths {
		return Period{}, ErrTooLong
	}
	p.words = fmt.Sprintf("%d %ss", n, unit)
	if n == 1 {
		p.words = "1 " + unit
	}
	return p, nil
}

// Due returns the day on which a commit made on the day from is due. Months
// are counted on the calendar and cut to the month's last day. The error is
// ErrTooLong for a date more than ten years ahead, and for a day that has no
// eight digits.
func (p Period) Due(from calendar.Day) (calendar.Day, error) {
	if p.Date.IsZero() {
		due := from.AddDays(p.Days).AddMonths(p.Months)
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

// hasUnitOrDate reports whether value holds a unit or a date, and not only a
// number. DragonFly's `MFC: 2 weeks` asks for a reminder, `MFC: 296348` names
// a revision.
func hasUnitOrDate(value string) bool {
	s := tidy(value)
	if _, _, ok := cutDate(s); ok {
		return true
	}
	_, rest, _, ok := cutNumber(s)
	if !ok {
		return false
	}
	unit, _, ok := cutUnit(rest)
	return ok && unit != ""
}

// tidy lowers the value and folds every run of white space to one blank.
func tidy(value string) string {
	return strings.ToLower(strings.Join(strings.Fields(value), " "))
}

// templateUnits is how FreeBSD's commit template names its units; what follows
// it on a line is the template's explanation.
const templateUnits = "[day[s]|week[s]|month[s]]"

func asksNothing(s string) bool {
	for _, word := range []string{"never", "none", "no"} {
		if rest, ok := strings.CutPrefix(s, word); ok && isRemark(rest) {
			return true
		}
	}
	return s == "" || strings.HasPrefix(strings.TrimPrefix(s, "n "), templateUnits)
}

// isRemark reports whether what stands behind a period can be passed over:
// nothing, a full stop, a remark in brackets (its end may be on a later line),
// or the commit template's text.
func isRemark(rest string) bool {
	rest = strings.TrimSpace(rest)
	if i := strings.Index(rest, templateUnits); i >= 0 {
		switch strings.TrimSpace(rest[:i]) {
		case "", "<", "n", "<n", "< n", ".", ". n":
			return true
		}
	}
	rest = strings.TrimSpace(strings.TrimPrefix(rest, "."))
	if rest == "" {
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

// cutDate takes a date written 2026-12-24 or 2026/12/24 off the front of s.
func cutDate(s string) (Period, string, bool) {
	end := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '-' && r != '/' })
	if end < 0 {
		end = len(s)
	}
	for _, layout := range []string{"2006-1-2", "2006/1/2"} {
		if t, err := time.Parse(layout, s[:end]); err == nil {
			day := calendar.Of(t, time.UTC)
			return Period{Date: day, words: t.Format("2 Jan 2006")}, s[end:], true
		}
	}
	return Period{}, s, false
}

var numberWords = []string{
	"a", "an", "one", "two", "three", "four", "five", "six", "seven",
	"eight", "nine", "ten", "eleven", "twelve",
}

// cutNumber takes a number off the front of s: digits or a word up to twelve,
// which it reports as written.
func cutNumber(s string) (n int, rest string, written, ok bool) {
	end := 0
	for end < len(s) && '0' <= s[end] && s[end] <= '9' {
		end++
	}
	if end > 0 {
		// Too many digits for an int are still digits: the period is then
		// too long, not unreadable. Five are more days than ten years have.
		digits := strings.TrimLeft(s[:end], "0")
		if len(digits) > 5 {
			return maxDays + 1, s[end:], false, true
		}
		n, _ = strconv.Atoi("0" + digits)
		return n, s[end:], false, true
	}
	word, rest := cutWord(s)
	for i, w := range numberWords {
		if w == word {
			return max(1, i-1), rest, true, true
		}
	}
	return 0, s, false, false
}

// cutUnit takes a unit off the front of s and returns its full name in the
// singular, "" when there is none. It fails on any other word.
func cutUnit(s string) (unit, rest string, ok bool) {
	word, rest := cutWord(strings.TrimPrefix(s, " "))
	if word == "" {
		return "", s, true
	}
	if word == "n" && isRemark(s) { // "1 n [day[s]|week[s]...": the template's
		return "", s, true
	}
	for _, u := range []string{"day", "week", "month", "year"} {
		if word == u || word == u+"s" || word == u[:1] {
			return u, strings.TrimPrefix(rest, "(s)"), true
		}
	}
	return "", s, false
}

// cutWord takes the ASCII letters off the front of s.
func cutWord(s string) (word, rest string) {
	end := 0
	for end < len(s) && 'a' <= s[end] && s[end] <= 'z' {
		end++
	}
	return s[:end], s[end:]
}
