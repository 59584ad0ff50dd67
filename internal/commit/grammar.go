package commit

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"vext/internal/calendar"
)

// The grammar of periods. Each function reads its part from the beginning of s, which
// tidy has prepared, and returns the rest.
//
//	period = [preface] (date | "now" | range) [addition] [remark]
//	range  = sum [("-" | "to" | "or") sum]      the longer counts
//	sum    = amount {("and" | "," | "+" | ...) amount}
//	amount = number unit | number | "half a year"

// cutPreface skips words before a period that do not change it: "in 2 weeks", "about a
// month", "~2 weeks", "at least 2 weeks". between is true for "between 2 and 3 weeks".
func cutPreface(s string) (rest string, between bool) {
	for {
		switch word, after := cutWord(s); word {
		case "in", "after", "about", "around", "roughly", "approximately", "circa", "minimum",
			"ca", "approx", "min":
			s = strings.TrimLeft(after, ".: ") // "approx. 2 weeks", DragonFly's "MFC: after: 3 days"
			continue
		case "at":
			if least, ok := strings.CutPrefix(after, " least "); ok {
				s = least
				continue
			}
		case "between":
			return strings.TrimLeft(after, " "), true
		}
		before := s
		for _, sign := range []string{"~", "≈", "≥", ">="} {
			s = strings.TrimLeft(strings.TrimPrefix(s, sign), " ")
		}
		if s == before {
			return s, false
		}
	}
}

// cutAddition skips words behind a period that do not change it.
func cutAddition(s string) string {
	s = strings.TrimLeft(s, " ,")
	for _, words := range []string{"or so", "or more", "or longer", "or later", "at least", "minimum", "min", "from now", "from today", "later", "+"} {
		if rest, ok := strings.CutPrefix(s, words); ok {
			return rest
		}
	}
	return s
}

// cutNow reads words that mean "at once", and "tomorrow".
func cutNow(s string) (p Period, rest string, ok bool) {
	for _, words := range []string{"now", "immediately", "immediate", "right away", "right now", "at once", "straight away", "today"} {
		if rest, ok := strings.CutPrefix(s, words); ok {
			return Period{words: "0 days"}, rest, true
		}
	}
	if rest, ok := strings.CutPrefix(s, "tomorrow"); ok {
		return Period{Days: 1, words: "1 day"}, rest, true
	}
	return Period{}, s, false
}

// readDate reads a date: 2026-12-24, 2026/12/24, 24 Dec 2026, Dec 24, 2026, or one
// with the day of the week before it. The error is errNoDay for a date that does not
// exist, errUnreadable for anything else.
func readDate(s string) (p Period, rest string, err error) {
	err = errUnreadable
	parse := func(layout, text string) (time.Time, bool) {
		t, failed := time.Parse(layout, text)
		if e, ok := failed.(*time.ParseError); ok && strings.HasSuffix(e.Message, "out of range") {
			err = errNoDay
		}
		return t, failed == nil
	}
	rest = strings.TrimLeft(s, "0123456789-/")
	for _, layout := range []string{"2006-1-2", "2006/1/2"} {
		if t, ok := parse(layout, strings.TrimSuffix(s, rest)); ok {
			return datePeriod(t), rest, nil
		}
	}
	words := strings.SplitN(s, " ", 5)
	if _, isDay := parseWeekday(strings.TrimRight(words[0], ",.")); isDay {
		words = words[1:]
	}
	if len(words) < 3 || len(words[2]) < 4 {
		return Period{}, s, err
	}
	year, behind := words[2][:4], words[2][4:]
	written := words[0] + " " + strings.TrimRight(words[1], ",") + " " + year
	for _, layout := range []string{"2 Jan 2006", "2 January 2006", "Jan 2 2006", "January 2 2006"} {
		if t, ok := parse(layout, written); ok && strings.TrimLeft(behind, "0123456789") == behind {
			return datePeriod(t), behind + " " + strings.Join(words[3:], " "), nil
		}
	}
	return Period{}, s, err
}

func datePeriod(t time.Time) Period {
	return Period{Date: calendar.Of(t, time.UTC), words: t.Format("2 Jan 2006")}
}

// parseWeekday reads the name of a day of the week or its first three letters, in any
// case.
func parseWeekday(s string) (time.Weekday, bool) {
	for day := time.Sunday; day <= time.Saturday; day++ {
		if name := day.String(); strings.EqualFold(s, name) || strings.EqualFold(s, name[:3]) {
			return day, true
		}
	}
	return 0, false
}

// An amount is a number and its unit.
type amount struct {
	n         int
	unit      string // hour, day, week, month or year; "" for none
	needsUnit bool   // the number is an article or the like
}

// A sum is one amount or several: 1 month and 2 days.
type sum []amount

// cutRange reads one sum, or two of which the longer counts: "2-3 weeks", "2 weeks to a
// month", "a week or two". One of the two must have a unit.
func cutRange(s string, between bool) (p Period, rest string, ok bool) {
	first, rest, ok := cutSum(s)
	if !ok {
		return Period{}, s, false
	}
	if second, behind, isRange := cutSecond(rest, between); isRange {
		a, b := &first[len(first)-1], &second[0]
		switch {
		case a.unit == "" && b.unit != "" && !a.needsUnit:
			a.unit = b.unit
		case b.unit == "" && a.unit != "" && !b.needsUnit:
			b.unit = a.unit
		case a.unit == "" || b.unit == "":
			return Period{}, s, false // 12-24 may be a date, 2026-12 a month
		}
		p, q := first.period(), second.period()
		if q.Months*30+q.Days < p.Months*30+p.Days {
			return Period{}, s, false
		}
		return q, behind, true
	}
	if between || first[0].unit == "" && first[0].needsUnit {
		return Period{}, s, false
	}
	return first.period(), rest, true
}

// cutSecond reads the middle of a range and its second sum.
func cutSecond(s string, between bool) (second sum, rest string, ok bool) {
	separators := []string{"-", "–", "—", "‑", "~", "to ", "or "}
	if between {
		separators = []string{"and "}
	}
	for _, separator := range separators {
		if behind, ok := strings.CutPrefix(strings.TrimLeft(s, " "), separator); ok {
			return cutSum(strings.TrimLeft(behind, " "))
		}
	}
	return nil, s, false
}

// cutSum reads amounts. An amount without a unit must be the only one. Hours must be
// the last, because the m of "1h30m" does not mean months.
func cutSum(s string) (amounts sum, rest string, ok bool) {
	for {
		one, behind, ok := cutAmount(s)
		if !ok || one.unit == "" && len(amounts) > 0 {
			break
		}
		amounts, rest = append(amounts, one), behind
		if one.unit == "" || one.unit == "hour" || len(amounts) == maxAmounts {
			break
		}
		s = cutJoint(behind)
	}
	for i := range amounts {
		for _, before := range amounts[:i] {
			if before.unit == amounts[i].unit {
				return nil, s, false // 1 week and 1 week
			}
		}
	}
	return amounts, rest, len(amounts) > 0
}

// maxAmounts is how many amounts a sum may have: years, months, weeks, days, hours.
const maxAmounts = 5

// cutJoint skips the word or sign between two amounts.
func cutJoint(s string) string {
	s = strings.TrimLeft(s, " ")
	s = strings.TrimLeft(strings.TrimPrefix(s, ","), " ")
	for _, joint := range []string{"and ", "& ", "plus ", "+ ", "+"} {
		if rest, ok := strings.CutPrefix(s, joint); ok {
			return strings.TrimLeft(rest, " ")
		}
	}
	return s
}

// cutAmount reads a number, with or without a unit.
func cutAmount(s string) (a amount, rest string, ok bool) {
	for _, half := range []string{"half a year", "half year", "half-year", "a half year", "a half-year"} {
		if rest, ok := strings.CutPrefix(s, half); ok {
			return amount{n: 6, unit: "month"}, rest, true
		}
	}
	n, rest, isArticle, ok := cutNumber(s)
	if !ok {
		return amount{}, s, false
	}
	unit, rest, ok := cutUnit(rest)
	if unit == "fortnight" {
		n, unit = 2*n, "week"
	}
	return amount{n, unit, isArticle}, rest, ok
}

// period adds up the amounts of a sum. Hours are rounded up to days.
func (s sum) period() Period {
	var p Period
	var words []string
	for i, one := range s {
		switch one.unit {
		case "hour":
			one.n, one.unit = (one.n+23)/24, "day"
			if i > 0 && s[i-1].unit == "day" { // 1 day and 12 hours
				words = words[:i-1]
				one.n += s[i-1].n
				p.Days -= s[i-1].n
			}
			p.Days += one.n
		case "", "day":
			one.unit = "day"
			p.Days += one.n
		case "week":
			p.Days += one.n * 7
		case "month":
			p.Months += one.n
		case "year":
			p.Months += one.n * 12
		}
		words = append(words, calendar.Plural(one.n, one.unit))
	}
	last := len(words) - 1
	p.words = words[last]
	if last > 0 {
		p.words = strings.Join(words[:last], ", ") + " and " + words[last]
	}
	return p
}

// hasUnitOrDate reports whether value begins with a period with a unit or with a date,
// and not with a bare number: DragonFly's `MFC: 2 weeks` is a request, `MFC: 296348`
// names a revision.
func hasUnitOrDate(value string) bool {
	s, between := cutPreface(tidy(value))
	if _, _, err := readDate(s); err == nil {
		return true
	}
	first, rest, ok := cutSum(s)
	if !ok {
		return false
	}
	second, _, isRange := cutSecond(rest, between)
	return first[0].unit != "" || isRange && second[0].unit != ""
}

// isComplete reports whether the period in a value is not a bare number.
func isComplete(value string) bool {
	s, _ := cutPreface(tidy(value))
	_, _, isNow := cutNow(s)
	return isNow || hasUnitOrDate(value)
}

// numberWords are the numbers in words. The articles are 1, as "one" is.
var numberWords = []string{
	"a", "an", "one", "two", "three", "four", "five", "six", "seven",
	"eight", "nine", "ten", "eleven", "twelve",
}

// cutNumber reads a number: digits, a word up to twelve, or "a couple of". isArticle is
// set if it is a number only together with a unit.
func cutNumber(s string) (n int, rest string, isArticle, ok bool) {
	if rest = strings.TrimLeft(s, "0123456789"); rest != s {
		// More digits than fit into an int make the period too long, not unreadable. A
		// number of six digits is too long in any unit.
		digits := strings.TrimLeft(strings.TrimSuffix(s, rest), "0")
		if len(digits) > 5 {
			return maxHours, rest, false, true
		}
		n, _ = strconv.Atoi("0" + digits)
		return n, rest, false, true
	}
	for _, couple := range []string{"a couple of ", "couple of ", "a couple "} {
		if rest, ok := strings.CutPrefix(s, couple); ok {
			return 2, rest, true, true
		}
	}
	word, rest := cutWord(s)
	if i := slices.Index(numberWords, word); i >= 0 {
		return max(1, i-1), rest, i < 2, true
	}
	return 0, s, false, false
}

// maxHours is more hours than any period may have.
const maxHours = (maxDays + 1) * 24

// cutUnit reads a unit, with a blank or a hyphen before it, and returns its name in the
// singular, "" when there is none. ok is false for any other word.
func cutUnit(s string) (unit, rest string, ok bool) {
	word, rest := cutWord(strings.TrimLeft(strings.TrimPrefix(s, "+"), " ")) // "2+ weeks"
	if hyphen, found := strings.CutPrefix(s, "-"); found {
		if w, behind := cutWord(hyphen); unitOf(w) != "" { // "2-week", but not "two-three"
			word, rest = w, behind
		}
	}
	switch word {
	case "", "to", "or", "and": // the middle of a range: "2 to 3 weeks"
		return "", s, true
	case "n":
		return "", s, isRemark(s) // "1 n [day[s]|week[s]...", from the template
	}
	if unit = unitOf(word); unit == "" {
		return "", s, false
	}
	if len(word) > 1 && !strings.HasPrefix(word, unit) { // an abbreviation
		rest = strings.TrimPrefix(rest, ".")
	}
	return unit, strings.TrimPrefix(rest, "(s)"), true
}

// unitOf returns the unit that a word means, "" for none.
func unitOf(word string) string {
	switch word {
	case "h", "hr", "hrs", "hour", "hours":
		return "hour"
	case "d", "day", "days":
		return "day"
	case "w", "wk", "wks", "week", "weeks":
		return "week"
	case "fortnight", "fortnights":
		return "fortnight"
	case "m", "mo", "mos", "mth", "mths", "month", "months":
		return "month"
	case "y", "yr", "yrs", "year", "years":
		return "year"
	}
	return ""
}

// cutWord splits the ASCII letters at the beginning of s from the rest.
func cutWord(s string) (word, rest string) {
	rest = strings.TrimLeft(s, "abcdefghijklmnopqrstuvwxyz")
	return strings.TrimSuffix(s, rest), rest
}
