package reminder

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/calendar"
)

const holidays = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test\r\n" +
	"BEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:20201224\r\nDTEND;VALUE=DATE:20201227\r\nRRULE:FREQ=YEARLY\r\nEND:VEVENT\r\n" +
	"BEGIN:VEVENT\r\nUID:2\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:20261207\r\nEND:VEVENT\r\n" +
	"BEGIN:VEVENT\r\nUID:3\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20261208T100000Z\r\nDTEND:20261208T110000Z\r\nEND:VEVENT\r\n" +
	"END:VCALENDAR\r\n"

func mustQuiet(t testing.TB, values ...string) Quiet {
	t.Helper()
	q, err := ParseQuiet(values)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func holidayFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "holidays.ics")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestQuiet(t *testing.T) {
	q := mustQuiet(t, QuietWeekends, holidayFile(t, holidays))
	for day, want := range map[string]bool{
		"20261204": false, "20261205": true, "20261206": true, "20261207": true, "20261208": false,
		"20261223": false, "20261224": true, "20261226": true, "20271224": true, "20271223": false, "20241225": true,
	} {
		d, err := calendar.Parse(day)
		if err != nil {
			t.Fatal(err)
		}
		if got := q.has(d); got != want {
			t.Errorf("%s: %v, want %v", day, got, want)
		}
	}
	for _, bad := range []string{holidayFile(t, "x"), holidayFile(t, ""), filepath.Join(t.TempDir(), "none")} {
		if _, err := ParseQuiet([]string{bad}); err == nil {
			t.Errorf("no error for %s", bad)
		}
	}
}

// What is due on a quiet day is sent on the next other day, once.
func TestQuietRun(t *testing.T) {
	s, out := newService(t)
	s.Quiet = mustQuiet(t, QuietWeekends)
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 15 days") // Saturday, 5 December
	mustRun(t, s, 15, "1 queued, 1 held on a quiet day")
	mustRun(t, s, 16, "1 held on a quiet day")
	mustRun(t, s, 17, "1 sent")
	mustRun(t, s, 18, "nothing to do")
	if len(out.mails) != 1 {
		t.Errorf("%d mails", len(out.mails))
	}
}

// The day is that of the zone in which the commit was made.
func TestQuietZone(t *testing.T) {
	for zone, want := range map[string]string{"+0000": "1 queued, 1 sent", "-0800": "1 queued, 1 held on a quiet day", "+1000": "1 queued, 1 sent"} {
		s, _ := newService(t)
		s.Quiet = mustQuiet(t, QuietWeekends)
		mail := fmt.Sprintf(commitMail, "a", "Jane <jane@example.org>", hashOf("a"), "MFC after: 1 week")
		if _, err := s.Queue.Spool.Put("a", replaceZone(mail, zone)); err != nil {
			t.Fatal(err)
		}
		s.Queue.Now = time.Date(2026, 11, 30, 0, 22, 0, 0, time.UTC) // Monday; Sunday in America
		sum, err := s.Run(t.Context())
		if err != nil || sum.String() != want {
			t.Errorf("%s: %s, %v; want %s", zone, sum, err, want)
		}
	}
}

func replaceZone(mail, zone string) []byte {
	return []byte(strings.Replace(mail, "09:00:00 +0000", "09:00:00 "+zone, 1))
}
