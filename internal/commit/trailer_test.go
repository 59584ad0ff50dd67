package commit

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// Which lines ask for a reminder, and for when.
func TestRequest(t *testing.T) {
	tests := []struct{ name, message, want string }{
		{"tab", "x\n\nMFC after:\t1 week\n", "1 week"},
		{"blanks", "MFC after:      2 weeks", "2 weeks"},
		{"indented", "    MFC after: 3 days", "3 days"},
		{"hyphen", "MFC-after: 3 days", "3 days"},
		{"capital", "MFC After: 3 days", "3 days"},
		{"in", "mfc in: 1 week.", "1 week"},
		{"X", "X-MFC-After: 1 week", "1 week"},
		{"X and blanks", "x-mfc after: 1 week", "1 week"},
		{"two blanks", "MFC  after: 1 week", "1 week"},
		{"merge", "Merge after: 1 week", "1 week"},
		{"backport", "BACKPORT-AFTER: 1 week", "1 week"},
		{"remind", "Remind after: 2026-12-24", "24 Dec 2026"},
		{"blank before the colon", "MFC after : 1 week", "1 week"},
		{"CRLF", "a\r\nMFC after: 1 week\r\nb\r\n", "1 week"},
		{"DragonFly", "MFC: After 3 days.", "3 days"},
		{"DragonFly without after", "MFC: 2 weeks", "2 weeks"},
		{"DragonFly with tabs", "MFC:\tAfter\t3 days.", "3 days"},
		{"DragonFly with a colon", "MFC: after: 3 days", "3 days"},
		{"DragonFly's date", "MFC: 2006/04/03", "3 Apr 2006"},
		{"the last counts", "MFC after: 4 weeks\n\nMFC after: 1 week", "1 week"},
		{"the last that holds a period counts", "MFC after: 4 weeks\nMFC after:\nMFC after: never", "4 weeks"},
		{"before one that can't be read", "MFC after: 4 weeks\nMFC after: soon", "4 weeks"},
		{"behind one that can't be read", "MFC after: soon\nMFC after: 4 weeks", "4 weeks"},
		{"at once", "MFC after: 0 days", "0 days"},

		{"nothing", "foo: fix bar\n", ""},
		{"empty value", "MFC after:\n", ""},
		{"never", "MFC after: never\n", ""},
		{"template", "> MFC after:     N [day[s]|week[s]|month[s]].  Request a reminder email.\n", ""},
		{"template without quote", "MFC after:     N [day[s]|week[s]|month[s]].  Request a reminder email.\n", ""},
		{"quoted", "> MFC after: 1 week\n", ""},
		{"in the middle of a line", "I said MFC after: 1 week\n", ""},
		{"a merge", "MFC: 296348\n", ""},
		{"a merge of a revision", "MFC: r296348\n", ""},
		{"a merge with an r", "MFC r296348:\n", ""},
		{"MFS", "MFS r306213:\n", ""},
		{"MFH", "MFH: 2 weeks\n", ""},
		{"MFC rev", "MFC rev 1.3:\n", ""},
		{"MFC and text", "MFC: vnconfig doc update\n", ""},
		{"MFC and a number", "MFC: 3\n", ""},
		{"MFC: never", "MFC: never\n", ""},
		{"MFC with", "MFC with: f3ab0d86e807\n", ""},
		{"MFC to", "MFC to: 14.3\n", ""},
		{"no colon", "MFC after 2 weeks\n", ""},
		{"diff line", "+MFC after: 1 week\n", ""},

		{"unreadable", "MFC after: soon\n", "error"},
		{"too long", "MFC after: 11 years\n", "error"},
		{"DragonFly's, with a unit", "MFC: 2 weeks please\n", "error"},
		{"remark only", "MFC after: (see below)\n", "error"},
	}
	trailers, err := NewTrailers()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		r, ok := trailers.Request(test.message)
		got := ""
		switch {
		case ok && r.Err != nil:
			got = "error"
		case ok:
			got = r.Period.String()
		}
		if got != test.want {
			t.Errorf("%s: %q asks for %q, want %q", test.name, test.message, got, test.want)
		}
	}
}

// Configured names are found like the others.
func TestNewTrailers(t *testing.T) {
	trailers, err := NewTrailers("Ping after", "X-port-to-mars:", "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, message := range []string{"ping-after: 1 week", "X-Ping After: 1 week", "Port to Mars: 1 week", "port-to-mars: 7", "*: 1 week", "MFC after: 1 week"} {
		if _, ok := trailers.Request(message); !ok {
			t.Errorf("%q asks for nothing", message)
		}
	}
	for _, name := range []string{"", " ", ":", "a:b", "a\nb", "x-"} {
		if _, err := NewTrailers(name); err == nil {
			t.Errorf("%q is taken for a name", name)
		}
	}
}

func TestWord(t *testing.T) {
	for key, want := range map[string]string{
		"MFC after": "MFC", "x-mfc-after": "MFC", "MFC": "MFC", "Merge after": "Merge",
		"BACKPORT-AFTER": "Backport", "Remind after": "", "Ping after": "",
	} {
		if got := (Request{Key: key}).Word(); got != want {
			t.Errorf("the word of %q is %q, want %q", key, got, want)
		}
	}
}

func TestValues(t *testing.T) {
	message := "MFC to: 14.3\nX-MFC-With: r335765\nX-MFC with: r364303 (which missed this)\nMFC with:\n"
	if got := strings.Join(Values(message, "MFC with"), "|"); got != "r335765|r364303 (which missed this)" {
		t.Errorf("MFC with names %q", got)
	}
	if got := strings.Join(Values(message, "MFC to"), "|"); got != "14.3" {
		t.Errorf("MFC to names %q", got)
	}
}

// Real commits, if they are available: exactly the trailers are understood that other
// means have found in them.
func TestRealCommits(t *testing.T) {
	data, err := os.ReadFile("../../../shared/data/commits.jsonl")
	if err != nil {
		t.Skip("no real commits here")
	}
	trailers, _ := NewTrailers()
	n := 0
	for line := range strings.Lines(string(data)) {
		var c struct {
			Hash     string
			Message  string
			MFCAfter []string `json:"mfc_after"`
		}
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		want := false
		for _, trailer := range c.MFCAfter {
			_, value, _ := cutTrailer(trailer)
			_, err := ParsePeriod(value)
			want = want || err == nil && !strings.HasPrefix(trailer, ">")
		}
		r, got := trailers.Request(c.Message)
		if got && r.Err != nil {
			t.Errorf("%s: %q can't be read: %v", c.Hash, r.Value, r.Err)
		}
		if got != want && !strings.HasPrefix(strings.ToUpper(r.Key), "MFC") {
			t.Errorf("%s: asks %v, want %v: %q", c.Hash, got, want, c.MFCAfter)
		}
		if want && !got {
			t.Errorf("%s: %q is not found", c.Hash, c.MFCAfter)
		}
		if got {
			n++
		}
	}
	if n == 0 {
		t.Error("no commit asks for anything")
	}
}

func FuzzRequest(f *testing.F) {
	for _, s := range []string{"MFC after: 1 week", "X-MFC-in: 2w\nMFC: After 3 days.", "MFC: 296348", ":", "MFC after:\r\n",
		"MFC after:\n 2 weeks", "MFC after: 2\n\tweeks\n and 3\n days", "  MFC after:\n    about\n    a month\n  MFC in: 1\n week, please"} {
		f.Add(s)
	}
	trailers, _ := NewTrailers("Ping after")
	f.Fuzz(func(t *testing.T, s string) {
		r, ok := trailers.Request(s)
		if ok && r.Err == nil && r.Period.String() == "" {
			t.Errorf("%q asks for a period without words", s)
		}
		if ok && strings.ContainsAny(r.Key+r.Value+r.Others, "\n") {
			t.Errorf("%q: the trailer has more than one line", s)
		}
		message := cleanMessage(s)
		if _, ok := trailers.Request(message); ok != trailers.Ask([]byte(message)) {
			t.Errorf("%q: Ask says %v", message, !ok)
		}
	})
}

// Ask agrees with Request.
func TestAsk(t *testing.T) {
	trailers, err := NewTrailers("Pull up in")
	if err != nil {
		t.Fatal(err)
	}
	for _, message := range []string{
		"", "s", "MFC after: 1 week", "s\n\n  mfc-after:\t2 weeks\r\n", "s\rMFC after: 1 week", "MFC r1234:", "MFC: 2 weeks", "MFC after: never",
		"MFC after: soon", "MFC after:\n 2 weeks", "MFC after:\r\n 2 weeks\r\n", "MFC after:\r 2 weeks", "MFC after:\n\n 2 weeks", "MFC:\n\t2 weeks", "see MFC after: 1 week", "X-Pull-Up-In: 3 days\n", "merge after:", strings.Repeat("x", 100) + ": MFC after: 1 day", "\n\n\n:\n",
	} {
		_, want := trailers.Request(cleanMessage(message))
		if got := trailers.Ask([]byte(message)); got != want {
			t.Errorf("%q: %v", message, got)
		}
	}
}
