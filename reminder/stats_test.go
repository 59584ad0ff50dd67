package reminder

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/calendar"
	"vext/internal/history"
)

const mfcnsLog = `Thu Aug  2 00:22:01 2001: MFC notification sent to "Maxim Sobolev" <sobomax@FreeBSD.org>
Thu Aug  2 00:22:11 2001: MFC notification sent to "Jane "J" Miller" <jane@FreeBSD.org>
Thu Aug  2 00:22:11 2001: something else
Fri Aug 10 00:22:01 2001: MFC notification sent to "Maxim Sobolev" <sobomax@FreeBSD.org>
Mon Dec 21 00:22:01 2020: MFC notification sent to "b'Kon'" <b'kib@FreeBSD.org'>
Mon Dec 21 00:22:01 2020: MFC notification sent to "b'Kon'" <b'kib@FreeBSD.org'>
Mon Dec 21 00:22:01 2020: MFC notification sent to "b"O'Neil \xc3\xbc"" <b'committer@FreeBSD.org'>
nonsense: MFC notification sent to "x" <y@z>
`

func imported(t testing.TB) history.History {
	t.Helper()
	h := history.New(t.TempDir())
	for i, want := range []Import{{New: 6, Other: 2}, {Known: 6, Other: 2}} {
		got, err := ImportMFCns(h, strings.NewReader(mfcnsLog), time.UTC, false, nil)
		if err != nil || got != want {
			t.Fatalf("import %d: %+v, %v; want %+v", i, got, err, want)
		}
	}
	return h
}

// The report is MFCns's to the letter, and to import a log twice changes
// nothing.
func TestReport(t *testing.T) {
	s, err := CountSent(imported(t), ByCommitter, calendar.Day{}, calendar.Day{}, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := s.WriteReport(&b, "MFC Notification Service Statistics", time.UTC); err != nil {
		t.Fatal(err)
	}
	const want = "MFC Notification Service Statistics\n" +
		"-----------------------------------\n\n" +
		"Period: Thu Aug 2 00:22:01 2001 - Mon Dec 21 00:22:01 2020\n" +
		"Total number of notifications sent: 6\n\n" +
		"Committer\tMFCs\t% total\n" +
		"---------\t----\t-------\n\n" +
		"kib\t\t   2\t  33.33\n" +
		"sobomax\t\t   2\t  33.33\n" +
		"committer\t   1\t  16.67\n" +
		"jane\t\t   1\t  16.67\n"
	if got := b.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// Without MFCns the report is about reminders.
func TestTable(t *testing.T) {
	h := imported(t)
	if err := h.Append(history.Event{Time: now, Kind: history.Sent, Name: "a", Address: "a-long-login@example.org"}); err != nil {
		t.Fatal(err)
	}
	s, err := CountSent(h, ByCommitter, calendar.Date(2020, 1, 1), calendar.Day{}, time.UTC)
	if err != nil || !s.Imported {
		t.Fatalf("%+v, %v", s, err)
	}
	var b bytes.Buffer
	if err := s.WriteTable(&b, TableTitle, time.UTC); err != nil {
		t.Fatal(err)
	}
	const want = "Reminder statistics\n" +
		"-------------------\n\n" +
		"Period: Mon 21 Dec 2020 - Fri 20 Nov 2026\n" +
		"Total number of reminders sent: 4\n\n" +
		"Committer     Reminders  % total\n" +
		"------------  ---------  -------\n\n" +
		"kib                   2    50.00\n" +
		"a-long-login          1    25.00\n" +
		"committer             1    25.00\n"
	if got := b.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	empty, err := CountSent(history.New(t.TempDir()), ByCommitter, calendar.Day{}, calendar.Day{}, time.UTC)
	if err != nil || empty.Imported {
		t.Fatalf("%+v, %v", empty, err)
	}
	b.Reset()
	if err := empty.WriteTable(&b, "T", time.UTC); err != nil || b.String() != "T\n-\n\nTotal number of reminders sent: 0\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
}

func TestReportOfNothing(t *testing.T) {
	s, err := CountSent(history.New(t.TempDir()), ByCommitter, calendar.Day{}, calendar.Day{}, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := s.WriteReport(&b, "T", time.UTC); err != nil || b.String() != "T\n-\n\nPeriod: none - none\nTotal number of notifications sent: 0\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
}

func TestCountSent(t *testing.T) {
	h := imported(t)
	for _, test := range []struct {
		by, since, until, want string
	}{
		{ByMonth, "", "20011231", "2001-08 3"},
		{ByCommitter, "20010810", "", "kib 2, committer 1, sobomax 1"},
		{ByCommitter, "20010802", "20010802", "jane 1, sobomax 1"},
		{ByRepository, "", "", "- 6"},
		{ByBranch, "20300101", "", ""},
	} {
		var since, until calendar.Day
		if test.since != "" {
			since = mustDay(t, test.since)
		}
		if test.until != "" {
			until = mustDay(t, test.until)
		}
		s, err := CountSent(h, test.by, since, until, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range s.Counts {
			got = append(got, fmt.Sprintf("%s %d", c.Name, c.Count))
		}
		if strings.Join(got, ", ") != test.want {
			t.Errorf("by %s since %s until %s: %v, want %s", test.by, test.since, test.until, got, test.want)
		}
	}
	if _, err := CountSent(h, "moon", calendar.Day{}, calendar.Day{}, time.UTC); err == nil {
		t.Error("counts by moon")
	}
}

// Months without a reminder are shown: a gap is what one looks for.
func TestBars(t *testing.T) {
	s := &Stats{By: ByMonth, Total: 3}
	s.fill(map[string]int{"2025-11": 2, "2026-02": 1})
	var b bytes.Buffer
	if err := s.WriteBars(&b, 40); err != nil {
		t.Fatal(err)
	}
	const want = "2025-11       2  █████████████████████\n2025-12       0\n2026-01       0\n2026-02       1  ███████████\nall           3\n"
	if got := b.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func FuzzMFCns(f *testing.F) {
	for line := range strings.Lines(mfcnsLog) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		e, ok := parseMFCns(line, time.UTC)
		if ok && (e.Address == "" || e.Time.IsZero() || strings.ContainsAny(e.Address+e.Committer, "\n\x00")) {
			t.Errorf("%q: %+v", line, e)
		}
	})
}

// A record that was written twice because its first try failed counts once.
func TestRecordedTwice(t *testing.T) {
	h := history.New(t.TempDir())
	e := history.Event{Time: now, Kind: history.Sent, Name: "a", Address: "a@b"}
	if err := h.Append(e, e); err != nil {
		t.Fatal(err)
	}
	if s, _ := CountSent(h, ByCommitter, calendar.Day{}, calendar.Day{}, time.UTC); s.Total != 1 {
		t.Errorf("counted %d", s.Total)
	}
	os.RemoveAll(filepath.Join(h.Dir()))
}

func TestUnbytes(t *testing.T) {
	for s, want := range map[string]string{
		`b'Jane'`: "Jane", `b"O'Neil"`: "O'Neil", `b'J\xc3\xbcrgen'`: "Jürgen", `b'a\'b"c'`: `a'b"c`, `Jane`: "Jane", `b'\xff'`: `\xff`, `b'`: `b'`,
	} {
		if got := unbytes(s); got != want {
			t.Errorf("%s: %q, want %q", s, got, want)
		}
	}
}
