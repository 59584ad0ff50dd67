package announce

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vext/internal/commit"
	"vext/templates"
)

var update = flag.Bool("update", false, "write the golden files")

func words(t testing.TB, dir string, rules ...Rule) (*Words, error) {
	t.Helper()
	set, err := templates.Load(dir)
	if err != nil {
		return nil, err
	}
	return NewWords(set, rules)
}

// Messages in all colours, and with missing values.
func TestWords(t *testing.T) {
	w, err := words(t, "")
	if err != nil {
		t.Fatal(err)
	}
	whole := arrival(hashA, "foo: fix bar")
	whole.Repository, whole.URL = "acme/widget", "https://git.example.org/acme/widget/commit/"+hashA
	whole.Files = commit.FilesOf([]string{"sys/foo/bar.c", "sys/foo/bar.h"})
	whole.Author = commit.Person{Name: "Tom Ruiz", Email: "1234+tom@users.noreply.github.com"}
	bare := commit.Arrival{Commit: commit.Commit{Repository: "src", Subject: "Start the clock.", Author: commit.Person{Name: "Ida Koch"}}}
	var many commit.Arrival = whole
	many.Files = commit.Files{}
	for i := range 12 {
		many.Files.Add(fmt.Sprintf("sys/dev/driver%d/file_with_a_long_name.c", i))
	}
	hostile := arrival(hashA, "a\r\nQUIT :b\x00c\x02d\x1b[31m"+strings.Repeat("€", 300))
	hostile.Author.Email, hostile.Refname, hostile.Repository = "\r\nJOIN #x@example.org", "refs/heads/a\nb", "s\x03rc"
	hostile.Files = commit.FilesOf([]string{"a\r\nb", ""})
	hostile.URL = "https://example.org/" + strings.Repeat("x", 1000)
	var b strings.Builder
	for _, colors := range []string{"", MIRCColors, ANSIColors} {
		r := &Rule{Colors: colors, Max: 3}
		fmt.Fprintf(&b, "colors = %q\n", colors)
		for _, c := range []*commit.Arrival{&whole, &bare, &many, &hostile} {
			fmt.Fprintf(&b, "%q\n", w.commit(r, c))
		}
		page := whole
		page.Page = "https://git.example.org/compare/1..2"
		fmt.Fprintf(&b, "%q\n%q\n\n", w.push(r, []commit.Arrival{bare, whole}, 37), w.push(r, []commit.Arrival{whole, page}, 4))
	}
	line, err := w.Line(Fields{Project: "gpsd", Repo: "gpsd", Branch: "master", Rev: "f0e1d2c", Author: "esr", Files: FilesText("a.c", "b.c"), Logmsg: "one\ntwo", URL: "https://example.org/1"}, "none")
	fmt.Fprintf(&b, "%q, %v\n", line, err)
	got, golden := b.String(), filepath.Join("testdata", "lines.golden")
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
}

// A mistake in a template is reported at the start, with its name.
func TestTemplateErrors(t *testing.T) {
	for _, test := range []struct{ file, text, rule, want string }{
		{"announcement.txt", "{{.Nobody}}", "", "announcement.txt"},
		{"announcement.txt", "{{if}}", "", "announcement.txt"},
		{"announcement.txt", " \n", "", "announcement.txt"},
		{"announcement-push.txt", "{{.Nobody}}", "", "announcement-push.txt"},
		{"", "", "{{.Nobody}}", "announce 2"},
		{"", "", "{{", "announce 2"},
		{"announcement.txt", "{{.Author}} and {{.Name}}", "", ""},
		{"", "", "{{.Bold}}{{.Rev}}{{.Reset}}", ""},
	} {
		dir := t.TempDir()
		if test.file != "" {
			if err := os.WriteFile(filepath.Join(dir, test.file), []byte(test.text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		_, err := words(t, dir, Rule{}, Rule{Template: test.rule})
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

// A commit is announced also when its template fails.
func TestTemplateFails(t *testing.T) {
	rule := Rule{Template: `{{if eq .Branch "main"}}x{{end}}`}
	w, err := words(t, "", rule)
	if err != nil {
		t.Fatal(err)
	}
	c := arrival(hashA, "s")
	if got := w.commit(&rule, &c); got != "x" {
		t.Errorf("%q", got)
	}
	c.Refname = "refs/heads/dev"
	if got := w.commit(&rule, &c); !strings.Contains(got, "jane") || !strings.Contains(got, "dev") {
		t.Errorf("%q", got)
	}
}

func TestFilesText(t *testing.T) {
	long := strings.Repeat("x", 90)
	for _, test := range []struct {
		paths []string
		want  string
	}{
		{nil, ""},
		{[]string{"a.c"}, "a.c"},
		{[]string{"a.c", "b/c.h"}, "a.c b/c.h"},
		{[]string{"a/" + long, "a/b"}, "(2 files in 1 directory)"},
		{[]string{"a/" + long, "b/b", "b/c"}, "(3 files in 2 directories)"},
		{strings.Split(strings.Repeat("a/b ", 150), " "), "(150 files)"},
	} {
		if got := FilesText(test.paths...); got != test.want {
			t.Errorf("%.80q: %q, want %q", test.paths, got, test.want)
		}
	}
}

func FuzzLine(f *testing.F) {
	w, err := words(f, "")
	if err != nil {
		f.Fatal(err)
	}
	f.Add("src", "refs/heads/main", hashA, "foo", "jane@example.org", "a.c", "https://example.org", "mirc")
	f.Fuzz(func(t *testing.T, repository, refname, revision, subject, author, file, url, colors string) {
		c := commit.Arrival{Commit: commit.Commit{
			Repository: repository, Refname: refname, Revision: revision, Subject: subject,
			Author: commit.ParsePerson(author), Files: commit.FilesOf([]string{file}), URL: url,
		}}
		line := w.commit(&Rule{Colors: colors}, &c)
		if strings.ContainsAny(line, "\r\n\x00") || len(line) > 2000 || line == "" {
			t.Errorf("%q", line)
		}
	})
}
