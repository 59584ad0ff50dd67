package commit

import (
	"net/mail"
	"testing"
	"time"
)

func TestParseDate(t *testing.T) {
	for want, dates := range map[string][]string{
		"2026-11-20 09:30:39": {
			"2026-11-20T09:30:39Z", "2026-11-20T10:30:39+01:00", "2026-11-20t09:30:39.5z", "2026-11-20 04:30:39 -0500",
			"2026-11-20 09:30:39 +0000 (Fri, 20 Nov 2026)", "2026-11-20 09:30:39", "2026-11-20  09:30:39Z",
			"Fri, 20 Nov 2026 09:30:39 +0000 (UTC)", "Fri, 20 Nov 2026 09:30:39 GMT", "20 Nov 2026 01:30:39 PST",
			"Fri, 20 Nov 2026 09:30:39 UT", "Fri, 20 Nov 2026 09:30:39 Z", "Fri, 20 Nov 2026 09:30:39 z", "Fri, 20 Nov 2026 09:30:39 utc",
			"Fri,20 Nov 2026 09:30:39 +0000", "Fri ,20 Nov 2026 09:30:39 +0000", "Fri , 20 Nov 2026 09:30:39 -0000", "fri, 20 NOV 2026 09:30:39 gmt",
			"(a) Fri (b), (c) 20 (d) Nov (e) 2026 (f) 09 (g) : (h) 30 (i) : (j) 39 (k) +0000 (l)",
			"Fri, 20 Nov(a (b (c)) \\) \\( d)2026 09:30:39 +0000", "Fri, 20 Nov 2026 09:30:39 +0000 (never closed",
			"Fri, 20\r\n Nov\r\n\t2026 09:30:39\r\n +0000",
			"Fri, 20 Nov 26 09:30:39 +0000", "Fri, 20 Nov 126 09:30:39 +0000",
			"Fri, 20 Nov 2026 04:30:39 EST", "Fri, 20 Nov 2026 05:30:39 EDT", "Fri, 20 Nov 2026 03:30:39 CST", "Fri, 20 Nov 2026 04:30:39 CDT",
			"Fri, 20 Nov 2026 02:30:39 MST", "Fri, 20 Nov 2026 03:30:39 MDT", "Fri, 20 Nov 2026 02:30:39 PDT",
			"Fri, 20 Nov 2026 09:30:39 A", "Fri, 20 Nov 2026 09:30:39 m", "Fri, 20 Nov 2026 09:30:39 Y", "Fri, 20 Nov 2026 09:30:39 CEST",
			"Fri, 20 Nov 2026 09:30:39", "Fri, 20 Nov 2026 11:00:39 +01:30", "Fri, 20 November 2026 09:30:39 +0000", "Friday, 20 Nov 2026 09:30:39 +0000 UTC",
			"Fri Nov 20 09:30:39 2026", "Fri Nov 20 10:30:39 2026 +0100", "Fri Nov 20 09:30:39 UTC 2026", "Fri Nov 20 01:30:39 PST 2026",
		},
		"2026-11-20 09:30:00": {"Fri, 20 Nov 2026 09:30 +0000", "20 Nov 2026 9:30 UT", "2026-11-20 10:30 +0100"},
		"2026-11-02 09:30:39": {"Mon, 2 Nov 2026 09:30:39 +0000", "Mon,  2 Nov 2026 09:30:39 +0000", "Mon, 02 Nov 2026 09:30:39 +0000", "Mon Nov  2 09:30:39 2026"},
		"2016-12-31 23:59:59": {"Sat, 31 Dec 2016 23:59:60 +0000", "2016-12-31T23:59:60Z", "Sat, 31 Dec 2016 18:59:60 EST"},
		"1999-12-31 00:00:00": {"31 Dec 99 00:00 GMT", "31 Dec 099 00:00 GMT"},
		"2049-12-31 00:00:00": {"31 Dec 49 00:00 GMT"},
		"1950-12-31 00:00:00": {"31 Dec 50 00:00 GMT"},
	} {
		for _, s := range dates {
			if got := ParseDate(s).UTC().Format("2006-01-02 15:04:05"); got != want {
				t.Errorf("ParseDate(%q) = %s, want %s", s, got, want)
			}
		}
	}
	for _, s := range []string{
		"", "yesterday", "2026-13-40 00:00:00 +0000", "((((", "a, b", "Fri, 20 Nov 2026", "20 Nov 2026 24:00:00 +0000", "30 Feb 2026 00:00:00 +0000",
		"0 Nov 2026 00:00 +0000", "20 Nov 2026 00:61 +0000", "20 Nov 2026 00:00:61 +0000", "20 Nov 2 00:00 +0000", "20 Mayor", "20 Nov 20261 00:00 +0000",
	} {
		if got := ParseDate(s); !got.IsZero() {
			t.Errorf("ParseDate(%q) = %s, want none", s, got)
		}
	}
}

// A date that net/mail reads is the same time here, and a time that was read can be
// written and read again.
func FuzzParseDate(f *testing.F) {
	for _, s := range []string{
		"Fri, 20 Nov 2026 09:30:39 +0000 (UTC)", "Fri,20 Nov (a (b) \\) c) 26 09 : 30 : 60 PST", "20 Nov 126 09:30 Z",
		"Fri Nov 20 10:30:39 2026 +0100", "2026-11-20T09:30:39.123+01:00", "2026-11-20 04:30:39 -0500", "Thu, 01 Jan 70 00:00:00 UT",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := ParseDate(s)
		if want, err := mail.ParseDate(s); err == nil && isPlainZone(want) && !got.Equal(want) && want.Year() > 0 && want.Year() < 2050 { // it has 2050 for 50
			t.Errorf("%q is %s, net/mail has %s", s, got, want)
		}
		if got.IsZero() || got.Year() < 1000 || got.UTC().Year() > 9999 || got.UTC().Year() < 1000 {
			return
		}
		for _, layout := range []string{"Mon, 02 Jan 2006 15:04:05 -0700", logDate} {
			if again := ParseDate(got.UTC().Format(layout)); !again.Equal(got.Truncate(time.Second)) {
				t.Errorf("%q is %s, and written %s", s, got, again)
			}
		}
	})
}

// isPlainZone reports whether net/mail knew the offset: it takes the names of
// zones for UTC, and some of this machine's for its own.
func isPlainZone(t time.Time) bool {
	name, _ := t.Zone()
	return name == "" || name == "UTC"
}
