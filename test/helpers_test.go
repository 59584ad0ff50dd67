package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"vext/internal/testkit"
)

// The commit that most tests are about.
const (
	hash      = "0123456789abcdef0123456789abcdef01234567"
	messageID = "202503031200.523C0mpX004711@git.example.org"
	olivia    = "olivia@example.org"
	list      = "commits@lists.example.org" // where commit mails are sent to

	committed = "2025-03-03T12:00:00Z"
	before    = "2025-03-16T23:59:59Z" // the last moment of the day before it is due
	due       = "2025-03-17"
)

// commitMail returns a commit mail as FreeBSD's git hook writes it: committed
// by olivia on 3 March 2025, with the trailer as the last line of its message.
func commitMail(trailer string) string {
	return `From: Olivia Example <olivia@example.org>
To: commits@lists.example.org
Date: Mon, 3 Mar 2025 12:00:05 GMT
Message-Id: <` + messageID + `>
Subject: git: 0123456789ab - main - frob: keep the knob when it turns twice
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit
X-Git-Committer: olivia
X-Git-Repository: src
X-Git-Refname: refs/heads/main
X-Git-Reftype: branch
X-Git-Commit: ` + hash + `
Auto-Submitted: auto-generated

The branch main has been updated by olivia:

URL: https://cgit.example.org/src/commit/?id=` + hash + `

commit ` + hash + `
Author:     Oskar Example <oskar@example.org>
AuthorDate: 2025-03-01 08:30:00 +0000
Commit:     Olivia Example <olivia@example.org>
CommitDate: 2025-03-03 12:00:00 +0000

    frob: keep the knob when it turns twice

    A second turn put it back to where it was.

    ` + trailer + `
---
 sys/dev/frob/frob.c | 2 +-
 1 file changed, 1 insertion(+), 1 deletion(-)

diff --git a/sys/dev/frob/frob.c b/sys/dev/frob/frob.c
--- a/sys/dev/frob/frob.c
+++ b/sys/dev/frob/frob.c
@@ -1,1 +1,1 @@
-	knob = !knob;
+	knob = true;
`
}

// An account is a user that a program runs as; the zero account is the one
// that runs the tests.
type account struct{ uid, gid uint32 }

// nobody returns the account without rights that mail servers hand mails to.
func nobody(t *testing.T) account {
	t.Helper()
	u, err := user.Lookup("nobody")
	if err != nil {
		testkit.Missing(t, "there is no user nobody")
	}
	return account{number(t, u.Uid), number(t, u.Gid)}
}

func number(t *testing.T, s string) uint32 {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 32)
	ok(t, err)
	return uint32(n)
}

// A service is vext as it is set up on a machine: its programs, its
// configuration and a state directory.
type service struct {
	t            *testing.T
	vext, filter string // the programs
	config       string
	state        string
	maildir      string // where its reminders go, unless configured otherwise
	as           account
}

// newService sets vext up in a directory that every user may enter, with the
// state directory in the hands of the account that both programs run as.
func newService(t *testing.T, as account) *service {
	t.Helper()
	dir := openDir(t)
	s := &service{
		t: t, vext: filepath.Join(dir, "vext"), filter: filepath.Join(dir, "vext-filter"),
		config: filepath.Join(dir, "vext.toml"), as: as,
		state: filepath.Join(dir, "state"), maildir: filepath.Join(dir, "mail"),
	}
	for _, program := range []string{s.vext, s.filter} {
		data, err := os.ReadFile(filepath.Join(testkit.Programs(t), filepath.Base(program)))
		ok(t, err)
		write(t, program, 0o755, string(data))
	}
	for _, dir := range []string{s.state, s.maildir} {
		ok(t, os.Mkdir(dir, 0o750))
		s.own(dir)
	}
	s.sendVia("maildir:" + s.maildir)
	return s
}

// sendVia writes the configuration.
func (s *service) sendVia(via string) {
	s.t.Helper()
	write(s.t, s.config, 0o644, fmt.Sprintf(`timezone = "UTC"
[reminders]
allow = ["*@example.org"]
[mail]
from = "MFC reminders <mfc@example.org>"
via = %q
`, via))
}

// own gives a file to the service's account.
func (s *service) own(path string) {
	s.t.Helper()
	if s.as != (account{}) {
		ok(s.t, os.Chown(path, int(s.as.uid), int(s.as.gid)))
	}
}

// try runs vext at a time.
func (s *service) try(now string, args ...string) result {
	s.t.Helper()
	args = append([]string{"--config", s.config, "--state", s.state, "--now", now}, args...)
	return program{as: s.as}.run(s.t, s.vext, args...)
}

// run runs the processor at a time, and returns its summary.
func (s *service) run(now string) string {
	s.t.Helper()
	return s.try(now, "run").ok(s.t)
}

// pipe runs the filter as a mail server would, on a mail.
func (s *service) pipe(mail string) result {
	s.t.Helper()
	return program{as: s.as, stdin: mail}.run(s.t, s.filter, "-state", s.state)
}

// An item is what `vext list --json` says about a reminder.
type item struct {
	Name, Place, Due, Committer, Address, Repository, Branch, Revision, Subject, Asked, Reason string
}

// list returns what waits or, with --failed, what was quarantined.
func (s *service) list(flags ...string) []item {
	s.t.Helper()
	var items []item
	ok(s.t, json.Unmarshal([]byte(s.try(committed, append([]string{"list", "--json"}, flags...)...).ok(s.t)), &items))
	return items
}

// spooled returns the names in the spool. There must be nothing in tmp/.
func (s *service) spooled() []string {
	s.t.Helper()
	if stray := names(s.t, filepath.Join(s.state, "tmp")); len(stray) > 0 {
		s.t.Errorf("left behind in tmp/: %q", stray)
	}
	return names(s.t, filepath.Join(s.state, "spool"))
}

// wantSpooled checks what is in the spool, in the order of the names.
func (s *service) wantSpooled(want ...string) {
	s.t.Helper()
	if got := s.spooled(); !slices.Equal(got, want) {
		s.t.Errorf("in the spool: %q, want %q", got, want)
	}
}

// A program is how one is run: with an environment that holds nothing of the
// machine's or the user's own settings, and only what env adds.
type program struct {
	stdin string
	dir   string
	env   []string
	as    account
}

// A result is how a program ended and what it said.
type result struct {
	command        string
	status         int
	stdout, stderr string
}

// ok returns the standard output of a program that must have succeeded.
func (r result) ok(t *testing.T) string {
	t.Helper()
	if r.status != 0 {
		t.Fatalf("%s: exit status %d\n%s%s", r.command, r.status, r.stdout, r.stderr)
	}
	return r.stdout
}

// want fails the test when the program ended with another status.
func (r result) want(t *testing.T, status int) {
	t.Helper()
	if r.status != status {
		t.Errorf("%s: exit status %d, want %d\n%s%s", r.command, r.status, status, r.stdout, r.stderr)
	}
}

func (p program) run(t *testing.T, name string, args ...string) result {
	t.Helper()
	home := p.dir
	if home == "" {
		home = "/"
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Dir = home
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin", "HOME=" + home, "LC_ALL=C.UTF-8", "TZ=UTC",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "HGRCPATH=",
	}, p.env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(p.stdin), &stdout, &stderr
	if p.as != (account{}) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: p.as.uid, Gid: p.as.gid}}
	}
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	return result{strings.Join(append([]string{filepath.Base(name)}, args...), " "), cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// openDir returns a new directory that every user may enter, unlike those of
// t.TempDir.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "vext-test-")
	ok(t, err)
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	ok(t, os.Chmod(dir, 0o755))
	return dir
}

// write writes a file.
func write(t *testing.T, path string, mode os.FileMode, text string) {
	t.Helper()
	ok(t, os.WriteFile(path, []byte(text), mode))
	ok(t, os.Chmod(path, mode)) // whatever the umask says
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	ok(t, err)
	return string(data)
}

// example returns the example of a guide that begins with the text first: lines
// that are indented by four, and empty ones between them.
func example(t *testing.T, guide, first string) string {
	t.Helper()
	var found strings.Builder
	for line := range strings.Lines(read(t, guide)) {
		text, indented := strings.CutPrefix(line, "    ")
		switch blank := strings.TrimSpace(line) == ""; {
		case found.Len() == 0 && !(indented && strings.HasPrefix(text, first)):
		case blank:
			found.WriteString("\n")
		case indented:
			found.WriteString(text)
		default:
			return found.String()
		}
	}
	if found.Len() == 0 {
		t.Fatalf("%s has no example that begins with %q", guide, first)
	}
	return found.String()
}

// names returns the names in a directory, none when there is no such.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if !errors.Is(err, os.ErrNotExist) {
		ok(t, err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// mails returns the mails in a Maildir.
func mails(t *testing.T, maildir string) []*mail.Message {
	t.Helper()
	var mails []*mail.Message
	for _, sub := range []string{"new", "cur"} {
		for _, name := range names(t, filepath.Join(maildir, sub)) {
			mails = append(mails, parseMail(t, read(t, filepath.Join(maildir, sub, name))))
		}
	}
	return mails
}

func parseMail(t *testing.T, text string) *mail.Message {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(text))
	ok(t, err)
	return m
}

func bodyOf(t *testing.T, m *mail.Message) string {
	t.Helper()
	body, err := io.ReadAll(m.Body)
	ok(t, err)
	return string(body)
}

// patience is how long a server may take for what takes it a moment.
const patience = 30 * time.Second

// eventually waits until done, and fails the test with what is missing when
// that takes too long.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain: %s", patience, what)
		}
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func contains(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
}
