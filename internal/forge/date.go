package forge

import "time"

// date reads a date in RFC 3339, as all forges write it. It returns the zero time for
// anything else.
func date(s string) time.Time {
	t, err := time.ParseInLocation(time.RFC3339, s, time.UTC) // not in the machine's zone
	if err != nil {
		return time.Time{}
	}
	return t
}

// milliseconds reads a date that is a number of milliseconds since 1970.
func milliseconds(n int64) time.Time {
	t := time.UnixMilli(n).UTC()
	if n <= 0 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}
