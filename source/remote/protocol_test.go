package remote

import (
	"strings"
	"testing"
	"unicode/utf8"
	"vext/internal/program"
)

func TestLine(t *testing.T) {
	for _, test := range []struct {
		event      Event
		line, seed string
	}{
		{Event{Kind: Connected, URI: "u"}, "CONNECTED u", "CONNECTED u"},
		{Event{Kind: Disconnected, URI: "u"}, "DISCONNECTED u", "DISCONNECTED u"},
		{Event{Kind: Syncing, URI: "u"}, "SYNCING u", "SYNCING u"},
		{Event{Kind: Done, URI: "u", OK: true}, "DONESYNCING u 1", "DONESYNCING 1 u"},
		{Event{Kind: Done, URI: "u"}, "DONESYNCING u 0", "DONESYNCING 0 u"},
		{Event{Kind: Warning, URI: "u", Text: "a b"}, "WARNING u a b", "WARNING u a b"},
	} {
		if got, seed := test.event.Line(false), test.event.Line(true); got != test.line || seed != test.seed {
			t.Errorf("%q, %q", got, seed)
		}
	}
}

func TestParseCommand(t *testing.T) {
	for line, want := range map[string]string{
		"PAUSE": "PAUSE", "LOSTNET": "LOSTNET", "RESUME": "RESUME", "RELOAD": "RELOAD", "STOP": "STOP", "PAUSE\r": "PAUSE",
		"CHANGED": "CHANGED", "CHANGED ": "CHANGED", "CHANGED a  b": "CHANGED a b", "CHANGED refs/heads/x": "CHANGED refs/heads/x",
		"PAUSE ": "", "STOP now": "", "": "", "stop": "", " STOP": "", "CHANGEDx": "", "STOP\x00": "", "\xff": "", "PAUSE\tx": "",
	} {
		word, refs, err := parseCommand(line)
		if got := strings.Join(append([]string{word}, refs...), " "); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", line, got, err)
		}
	}
}

// Whatever is read, an answer is one line of text.
func FuzzParseCommand(f *testing.F) {
	for _, line := range []string{"PAUSE", "CHANGED a b", "x\r", "STOP x", "\x1b[2J\xff", strings.Repeat("é", 100)} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		word, refs, err := parseCommand(line)
		for _, ref := range refs {
			if ref == "" || strings.ContainsAny(ref, " \n") || word != "CHANGED" {
				t.Errorf("%q: %q", line, refs)
			}
		}
		if err == nil {
			return
		}
		if text := oneLine(err.Error()); text == "" || strings.ContainsAny(text, "\n\r\x00\x1b") || !utf8.ValidString(text) || len(text) > 2*program.MaxMessage+3 {
			t.Errorf("%q: %q", line, text)
		}
	})
}
