package commit

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
)

func asking(a Asked) Commit {
	a.Clean()
	return Commit{
		Repository: "src", Refname: "refs/heads/main", Revision: strings.Repeat("01", 20), Source: FromFollow, ID: "one@src",
		Message: "subject\n", Committer: Person{Name: "Jane", Email: "jane@example.org"}, Asked: a,
	}
}

// What is written is read back, and no value makes a field of its own.
func TestAskedRoundTrip(t *testing.T) {
	date := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, a := range []Asked{
		{Line: "MFC after: 2 weeks", To: []string{"stable/15", "refs/heads/stable/14"}, By: Person{"Ida Müller", "ida@example.org"}, Date: date},
		{Line: "MFC after: 2 weeks\nX-Vext-Source: follow\nBcc: a@example.org", By: Person{Name: "ida\r\nBcc: a@example.org"}, Date: date},
		{Line: "Remind after: " + strings.Repeat("x", 1000), By: Person{Email: "a> <b@example.org"}, To: []string{"a\nb", "c,d", strings.Repeat("é", 100)}},
		{Line: "MFC after: 1 week", By: Person{Name: `"Ida" <x>`, Email: "ida@example.org"}},
	} {
		c := asking(a)
		mail := c.Mail()
		head, _, _ := strings.Cut(string(mail), "\n\n")
		for line := range strings.Lines(head) {
			if name, _, _ := strings.Cut(line, ":"); strings.EqualFold(name, "Bcc") {
				t.Errorf("a field of its own:\n%s", head)
			}
		}
		read := ReadMail(bytes.NewReader(mail))
		if len(read.Commits) != 1 {
			t.Fatalf("%s:\n%s", read.Ignored, mail)
		}
		got := read.Commits[0].Asked
		if !got.Date.Equal(c.Asked.Date) {
			t.Errorf("read the date %v, want %v", got.Date, c.Asked.Date)
		}
		if got.Date = c.Asked.Date; !reflect.DeepEqual(got, c.Asked) && len(got.To)+len(c.Asked.To) > 0 || got.Line != c.Asked.Line || got.By != c.Asked.By {
			t.Errorf("read\n%+v, want\n%+v", got, c.Asked)
		}
	}
}

// The fields count only in a message from a source that nobody can forge.
func TestAskedNeedsSource(t *testing.T) {
	for _, source := range []string{"", FromMail, FromLMTP, FromJSON, "anything"} {
		c := asking(Asked{Line: "MFC after: 1 week"})
		c.Source = source
		got := ReadMail(bytes.NewReader(c.Mail())).Commits[0]
		if Forgeable(got.Source) && !got.Asked.IsZero() {
			t.Errorf("source %q: %+v", source, got.Asked)
		}
	}
	wrapper := "From: list@example.org\nList-Id: <l.example.org>\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\na list\n\n--b\nContent-Type: message/rfc822\n\n%s\n--b--\n"
	c := asking(Asked{Line: "MFC after: 1 week"})
	read := ReadMail(strings.NewReader(strings.Replace(wrapper, "%s", string(c.Mail()), 1)))
	if len(read.Commits) != 1 || !read.Commits[0].Asked.IsZero() {
		t.Errorf("in a wrapped mail: %+v %s", read.Commits, read.Ignored)
	}
}
