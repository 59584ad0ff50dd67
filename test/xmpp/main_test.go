// Package xmpp runs vext against the XMPP server Prosody: what it delivers to persons and
// rooms, and what becomes of what it can't deliver.
package xmpp

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/ircd"
	"vext/internal/testkit/prosody"
	"vext/notify/xmpp"
)

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "6") // the tests wait for servers, not for the processor
	testkit.Main(m)
}

// soon is how long a message may take that nothing holds up.
const soon = 30 * time.Second

// users are romeo, as whom vext logs in, and juliet, who reads.
const (
	vext   = "romeo"
	reader = "juliet"
)

// start starts a server with a room, and returns the settings with which vext logs in.
func start(t *testing.T, rooms ...prosody.Room) (s *prosody.Server, settings string) {
	t.Helper()
	s = prosody.Start(t, prosody.Options{})
	for _, r := range rooms {
		s.AddRoom(r)
	}
	return s, fmt.Sprintf("[xmpp]\njid = %q\npassword = %q\nserver = %q\nca = %q\n", prosody.JID(vext), prosody.Password, s.Addr, s.CA.File())
}

// person and room return URIs.
func person(user string) string { return "xmpp:" + prosody.JID(user) }
func room(name string) string   { return "xmpp:" + name + "@" + prosody.MUC + "?join" }

// An ear is a client that reads.
type ear struct {
	t  *testing.T
	mu sync.Mutex
	// what has arrived, "FROM TYPE: BODY" without the resource of a person
	got    []string
	nicks  map[string]bool // of the occupants of rooms
	client *xmpp.Client
}

// listen connects as the reader, and joins rooms.
func listen(t *testing.T, s *prosody.Server, rooms ...prosody.Room) *ear {
	t.Helper()
	c, err := xmpp.New(xmpp.Options{JID: prosody.JID(reader), Password: prosody.Password, Server: s.Addr, TLS: s.ClientTLS(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	e := &ear{t: t, nicks: map[string]bool{}, client: c}
	c.Handle(xmpp.Handler{
		Connected: func(string) {
			for _, r := range rooms {
				c.SendPresence(context.Background(), r.JID()+"/ear", xmpp.PresenceOptions{Room: true, Password: r.Password})
			}
		},
		Message: e.message,
		Presence: func(p xmpp.Presence) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.nicks[p.From] = p.Available
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	eventually(t, "the reader is connected", func() bool { return c.Status().Connected })
	for _, r := range rooms {
		eventually(t, "the reader is in the room", func() bool { return e.isIn(r.JID() + "/ear") })
	}
	return e
}

func (e *ear) isIn(occupant string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.nicks[occupant]
}

// message records a message. It sends a receipt when one is requested, in a goroutine: a
// handler must not send.
func (e *ear) message(m xmpp.Message) {
	if m.Body == "" {
		return
	}
	from := m.From
	if m.Type != "groupchat" {
		from, _, _ = strings.Cut(from, "/")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.got = append(e.got, from+" "+m.Type+": "+m.Body)
	if m.Request {
		go e.client.Send(context.Background(), xmpp.Message{To: m.From, Type: "chat", Receipt: m.ID})
	}
}

// all returns what has arrived.
func (e *ear) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.got...)
}

// wait waits for n messages, and returns all.
func (e *ear) wait(n int) []string {
	e.t.Helper()
	eventually(e.t, fmt.Sprint(n, " messages arrive"), func() bool { return len(e.all()) >= n })
	return e.all()
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, isSo func() bool) {
	t.Helper()
	for deadline := time.Now().Add(soon); !isSo(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain until %s", soon, what)
		}
	}
}

// command returns a vext beside the bot's.
func command(b *ircd.Bot, args ...string) *exec.Cmd {
	return exec.Command(b.Vext, append([]string{"--config", filepath.Join(b.Dir, "vext.toml"), "--state", b.State}, args...)...)
}

// run runs a vext and returns all that it prints, and its status.
func run(b *ircd.Bot, args ...string) (string, int) {
	cmd := command(b, args...)
	out, _ := cmd.CombinedOutput()
	return string(out), cmd.ProcessState.ExitCode()
}

// filter gives a mail to vext-filter.
func filter(t *testing.T, b *ircd.Bot, mail string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(filepath.Dir(b.Vext), "vext-filter"), "-state", b.State)
	cmd.Stdin = strings.NewReader(mail)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("vext-filter: %v\n%s", err, out)
	}
}

// commitMail is a mail about a commit, with a text behind the subject of the commit.
func commitMail(more string) string {
	return `From: Jane <jane@example.org>
Message-ID: <remind-me@example.org>
Date: Mon, 2 Nov 2026 12:00:00 +0000
Subject: git: 0123456789ab - main - foo: fix bar
X-Git-Repository: src
X-Git-Refname: refs/heads/main
X-Git-Commit: 0123456789abcdef0123456789abcdef01234567
X-Git-Committer: jane

foo: fix bar
` + more
}

// asking asks for a reminder.
var asking = commitMail("\nMFC after:	1 week\n")

// history returns what the history says.
func history(t *testing.T, b *ircd.Bot) string {
	t.Helper()
	var all strings.Builder
	files, _ := filepath.Glob(filepath.Join(b.State, "history", "*.jsonl"))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(data)
	}
	return all.String()
}

// mails returns the reminders that went by mail.
func mails(b *ircd.Bot) []string {
	files, _ := filepath.Glob(filepath.Join(b.Dir, "mail", "new", "*"))
	return files
}
