package test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/mail"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vext/internal/testkit"
)

// A postfix is a Postfix of a test's own: it has nothing in common with the
// machine's, listens on the loopback interface only, and keeps every mail that
// it can't deliver here.
type postfix struct {
	t            *testing.T
	dir, addr    string
	postfix      string
	postqueue    string
	mailbox, log string
}

// mainCF is the configuration: mail for the list goes through the filter, mail
// for olivia into her mailbox, and mail for gone.example.org comes back. %[1]s
// is a directory, %[2]d and %[3]d are the ids of nobody.
const mainCF = `compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.example.org
mydestination =
alias_maps =
local_recipient_maps =
smtpd_peername_lookup = no
disable_dns_lookups = yes
default_transport = error:nothing leaves this test
relay_domains = lists.example.org plain.example.org gone.example.org
transport_maps = inline:{lists.example.org=vext, plain.example.org=plain, gone.example.org=gone}
virtual_mailbox_domains = example.org
virtual_mailbox_maps = inline:{olivia@example.org=olivia/}
virtual_mailbox_base = %[1]s/mail
virtual_uid_maps = static:%[2]d
virtual_gid_maps = static:%[3]d
`

// masterCF runs what mainCF needs. %[1]s is the address of the SMTP server,
// %[2]s the filter, %[3]s its state directory, and %[4]s the guide's entry; the
// one called plain is as pipe(8) has it when nothing is said.
const masterCF = `%[1]s inet n - n - - smtpd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
showq     unix n - n - - showq
error     unix - - n - - error
retry     unix - - n - - error
virtual   unix - n n - - virtual
anvil     unix - - n - 1 anvil
postlog   unix-dgram n - n - 1 postlogd
gone      unix - n n - - pipe user=nobody argv=false
plain     unix - n n - - pipe flags=R user=nobody argv=%[2]s -state %[3]s
%[4]s`

// guideEntry returns the entry for master.cf that the guide recommends, for
// the service's programs.
func guideEntry(t *testing.T, s *service) string {
	t.Helper()
	return strings.NewReplacer("user=vext", "user=nobody", "/usr/local/bin/vext-filter", s.filter, "/var/spool/vext", s.state).
		Replace(example(t, "../docs/guide-postfix.md", "vext "))
}

// newPostfix starts a Postfix that hands mail for the list to the service's
// filter.
func newPostfix(t *testing.T, s *service) *postfix {
	t.Helper()
	testkit.Root(t)
	dir := openDir(t)
	p := &postfix{
		t: t, dir: dir, addr: freeAddress(t),
		postfix: testkit.Program(t, "postfix"), postqueue: testkit.Program(t, "postqueue"),
		mailbox: filepath.Join(dir, "mail", "olivia"), log: filepath.Join(dir, "log"),
	}
	for _, sub := range []string{"config", "queue", "mail"} {
		ok(t, os.Mkdir(filepath.Join(dir, sub), 0o755))
		ok(t, os.Chmod(filepath.Join(dir, sub), 0o755)) // whatever the umask says
	}
	s.own(filepath.Join(dir, "mail"))
	write(t, filepath.Join(dir, "config", "main.cf"), 0o644, fmt.Sprintf(mainCF, dir, s.as.uid, s.as.gid))
	write(t, filepath.Join(dir, "config", "master.cf"), 0o644, fmt.Sprintf(masterCF, p.addr, s.filter, s.state, guideEntry(t, s)))
	t.Cleanup(p.logOnFailure)
	t.Cleanup(p.stop)
	p.start()
	return p
}

// freeAddress returns an address on the loopback interface where nothing
// listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	defer l.Close()
	return l.Addr().String()
}

func (p *postfix) command(verb string) result {
	p.t.Helper()
	return program{}.run(p.t, p.postfix, "-c", filepath.Join(p.dir, "config"), verb)
}

func (p *postfix) start() {
	p.t.Helper()
	p.command("start").ok(p.t)
	eventually(p.t, "Postfix answers", func() bool {
		conn, err := net.Dial("tcp", p.addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// stop stops Postfix, if it runs: `postfix status` says so.
func (p *postfix) stop() {
	p.t.Helper()
	if p.command("status").status == 0 {
		p.command("stop").ok(p.t)
	}
}

func (p *postfix) logOnFailure() {
	if data, err := os.ReadFile(p.log); err == nil && p.t.Failed() {
		p.t.Logf("Postfix's log:\n%s", data)
	}
}

// send hands a mail to Postfix by SMTP.
func (p *postfix) send(from, to, mail string) {
	p.t.Helper()
	ok(p.t, smtp.SendMail(p.addr, nil, from, []string{to}, []byte(strings.ReplaceAll(mail, "\n", "\r\n"))))
}

// A queued mail is one line of `postqueue -j`, as far as it matters here.
type queued struct {
	Queue      string `json:"queue_name"`
	Recipients []struct {
		Delay string `json:"delay_reason"`
	} `json:"recipients"`
}

// queue returns the mails that Postfix has not got rid of.
func (p *postfix) queue() []queued {
	p.t.Helper()
	var mails []queued
	lines := json.NewDecoder(strings.NewReader(p.queueCommand("-j")))
	for lines.More() {
		var q queued
		ok(p.t, lines.Decode(&q))
		mails = append(mails, q)
	}
	return mails
}

func (p *postfix) queueCommand(flag string) string {
	p.t.Helper()
	return program{}.run(p.t, p.postqueue, "-c", filepath.Join(p.dir, "config"), flag).ok(p.t)
}

// flush waits until Postfix has delivered all of its mails.
func (p *postfix) flush() {
	p.t.Helper()
	eventually(p.t, "Postfix's queue is empty", func() bool { return len(p.queue()) == 0 })
}

// wantLog checks what the log says of the deliveries by a transport.
func (p *postfix) wantLog(transport string, statuses ...string) {
	p.t.Helper()
	var got []string
	for line := range strings.Lines(read(p.t, p.log)) {
		if _, status, found := strings.Cut(line, " status="); found && strings.Contains(line, "relay="+transport+",") {
			got = append(got, strings.Fields(status)[0])
		}
	}
	if strings.Join(got, " ") != strings.Join(statuses, " ") {
		p.t.Errorf("deliveries by %s: %q, want %q", transport, got, statuses)
	}
}

// A commit mail comes in by SMTP and through pipe(8) into the filter, twice as
// from two lists; on the day it is due, and not a second before, one reminder
// goes out through Postfix's SMTP server into the committer's mailbox, and
// never again. Sent back to the list it asks for nothing.
func TestPostfixBringsTheCommitAndTakesTheReminder(t *testing.T) {
	testkit.Root(t)
	s := newService(t, nobody(t))
	p := newPostfix(t, s)
	s.sendVia("smtp://" + p.addr)

	for range 2 {
		p.send(olivia, list, commitMail("MFC after:\t2 weeks"))
		p.flush()
	}
	s.wantSpooled(messageID)

	for _, step := range []struct {
		now, want string
		reminders int
	}{
		{committed, "1 queued\n", 0},
		{before, "", 0},
		{due, "1 sent\n", 1},
		{due, "", 1},
		{"2025-03-18", "", 1},
	} {
		if got := s.run(step.now); got != step.want {
			t.Errorf("at %s vext run said %q, want %q", step.now, got, step.want)
		}
		p.flush()
		if got := mails(t, p.mailbox); len(got) != step.reminders {
			t.Fatalf("after the run of %s: %d reminders in the mailbox, want %d", step.now, len(got), step.reminders)
		}
	}

	reminder := mails(t, p.mailbox)[0]
	wantHeader(t, reminder, map[string]string{
		"Return-Path":    "<mfc@example.org>",
		"Delivered-To":   olivia,
		"From":           `"MFC reminders" <mfc@example.org>`,
		"To":             `"Olivia Example" <olivia@example.org>`,
		"Subject":        "[MFC reminder] frob: keep the knob when it turns twice",
		"In-Reply-To":    "<" + messageID + ">",
		"References":     "<" + messageID + ">",
		"Auto-Submitted": "auto-generated",
	})
	text := bodyOf(t, reminder)
	contains(t, text, "MFC after: 2 weeks", "git cherry-pick -x "+hash, "A second turn put it back to where it was.")
	if strings.Contains(text, "diff --git") {
		t.Errorf("the diff is in the reminder:\n%s", text)
	}

	returned := read(t, filepath.Join(p.mailbox, "new", names(t, filepath.Join(p.mailbox, "new"))[0]))
	p.send(olivia, list, returned)
	p.flush()
	s.wantSpooled()
	p.wantLog("vext", "sent", "sent", "sent")
	p.wantLog("virtual", "sent")
}

func wantHeader(t *testing.T, m *mail.Message, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got := m.Header.Get(name); got != value {
			t.Errorf("%s: %s, want %s", name, got, value)
		}
	}
	if got := len(m.Header["To"]) + len(m.Header["Cc"]) + len(m.Header["Bcc"]); got != 1 {
		t.Errorf("%d fields name recipients, want 1", got)
	}
}

// What asks for nothing is accepted and gone, and nobody gets a mail: an
// ordinary commit, a bounce of a commit mail that comes back to the list, a
// mail from the empty sender, a text that is no mail at all.
func TestPostfixIsRidOfWhatAsksForNothing(t *testing.T) {
	testkit.Root(t)
	s := newService(t, nobody(t))
	p := newPostfix(t, s)
	for _, test := range []struct {
		name, from, to, mail string
	}{
		{"no trailer", olivia, list, commitMail("Reviewed by:\tpeter")},
		{"no mail", olivia, list, "\n\xff\xfe{\"\n"},
		{"bounce", list, "peter@gone.example.org", commitMail("MFC after:\t2 weeks")},
		{"empty sender", "", list, commitMail("MFC after:\t2 weeks")},
		{"empty sender that pipe(8) calls MAILER-DAEMON", "", "commits@plain.example.org", commitMail("MFC after:\t2 weeks")},
	} {
		t.Run(test.name, func(t *testing.T) {
			p.send(test.from, test.to, test.mail)
			p.flush()
			if got := s.spooled(); len(got) > 0 {
				t.Errorf("in the spool: %q, want nothing", got)
			}
		})
	}
	p.wantLog("gone", "bounced")
	p.wantLog("vext", "sent", "sent", "sent", "sent")
	p.wantLog("plain", "sent")
	if got := mails(t, p.mailbox); len(got) != 0 {
		t.Errorf("%d mails came back to the committer", len(got))
	}
}

// A committer whom Postfix does not know is quarantined with Postfix's answer,
// and the others get their reminders all the same.
func TestPostfixRefusesOneRecipient(t *testing.T) {
	testkit.Root(t)
	s := newService(t, nobody(t))
	p := newPostfix(t, s)
	s.sendVia("smtp://" + p.addr)
	gone := strings.NewReplacer(olivia, "gone@example.org", hash, strings.Repeat("a", 40), messageID, "gone").Replace(commitMail("MFC after:\t1 week"))
	s.pipe(gone).ok(t)
	s.pipe(commitMail("MFC after:\t2 weeks")).ok(t)

	if got, want := s.run(due), "2 queued, 1 sent, 1 quarantined\n"; got != want {
		t.Errorf("vext run said %q, want %q", got, want)
	}
	p.flush()
	if got := mails(t, p.mailbox); len(got) != 1 {
		t.Errorf("%d reminders in the mailbox, want 1", len(got))
	}
	failed := s.list("--failed")
	if len(failed) != 1 {
		t.Fatalf("quarantined: %+v, want one", failed)
	}
	if failed[0].Name != "gone" || failed[0].Address != "gone@example.org" {
		t.Errorf("quarantined: %+v", failed[0])
	}
	contains(t, failed[0].Reason, "recipient gone@example.org", "550", "unknown in virtual mailbox table")
}

// While Postfix is down the reminder waits, and the run says why; when it is up
// again the next run sends it, once.
func TestPostfixIsDownForAWhile(t *testing.T) {
	testkit.Root(t)
	s := newService(t, nobody(t))
	p := newPostfix(t, s)
	s.sendVia("smtp://" + p.addr)
	s.pipe(commitMail("MFC after:\t2 weeks")).ok(t)

	p.stop()
	down := s.try(due, "run")
	down.want(t, 1)
	contains(t, down.stderr, "vext: error: smtp://"+p.addr, "connection refused")

	p.start()
	if got, want := s.run(due), "1 sent\n"; got != want {
		t.Errorf("vext run said %q, want %q", got, want)
	}
	p.flush()
	if got := mails(t, p.mailbox); len(got) != 1 {
		t.Errorf("%d reminders in the mailbox, want 1", len(got))
	}
}
