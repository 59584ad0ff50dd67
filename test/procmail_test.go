package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vext/internal/testkit"
)

// The recipes that are recommended: the guide's, for a user whose mails all go
// to the filter, and the example for a person who reads the mails as well.
const (
	procmailGuide   = "../docs/guide-procmail.md"
	procmailExample = "../contrib/procmailrc.example"
)

// deliver gives a mail to procmail with a recipe, for a user whose inbox is in
// home and for whom vext is set up as s.
func deliver(t *testing.T, s *service, home, recipe, mail string) result {
	t.Helper()
	inbox, rc := filepath.Join(home, "inbox"), filepath.Join(home, "procmailrc")
	write(t, rc, 0o600, strings.NewReplacer(
		"PATH=/usr/local/bin:", "PATH="+filepath.Dir(s.filter)+":",
		"$HOME/.local/state/vext", s.state, "/var/spool/vext", s.state, "$HOME", home,
	).Replace(recipe))
	return program{stdin: mail, dir: home}.run(t, testkit.Program(t, "procmail"), "DEFAULT="+inbox, "ORGMAIL="+inbox, rc)
}

// inbox returns what is in the inbox.
func inbox(t *testing.T, home string) string {
	t.Helper()
	path := filepath.Join(home, "inbox")
	if _, err := os.Stat(path); os.IsNotExist(err) {
		return ""
	}
	return read(t, path)
}

// A commit mail that procmail pipes into the filter is in the spool, as it
// came, once however often it is delivered; neither it nor any other mail goes
// on to an inbox.
func TestProcmailPipesIntoTheFilter(t *testing.T) {
	s, home := newService(t, account{}), t.TempDir()
	recipe := example(t, procmailGuide, "PATH=")
	asks := commitMail("MFC after:\t2 weeks")
	for _, test := range []struct{ name, mail string }{
		{"asks for a reminder", asks},
		{"delivered twice", asks},
		{"behind an mbox line", "From olivia@example.org Mon Mar  3 12:00:05 2025\n" + asks},
		{"asks for nothing", strings.ReplaceAll(commitMail("Reviewed by:\tpeter"), messageID, "other")},
	} {
		t.Run(test.name, func(t *testing.T) {
			deliver(t, s, home, recipe, test.mail).ok(t)
			s.wantSpooled(messageID)
		})
	}
	if got := inbox(t, home); got != "" {
		t.Errorf("in the inbox:\n%s", got)
	}
	// procmail itself ends every mail with an empty line.
	if got := read(t, filepath.Join(s.state, "spool", messageID)); got != asks+"\n" {
		t.Errorf("the mail was changed on its way:\n%s", got)
	}
	contains(t, s.run(due), "1 queued, 1 sent")
	if got := mails(t, s.maildir); len(got) != 1 {
		t.Errorf("%d reminders, want 1", len(got))
	}
}

// Who reads the commit mails keeps them: the filter has a copy.
func TestProcmailKeepsTheMail(t *testing.T) {
	s, home := newService(t, account{}), t.TempDir()
	deliver(t, s, home, read(t, procmailExample), commitMail("MFC after:\t2 weeks")).ok(t)
	s.wantSpooled(messageID)
	contains(t, inbox(t, home), "Message-Id: <"+messageID+">", "MFC after:\t2 weeks")
}

// When the filter fails, procmail ends with 75, upon which the mail server
// tries again, and has delivered the mail nowhere else. The next attempt finds
// what was missing.
func TestProcmailFailsWithTheFilter(t *testing.T) {
	for _, test := range []struct{ name, recipe string }{
		{"guide", example(t, procmailGuide, "PATH=")},
		{"example", read(t, procmailExample)},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, home := newService(t, account{}), t.TempDir()
			ok(t, os.Remove(s.state))
			deliver(t, s, home, test.recipe, commitMail("MFC after:\t2 weeks")).want(t, 75)
			if got := inbox(t, home); got != "" {
				t.Errorf("the mail went to the inbox all the same:\n%s", got)
			}

			ok(t, os.Mkdir(s.state, 0o750))
			deliver(t, s, home, test.recipe, commitMail("MFC after:\t2 weeks")).ok(t)
			s.wantSpooled(messageID)
		})
	}
}
