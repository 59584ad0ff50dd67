package test

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"vext/internal/testkit"
)

// postfixGroup returns nobody's account in the group of Postfix, which the
// socket of vext serve lets in.
func postfixGroup(t *testing.T) account {
	t.Helper()
	testkit.Program(t, "postfix")
	g, err := user.LookupGroup("postfix")
	if err != nil {
		testkit.Missing(t, "there is no group postfix")
	}
	return account{nobody(t).uid, number(t, g.Gid)}
}

// A daemon is a vext serve that takes mails by LMTP.
type daemon struct {
	*service
	listen, log string
	cmd         *exec.Cmd
}

// newDaemon starts one that listens as the configuration has it.
func newDaemon(t *testing.T, s *service, listen string) *daemon {
	t.Helper()
	d := &daemon{service: s, listen: listen, log: filepath.Join(openDir(t), "log")}
	write(t, s.config, 0o644, read(t, s.config)+fmt.Sprintf("[lmtp]\nlisten = %q\n", listen))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of vext serve:\n%s", read(t, d.log))
		}
	})
	t.Cleanup(d.stop)
	d.start()
	return d
}

// start returns when the daemon listens and its first run is over, so that it
// leaves what comes in the spool.
func (d *daemon) start() {
	d.t.Helper()
	log, err := os.Create(d.log)
	ok(d.t, err)
	defer log.Close()
	d.cmd = exec.Command(d.vext, "--config", d.config, "--state", d.state, "-v", "serve")
	d.cmd.Dir, d.cmd.Stderr = "/", log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: d.as.uid, Gid: d.as.gid}}
	ok(d.t, d.cmd.Start())
	eventually(d.t, "vext serve waits for its next run", func() bool { return strings.Contains(read(d.t, d.log), "msg=waiting") })
}

// stop stops the daemon, if it runs.
func (d *daemon) stop() {
	d.t.Helper()
	if d.cmd == nil {
		return
	}
	ok(d.t, d.cmd.Process.Signal(syscall.SIGTERM))
	ok(d.t, d.cmd.Wait())
	d.cmd = nil
}

// newPostfixLMTP starts a Postfix that hands mail for the list to the daemon,
// as the guide says; mail for others in its domain takes the same way.
func newPostfixLMTP(t *testing.T, d *daemon) *postfix {
	t.Helper()
	p := newPostfix(t, d.service)
	const guide = "../docs/guide-postfix.md"
	_, transport, _ := strings.Cut(strings.TrimSpace(example(t, guide, "commits@example.org    vext-lmtp:")), "    ")
	if path, unix := strings.CutPrefix(d.listen, "unix:"); unix {
		transport = strings.Replace(transport, "/run/vext/lmtp", path, 1)
	} else {
		transport = "vext-lmtp:inet:" + d.listen
	}
	config := filepath.Join(p.dir, "config")
	main := read(t, filepath.Join(config, "main.cf"))
	write(t, filepath.Join(config, "main.cf"), 0o644, strings.Replace(main, "lists.example.org=vext,", "lists.example.org="+transport+",", 1))
	write(t, filepath.Join(config, "master.cf"), 0o644, read(t, filepath.Join(config, "master.cf"))+example(t, guide, "vext-lmtp "))
	p.command("reload").ok(t)
	return p
}

// statuses returns what the log says of the deliveries to the daemon.
func (p *postfix) statuses() []string {
	p.t.Helper()
	var statuses []string
	for _, m := range regexp.MustCompile(`/lmtp\[.* to=<commits[^ ]*@lists.example.org>.* status=(.*)`).FindAllStringSubmatch(read(p.t, p.log), -1) {
		statuses = append(statuses, m[1])
	}
	return statuses
}

// Mails come in by LMTP, at a socket and at a port, and Postfix's log has what
// was decided: of one that asks, one that does not, a bounce, and one with
// lines that are too long for SMTP, which Postfix breaks.
func TestPostfixDeliversByLMTP(t *testing.T) {
	testkit.Root(t)
	for _, network := range []string{"unix", "tcp"} {
		t.Run(network, func(t *testing.T) {
			s := newService(t, postfixGroup(t))
			listen := freeAddress(t)
			if network == "unix" {
				dir := openDir(t)
				s.own(dir)
				listen = "unix:" + filepath.Join(dir, "lmtp")
			}
			p := newPostfixLMTP(t, newDaemon(t, s, listen))
			asks := commitMail("MFC after:\t2 weeks")
			for _, mail := range []struct{ from, text string }{
				{olivia, commitMail("Reviewed by:\tpeter")},
				{"", asks},
				{olivia, asks},
				{olivia, strings.Replace(asks, messageID, "long", 1) + strings.Repeat("x", 1<<20) + "\r\n.\n..\n"},
			} {
				p.send(mail.from, list, mail.text)
				p.flush()
			}
			s.wantSpooled(messageID, "long")
			want := []string{
				"sent (250 2.0.0 <" + list + "> ignored: no trailer that asks for a reminder)",
				"sent (250 2.0.0 <" + list + "> ignored: a bounce: its envelope sender is empty)",
				"sent (250 2.0.0 <" + list + "> spooled: " + messageID + ")",
				"sent (250 2.0.0 <" + list + "> spooled: long)",
			}
			if got := p.statuses(); strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("deliveries:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if got, want := s.run(committed), "1 queued, 1 known already\n"; got != want {
				t.Errorf("vext run said %q, want %q", got, want)
			}
		})
	}
}

// Many mails at once, over the connections that Postfix keeps open, are all
// there.
func TestPostfixDeliversManyByLMTP(t *testing.T) {
	testkit.Root(t)
	s := newService(t, postfixGroup(t))
	d := newDaemon(t, s, freeAddress(t))
	p := newPostfixLMTP(t, d)
	d.stop()
	const mails = 60
	for i := range mails {
		p.send(olivia, list, strings.Replace(commitMail("MFC after:\t2 weeks"), messageID, fmt.Sprintf("%d.many", i), 1))
	}
	d.start()
	eventually(t, "Postfix has delivered the mails", func() bool {
		p.queueCommand("-f")
		return len(p.queue()) == 0
	})
	if n := len(s.spooled()); n != mails {
		t.Errorf("%d in the spool, want %d", n, mails)
	}
}

// While vext serve is down Postfix keeps the mail and bounces nothing; when it
// is up again the mail is taken.
func TestPostfixWaitsForLMTP(t *testing.T) {
	testkit.Root(t)
	s := newService(t, postfixGroup(t))
	dir := openDir(t)
	s.own(dir)
	d := newDaemon(t, s, "unix:"+filepath.Join(dir, "lmtp"))
	p := newPostfixLMTP(t, d)
	d.stop()
	p.send(olivia, list, commitMail("MFC after:\t2 weeks"))
	p.wantDeferred("connect to mail.example.org[" + filepath.Join(dir, "lmtp") + "]: No such file or directory")
	s.wantSpooled()

	d.start()
	p.wantDelivered(s)
}

// On a full disk Postfix keeps the mail and tries again; once there is room it
// is in the spool.
func TestPostfixTriesLMTPAgainOnAFullDisk(t *testing.T) {
	testkit.Root(t)
	s := newService(t, postfixGroup(t))
	smallDisk(t, s)
	p := newPostfixLMTP(t, newDaemon(t, s, freeAddress(t)))
	makeRoom := s.fill(0)
	p.send(olivia, list, commitMail("MFC after:\t2 weeks"))
	p.wantDeferred("452 4.3.1 <"+list+"> error: ", "no space left on device (in reply to end of DATA command)")
	s.wantSpooled()

	makeRoom()
	p.wantDelivered(s)
}

// wantDeferred waits until the one mail is put off, for the reasons named.
func (p *postfix) wantDeferred(reasons ...string) {
	p.t.Helper()
	eventually(p.t, "Postfix has put the mail off", func() bool {
		waiting := p.queue()
		return len(waiting) == 1 && waiting[0].Queue == "deferred"
	})
	contains(p.t, p.queue()[0].Recipients[0].Delay, reasons...)
}

// wantDelivered waits until the mail is delivered: into the spool, and without
// a word to the committer.
func (p *postfix) wantDelivered(s *service) {
	p.t.Helper()
	eventually(p.t, "Postfix has delivered the mail", func() bool {
		p.queueCommand("-f")
		return len(p.queue()) == 0
	})
	s.wantSpooled(messageID)
	if statuses := p.statuses(); !strings.HasPrefix(statuses[len(statuses)-1], "sent (250 2.0.0 ") {
		p.t.Errorf("deliveries: %q", statuses)
	}
	if got := mails(p.t, p.mailbox); len(got) != 0 {
		p.t.Errorf("%d bounces came to the committer", len(got))
	}
}
