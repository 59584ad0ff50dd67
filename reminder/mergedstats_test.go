package reminder

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"vext/internal/calendar"
	"vext/internal/history"
)

// mergedHistory has requests of two committers.
func mergedHistory(t *testing.T) history.History {
	t.Helper()
	h := history.New(t.TempDir())
	event := func(kind, who, id, due, since string) history.Event {
		return history.Event{
			Time: now, Kind: kind, Name: id, Address: who + "@example.org", Repository: "src",
			Key: "src@" + hashOf(id), Due: due, Since: since,
		}
	}
	if err := h.Append(
		event(history.Queued, "jane", "a", "20261101", ""), event(history.Queued, "jane", "b", "20261101", ""),
		event(history.Queued, "jane", "c", "20261101", ""), event(history.Queued, "jane", "d", "20261224", ""),
		event(history.Queued, "ida", "e", "20261101", ""), event(history.Snoozed, "ida", "e", "20261222", ""),
		event(history.Queued, "ida", "f", "20261101", ""), event(history.Sent, "ida", "f", "20261101", ""),
		event(history.Merged, "jane", "a", "20261101", "2026-10-30T09:00:00Z"),
		event(history.Merged, "jane", "b", "20261101", "2026-11-08T09:00:00Z"),
		event(history.Merged, "ida", "f", "20261101", ""),
	); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestCountMerged(t *testing.T) {
	s, err := CountMerged(mergedHistory(t), ByCommitter, calendar.Day{}, calendar.Day{}, calendar.Of(now, time.UTC), time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	if err := s.Write(&table); err != nil {
		t.Fatal(err)
	}
	const want = `Committer   asked  merged   never  pending    days after due
jane            4       2       1        1      2.5 (median)
ida             2       1       0        1                 -
all             6       3       1        2      2.5 (median)
`
	if table.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", &table, want)
	}
	got, err := json.Marshal(s.Counts[1])
	if want := `{"name":"ida","asked":2,"merged":1,"never":0,"pending":1,"median_days_after_due":null}`; err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	if _, err := CountMerged(mergedHistory(t), "moon", calendar.Day{}, calendar.Day{}, calendar.Day{}, time.UTC); err == nil {
		t.Error("no error for what it can't count by")
	}
}
