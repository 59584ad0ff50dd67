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
	s = strings.Join(strings.Fields(withoutComments(s)), " ")
	if len(s) > 10 && s[4] == '-' {
		return parseISO(s)
	}
	words := strings.Fields(strings.NewReplacer(" : ", ":", " :", ":", ": ", ":", ",", " ").Replace(s))
	if len(words) > 0 && isLetter(words[0][0]) {
		words = words[1:] // the day of the week
	}
	if len(words) < 4 {
		return time.Time{}
	}
	if isLetter(words[0][0]) { // ctime's: Nov 20 09:30:39 2026, with a zone before or behind the year
		words[0], words[1] = words[1], words[0]
		if len(words) > 4 && !isDigit(words[3][0]) {
			words[3], words[4] = words[4], words[3]
		}
		words[2], words[3] = words[3], words[2]
	}
	month, clock, zone := words[1], words[3], append(words, "")[4]
	if i := strings.IndexAny(clock, "+-"); i > 0 {
		clock, zone = clock[:i], clock[i:]
	}
	if rest, ok := strings.CutSuffix(clock, ":60"); ok {
		clock = rest + ":59" // a leap second, by the one before, which is on the same day
	}
	text := words[0] + " " + month[:min(len(month), 3)] + " " + fullYear(words[2]) + " " + clock
	for _, layout := range []string{"2 Jan 2006 15:04:05", "2 Jan 2006 15:04"} {
		if t, err := time.ParseInLocation(layout, text, location(zone)); err == nil {
			return t
		}
	}
	return time.Time{}
}

// parseISO reads a date that begins with the year.
func parseISO(s string) time.Time {
	s = strings.ToUpper(s) // RFC 3339 allows t and z
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

// fullYear returns a year with four digits. RFC 5322, section 4.3, defines the century of
// a year of two or three digits.
func fullYear(s string) string {
	n, err := strconv.Atoi(s)
	switch {
	case err != nil || len(s) != 2 && len(s) != 3:
		return s
	case len(s) == 3 || n >= 50:
		return strconv.Itoa(n + 1900)
	}
	return strconv.Itoa(n + 2000)
}

// location returns a zone: +0100, or a name of RFC 5322, section 4.3. Military letters and
// unknown names are UTC.
func location(zone string) *time.Location {
	switch strings.ToUpper(zone) {
	case "EDT":
		zone = "-0400"
	case "EST", "CDT":
		zone = "-0500"
	case "CST", "MDT":
		zone = "-0600"
	case "MST", "PDT":
		zone = "-0700"
	case "PST":
		zone = "-0800"
	}
	t, err := time.ParseInLocation("-0700", strings.Replace(zone, ":", "", 1), time.UTC)
	if err != nil {
		return time.UTC
	}
	return t.Location()
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

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
