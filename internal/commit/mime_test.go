package commit

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
)

const (
	partCommit = "commit 0123456789abcdef0123456789abcdef01234567\nAuthor: Jane <jane@example.org>\nCommit: Jane <jane@example.org>\n\n    foo: fix bar\n\n    MFC after: 1 week\n"
	partPlain  = "foo: fix bar\n\nMFC after: 1 week\n"
)

// The commit is found in any part that is text.
func TestParts(t *testing.T) {
	const from = "From: Jane <jane@example.org>\nSubject: foo: fix bar\nMessage-ID: <a@b>\n"
	const mixed = from + "Content-Type: multipart/mixed; boundary=b\n"
	const plain = "Content-Type: text/plain; charset=utf-8\n\n"
	for _, test := range []struct {
		name, mail string
		asks       bool
	}{
		{"one part", mixed + "\n--b\n" + plain + "TEXT--b--\n", true},
		{"a header part", mixed + "\n--b\n" + plain + "This list is archived.\n--b\n" + plain + "TEXT--b--\n", true},
		{"an empty part", mixed + "\n--b\n" + plain + "--b\n" + plain + "TEXT--b--\n", true},
		{"a part of blank lines", mixed + "\n--b\n" + plain + "\n \n\t\n--b\n" + plain + "TEXT--b--\n", true},
		{"an empty part without a header", mixed + "\n--b\n--b\n" + plain + "TEXT--b--\n", true},
		{"a part without a type", mixed + "\n--b\n\nTEXT--b--\n", true},
		{"a part without a type behind another", mixed + "\n--b\n\nThis list is archived.\n--b\n\nTEXT--b--\n", true},
		{"a part that begins without an empty line", mixed + "\n--b\nThis list is archived.\n--b\n" + plain + "TEXT--b--\n", true},
		{"no empty line behind the header of a part", mixed + "\n--b\nContent-Type: text/plain\n--b\n" + plain + "TEXT--b--\n", true},
		{"a footer part", mixed + "\n--b\n" + plain + "TEXT--b\n" + plain + "_____\nlist\n--b--\n", true},
		{"a footer part with a signature", mixed + "\n--b\n" + plain + "-- \nsent by a list\n--b\n" + plain + "TEXT--b\n" + plain + "-- \nlist\n--b--\n", true},
		{"text in HTML first", mixed + "\n--b\nContent-Type: text/html\n\n<p>x</p>\n--b\n" + plain + "TEXT--b--\n", true},
		{"no last delimiter", mixed + "\n--b\n" + plain + "TEXT", true},
		{"text before and behind", mixed + "\nThis is MIME.\n--b\n" + plain + "TEXT--b--\nMFC after: 1 day\n", true},
		{"blanks behind the delimiter", mixed + "\n--b \t\n" + plain + "TEXT--b-- \n", true},
		{"CRLF", strings.ReplaceAll(mixed+"\n--b\n"+plain+"TEXT--b--\n", "\n", "\r\n"), true},
		{"what looks like a delimiter", mixed + "\n--b\n" + plain + "--bc\n--\n--b-\n -- b\n\n--b\n" + plain + "TEXT--b--\n", true},
		{"alternative in mixed", mixed + "\n--b\n" + plain + "list\n--b\nContent-Type: multipart/alternative; boundary=\"c\"\n\n--c\nContent-Type: text/html\n\n<p>\n--c\n" + plain + "TEXT--c--\n--b--\n", true},
		{"alternative in mixed, empty text first", mixed + "\n--b\nContent-Type: multipart/alternative; boundary=\"c\"\n\n--c\n" + plain + "\n--c\n" + plain + "TEXT--c--\n--b--\n", true},
		{"mixed in alternative in mixed", mixed + "\n--b\nContent-Type: multipart/alternative; boundary=c\n--c\nContent-Type: multipart/mixed; boundary=d\n--d\n" + plain + "TEXT--d--\n--c--\n--b--\n", true},
		{"inner delimiters that are missing", mixed + "\n--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n" + plain + "\n--b\n" + plain + "TEXT--b--\n", true},
		{"no empty line before the delimiter", mixed + "--b\n" + plain + "TEXT--b--\n", true},
		{"no empty line, folded", from + "Content-Type: multipart/mixed;\n boundary=\"b b\"\n--b b\n" + plain + "TEXT--b b--\n", true},
		{"boundary that should be quoted", from + "Content-Type: multipart/mixed; boundary=--=_b@c;\n\n----=_b@c\n" + plain + "TEXT----=_b@c--\n", true},
		{"boundary with a remark", from + "Content-Type: multipart/mixed (really); boundary=b\n\n--b\n" + plain + "TEXT--b--\n", true},
		{"signed", from + "Content-Type: multipart/signed; boundary=b; micalg=x\n\n--b\n" + plain + "TEXT--b\nContent-Type: application/pgp-signature\n\nMFC after: 1 day\n--b--\n", true},
		{"an attachment only", mixed + "\n--b\nContent-Disposition: attachment\n" + plain + "TEXT--b--\n", false},
		{"a diff only", mixed + "\n--b\nContent-Type: text/x-diff\n\nTEXT--b--\n", false},
		{"a forwarded mail", mixed + "\n--b\nContent-Type: message/rfc822\n\nFrom: x@example.org\n\nTEXT--b--\n", false},
		{"a report", from + "Content-Type: multipart/report; boundary=b\n\n--b\n" + plain + "TEXT--b--\n", false},
		{"deeper than is followed", mixed + "\n" + deep(20) + plain + "TEXT", false},
		{"as deep as is followed", mixed + "\n" + deep(maxDepth-1) + plain + "TEXT", true},
	} {
		for _, text := range []string{partCommit, partPlain} {
			data := strings.ReplaceAll(test.mail, "TEXT", text)
			if strings.Contains(test.mail, "\r\n") {
				data = strings.ReplaceAll(strings.ReplaceAll(data, "\r\n", "\n"), "\n", "\r\n")
			}
			if got := asked(ReadMail(strings.NewReader(data))); test.asks != (got == "1 week") {
				t.Errorf("%s: asks for %q:\n%s", test.name, got, data)
			}
			if got := asked(ReadMail(iotest.OneByteReader(strings.NewReader(data)))); test.asks != (got == "1 week") {
				t.Errorf("%s, byte by byte: asks for %q", test.name, got)
			}
		}
	}
}

// deep opens n nested multiparts.
func deep(n int) string {
	s := "--b\n"
	for i := range n {
		s += fmt.Sprintf("Content-Type: multipart/mixed; boundary=d%d\n\n--d%d\n", i, i)
	}
	return s
}

// asked returns the period of the only commit of a mail.
func asked(m *Mail) string {
	trailers, _ := NewTrailers()
	if len(m.Commits) != 1 {
		return ""
	}
	request, ok := trailers.Request(m.Commits[0].Message)
	if !ok {
		return ""
	}
	return request.Period.String()
}

// Texts in several parts are kept up to a bound, in linear time.
func TestManyParts(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("From: jane@example.org\nContent-Type: multipart/mixed; boundary=b0\n\n")
	for depth := range 3 {
		for range maxParts - 1 {
			b.WriteString("--b" + string(rune('0'+depth)) + "\n\n" + strings.Repeat("a line\n", 4000))
		}
		b.WriteString("--b" + string(rune('0'+depth)) + "\nContent-Type: multipart/mixed; boundary=b" + string(rune('1'+depth)) + "\n\n")
	}
	b.WriteString("--b3\n\nMFC after: 1 week\n")
	m := ReadMail(&b)
	if len(m.Commits) != 1 || len(m.Commits[0].Message) > maxText*5/4 {
		t.Fatalf("%d commits", len(m.Commits))
	}
	if got := asked(m); got != "1 week" {
		t.Errorf("asks for %q", got)
	}
}

// The part with the commit is read, whatever is in the parts around it.
func FuzzParts(f *testing.F) {
	f.Add("This list is archived.\n", "_____\nlist\n", "b", "text/plain", true)
	f.Add("\n-- \n", "MFC after: 1 day", "=_b", "multipart/alternative; boundary=c\n--c", false)
	f.Add("", "", "b b", "multipart/mixed; boundary=\"b b\"", true)
	f.Fuzz(func(t *testing.T, before, after, boundary, kind string, first bool) {
		if boundary == "" || len(boundary) > 70 || strings.ContainsAny(boundary, "\"\\\r\n\t") || strings.TrimSpace(boundary) != boundary || strings.ContainsFunc(boundary, func(r rune) bool { return r < ' ' || r > '~' }) {
			return
		}
		if strings.Contains(before, "--") || strings.Contains(kind, "--"+boundary) || strings.Contains(before, "commit ") || strings.Contains(kind, "commit ") {
			return // a delimiter or another commit
		}
		data := "From: a@b\nContent-Type: multipart/mixed; boundary=\"" + boundary + "\"\n\n"
		if !first {
			data += "--" + boundary + "\nContent-Type: " + kind + "\n\n" + before + "\n"
		}
		data += "--" + boundary + "\n\n" + partCommit + "--" + boundary + "\n" + after + "\n--" + boundary + "--\n"
		m := ReadMail(strings.NewReader(data))
		if len(m.Commits) != 1 || m.Commits[0].Revision == "" {
			t.Errorf("commits %+v, %q in\n%s", m.Commits, m.Ignored, data)
		}
	})
}
