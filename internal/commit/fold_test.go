package commit

import (
	"os/exec"
	"strings"
	"testing"

	"vext/internal/testkit"
)

// A value continues in lines below that are indented deeper than its trailer.
func TestFoldedTrailers(t *testing.T) {
	trailers, err := NewTrailers("Ping after")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, message, want string }{
		{"the whole value", "s\n\nMFC after:\n 2 weeks\n", "2 weeks"},
		{"the unit", "s\n\nMFC after: 2\n weeks\n", "2 weeks"},
		{"with a tab", "MFC after:\n\t2 weeks\n", "2 weeks"},
		{"over several lines", "MFC after:\n  2\n\t weeks\n and 3\n days\n", "2 weeks and 3 days"},
		{"the rest of a period", "MFC after: 1 month\n and 2 weeks\n", "1 month and 2 weeks"},
		{"in a range", "MFC after: 2 -\n 3 weeks\n", "3 weeks"},
		{"a name of one's own", "Ping after:\n 3 days\n", "3 days"},
		{"DragonFly's", "MFC:\n  After 3 days.\n", "3 days"},
		{"DragonFly's, after the word", "MFC: after\n 3 days\n", "3 days"},
		{"a date", "Remind after:\n   2026-12-24\n", "24 Dec 2026"},
		{"CRLF", "s\r\n\r\nMFC after:\r\n 2 weeks\r\n", "2 weeks"},
		{"in the middle of the message", "s\n\nMFC after:\n 2 weeks\n\nMore text.\n", "2 weeks"},
		{"above another trailer", "MFC after:\n 2 weeks\nReviewed by: kib\n", "2 weeks"},
		{"in brackets over two lines", "MFC after: 2 weeks (when\n r336539 is in)\n", "2 weeks"},
		{"of an indented trailer", "  MFC after: 2\n    weeks\n", "2 weeks"},
		{"at the end of a mail that was cut", "MFC after: 2\n weeks", "2 weeks"},
		{"the last counts", "MFC after:\n 2 weeks\nMFC after:\n 3 weeks\n", "3 weeks"},

		{"not over an empty line", "MFC after:\n\n 2 weeks\n", ""},
		{"not over a line of blanks", "MFC after:\n  \n 2 weeks\n", ""},
		{"not over an empty line with CRLF", "MFC after:\r\n\r\n 2 weeks\r\n", ""},
		{"not when it is not indented", "MFC after:\n2 weeks\n", ""},
		{"not when it is indented like the trailer", "  MFC after: 2\n  weeks\n", "2 days"},
		{"cut before the value", "MFC after:\n", ""},
		{"cut before the unit", "MFC after: 2\n", "2 days"},

		{"a remark below", "MFC after: 2 weeks\n  when the tests have passed\n", "2 weeks"},
		{"a remark below a folded value", "MFC after:\n  2 weeks\n  when the tests have passed\n", "2 weeks"},
		{"a remark below now", "MFC after: now\n  it is broken\n", "0 days"},
		{"a remark below never", "MFC after: never\n  it changes the ABI\n", ""},
		{"a trailer below, indented", "MFC after: 2 weeks\n  MFC with: r1\n", "2 weeks"},
		{"a request below, indented", "MFC after: 2\n  MFC after: 3 weeks\n", "3 weeks"},
		{"a list below", "MFC after: 1 week\n  * one\n  * two\n", "1 week"},

		{"no guess at a number", "MFC after: 2\n weeks, please\n", "error"},
		{"no guess at a number with a remark", "MFC after: 2\n when it is tested\n", "error"},
		{"prose", "MFC after:\n when it is tested\n", "error"},
		{"too long", "MFC after: 11\n years\n", "error"},
	} {
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
		if asks := trailers.Ask([]byte(test.message)); asks != ok {
			t.Errorf("%s: Ask says %v of %q", test.name, asks, test.message)
		}
	}
}

// Folded values in git's trailers are read as git unfolds them.
func TestFoldedAsGitDoes(t *testing.T) {
	git := testkit.Program(t, "git")
	trailers, err := NewTrailers()
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range []string{
		"MFC-after:\n 2 weeks\n",
		"MFC-after: 2\n weeks\n",
		"MFC-after:\n\t2\n\t  weeks\n",
		"MFC-after:  2 \n   weeks  \nReviewed-by: kib\n",
		"Reviewed-by: kib\nMFC-after:\n   1 month\n   and 2\n weeks\n",
		"MFC-after: 1 month\n (after r336539)\nMFC-to: 14\n",
		"MFC-after:\r\n 2 weeks\r\n",
		"MFC-after: soon\n or later\n",
	} {
		cmd := exec.Command(git, "interpret-trailers", "--parse", "--unfold")
		cmd.Stdin = strings.NewReader("subject\n\ntext\n\n" + block)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		for line := range strings.Lines(string(out)) {
			if key, value, _ := cutTrailer(line); canonical(key) == "mfc-after" {
				want = strings.Join(strings.Fields(value), " ")
			}
		}
		r, ok := trailers.Request("subject\n\ntext\n\n" + block)
		if got := strings.Join(strings.Fields(r.Value), " "); !ok || got != want || want == "" {
			t.Errorf("%q: %q, git says %q", block, got, want)
		}
	}
}

// A mail's indentation of the message is not folding.
func TestFoldedInMails(t *testing.T) {
	const head = "From: jane@example.org\nSubject: x\nMessage-ID: <1@example.org>\n\n"
	hash := strings.Repeat("1a", 20)
	for name, mail := range map[string]string{
		"git":        head + "commit " + hash + "\nAuthor: Jane <jane@example.org>\nDate: Mon Nov 30 09:00:00 2026 +0000\n\n    s\n\n    MFC after:\n      2 weeks\n    Reviewed by: kib\n",
		"git, tab":   head + "commit " + hash + "\nAuthor: Jane <jane@example.org>\nDate: Mon Nov 30 09:00:00 2026 +0000\n\n    s\n\n    MFC after:\n    \t2 weeks\n",
		"Subversion": strings.Replace(head, "Subject: x", "Subject: svn commit: r1 - trunk", 1) + "Author: jane\nNew Revision: 1\n\nLog:\n  s\n  MFC after: 2\n   weeks\n\nModified:\n  trunk/x\n",
		"plain":      head + "s\n\nMFC after:\n  2 weeks\n-- \njane\n",
	} {
		m := ReadMail(strings.NewReader(strings.ReplaceAll(mail, "\n", "\r\n")))
		if len(m.Commits) != 1 {
			t.Errorf("%s: %d commits", name, len(m.Commits))
			continue
		}
		trailers, _ := NewTrailers()
		if r, _ := trailers.Request(m.Commits[0].Message); r.Period.String() != "2 weeks" {
			t.Errorf("%s: %q asks for %q", name, m.Commits[0].Message, r.Period)
		}
	}
}

// Other trailers are unfolded, too.
func TestFoldedValues(t *testing.T) {
	message := "MFC after: 2 weeks\nMFC to:\n  14.3,\n  13.5\nX-MFC-With: r335765\n  (which missed this)\n  MFC with: r2\nMFC with:\n\n r3\n"
	if got := strings.Join(Values(message, "MFC with"), "|"); got != "r335765 (which missed this)|r2" {
		t.Errorf("MFC with names %q", got)
	}
	if got := strings.Join(Values(message, "MFC to"), "|"); got != "14.3, 13.5" {
		t.Errorf("MFC to names %q", got)
	}
}

// A folded trailer at the end of an endless message counts.
func TestFoldedBehindTheBound(t *testing.T) {
	trailers, _ := NewTrailers()
	for _, trailer := range []string{"MFC after:\n 2 weeks\n", "MFC after: 2\n\tweeks\n", "MFC after: ~2\n weeks\n", "foo:\nbar: 2\nMFC after:\n  about\n  2 weeks\n"} {
		message := cleanMessage(strings.Repeat("one line of a message that has no end\n", 20000) + trailer)
		if r, _ := trailers.Request(message); len(message) > maxText+1000 || r.Period.String() != "2 weeks" {
			t.Errorf("%q behind a long message asks for %q", trailer, r.Period)
		}
	}
	// Indented lines without end are no value, and leave room for one.
	message := cleanMessage("s\nMFC after: 3\n" + strings.Repeat(" of a message that has no end\n", 40000) + "MFC after: 2\n weeks\n")
	if r, _ := trailers.Request(message); len(message) > maxText+1000 || r.Period.String() != "2 weeks" {
		t.Errorf("behind a long indented message: %q", r.Period)
	}
	// Nor does it matter where the bound is.
	for n := range 20 {
		message := cleanMessage("s\n" + strings.Repeat("x", maxText-8-n) + "\nMFC after: 2\n weeks\n")
		if r, _ := trailers.Request(message); r.Period.String() != "2 weeks" {
			t.Errorf("%d bytes before the bound: %q", n, r.Period)
		}
	}
}

// Of several different trailers, the last counts, and the others are listed.
func TestOthers(t *testing.T) {
	trailers, _ := NewTrailers()
	for _, test := range []struct{ message, line, others string }{
		{"MFC after: 1 week\n", "MFC after: 1 week", ""},
		{"MFC after: 4 weeks\nMFC after: 1 week\n", "MFC after: 1 week", "MFC after: 4 weeks"},
		{"MFC after: 7 days\nMFC after: 1 week\n", "MFC after: 1 week", ""},
		{"MFC after: 4 weeks\nMFC in: 3 days\nRemind after:\n 1 week\n", "Remind after: 1 week", "MFC after: 4 weeks, MFC in: 3 days"},
		{"MFC after: 1 week\nMFC after: never\n", "MFC after: 1 week", "MFC after: never"},
		{"MFC after: 1 week\nMFC after: soon\n", "MFC after: 1 week", "MFC after: soon"},
		{"MFC after: 1 week\nMFC after:\n", "MFC after: 1 week", ""},
		{"MFC after: 0 days\nMFC after: never\n", "MFC after: 0 days", "MFC after: never"},
		{"MFC after: soon\nMFC after: later\n", "MFC after: later", "MFC after: soon"},
		{"MFC after: never\nMFC after: no\n", "", ""},
	} {
		r, ok := trailers.Request(test.message)
		if line := r.Line(); ok && line != test.line || !ok && test.line != "" || r.Others != test.others {
			t.Errorf("%q: %q counts, and not %q; want %q and %q", test.message, line, r.Others, test.line, test.others)
		}
	}
}
