package filter

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/internal/commit"
	"vext/spool"
)

func newFilter(t testing.TB, extra ...string) *Filter {
	t.Helper()
	state := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(state, 0o750); err != nil {
		t.Fatal(err)
	}
	f, err := New(spool.New(state), time.Now, extra...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func spooled(t testing.TB, f *Filter) map[string]string {
	t.Helper()
	files, _ := f.Spool.Requests()
	all := map[string]string{}
	for _, file := range files {
		data, err := os.ReadFile(f.Spool.Path(file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[file.Name()] = string(data)
	}
	return all
}

const asks = "From: Ida <ida@example.org>\nMessage-ID: <%s>\nSubject: s\n\nfoo\n\nMFC after: 1 week\n"

func TestVerdicts(t *testing.T) {
	for _, test := range []struct {
		name, input string
		want        Verdict
	}{
		{"a mail that asks", fmt.Sprintf(asks, "a@b"), Spooled},
		{"a mail that does not", strings.Replace(fmt.Sprintf(asks, "a@b"), "MFC", "XYZ", 1), Ignored},
		{"one that can't be read", strings.Replace(fmt.Sprintf(asks, "a@b"), "1 week", "soon", 1), Spooled},
		{"no final newline", strings.TrimRight(fmt.Sprintf(asks, "a@b"), "\n"), Spooled},
		{"a byte order mark", "\xef\xbb\xbf" + fmt.Sprintf(asks, "a@b"), Spooled},
		{"JSON that asks", `{"committer":{"email":"a@b"},"revision":"r1","message":"MFC after: 1d"}`, Spooled},
		{"JSON behind blanks", "\n\t " + `{"committer":{"email":"a@b"},"revision":"r1","message":"MFC after: 1d"}`, Spooled},
		{"JSON that does not", `{"committer":{"email":"a@b"},"revision":"r1","message":"x"}`, Ignored},
		{"bad JSON", `{"revision"`, Bad},
		{"JSON without revision", `{"committer":{"email":"a@b"},"message":"MFC after: 1d"}`, Bad},
		{"nothing", "", Bad},
		{"white space", " \n\n\t", Bad},
		{"text", "hello\n", Bad},
		{"zeros", strings.Repeat("\x00", 100), Bad},
		{"a header only", "Subject: x\n", Ignored},
		{"our own", "X-Vext: reminder\n" + fmt.Sprintf(asks, "a@b"), Ignored},
	} {
		f := newFilter(t)
		got, err := f.Run(strings.NewReader(test.input))
		if err != nil || got.Verdict != test.want {
			t.Errorf("%s: %+v, %v; want %d", test.name, got, err, test.want)
		}
		if n := len(spooled(t, f)); (n == 1) != (test.want == Spooled) {
			t.Errorf("%s: %d in the spool", test.name, n)
		}
		if got.Reason == "" {
			t.Errorf("%s: no reason", test.name)
		}
	}
}

// A mail keeps its bytes; a second one with its name changes nothing.
func TestBytes(t *testing.T) {
	f := newFilter(t)
	mail := strings.ReplaceAll(fmt.Sprintf(asks, "a@b"), "\n", "\r\n")
	for _, input := range []string{mail, mail, strings.Replace(mail, "1 week", "1 day", 1)} {
		if r, err := f.Run(strings.NewReader(input)); r.Verdict != Spooled || err != nil {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	if got := spooled(t, f); len(got) != 1 || got["a@b"] != mail {
		t.Errorf("spooled: %q", got)
	}
}

// A mail without a Message-ID is spooled, and a copy of it is the same message.
func TestNoMessageID(t *testing.T) {
	f := newFilter(t)
	mail := strings.Replace(fmt.Sprintf(asks, "x"), "Message-ID: <x>\n", "", 1)
	for range 2 {
		if r, err := f.Run(strings.NewReader(mail)); r.Verdict != Spooled || err != nil {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	if got := spooled(t, f); len(got) != 1 {
		t.Errorf("spooled: %q", got)
	}
}

// Each request in a push of several commits is a message of its own.
func TestPush(t *testing.T) {
	f := newFilter(t)
	data, err := os.ReadFile("../testdata/mails/post-receive-many.eml")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if r, err := f.Run(bytes.NewReader(data)); r.Verdict != Spooled || err != nil {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	got := spooled(t, f)
	if len(got) != 2 {
		t.Fatalf("spooled: %q", got)
	}
	for name, text := range got {
		m := commit.ReadMail(strings.NewReader(text))
		if len(m.Commits) != 1 || m.Commits[0].Repository != "tools" || m.Commits[0].Branch() != "main" {
			t.Errorf("%s: %+v", name, m.Commits)
		}
	}
}

// The header names an unusual trailer, and only that.
func TestStamp(t *testing.T) {
	f := newFilter(t, "Ping after")
	for _, test := range []struct{ mail, want string }{
		{strings.Replace(fmt.Sprintf(asks, "a@b"), "MFC after", "X-Ping-After", 1), "X-Vext-Trailer: X-Ping-After\nFrom: "},
		{"From x y\n" + strings.Replace(fmt.Sprintf(asks, "b@b"), "MFC after", "ping after", 1), "From x y\nX-Vext-Trailer: ping after\nFrom: "},
		{fmt.Sprintf(asks, "c@b"), "From: Ida"},
	} {
		if r, err := f.Run(strings.NewReader(test.mail)); r.Verdict != Spooled || err != nil {
			t.Fatalf("%+v, %v", r, err)
		}
		found := false
		for _, text := range spooled(t, f) {
			found = found || strings.HasPrefix(text, test.want)
		}
		if !found {
			t.Errorf("%q is not spooled with %q", test.mail, test.want)
		}
	}
}

// large is a mail of a given size whose commit message asks for a reminder.
func large(size int, encode bool) string {
	head := "From: Ida <ida@example.org>\nMessage-ID: <large@b>\nX-Git-Refname: refs/heads/main\n"
	body := "commit 0a1b2c3d4e5f60718293a4b5c6d7e8f901234567\nAuthor: Ida <ida@example.org>\n\n    foo\n\n    MFC after: 1 week\n---\n"
	body += strings.Repeat("+ a line of a diff, MFC after: 1 day\n", size/37)
	if !encode {
		return head + "\n" + body
	}
	return head + "Content-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString([]byte(body))
}

// A message of up to one MiB is kept whole; a larger one is cut behind the commit
// message, with a line that says so.
func TestLargeMail(t *testing.T) {
	for _, encode := range []bool{false, true} {
		for _, size := range []int{1 << 10, 700 << 10, 2 << 20} {
			f := newFilter(t)
			mail := large(size, encode)
			if r, err := f.Run(strings.NewReader(mail)); r.Verdict != Spooled || err != nil {
				t.Fatalf("%d: %+v, %v", size, r, err)
			}
			got := spooled(t, f)["large@b"]
			if len(mail) <= maxWhole {
				if got != mail {
					t.Errorf("%d bytes were not kept whole", len(mail))
				}
				continue
			}
			if len(got) > 4<<10 || !strings.Contains(got, fmt.Sprintf("left out the rest of this message, which had %d bytes", len(mail))) {
				t.Errorf("cut to %d bytes: %.300s", len(got), got)
			}
			m := commit.ReadMail(strings.NewReader(got))
			if len(m.Commits) != 1 || !strings.HasSuffix(m.Commits[0].Message, "\nMFC after: 1 week\n") || m.Commits[0].Branch() != "main" {
				t.Errorf("cut: %+v", m.Commits)
			}
		}
	}
}

// All of the input is read, whatever the verdict: a sender must not write to a closed
// pipe.
func TestReadsAll(t *testing.T) {
	for name, input := range map[string]string{
		"ignored": "Subject: x\n\n---\n" + strings.Repeat("x\n", 1<<20),
		"asks":    large(3<<20, false), "bad": strings.Repeat("x", 3<<20), "JSON": "{" + strings.Repeat(" ", 2<<20),
	} {
		r := strings.NewReader(input)
		if _, err := newFilter(t).Run(r); err != nil || r.Len() > 0 {
			t.Errorf("%s: %d bytes left, %v", name, r.Len(), err)
		}
	}
}

// failingReader fails after its text.
type failingReader struct{ r io.Reader }

var errRead = errors.New("input/output error")

func (f failingReader) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err == io.EOF {
		err = errRead
	}
	return n, err
}

// Input that can't be read to its end is an error.
func TestReadError(t *testing.T) {
	for _, input := range []string{fmt.Sprintf(asks, "a@b"), "Subject: x\n\nnothing\n", "", `{"revision":`} {
		f := newFilter(t)
		if r, err := f.Run(failingReader{strings.NewReader(input)}); !errors.Is(err, errRead) {
			t.Errorf("%q: %+v, %v", input, r, err)
		}
		if got := spooled(t, f); len(got) > 0 {
			t.Errorf("%q: spooled %q", input, got)
		}
	}
}

func TestBadTrailer(t *testing.T) {
	if _, err := New(spool.New("x"), time.Now, "a:b"); err == nil {
		t.Error("a:b is taken for a trailer's name")
	}
}

func FuzzFilter(f *testing.F) {
	files, _ := filepath.Glob("../testdata/mails/*.eml")
	for _, file := range files {
		data, _ := os.ReadFile(file)
		f.Add(data)
	}
	f.Add([]byte(`{"committer":{"email":"a@b"},"revision":"r1","message":"MFC after: 1d"}`))
	flt := newFilter(f, "Ping after")
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := flt.Run(bytes.NewReader(data))
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		for name := range spooled(t, flt) {
			if !spool.IsName(name) {
				t.Errorf("%q is in the spool", name)
			}
			os.Remove(flt.Spool.Path(name))
		}
		_ = r
	})
}

// A mail can't take the name of a commit that arrives later.
func TestMadeNames(t *testing.T) {
	const hash = "0123456789abcdef0123456789abcdef01234567"
	for id, taken := range map[string]bool{
		hash + "+main@src": true, hash + "@src": true, "r12+trunk@src": true, "R12+trunk@src": false,
		"202603031200.523C0mpX004711@git.example.org": false, "r12": false, "reply@x": false, hash[:12] + "@src": false,
	} {
		if commit.LooksMade(id) != taken {
			t.Errorf("%q", id)
		}
	}
	f := newFilter(t)
	mail := "From: a@example.org\nMessage-ID: <" + hash + "+main@src>\nX-Git-Commit: " + hash + "\n\nsubject\n\nMFC after: 9 years\n"
	if _, err := f.Run(strings.NewReader(mail)); err != nil {
		t.Fatal(err)
	}
	c := commit.Commit{Source: commit.FromFollow, Repository: "src", Refname: "refs/heads/main", Revision: hash, Message: "s\n\nMFC after: 1 week\n"}
	if got, err := f.Accept(NewPush(commit.Arrival{Commit: c})); err != nil || got.New != 1 {
		t.Errorf("%d new, %v", got.New, err)
	}
}

// No mail of any shape can claim another source.
func TestForgedSource(t *testing.T) {
	mails, err := filepath.Glob("../testdata/mails/*.eml")
	if err != nil || len(mails) == 0 {
		t.Fatal(err)
	}
	for _, path := range mails {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, source := range []string{commit.FromFollow, commit.FromHook, commit.FromWebhook, commit.FromImport} {
			f := newFilter(t)
			header := commit.SourceHeader + ": " + source + "\n"
			if line, rest, ok := strings.Cut(string(data), "\n"); ok && strings.HasPrefix(line, "From ") {
				data = []byte(rest)
			}
			if _, err := f.Run(strings.NewReader(header + string(data))); err != nil {
				t.Fatal(err)
			}
			for name, text := range spooled(t, f) {
				for _, c := range commit.ReadMail(strings.NewReader(text)).Commits {
					if !commit.Forgeable(c.Source) {
						t.Errorf("%s: %s came by %s", path, name, c.Source)
					}
				}
			}
		}
	}
}

// A forgeable commit does not prevent that of a repository.
func TestSquatted(t *testing.T) {
	f := newFilter(t)
	c := commit.Commit{
		Repository: "src", Refname: "refs/heads/main", Revision: "0123456789abcdef0123456789abcdef01234567", Message: "s\n\nMFC after: 1 week\n",
		Committer: commit.Person{Email: "jane@example.org"},
	}
	for _, test := range []struct {
		source string
		isNew  int
	}{{commit.FromJSON, 1}, {commit.FromJSON, 0}, {commit.FromHook, 1}, {commit.FromHook, 0}, {commit.FromJSON, 0}} {
		c.Source, c.ID = test.source, ""
		if got, err := f.Accept(NewPush(commit.Arrival{Commit: c})); err != nil || got.New != test.isNew {
			t.Errorf("by %s: %d new, %v", test.source, got.New, err)
		}
	}
}

// Each commit in a forge's mail about a push is a message of its own from its committer,
// and the sender of the mail is kept.
func TestForgeMails(t *testing.T) {
	for file, want := range map[string][]string{
		"github-push": {"jane@example.org noreply@github.com acme/widget main 545d96c55460", "ida@example.org noreply@github.com acme/widget main 745d96c55460"},
		"github-one":  {"jane@example.org noreply@github.com acme/widget main 545d96c55460"},
		"gitlab-push": {" gitlab@git.example.org acme/widget feature at night 545d96c5"},
		"llvm":        {" llvm-commits@lists.example.org acme/llvm-project  545d96c55460"},
	} {
		for _, forged := range []string{"", "X-Vext-Sender: jane@example.org\nX-Vext-Source: webhook\n"} {
			data, err := os.ReadFile("../testdata/mails/" + file + ".eml")
			if err != nil {
				t.Fatal(err)
			}
			f := newFilter(t)
			if got, err := f.Run(strings.NewReader(forged + string(data))); err != nil || got.Verdict != Spooled {
				t.Errorf("%s: %+v, %v", file, got, err)
			}
			var got []string
			for name, text := range spooled(t, f) {
				m := commit.ReadMail(strings.NewReader(text))
				if len(m.Commits) != 1 {
					t.Fatalf("%s: %s is read as %d commits", file, name, len(m.Commits))
				}
				c := m.Commits[0]
				got = append(got, strings.Join([]string{c.Committer.Email, c.Sender, c.Repository, c.Branch(), c.Short()}, " "))
				if c.Source != "" {
					t.Errorf("%s: it came by %s", file, c.Source)
				}
			}
			slices.Sort(got)
			wanted := slices.Sorted(slices.Values(want))
			if !slices.Equal(got, wanted) {
				t.Errorf("%s: spooled %q, want %q", file, got, wanted)
			}
		}
	}
}

// A commit mail with a request only in HTML can't be read, and must not be lost: it is
// spooled, and the queue quarantines it.
func TestOnlyHTML(t *testing.T) {
	data, err := os.ReadFile("../testdata/mails/svnnotify-html.eml")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, mail string
		want       Verdict
	}{
		{"it asks", string(data), Spooled},
		{"as one line", strings.Replace(string(data), "quiet\n\nMerge", "quiet</p><p class=\"x\">Merge", 1), Spooled},
		{"it does not ask", strings.Replace(string(data), "Merge after", "Merged", 1), Ignored},
		{"a person's", strings.Replace(string(data), "X-Mailer: SVN::Notify", "X-Mailer: mutt", 1), Ignored},
		{"an empty text beside it", strings.Replace(string(data), "Content-Type: text/html", "Content-Type: multipart/alternative; boundary=b\n\n--b\n\n\n--b\nContent-Type: text/html", 1), Spooled},
		{"a text beside it", strings.Replace(string(data), "Content-Type: text/html", "Content-Type: multipart/alternative; boundary=b\n\n--b\n\nfoo\n--b\nContent-Type: text/html", 1), Ignored},
		{"a text behind it", strings.Replace(string(data), "Content-Type: text/html", "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/html", 1) + "\n--b\n\nfoo\n--b--\n", Ignored},
		{"huge", string(data) + strings.Repeat("x\n", maxWhole), Spooled},
	} {
		f := newFilter(t)
		got, err := f.Run(strings.NewReader(test.mail))
		if err != nil || got.Verdict != test.want {
			t.Errorf("%s: %+v, %v", test.name, got, err)
		}
		for _, text := range spooled(t, f) {
			if m := commit.ReadMail(strings.NewReader(text)); m.Ignored == "" {
				t.Errorf("%s: it is read as %+v", test.name, m.Commits)
			}
		}
	}
}

// An endless push is accepted up to a bound, and the rest is noted for the operator.
func TestEndlessPush(t *testing.T) {
	var b strings.Builder
	b.WriteString("From: x@example.org\nMessage-ID: <push@x>\nX-Git-Newrev: x\nX-Git-Repository: src\nX-Git-Refname: refs/heads/main\n\n")
	for i := range 20 {
		fmt.Fprintf(&b, "commit %040x\nAuthor: Ida <ida@example.org>\n\n    MFC after: 1 day\n%s\n", i+1, strings.Repeat("    a line of a long message\n", 18_000))
	}
	f := newFilter(t)
	got, err := f.Run(strings.NewReader(b.String()))
	if err != nil || got.Verdict != Spooled || !strings.Contains(got.Reason, "are too many for one mail") {
		t.Errorf("%+v, %v", got, err)
	}
	n := len(spooled(t, f))
	notes := f.Spool.IncompletePushes()
	if n < 10 || n >= 20 || len(notes) != 1 || notes[0].Listed != n || notes[0].Total != 20 || notes[0].Repository != "src" {
		t.Errorf("%d in the spool, notes %+v", n, notes)
	}
}
