package commit

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	_ "github.com/emersion/go-message/charset"
)

var update = flag.Bool("update", false, "write the golden files")

const mails = "../../testdata/mails"

// describe describes a mail for the golden files.
func describe(m *Mail, trailers *Trailers) string {
	if m.Ignored != "" {
		if m.Bad {
			return "bad: " + m.Ignored + "\n"
		}
		return "ignored: " + m.Ignored + "\n"
	}
	var b strings.Builder
	for _, c := range m.Commits {
		fmt.Fprintf(&b, "id:         %s\n", c.ID)
		fmt.Fprintf(&b, "key:        %s\n", c.Key())
		fmt.Fprintf(&b, "branch:     %s\n", c.Branch())
		fmt.Fprintf(&b, "committer:  %s\n", c.Committer)
		fmt.Fprintf(&b, "author:     %s\n", c.Author)
		fmt.Fprintf(&b, "sender:     %s\n", c.Sender)
		fmt.Fprintf(&b, "date:       %s\n", c.Date.UTC().Format("2006-01-02 15:04:05"))
		fmt.Fprintf(&b, "url:        %s\n", c.URL)
		fmt.Fprintf(&b, "subject:    %s\n", c.Subject)
		if r, ok := trailers.Request(c.Message); ok {
			fmt.Fprintf(&b, "asks:       %s: %s = %s %v\n", r.Key, r.Value, r.Period, r.Err)
		}
		fmt.Fprintf(&b, "message:\n%s\n", c.Message)
	}
	return b.String()
}

// Commit mails of every shape are understood, and others are ignored.
func TestReadMail(t *testing.T) {
	trailers, err := NewTrailers()
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(mails + "/*.eml")
	if len(files) == 0 {
		t.Fatal("no mails in testdata")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".eml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := describe(ReadMail(bytes.NewReader(data)), trailers)
			golden := strings.TrimSuffix(file, ".eml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			slow := describe(ReadMail(iotest.OneByteReader(bytes.NewReader(data))), trailers)
			if slow != got {
				t.Errorf("read byte by byte it is another:\n%s", slow)
			}
		})
	}
}

// A mail that was cut still has its whole commit.
func TestCut(t *testing.T) {
	trailers, _ := NewTrailers()
	for _, name := range []string{"git-freebsd", "git-base64", "git-multipart", "git-koi8", "svn", "svnnotify", "cvs", "plain", "plain-patch", "multimail", "hg-notify",
		"github-one", "llvm-address", "git-notifier", "svn-mailer-py", "svn-lists-first", "svnnotify-quotes", "svnnotify-diff", "cvs-table",
		"list-wrapped", "list-footer-parts", "alternative-in-mixed", "list-munged", "list-google"} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(mails, name+".eml"))
			if err != nil {
				t.Fatal(err)
			}
			m := ReadMail(bytes.NewReader(data))
			cut := m.Cut(int64(len(data)))
			again := ReadMail(bytes.NewReader(cut))
			if got, want := describe(again, trailers), describe(m, trailers); got != want {
				t.Errorf("cut mail:\n%s\ngot:\n%s\nwant:\n%s", cut, got, want)
			}
			if !bytes.Contains(cut, fmt.Appendf(nil, "had %d bytes\n", len(data))) {
				t.Errorf("it does not say that it was cut:\n%s", cut)
			}
			if bytes.Contains(cut, []byte("\n@@ -")) {
				t.Errorf("the diff is still there:\n%s", cut)
			}
		})
	}
}

// A malformed header is read.
func TestHeader(t *testing.T) {
	tests := []struct{ name, mail, field, want string }{
		{"case", "sUBJECT: x\n\nb", "Subject", "x"},
		{"folded with a tab", "Subject: a\n\tb\n\nb", "Subject", "a b"},
		{"the first counts", "Subject: a\nSubject: b\n\nb", "Subject", "a"},
		{"blank before the colon", "Subject : a\n\nb", "Subject", "a"},
		{"malformed line and its continuation", "X\n y\nSubject: a\n\nb", "Subject", "a"},
		{"mbox line", "From x y\nSubject: a\n\nb", "Subject", "a"},
		{"blank lines before", "\n\nSubject: a\n\nb", "Subject", "a"},
		{"CR CR LF", "Subject: a\r\r\n\r\r\nb", "Subject", "a"},
		{"encoded words", "Subject: =?utf-8?q?=C3=A4?=\n =?utf-8?q?b?=\n\nb", "Subject", "äb"},
		{"unknown charset stays", "Subject: =?x-none?q?a?=\n\nb", "Subject", "=?x-none?q?a?="},
		{"no final newline", "Subject: a", "Subject", "a"},
		{"behind a huge header", strings.Repeat("X-Junk: "+strings.Repeat("j", 1000)+"\n", 2000) + "Subject: a\n\nb", "Subject", "a"},
	}
	for _, test := range tests {
		m := ReadMail(strings.NewReader(test.mail))
		if got := m.Header.Get(test.field); got != test.want {
			t.Errorf("%s: %s is %q, want %q", test.name, test.field, got, test.want)
		}
	}
}

func TestUndecorated(t *testing.T) {
	for subject, want := range map[string]string{
		"git: 0123456789ab - main - foo: fix bar": "foo: fix bar",
		"git: 0123 - main - a - b":                "git: 0123 - main - a - b"[19:],
		"[src] [tools] foo":                       "foo",
		"[7] foo":                                 "foo",
		"[only]":                                  "[only]",
		"svn commit: r1 - in head: foo":           "in head: foo",
		"cvs commit: src/etc rc.conf":             "src/etc rc.conf",
		"git: an editor":                          "git: an editor",
		"":                                        "",
	} {
		if got := undecorated(subject); got != want {
			t.Errorf("undecorated(%q) = %q, want %q", subject, got, want)
		}
	}
}

func TestParsePerson(t *testing.T) {
	for s, want := range map[string]Person{
		"Jane <j@x.org>":         {"Jane", "j@x.org"},
		`"Miller, J." <j@x.org>`: {"Miller, J.", "j@x.org"},
		"j@x.org":                {"", "j@x.org"},
		"j@x.org (Jane)":         {"Jane", "j@x.org"},
		"jane":                   {"jane", ""},
		"<j@x.org>":              {"", "j@x.org"},
		"":                       {},
	} {
		if got := ParsePerson(s); got != want {
			t.Errorf("ParsePerson(%q) = %+v, want %+v", s, got, want)
		}
	}
}

func FuzzReadMail(f *testing.F) {
	files, _ := filepath.Glob(mails + "/*.eml")
	for _, file := range files {
		data, _ := os.ReadFile(file)
		f.Add(data)
	}
	trailers, _ := NewTrailers()
	f.Fuzz(func(t *testing.T, data []byte) {
		m := ReadMail(bytes.NewReader(data))
		if m.Ignored == "" && len(m.Commits) == 0 {
			t.Error("neither ignored nor a commit")
		}
		for i := range m.Commits {
			c := &m.Commits[i]
			trailers.Request(c.Message)
			// What is written is read as the same commit.
			again := ReadMail(bytes.NewReader(c.Mail()))
			if len(again.Commits) != 1 && strings.TrimSpace(c.Message) != "" {
				t.Errorf("%q is read as %d commits: %s", c.Mail(), len(again.Commits), again.Ignored)
			}
		}
	})
}
