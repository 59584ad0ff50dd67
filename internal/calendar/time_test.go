package calendar

import (
	"testing"
	"time"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// Times that people type, and their instants.
func TestParseTime(t *testing.T) {
	for _, test := range []struct{ zone, text, want string }{
		{"UTC", "2026-12-04", "2026-12-04T00:00:00Z"},
		{"UTC", "2026-12-04 15:00", "2026-12-04T15:00:00Z"},
		{"UTC", "2026-12-04T15:00", "2026-12-04T15:00:00Z"},
		{"UTC", "2026-12-04 15:00:30", "2026-12-04T15:00:30Z"},
		{"UTC", "2026-12-04T15:00:30", "2026-12-04T15:00:30Z"},
		{"UTC", "2026-12-04T15:00:00+02:00", "2026-12-04T13:00:00Z"},
		{"Europe/Berlin", "2026-12-04", "2026-12-03T23:00:00Z"},
		{"Europe/Berlin", "2026-12-04T15:00:00Z", "2026-12-04T15:00:00Z"},
		// Days without midnight.
		{"America/Santiago", "2026-09-06", "2026-09-06T04:00:00Z"},
		{"America/Havana", "2026-03-08", "2026-03-08T05:00:00Z"},
		{"Asia/Beirut", "2026-03-29", "2026-03-28T22:00:00Z"},
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"},
		// A day that was skipped, and one with two midnights.
		{"Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"},
		{"America/Havana", "2026-11-01", "2026-11-01T04:00:00Z"},
		// Times that the clock skips, and one that it shows twice.
		{"America/Santiago", "2026-09-06 00:30", "2026-09-06T04:00:00Z"},
		{"Europe/Berlin", "2026-03-29 02:30", "2026-03-29T01:00:00Z"},
		{"Europe/Berlin", "2026-10-25 02:30", "2026-10-25T00:30:00Z"},
	} {
		got, err := ParseTime(test.text, zone(t, test.zone))
		if err != nil || got.UTC().Format(time.RFC3339) != test.want {
			t.Errorf("%s in %s is %s, %v; want %s", test.text, test.zone, got.UTC().Format(time.RFC3339), err, test.want)
		}
	}
	for _, text := range []string{"", "2026-02-30", "tomorrow", "2026-12-04 25:00", "2026-12-04Z", "20261204"} {
		if got, err := ParseTime(text, time.UTC); err == nil {
			t.Errorf("%q is %s", text, got)
		}
	}
}

// A day begins where the day before ends, also where the clock changes at midnight.
func TestStart(t *testing.T) {
	for _, name := range []string{
		"UTC", "America/Santiago", "America/Havana", "America/Sao_Paulo", "America/Asuncion", "America/St_Johns", "Asia/Beirut", "Africa/Cairo",
		"Asia/Amman", "Asia/Tehran", "Atlantic/Azores", "America/Scoresbysund", "Pacific/Apia", "Pacific/Kiritimati", "Australia/Lord_Howe", "Europe/London",
	} {
		loc := zone(t, name)
		for day := Date(2005, 1, 1); day.Before(Date(2030, 1, 1)); day = day.AddDays(1) {
			start := day.Start(loc)
			if got := Of(start, loc); got != day && name != "Pacific/Apia" {
				t.Errorf("%s: %s begins on %s", name, day, start)
			}
			if got := Of(start.Add(-time.Second), loc); !got.Before(day) {
				t.Errorf("%s: %s has begun a second before %s", name, day, start)
			}
		}
	}
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2026-09-06", "2026-12-04 15:00", "2026-12-04T15:00:00Z", "0001-01-01", "9999-12-31"} {
		f.Add(s)
	}
	loc := zone(f, "America/Santiago")
	f.Fuzz(func(t *testing.T, s string) {
		at, err := ParseTime(s, loc)
		if day, dayErr := time.Parse(time.DateOnly, s); err == nil && dayErr == nil && Of(at, loc) != Of(day, time.UTC) {
			t.Errorf("%q is %s", s, at)
		}
	})
}
