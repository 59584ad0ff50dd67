package reminder

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"vext/internal/history"
)

// A run reads the history at most once, and when there is nothing to do only what was
// appended since the last run. A message is parsed twice in its life.
func TestReadOnce(t *testing.T) {
	s, out := newService(t)
	s.Operator, s.Explain = "ops@example.org", true
	var events []history.Event
	for i := range 1000 {
		events = append(events, history.Event{Time: now.AddDate(0, -2, 0), Kind: history.Sent, Name: fmt.Sprint("old", i), Key: fmt.Sprintf("old@%040x", i)})
	}
	if err := s.Queue.History.Append(events...); err != nil {
		t.Fatal(err)
	}
	size := func() (n int64) {
		files, _ := filepath.Glob(filepath.Join(s.Queue.History.Dir(), "*.jsonl"))
		for _, file := range files {
			if info, err := os.Stat(file); err == nil {
				n += info.Size()
			}
		}
		return n
	}
	// run returns how much of the history a run read, and how many messages it parsed.
	run := func(days int, want string) (read, parsed int64) {
		t.Helper()
		read, parsed = s.Queue.History.Read(), s.Queue.Parsed()
		mustRun(t, s, days, want)
		return s.Queue.History.Read() - read, s.Queue.Parsed() - parsed
	}
	run(0, "nothing to do") // which makes the tally, and mails the numbers of the month
	tail := int64(len(out.mails) * 200)
	if read, _ := run(0, "nothing to do"); read > tail {
		t.Errorf("with nothing to do it read %d bytes, want at most %d", read, tail)
	}
	put(t, s, "a", "a@example.org", "MFC after: 3 days")
	put(t, s, "b", "b@example.org", "MFC after: 0 days")
	put(t, s, "c", "c@example.org", "MFC after: soon")
	before := size()
	read, parsed := run(0, "2 queued, 1 sent, 1 quarantined, 1 explained")
	if once := before + 2*(size()-before); read > once || parsed != 5 {
		t.Errorf("of %d bytes and 3 messages it read %d bytes and parsed %d messages", before, read, parsed)
	}
	if read, parsed := run(0, "nothing to do"); read > size()-before || parsed != 0 {
		t.Errorf("again with nothing to do it read %d bytes and parsed %d messages", read, parsed)
	}
	before = size()
	if read, parsed := run(3, "1 sent"); read > before+2*(size()-before) || parsed != 1 {
		t.Errorf("to send one reminder it read %d bytes of %d and parsed %d messages", read, before, parsed)
	}
}

// A tally that can't be used is made anew: it is damaged, or the history is not what it
// was.
func TestTally(t *testing.T) {
	s, _ := newService(t)
	s.Operator = "ops@example.org"
	put(t, s, "a", "ida@example.org", "MFC after: soon")
	mustRun(t, s, 0, "1 quarantined")
	whole, err := os.ReadFile(s.tallyPath())
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprint(tallyOf(t, s))
	year := filepath.Join(s.Queue.History.Dir(), "2026.jsonl")
	text, err := os.ReadFile(year)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func() error{
		"cut off": func() error { return os.WriteFile(s.tallyPath(), whole[:len(whole)/2], 0o600) },
		"nulls": func() error {
			return os.WriteFile(s.tallyPath(), regexp.MustCompile(`\{\}`).ReplaceAll(whole, []byte("null")), 0o600)
		},
		"missing":         func() error { return os.Remove(s.tallyPath()) },
		"history changed": func() error { return os.WriteFile(year, append([]byte("\n"), text...), 0o600) },
		"history back":    func() error { return os.WriteFile(year, text, 0o600) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(tallyOf(t, s)); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// tallyOf returns what the tally has, but for its position.
func tallyOf(t *testing.T, s *Service) string {
	t.Helper()
	tally := s.loadTally()
	if err := tally.update(s.Queue.History); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(tally.Quarantined, tally.Unclear, tally.Notified, tally.Months["202611"], tally.First)
}
