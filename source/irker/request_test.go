package irker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"vext/internal/target"
	"vext/notify"
)

// summary returns what a server makes of a request: its lines, what is skipped,
// and the error.
func summary(n request) string {
	var b strings.Builder
	for _, l := range n.lines {
		fmt.Fprintf(&b, "%s %q", l.Target, l.Text)
		if l.Commits > 0 {
			fmt.Fprintf(&b, " %s %d", l.Project, l.Commits)
		}
		b.WriteString("; ")
	}
	for _, s := range append(n.unread, n.refused...) {
		fmt.Fprintf(&b, "skip %s; ", s)
	}
	if n.err != nil {
		fmt.Fprintf(&b, "error: %v", n.err)
	}
	return strings.TrimSuffix(b.String(), "; ")
}

func TestRequests(t *testing.T) {
	s := newHarness(t).server
	for _, test := range []struct{ request, want string }{
		// irker's own.
		{`{"to":"irc://h/c","privmsg":"hello"}`, `irc://h/#c "hello"`},
		{`{"to":["irc://h/c"],"privmsg":"hello"}`, `irc://h/#c "hello"`},
		{" \t{\"to\": \"irc://h/c\",\r\n \"privmsg\": \"hello\"} \r\n", `irc://h/#c "hello"`},
		{`{"to":["irc://h/a","ircs://h:6668/B","irc://h/jane,isnick"],"privmsg":"x"}`, `irc://h/#a "x"; ircs://h:6668/#b "x"; irc://h/jane,isnick "x"`},
		{`{"to":["irc://h/c","irc://h/c"],"privmsg":"x"}`, `irc://h/#c "x"; irc://h/#c "x"`},
		{`{"to":"irc://h/c?key=k","privmsg":"x"}`, `irc://h/#c?key=k "x"`},
		{`{"to":"irc://u:p@h/c?k","privmsg":"x"}`, `irc://u:p@h/#c?key=k "x"`},
		{`{"to":"irc://h/c","privmsg":"a\nb\n\nc"}`, `irc://h/#c "a\nb\n\nc"`},
		{`{"to":"irc://h/c","privmsg":""}`, `irc://h/#c ""`},
		{`{"to":"irc://h/c","privmsg":"ü\u00fc\ud83d\ude00"}`, `irc://h/#c "üü😀"`},
		{`{"to":"irc://h/c","privmsg":"x","color":"mIRC","more":{"a":[1]}}`, `irc://h/#c "x"`},
		{`{"to":[],"privmsg":"x"}`, ``},
		// Some targets are bad.
		{`{"to":["irc://h/a","nonsense","irc://h/b"],"privmsg":"x"}`, `irc://h/#a "x"; irc://h/#b "x"; skip nonsense`},
		{`{"to":["irc://h/a",5,null,{"a":"irc://h/b"},""],"privmsg":"x"}`, `irc://h/#a "x"; skip (no text); skip (no text); skip (no text); skip `},
		{`{"to":"http://h/c","privmsg":"x"}`, `skip http://h/c; error: no target is left`},
		{`{"to":["irc://h/"],"privmsg":"x"}`, `skip irc://h/; error: no target is left`},
		// No message.
		{`null`, ``},
		{`{"to":"irc://h/c","privmsg":null}`, ``},
		{`{"privmsg":null}`, ``},
		{`{"to":"irc://h/c","privmsg":null,"commit":"1"}`, ``},
		// Not UTF-8.
		{"{\"to\":\"irc://h/c\",\"privmsg\":\"a\xffb\xe4\"}", "irc://h/#c \"a\ufffdb\ufffd\""},
		{`{"to":"irc://h/c","privmsg":"a\ud800b"}`, "irc://h/#c \"a\ufffdb\""},
		{"{\"to\":\"irc://h/\xe4\",\"privmsg\":\"a\"}", "irc://h/#\ufffd \"a\""},
		// A commit.
		{`{"to":["irc://h/c"],"project":"p","repository":"r","branch":"b","commit":"123","author":"jane","url":"u","colors":"mirc"}`, `irc://h/#c "p b 123 jane" p 1`},
		{`{"to":["irc://h/c"],"project":"p","commit":123,"files":["a","b"],"author":null}`, `irc://h/#c "p  123 " p 1`},
		{`{"to":["irc://h/c"],"project":"p","commit":"123","privmsg":"text"}`, `irc://h/#c "text"`},
		{`{"to":["irc://h/c"],"commit":"1","branch":"broken"}`, `error: format commit "1": a template that fails`},
		{`{"to":["irc://h/c"],"commit":"1","colors":"red"}`, `error: colors is none of none, mirc and ansi`},
		{`{"to":["irc://h/c"],"commit":"1","colors":"ANSI","author":{}}`, `error: author is not a string`},
		{`{"to":["irc://h/c"],"commit":""}`, `error: commit is empty`},
		{`{"to":["irc://h/c"],"project":"p"}`, `error: privmsg is missing`},
		// Bad.
		{`{"to":"irc://h/c"}`, `error: privmsg is missing`},
		{`{"privmsg":"x"}`, `error: to is missing`},
		{`{"To":"irc://h/c","PRIVMSG":"x"}`, `error: privmsg is missing`},
		{`{"to":"irc://h/c","privmsg":5}`, `error: privmsg is not a string`},
		{`{"to":"irc://h/c","privmsg":["x"]}`, `error: privmsg is not a string`},
		{`{"to":null,"privmsg":"x"}`, `error: to is neither a URL nor a list of URLs`},
		{`{"to":{"a":"irc://h/c"},"privmsg":"x"}`, `error: to is neither a URL nor a list of URLs`},
		{`{"to":7,"privmsg":"x"}`, `error: to is neither a URL nor a list of URLs`},
		{`["irc://h/c","x"]`, `error: not a JSON object`},
		{`"irc://h/c"`, `error: not a JSON object`},
		{`true`, `error: not a JSON object`},
		{``, `error: not JSON: unexpected end of JSON input`},
		{`{"to":"irc://h/c","privmsg":"x"`, `error: not JSON: unexpected end of JSON input`},
		{`{"to":"irc://h/c","privmsg":"x"}{}`, `error: not JSON: invalid character '{' after top-level value`},
		{`hello`, `error: not JSON: invalid character 'h' looking for beginning of value`},
	} {
		if got := summary(s.read([]byte(test.request))); got != test.want {
			t.Errorf("%s\nis   %s\nwant %s", test.request, got, test.want)
		}
	}
}

// The members of a commit arrive where they belong.
func TestFields(t *testing.T) {
	r, err := parse([]byte(`{"to":[],"project":"p","repository":"r","branch":"b","commit":"c","author":"a","url":"u","files":["f","g"],"message":"m\nn","colors":"ANSI"}`))
	ok(t, err)
	want := Fields{Project: "p", Repository: "r", Branch: "b", Commit: "c", Author: "a", URL: "u", Files: "f g", Message: "m\nn", Colors: "ansi"}
	if r.made == nil || *r.made != want {
		t.Errorf("%+v, want %+v", r.made, want)
	}
	if r, _ := parse([]byte(`{"to":[],"commit":"c"}`)); r.made.Colors != "none" {
		t.Errorf("by default the colours are %q", r.made.Colors)
	}
}

func TestManyTargets(t *testing.T) {
	s := newHarness(t).server
	request := func(n int) []byte {
		return []byte(`{"to":["irc://h/c"` + strings.Repeat(`,"irc://h/c"`, n-1) + `],"privmsg":"x"}`)
	}
	if n := s.read(request(maxTargets)); len(n.lines) != maxTargets {
		t.Errorf("%d lines, %v", len(n.lines), n.err)
	}
	if n := s.read(request(maxTargets + 1)); len(n.lines) > 0 || n.err == nil || n.err.Error() != "to has 101 targets, more than 100" {
		t.Errorf("%d lines, %v", len(n.lines), n.err)
	}
}

func TestAllow(t *testing.T) {
	s := newHarness(t).server
	s.Targets = []string{"IRC://H/#src*", "*/jane,isnick"}
	for url, allowed := range map[string]bool{
		"irc://h/src": true, "irc://u:p@h/#SRC-commits?key=k": true, "ircs://x/jane,isnick": true, "irc://h:6667/src": true,
		"irc://h/doc": false, "ircs://h/src": false, "irc://h:6668/src": false, "irc://h/jane": false, "irc://evil/x?key=irc://h/src": false,
	} {
		request, err := json.Marshal(map[string]string{"to": url, "privmsg": "x"})
		ok(t, err)
		if n := s.read(request); (len(n.lines) == 1) != allowed || (len(n.refused) == 0) != allowed {
			t.Errorf("%s: %s", url, summary(n))
		}
	}
}

// A target on XMPP is allowed only by a pattern of XMPP.
func TestAllowXMPP(t *testing.T) {
	s := newHarness(t).server
	const room = "xmpp:dev@conference.example.org?join"
	for _, test := range []struct {
		patterns    []string
		url         string
		wantAllowed bool
	}{
		{nil, room, false},
		{nil, "irc://h/src", true},
		{[]string{"*"}, room, false},
		{[]string{"*", "XMPP:dev@conference.example.org?join"}, room + ";password=x", true},
		{[]string{"xmpp:*@conference.example.org?join"}, "xmpp:jane@example.org", false},
		{[]string{"xmpp:*@example.org"}, "xmpp:jane@example.org", true},
		{[]string{"xmpp:*"}, "irc://h/src", false},
	} {
		s.Targets = test.patterns
		request, err := json.Marshal(map[string]string{"to": test.url, "privmsg": "x"})
		ok(t, err)
		if n := s.read(request); (len(n.lines) == 1) != test.wantAllowed {
			t.Errorf("%q, %s: %s", test.patterns, test.url, summary(n))
		}
	}
}

// What a URL keeps secret is not shown, however broken it is.
func TestShown(t *testing.T) {
	for url, want := range map[string]string{
		"nonsense": "nonsense", "": "", "irc://h/a b": "irc://h/a b", "irc://h/a b?SECRET": "irc://h/a b", "irc://h/#a b?key=SECRET#?x": "irc://h/#a b",
		"irc://u:SECRET@h/": "irc://...@h/", "irc://u:SEC@RET@h/": "irc://...@h/", "irc://u:SEC?RET@h/": "irc://...", "irc://u:SEC/RET@h/": "irc://...@h/",
		"irc://h/a b?SEC@RET": "irc://...", "irc:u:SECRET@h": "...@h", "http://u:SECRET@h/c?SECRET": "http://...@h/c",
	} {
		if got := shown(url); got != want {
			t.Errorf("%s is shown as %s, want %s", url, got, want)
		}
	}
}

func TestAnswers(t *testing.T) {
	s := newHarness(t).server
	s.Targets = []string{"irc://h/*"}
	for _, test := range []struct{ request, good, full string }{
		{`{"to":"irc://h/c","privmsg":"x","ack":true}`, `{"ok":true}`, `{"ok":false,"error":"not kept: no space left on device"}`},
		{`{"to":"irc://h/c","privmsg":"x","ack":true,"id":"a\u00fc\"\n"}`, `{"ok":true,"id":"a\u00fc\"\n"}`, `{"ok":false,"id":"a\u00fc\"\n","error":"not kept: no space left on device"}`},
		{`{"to":"irc://h/c","privmsg":"x","ack":true,"id":-1.50e3}`, `{"ok":true,"id":-1.50e3}`, ""},
		{`{"to":"irc://h/c","privmsg":"x","ack":true,"id":null}`, `{"ok":true}`, ""},
		{`{"to":"irc://h/c","privmsg":"x","ack":true,"id":[1]}`, `{"ok":true}`, ""},
		{`{"to":"irc://h/c","privmsg":"x","ack":true,"id":"` + strings.Repeat("x", maxID) + `"}`, `{"ok":true}`, ""},
		{`{"to":["irc://h/c","irc://u:p@x/C?key=k","irc://u:p@h/ ?k"],"privmsg":"x","ack":true}`, `{"ok":true,"skipped":["irc://...@h/","irc://x/#c"]}`, ""},
		{`{"to":"irc://x/c","privmsg":"x","ack":true,"id":1}`, `{"ok":false,"id":1,"error":"no target is left","skipped":["irc://x/#c"]}`, `{"ok":false,"id":1,"error":"no target is left","skipped":["irc://x/#c"]}`},
		{`{"to":"irc://h/c","ack":true,"id":1}`, `{"ok":false,"id":1,"error":"privmsg is missing"}`, ""},
		{`{"privmsg":"x","ack":true}`, `{"ok":false,"error":"to is missing"}`, ""},
		{`{"to":"irc://h/c","privmsg":null,"ack":true}`, `{"ok":true}`, `{"ok":true}`},
		{`{"to":"irc://h/c","privmsg":"x","ack":1}`, "", ""},
		{`{"to":"irc://h/c","privmsg":"x","ack":"true","id":1}`, "", ""},
		{`{"to":"irc://h/c","privmsg":"x","ack":false}`, "", ""},
		{`{"to":"irc://h/c","privmsg":"x","ack":null}`, "", ""},
		{`{"to":"irc://h/c","privmsg":"x","id":1}`, "", ""},
		{`{"to":"irc://h/c","ack":true`, "", ""},
	} {
		n := s.read([]byte(test.request))
		if got := strings.TrimSpace(string(n.answer())); got != test.good {
			t.Errorf("%s: the answer is %s, want %s", test.request, got, test.good)
		}
		n.kept(errFull)
		if got := strings.TrimSpace(string(n.answer())); test.full != "" && got != test.full {
			t.Errorf("%s: on a full disk the answer is %s, want %s", test.request, got, test.full)
		}
	}
}

// Whatever the input, a stored message can be sent, and the answer is one line of JSON.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		`{"to":"irc://h/c","privmsg":"x","ack":true,"id":"a"}`, `{"to":["irc://u:p@h/c?key=k",5,"x"],"privmsg":"a\nb","ack":true,"id":1e9}`, `null`,
		`{"to":[],"commit":"1","project":"p","files":["a"],"colors":"mirc"}`, "{\"to\":\"irc://h/\xff\",\"privmsg\":\"\\ud800\"}", `{"to":{},"privmsg":[]}`,
	} {
		f.Add([]byte(s))
	}
	s := newHarness(f).server
	s.Format = func(f Fields) (string, error) { return f.Project + f.Commit + f.Message, nil }
	f.Fuzz(func(t *testing.T, data []byte) {
		n := s.read(data)
		if n.err != nil && len(n.lines) > 0 {
			t.Errorf("%v, with lines", n.err)
		}
		for _, line := range n.lines {
			wantLine(t, line)
		}
		for _, put := range []error{errFull, nil} {
			n.kept(put)
			answer := n.answer()
			var a struct{ OK *bool }
			if n.ack && (json.Unmarshal(answer, &a) != nil || a.OK == nil || bytes.IndexByte(answer, '\n') != len(answer)-1) || !n.ack && answer != nil {
				t.Errorf("the answer is %q", answer)
			}
		}
	})
}

func wantLine(t *testing.T, line notify.Message) {
	t.Helper()
	if again, err := target.Parse(line.Target); err != nil || again.URL() != line.Target {
		t.Errorf("the target %q, %v", line.Target, err)
	}
	if !utf8.ValidString(line.Text) {
		t.Errorf("the text %q", line.Text)
	}
}
