package history

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func all(t *testing.T, h History) ([]Event, int) {
	t.Helper()
	var events []Event
	damaged, err := h.Scan(func(e *Event) { events = append(events, *e) })
	if err != nil {
		t.Fatal(err)
	}
	return events, damaged
}

// What is appended is read, year by year, as it was.
func TestAppendAndScan(t *testing.T) {
	h := New(t.TempDir())
	want := []Event{
		{Time: at("2025-12-31T23:59:59Z"), Kind: Queued, Name: "a@b", Address: "jane@example.org", Committer: `Jane "J" Müller`, Due: "20260101"},
		{Time: at("2026-01-01T00:00:00Z"), Kind: Sent, Name: "a@b", Reason: "line\nend", Subject: "\u2028 \\ <&>"},
		{Time: at("2026-01-01T00:00:00Z"), Kind: Failed, Name: "c", Key: "src@0a", Revision: "0a", Branch: "main", Repository: "src", Asked: "x", Via: "v", By: "b", Until: "u"},
	}
	if err := h.Append(want...); err != nil {
		t.Fatal(err)
	}
	got, damaged := all(t, h)
	if !reflect.DeepEqual(got, want) || damaged != 0 {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	files, _ := filepath.Glob(filepath.Join(h.Dir(), "*"))
	if len(files) != 2 || filepath.Base(files[0]) != "2025.jsonl" {
		t.Errorf("files: %v", files)
	}
}

// A line that a crash cut off costs no other line.
func TestCutOffLine(t *testing.T) {
	h := New(t.TempDir())
	e := Event{Time: at("2026-01-01T00:00:00Z"), Kind: Sent, Name: "a@b"}
	if err := h.Append(e); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(h.Dir(), "2026.jsonl")
	data, _ := os.ReadFile(path)
	for cut := 1; cut < len(data); cut++ {
		if err := os.WriteFile(path, append(append([]byte(nil), data...), data[:cut]...), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(h.sum); err != nil {
			t.Fatal(err)
		}
		if err := h.Append(e); err != nil {
			t.Fatal(err)
		}
		// All but the newline is a line that can be read.
		if got, damaged := all(t, h); len(got)+damaged != 3 || len(got) < 2 || damaged == 0 && cut < len(data)-1 {
			t.Fatalf("cut at %d: %d events, %d damaged", cut, len(got), damaged)
		}
	}
}

func TestNoHistory(t *testing.T) {
	h := New(filepath.Join(t.TempDir(), "none"))
	if got, damaged := all(t, h); len(got) > 0 || damaged > 0 {
		t.Errorf("%v", got)
	}
}

// What is added to an index that was filled is looked up as well, and what it had stays.
func TestAddAfterFill(t *testing.T) {
	h := New(t.TempDir())
	for _, name := range []string{"a", "b", "c"} {
		if err := h.Append(Event{Time: at("2026-01-01T00:00:00Z"), Kind: Sent, Name: name, Key: "key of " + name}); err != nil {
			t.Fatal(err)
		}
	}
	x, err := h.Lookup([]string{"a"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	x.Add([]string{"a", "b"}, []string{"key of c"})
	for range 2 { // the second reads nothing
		if err := x.Fill(); err != nil {
			t.Fatal(err)
		}
		if !x.Name("a").Done || !x.Name("b").Done || !x.Commit("key of c").All.Done {
			t.Errorf("a %+v, b %+v, c %+v", x.Name("a"), x.Name("b"), x.Commit("key of c").All)
		}
	}
}

// What is known of a message follows from its events, in their order.
func TestKnow(t *testing.T) {
	h := New(t.TempDir())
	event := func(kind, name, key string) Event {
		return Event{Time: at("2026-01-01T00:00:00Z"), Kind: kind, Name: name, Key: key}
	}
	events := []Event{
		event(Queued, "sent", "k1"), event(Deferred, "sent", ""), event(Deferred, "sent", ""), event(Sent, "sent", "k1"),
		event(Queued, "snoozed", "k2"), event(Sent, "snoozed", "k2"), event(Snoozed, "snoozed", "k2"),
		event(Queued, "cancelled", "k3"), event(Cancelled, "cancelled", "k3"),
		event(Queued, "deferred", "k4"), event(Deferred, "deferred", ""),
		event(Queued, "retried", "k5"), event(Deferred, "retried", ""), event(Retried, "retried", ""),
		event(Queued, "branches", "k6"), event(OnBranch, "other", "k6"),
	}
	events[6].Due = "20260201"
	events[2].Until = "2026-01-02T00:00:00Z"
	events[10].Until = "2026-01-02T00:00:00Z"
	events[15].Branch = "trunk"
	if err := h.Append(events...); err != nil {
		t.Fatal(err)
	}
	k, err := h.Lookup([]string{"sent", "snoozed", "cancelled", "deferred", "retried", "none"}, []string{"k1", "k2", "k6", ""})
	if err != nil {
		t.Fatal(err)
	}
	if s := k.Name("sent"); !s.Done || s.Deferrals().Count != 0 || s.Queued == nil {
		t.Errorf("sent: %+v", s)
	}
	if s := k.Name("snoozed"); s.Done || s.Snoozed != "20260201" {
		t.Errorf("snoozed: %+v", s)
	}
	if !k.Name("cancelled").Done || k.Name("none").Done {
		t.Error("cancelled or none")
	}
	if s := k.Name("deferred"); s.Deferrals().Count != 1 || !s.Deferrals().Until.Equal(at("2026-01-02T00:00:00Z")) || !s.Deferrals().First.Equal(events[10].Time) {
		t.Errorf("deferred: %+v", s)
	}
	if s := k.Name("retried"); s.Deferrals().Count != 0 || !s.Deferrals().Until.IsZero() {
		t.Errorf("retried: %+v", s)
	}
	if !k.Commit("k1").All.Done || k.Commit("k2").All.Done || k.Commit("").All.Done {
		t.Error("by key")
	}
	if s := k.Commit("k6").All; strings.Join(s.Branches, " ") != "trunk" {
		t.Errorf("branches: %v", s.Branches)
	}
}

// FuzzDecode holds the decoder against encoding/json. It accepts more: control
// characters, and bytes that are not UTF-8.
func FuzzDecode(f *testing.F) {
	for _, line := range []string{
		`{"time":"2026-01-01T00:00:00Z","event":"sent","name":"a@b"}`,
		`{"time":"2026-02-29T00:00:00Z","event":"sent"}`,
		`{"time":"2026-01-01T02:00:00.5+02:00","event":"sent"}`,
		`{"time":"2026-01-01T00:00:00Z","event":"sent","extra":{"a":["}",1,null]},"n":-1.5e3,"t":true}`,
		`{"time":"2026-01-01T00:00:00Z","event":"a","event":"b","name":null}`,
		` { "event" : "b" , "reason" : "\u0041\ud83d\ude00\n\"\\" } `,
		`{"event":"b","reason":"\q"}`,
		`{"event":"b","due":20260101}`,
		`{"event":"b",}`,
		`{}`,
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		var ours, theirs Event
		var r record
		ok := r.split([]byte(line)) && (len(r[fKind]) == 0 || r.event(&ours, names{}))
		err := json.Unmarshal([]byte(line), &theirs)
		var keys map[string]json.RawMessage
		json.Unmarshal([]byte(line), &keys)
		for key := range keys {
			if !slices.Contains(fieldNames[:], key) && slices.ContainsFunc(fieldNames[:], func(name string) bool { return strings.EqualFold(name, key) }) {
				return // encoding/json ignores case
			}
		}
		switch isOdd := strings.ContainsFunc(line, func(r rune) bool { return r < ' ' }) || !utf8.ValidString(line) || strings.TrimSpace(line) == "null"; {
		case isOdd:
		case ok != (err == nil) && len(r[fKind]) > 0:
			t.Errorf("%q: %t, but encoding/json says %v", line, ok, err)
		case ok && len(r[fKind]) > 0 && !(ours.Time.Equal(theirs.Time) && func() bool { ours.Time, theirs.Time = time.Time{}, time.Time{}; return ours == theirs }()):
			t.Errorf("%q:\n%+v\n%+v", line, ours, theirs)
		}
	})
}

// Every method names the operation and the path, once.
func TestErrors(t *testing.T) {
	state := t.TempDir()
	h := New(state)
	if err := os.WriteFile(filepath.Join(state, "history"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, scanErr := h.Scan(func(*Event) {})
	_, lookupErr := h.Lookup([]string{"a"}, nil)
	_, straysErr := h.Strays()
	for _, err := range []error{h.Append(Event{}), h.Reserve(), h.Release(), scanErr, lookupErr, straysErr} {
		var e *Error
		if !errors.As(err, &e) || e.Op == "" || strings.Count(err.Error(), state) != 1 {
			t.Errorf("got %v", err)
		}
	}
}
