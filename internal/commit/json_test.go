package commit

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
)

const hook = `{"repository":"tools.git","refname":"refs/heads/main","revision":"0a1b2c3d4e5f60718293a4b5c6d7e8f901234567",
"author":{"name":"Tom Ruiz","email":"tom@example.net","date":"2026-11-18T08:00:00+01:00"},
"committer":{"name":"Jane \"J\" Müller","email":"jane@example.org","date":"2026-11-20T09:29:58Z"},
"message":"foo: fix bär\n\nMFC after: 2 weeks\n","url":"https://git.example.org/x","unknown":{"a":[1]}}`

// The mail written from a hook's object has the same commit.
func TestParseJSON(t *testing.T) {
	c, err := ParseJSON([]byte(hook))
	if err != nil {
		t.Fatal(err)
	}
	want := Commit{
		ID: "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567+main@tools", Repository: "tools", Refname: "refs/heads/main",
		Revision: "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567", URL: "https://git.example.org/x",
		Subject: "foo: fix bär", Message: "foo: fix bär\n\nMFC after: 2 weeks\n",
		Author: Person{"Tom Ruiz", "tom@example.net"}, Committer: Person{`Jane "J" Müller`, "jane@example.org"},
		Sender: "jane@example.org",
	}
	same(t, &c, &want)
	m := ReadMail(bytes.NewReader(c.Mail()))
	if len(m.Commits) != 1 {
		t.Fatalf("read as %d commits: %s\n%s", len(m.Commits), m.Ignored, c.Mail())
	}
	same(t, &m.Commits[0], &want)
	if got := m.Commits[0].Date; !got.Equal(time.Date(2026, 11, 20, 9, 29, 58, 0, time.UTC)) {
		t.Errorf("the date became %s", got)
	}
}

// same compares all but the dates.
func same(t *testing.T, got, want *Commit) {
	t.Helper()
	a, b := *got, *want
	a.Date, a.AuthorDate, b.Date, b.AuthorDate = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("got  %+v\nwant %+v", a, b)
	}
}

func TestParseJSONErrors(t *testing.T) {
	const ok = `"committer":{"email":"a@b"},"revision":"r1","message":"m"`
	for name, text := range map[string]string{
		"not JSON":            `{`,
		"no committer":        `{"revision":"r1","message":"m"}`,
		"null committer":      `{"committer":null,"revision":"r1","message":"m"}`,
		"no revision":         `{"committer":{"email":"a@b"},"message":"m"}`,
		"empty revision":      `{"committer":{"email":"a@b"},"revision":" ","message":"m"}`,
		"blank in revision":   `{"committer":{"email":"a@b"},"revision":"a b","message":"m"}`,
		"endless revision":    `{"committer":{"email":"a@b"},"revision":"` + strings.Repeat("a", 65) + `","message":"m"}`,
		"no message":          `{"committer":{"email":"a@b"},"revision":"r1"}`,
		"number as message":   `{"committer":{"email":"a@b"},"revision":"r1","message":1}`,
		"two objects":         `{` + ok + `}{}`,
		"something behind it": `{` + ok + `} x`,
	} {
		if c, err := ParseJSON([]byte(text)); err == nil {
			t.Errorf("%s: %+v, want an error", name, c)
		}
	}
	for name, text := range map[string]string{
		"least":           `{` + ok + `}`,
		"blank around":    " \n {" + ok + "} \n",
		"bad date":        `{"committer":{"email":"a@b","date":"yesterday"},"revision":"r1","message":"m"}`,
		"date a number":   `{"committer":{"email":"a@b","date":1234567890},"revision":"r1","message":"m"}`,
		"no address":      `{"committer":{"name":"a"},"revision":"r1","message":"m"}`,
		"an author":       `{"author":null,` + ok + `}`,
		"an id":           `{"id":"<x@y>",` + ok + `}`,
		"svn's revision":  `{"committer":{"email":"a@b"},"revision":"224709","message":"m"}`,
		"line ends in it": `{"repository":"a\nX-Evil: b",` + ok + `}`,
	} {
		c, err := ParseJSON([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if strings.Contains(string(c.Mail()), "\nX-Evil") {
			t.Errorf("%s: adds a field:\n%s", name, c.Mail())
		}
	}
}

// Two commits never get the same Message-ID, not on two branches, and not in repositories
// with similar names.
func TestMadeID(t *testing.T) {
	seen := map[string]Commit{}
	for _, c := range []Commit{
		{Revision: "a", Repository: "x/y"}, {Revision: "a", Repository: "x-y"}, {Revision: "a", Repository: "x=2Fy"},
		{Revision: "a", Repository: "x/y", Refname: "refs/heads/main"}, {Revision: "a", Repository: "x/y", Refname: "refs/heads/wip"},
		{Revision: "a+main", Repository: "x/y"}, {Revision: "a"}, {Revision: "a", Repository: "ä"},
	} {
		id := c.MadeID()
		if other, ok := seen[id]; ok && !reflect.DeepEqual(other, c) {
			t.Errorf("%+v and %+v are both %s", c, other, id)
		}
		seen[id] = c
	}
}

func FuzzParseJSON(f *testing.F) {
	f.Add([]byte(hook))
	f.Add([]byte(`{"committer":{},"revision":"r1","message":"MFC after: 1 week\u0000\r\nx"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseJSON(data)
		if err != nil {
			return
		}
		m := ReadMail(bytes.NewReader(c.Mail()))
		if strings.TrimSpace(c.Message) == "" {
			return
		}
		if len(m.Commits) != 1 {
			t.Fatalf("read as %d commits: %s\n%s", len(m.Commits), m.Ignored, c.Mail())
		}
		got := &m.Commits[0]
		if got.Revision != c.Revision || got.Key() != c.Key() && !strings.Contains(c.Repository, "=?") {
			t.Errorf("%q became %q", c.Key(), got.Key())
		}
		trailers, _ := NewTrailers()
		a, askedA := trailers.Request(c.Message)
		b, askedB := trailers.Request(got.Message)
		if askedA != askedB || a.Period != b.Period {
			t.Errorf("asked %v %v became %v %v", a, askedA, b, askedB)
		}
	})
}
