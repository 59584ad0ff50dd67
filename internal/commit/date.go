package commit

import (
	"strconv"
	"strings"
	"time"
)

// logDate is how git log writes dates.
const logDate = "2006-01-02 15:04:05 -0700"

// ParseDate reads a date of a mail or a commit mail: RFC 5322, sections 3.3 and 4.3,
// with comments, obsolete years and obsolete zones; RFC 3339; a date of git log; a date
// of ctime(3), with or without a zone. A missing or unknown zone is UTC. It returns the
// zero time for anything else.
func ParseDate(s string) time.Time {
	d := dateReader{strings.TrimSpace(withoutComments(s))}
	if len(d.rest) > 10 && d.rest[4] == '-' {
		return parseISO(d.rest)
	}
	if d.isLetter() { // the day of the week
		d.word()
		d.take(',')
	}
	if d.isLetter() {
		return d.ctime()
	}
	day, month := d.number(2), month(d.word())
	year := d.year()
	clock := d.clock()
	return makeDate(year, month, day, clock, d.zone())
}

// ctime reads the rest of `Fri Nov 20 09:30:39 2026`, with a zone before or behind the
// year.
func (d *dateReader) ctime() time.Time {
	month, day := month(d.word()), d.number(2)
	clock, zone := d.clock(), time.UTC
	if !d.isDigit() {
		zone = d.zone()
	}
	year := d.year()
	if d.rest != "" {
		zone = d.zone()
	}
	return makeDate(year, month, day, clock, zone)
}

// parseISO reads a date that begins with the year.
func parseISO(s string) time.Time {
	s = strings.ToUpper(strings.Join(strings.Fields(s), " ")) // RFC 3339 allows t and z
	if len(s) >= 19 && s[16:19] == ":60" {
		s = s[:17] + "59" + s[19:]
	}
	for _, layout := range []string{time.RFC3339, logDate, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04 -0700", "2006-01-02 15:04:05"} {
		// In UTC: the local zone must not matter, and reading its file takes time.
		if t, err := time.ParseInLocation(layout, s, time.UTC); err == nil {
			return t
		}
	}
	return time.Time{}
}

// makeDate returns the time, the zero time for a day or hour that does not exist. It
// replaces a leap second by the second before, which is on the same day.
func makeDate(year, month, day int, clock [3]int, zone *time.Location) time.Time {
	hour, minute, second := clock[0], clock[1], clock[2]
	if year < 1 || month < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 {
		return time.Time{}
	}
	t := time.Date(year, time.Month(month), day, hour, minute, min(second, 59), 0, zone)
	if t.Day() != day { // such as 30 February
		return time.Time{}
	}
	return t
}

// withoutComments replaces each comment (RFC 5322, section 3.2.2) by a blank. Comments
// nest, and a backslash quotes.
func withoutComments(s string) string {
	if !strings.Contains(s, "(") {
		return s
	}
	var b strings.Builder
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && depth > 0:
			i++
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			if depth--; depth == 0 {
				b.WriteByte(' ')
			}
		case depth == 0:
			b.WriteByte(c)
		}
	}
	return b.String()
}

const monthNames = "janfebmaraprmayjunjulaugsepoctnovdec"

// month returns the number of a month, by its name or the first three letters of it,
// and 0 for anything else.
func month(name string) int {
	if len(name) < 3 {
		return 0
	}
	i := strings.Index(monthNames, strings.ToLower(name[:3]))
	if i < 0 || i%3 != 0 {
		return 0
	}
	return i/3 + 1
}

// A dateReader reads a date token by token, skipping the blanks behind each. It returns
// -1 or "" for a token that is not there.
type dateReader struct{ rest string }

func (d *dateReader) isDigit() bool { return d.rest != "" && isDigit(d.rest[0]) }

func (d *dateReader) isLetter() bool { return d.rest != "" && isLetter(d.rest[0]) }

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// span reads the longest prefix whose bytes are all of one kind.
func (d *dateReader) span(is func(byte) bool) string {
	n := 0
	for n < len(d.rest) && is(d.rest[n]) {
		n++
	}
	taken := d.rest[:n]
	d.rest = strings.TrimLeft(d.rest[n:], " \t\r\n")
	return taken
}

func (d *dateReader) word() string { return d.span(isLetter) }

// take reads the byte c, if it is the next.
func (d *dateReader) take(c byte) bool {
	rest, ok := strings.CutPrefix(d.rest, string(c))
	if ok {
		d.rest = strings.TrimLeft(rest, " \t\r\n")
	}
	return ok
}

// number reads a number of at most that many digits.
func (d *dateReader) number(digits int) int {
	s := d.span(isDigit)
	n, err := strconv.Atoi(s)
	if err != nil || len(s) > digits {
		return -1
	}
	return n
}

// clock reads hours, minutes and, if there are any, seconds.
func (d *dateReader) clock() (clock [3]int) {
	clock[0], clock[1] = d.number(2), -1
	for i := 1; i < 3 && d.take(':'); i++ {
		clock[i] = d.number(2)
	}
	return clock
}

// year reads a year. RFC 5322, section 4.3, defines the century of a year of two or
// three digits.
func (d *dateReader) year() int {
	s := d.span(isDigit)
	n, err := strconv.Atoi(s)
	switch {
	case err != nil || len(s) < 2 || len(s) > 4:
		return -1
	case len(s) == 4:
		return n
	case len(s) == 3 || n >= 50:
		return n + 1900
	}
	return n + 2000
}

// zone reads a zone: +0100, or a name of RFC 5322, section 4.3. Military letters and
// unknown names are UTC.
func (d *dateReader) zone() *time.Location {
	sign := 1
	switch {
	case d.take('-'):
		sign = -1
	case d.take('+'):
	default:
		return namedZone(d.word())
	}
	hours := d.span(isDigit)
	if len(hours) == 2 && d.take(':') {
		hours += d.span(isDigit)
	}
	n, err := strconv.Atoi(hours)
	if err != nil || len(hours) != 4 || n%100 > 59 {
		return time.UTC
	}
	return time.FixedZone("", sign*(n/100*60+n%100)*60)
}

func namedZone(name string) *time.Location {
	hours := 0
	switch strings.ToUpper(name) {
	case "EDT":
		hours = -4
	case "EST", "CDT":
		hours = -5
	case "CST", "MDT":
		hours = -6
	case "MST", "PDT":
		hours = -7
	case "PST":
		hours = -8
	default:
		return time.UTC
	}
	return time.FixedZone("", hours*3600)
}
