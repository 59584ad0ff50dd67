package reminder

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emersion/go-message/mail"

	"vext/internal/commit"
	"vext/internal/history"
	"vext/queue"
	"vext/templates"
)

func mustPeriod(t testing.TB, s string) commit.Period {
	t.Helper()
	p, err := commit.ParsePeriod(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	got = bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n"))
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got:\n%s\nwant:\n%s", name, got, want)
	}
}

// remind sends the reminder of one mail of testdata and returns it.
func remind(t *testing.T, file string) []byte {
	t.Helper()
	s, out := newService(t)
	data, err := os.ReadFile(filepath.Join("../testdata/mails", file))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Queue.Spool.Put("a", data); err != nil {
		t.Fatal(err)
	}
	sum, err := at(t, s, 60)
	if err != nil || len(out.mails) != 1 {
		failures, _ := s.Queue.Quarantined()
		t.Fatalf("%s, %v, %+v", sum, err, failures)
	}
	return out.mails[0].Data
}

// The reminders that people get, for each version control system.
func TestReminder(t *testing.T) {
	for name, file := range map[string]string{"git": "git-freebsd.eml", "svn": "svn.eml", "hg": "hg-notify.eml", "plain": "plain.eml"} {
		golden(t, "reminder-"+name, remind(t, file))
	}
}

// What is said of requests that are not about a merge, that disagree, that could
// not be read, and to somebody who did not commit it.
func TestReminderWords(t *testing.T) {
	for _, test := range []struct{ name, asks, to string }{
		{"remind", "Remind after: 2026-12-01", "Jane Miller <jane@example.org>"},
		{"several", "MFC after: 4 weeks\n    MFC in: never\n    MFC after:\n      ~1 week\n    MFC to: 15", "<jane@example.org>"},
		{"past", "MFC after: 2020-01-01", "Jane Miller <jane@example.org>"},
		{"now", "Backport after: now", "Miller, Jane <jane@example.org>"},
	} {
		s, out := newService(t)
		put(t, s, "a", test.to, test.asks)
		if sum, err := at(t, s, 15); err != nil || len(out.mails) != 1 {
			t.Fatalf("%s: %s, %v", test.name, sum, err)
		}
		golden(t, "reminder-"+test.name, out.mails[0].Data)
	}
}

// A reminder says that it was snoozed, and by whom; one of a commit that is gone
// begins with what that means.
func TestReminderOfLate(t *testing.T) {
	for _, test := range []struct{ name, by string }{{"snoozed", "jane"}, {"snoozed-by-other", "ops"}, {"gone", ""}} {
		s, out := newService(t)
		put(t, s, "a", "Jane Miller <jane@example.org>", "MFC after: 1 week")
		mustRun(t, s, 0, "1 queued")
		if test.by != "" {
			if _, err := s.Queue.Snooze(find(t, s, "a"), mustPeriod(t, "1 week"), test.by); err != nil {
				t.Fatal(err)
			}
		} else {
			s.Sources = &inflow{vanished: []history.Event{{
				Time: s.Queue.Now, Kind: history.Vanished, Key: find(t, s, "a").Key, Branch: "main", Reason: "a forced update took it off main",
			}}}
			mustRun(t, s, 1, "nothing to do")
		}
		if sum, err := at(t, s, 15); err != nil || len(out.mails) != 1 {
			t.Fatalf("%s: %s, %v", test.name, sum, err)
		}
		golden(t, "reminder-"+test.name, out.mails[0].Data)
	}
}

// An author who is reminded of what somebody else committed.
func TestReminderOfAuthor(t *testing.T) {
	s, _ := newService(t)
	m := &queue.Message{Commit: commit.Commit{Author: commit.Person{Name: "Jane", Email: "jane@example.org"}, Committer: commit.Person{Email: "ida@example.org"}}}
	if w := s.words(m, "a", &history.State{}, s.Queue.Today()); w.You != "you committed this" {
		t.Errorf("the committer: %q", w.You)
	}
	s.Queue.Policy.ToAuthor = true
	if w := s.words(m, "a", &history.State{}, s.Queue.Today()); w.You != "you wrote this, which was committed" || w.First != "Jane" {
		t.Errorf("the author: %q, %q", w.You, w.First)
	}
}

func TestFirstName(t *testing.T) {
	for _, test := range []struct{ name, login, want string }{
		{"Jane Miller", "jane", "Jane"}, {"Jane", "jm", "Jane"}, {"", "jane", "jane"}, {"Miller, Jane", "jane", "Jane"}, {"Miller, Jane A.", "jane", "Jane"}, {"Miller,", "jane", "Miller,"},
		{"Dr. Jane Miller", "jane", "Dr. Jane Miller"}, {"", "", ""}, {"Łukasz Ö", "l", "Łukasz"},
	} {
		if got := firstName(test.name, test.login); got != test.want {
			t.Errorf("%q, %q: %q, want %q", test.name, test.login, got, test.want)
		}
	}
}

// Templates that were written for an earlier version still fit.
func TestOldTemplates(t *testing.T) {
	set, err := templates.Load("testdata/old-templates")
	if err == nil {
		err = TryTemplates(set)
	}
	if err != nil {
		t.Error(err)
	}
}

func TestSubject(t *testing.T) {
	for word, want := range map[string]string{"MFC": "[MFC reminder] x", "Merge": "[Merge reminder] x", "Backport": "[Backport reminder] x", "": "[Reminder] x"} {
		if got := subject(word, "x"); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

// Nothing in a commit adds a field, a recipient or a template's action.
func TestHostileCommit(t *testing.T) {
	s, out := newService(t)
	const evil = `{"committer":{"name":"Eve\r\nBcc: all@example.org\r\n\r\n{{.Host}}","email":"eve@example.org"},
"revision":"$(id)\u000aX-A:b","repository":"{{.}}\r\nX-B: c","refname":"refs/heads/main","url":"\u0000\nx",
"message":"{{.Host}} \u001b[31m ünï\r\nBcc: all@example.org\n.\n\nMFC after: 0 days\nMFC to: {{1}}\r\nX-C: d\n","id":"<a@b>\r\nX-D: e"}`
	evilJSON := strings.Replace(evil, `$(id)\u000aX-A:b`, `$(id)`, 1)
	c, err := commit.ParseJSON([]byte(evilJSON))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Queue.Spool.Put("a", c.Mail()); err != nil {
		t.Fatal(err)
	}
	if _, err := at(t, s, 1); err != nil {
		t.Fatal(err)
	}
	if got := out.recipients(); got != "eve@example.org" {
		t.Fatalf("recipients: %q", got)
	}
	r, err := mail.CreateReader(bytes.NewReader(out.mails[0].Data))
	if err != nil {
		t.Fatal(err)
	}
	for fields := r.Header.Fields(); fields.Next(); {
		switch name := strings.ToLower(fields.Key()); name {
		case "date", "from", "to", "subject", "message-id", "mime-version", "content-type", "content-transfer-encoding", "auto-submitted", "x-vext", "in-reply-to", "references":
		default:
			t.Errorf("a field %s: %s", name, fields.Value())
		}
	}
	to, err := r.Header.AddressList("To")
	if err != nil || len(to) != 1 || to[0].Address != "eve@example.org" {
		t.Errorf("to %v, %v", to, err)
	}
	p, err := r.NextPart()
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(p.Body)
	if !bytes.Contains(text, []byte("{{.Host}}  [31m ünï")) && !bytes.Contains(text, []byte("{{.Host}} [31m ünï")) {
		t.Errorf("the message was changed:\n%s", text)
	}
	if bytes.ContainsAny(text, "\x1b\x00") {
		t.Errorf("control characters:\n%q", text)
	}
	if bytes.Contains(text, []byte("cherry-pick")) {
		t.Errorf("a command of a stranger's revision:\n%s", text)
	}
	for line := range bytes.Lines(out.mails[0].Data) {
		if len(line) > 998 || !bytes.HasSuffix(line, []byte("\r\n")) {
			t.Errorf("a line of %d bytes: %q", len(line), line)
		}
	}
}

// A mail that vext writes is one that its own filter ignores.
func TestOwnMailIsIgnored(t *testing.T) {
	m := commit.ReadMail(bytes.NewReader(remind(t, "git-freebsd.eml")))
	if m.Ignored == "" {
		t.Error("our own reminder is taken for a commit")
	}
}

func TestValidIDs(t *testing.T) {
	got := validIDs([]string{"a@b", "", "no-at", "a b@c", "a@b>", "a\nb@c", strings.Repeat("x", 300) + "@b", "c@d"})
	if strings.Join(got, " ") != "a@b c@d" {
		t.Errorf("%q", got)
	}
}

// A person's own template is used, and only theirs is replaced.
func TestOwnTemplate(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "reminder.txt"), []byte("Please merge {{.Short}} to {{join .To \", \"}}.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := templates.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := set.Text(templates.Reminder, Words{Short: "0a1b2c3d4e5f", To: []string{"stable/15", "stable/14"}})
	if err != nil || text != "Please merge 0a1b2c3d4e5f to stable/15, stable/14.\n" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := templates.Load(filepath.Join(dir, "none")); err == nil {
		t.Error("a directory that is not there is taken")
	}
}

// Long subjects and names are cut, and folded where they can be.
func TestFolded(t *testing.T) {
	s, out := newService(t)
	put(t, s, "a", strings.Repeat("Jané ", 60)+"<jane@example.org>", "MFC after: 0 days")
	text := strings.ReplaceAll(commitMail, "subject of %[1]s", strings.Repeat("ü", 300)+"%[1]s")
	if _, err := s.Queue.Spool.Put("b", fmt.Appendf(nil, text, "b", "Ida <ida@example.org>", strings.Repeat("cd", 20), "MFC after: 0 days")); err != nil {
		t.Fatal(err)
	}
	mustRun(t, s, 0, "2 queued, 2 sent")
	for _, m := range out.mails {
		header, _, _ := bytes.Cut(m.Data, []byte("\r\n\r\n"))
		for line := range bytes.Lines(header) {
			if len(line) > maxHeaderLine+2 {
				t.Errorf("a line of %d bytes: %s", len(line), line)
			}
		}
		r, err := mail.CreateReader(bytes.NewReader(m.Data))
		if err != nil {
			t.Fatal(err)
		}
		subject, err := r.Header.Subject()
		to, toErr := r.Header.AddressList("To")
		if err != nil || toErr != nil || len(to) != 1 || !strings.HasPrefix(subject, "[MFC reminder] ") {
			t.Errorf("%q, %v, %v, %v", subject, to, err, toErr)
		}
	}
}

// The mail says "on HOST" only to a recipient who can use the commands there; for all
// others it names the operator.
func TestWhereTheCommandsWork(t *testing.T) {
	for _, test := range []struct {
		operator, user string // user is who can
		want, digest   string
	}{
		{"", "jane@example.org", "or no more, on host.example.org:\n\n    vext snooze", "The commands are for host.example.org.\n"},
		{"ops@example.org", "jane@example.org", "or no more, on host.example.org (or ask ops@example.org):\n\n    vext snooze", "The commands are for host.example.org; or ask ops@example.org.\n"},
		{"ops@example.org", "tom@example.org", "or no more, write to ops@example.org\nand quote one of these lines:\n\n    vext snooze", "\nWrite to ops@example.org and quote the command that you want.\n"},
		{"", "tom@example.org", "or no more, ask whoever runs vext\non host.example.org for one of these:\n\n    vext snooze", "\nAsk whoever runs vext on host.example.org to run the command that you want.\n"},
	} {
		for _, digest := range []bool{false, true} {
			s, out := newService(t)
			s.Operator, s.Digest = test.operator, digest
			s.OnHost = func(address string) bool { return address == test.user }
			for _, file := range []string{"git-freebsd.eml", "plain.eml"} {
				data, err := os.ReadFile(filepath.Join("../testdata/mails", file))
				if err != nil {
					t.Fatal(err)
				}
				data = bytes.ReplaceAll(data, []byte("ida@"), []byte("jane@"))
				if _, err := s.Queue.Spool.Put(file, data); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := at(t, s, 60); err != nil || len(out.mails) == 0 {
				t.Fatalf("%v, %d mails", err, len(out.mails))
			}
			want := test.want
			if len(out.mails) == 1 {
				want = test.digest
			}
			if text := strings.ReplaceAll(string(out.mails[0].Data), "\r\n", "\n"); !strings.Contains(text, want) || (len(out.mails) == 1) != digest {
				t.Errorf("%+v: %d mails, the first:\n%s", test, len(out.mails), text)
			}
		}
	}
}
