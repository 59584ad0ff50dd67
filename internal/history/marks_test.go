package history

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// Marks hold until they are taken back.
func TestMarks(t *testing.T) {
	const a, b = "src@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "src@bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	for _, test := range []struct {
		name   string
		events []Event
		want   []string // mark, target, other
	}{
		{"set", []Event{{Kind: Marked, Key: a, Mark: MarkDone}, {Kind: Sent, Key: a}}, []string{"done  "}},
		{"twice", []Event{{Kind: Marked, Key: a, Mark: MarkDone}, {Kind: Marked, Key: a, Mark: MarkDone}}, []string{"done  "}},
		{"taken back", []Event{{Kind: Marked, Key: a, Mark: MarkDone}, {Kind: Unmarked, Key: a, Mark: MarkDone}}, nil},
		{"by an abbreviation", []Event{{Kind: Marked, Key: a, Mark: MarkDone}, {Kind: Unmarked, Key: a[:16], Mark: MarkDone}}, nil},
		{"of another", []Event{{Kind: Marked, Key: a, Mark: MarkDone}, {Kind: Unmarked, Key: b, Mark: MarkDone}}, []string{"done  "}},
		{"on every target", []Event{
			{Kind: Marked, Key: a, Mark: MarkDone, Target: "stable/15"}, {Kind: Marked, Key: a, Mark: MarkDone, Target: "stable/14"},
			{Kind: Unmarked, Key: a, Mark: MarkDone},
		}, nil},
		{"on one target", []Event{
			{Kind: Marked, Key: a, Mark: MarkNotWanted, Target: "stable/15"}, {Kind: Marked, Key: a, Mark: MarkNotWanted, Target: "stable/14"},
			{Kind: Unmarked, Key: a, Mark: MarkNotWanted, Target: "stable/15"},
		}, []string{"not-wanted stable/14 "}},
		{"of one fix", []Event{
			{Kind: Marked, Key: a, Mark: MarkNotAFix, Other: "c1"}, {Kind: Marked, Key: a, Mark: MarkNotAFix, Other: "c2"},
			{Kind: Unmarked, Key: a, Mark: MarkNotAFix, Other: "c1"},
		}, []string{"not-a-fix-of  c2"}},
	} {
		h := New(t.TempDir())
		for i := range test.events {
			test.events[i].Time = time.Date(2026, 12, 4, 12, i, 0, 0, time.UTC)
		}
		if err := h.Append(test.events...); err != nil {
			t.Fatal(err)
		}
		marks, err := h.Marks()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range marks {
			got = append(got, fmt.Sprintf("%s %s %s", m.Mark, m.Target, m.Other))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestDescribeMark(t *testing.T) {
	for want, e := range map[string]Event{
		"marked done on stable/15 by ida":                    {Kind: Marked, Mark: MarkDone, Target: "stable/15", By: "ida"},
		"unmarked not wanted by ida":                         {Kind: Unmarked, Mark: MarkNotWanted, By: "ida"},
		"marked as not fixed by 0123456789ab by ida: a typo": {Kind: Marked, Mark: MarkNotAFix, Other: "0123456789abcdef0123456789abcdef01234567", By: "ida", Reason: "a typo"},
	} {
		if got := Describe(&e, time.UTC); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
