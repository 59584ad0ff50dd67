package autosync

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/machines"
	"vext/internal/testkit/prosody"
	"vext/notify/xmpp"
)

// seldom are the lines of a table whose tree pulls only when it is notified.
const seldom = "pull_every = \"1h\"\n"

// on returns the [xmpp] of a user of a server.
func on(s *prosody.Server, user, password string) string {
	return fmt.Sprintf("[xmpp]\njid = %q\npassword = %q\nserver = %q\nca = %q\n", prosody.JID(user), password, s.Addr, s.CA.File())
}

// notified makes machines that only XMPP can bring together, and does not start them.
func notified(t *testing.T, o prosody.Options) (*machines.World, *prosody.Server) {
	t.Helper()
	s := prosody.Start(t, o)
	return machines.New(t, machines.Options{Table: seldom, Config: on(s, "romeo", prosody.Password)}), s
}

// A link is one as the status has it.
type link struct {
	Link      string
	Connected bool
	Error     string
	Peers     []struct {
		Name   string
		Online bool
	}
}

// links returns the links of the only tree of a machine.
func links(m *machines.Machine) []link {
	var status struct{ Trees []struct{ Links []link } }
	out, _ := m.Vext("autosync", "status", "--json").Output()
	if json.Unmarshal(out, &status) != nil || len(status.Trees) != 1 {
		return nil
	}
	return status.Trees[0].Links
}

// awaitLink waits until the first link of a machine is as it should be.
func awaitLink(t *testing.T, m *machines.Machine, within time.Duration, what string, is func(link) bool) {
	t.Helper()
	var all []link
	if !testkit.Eventually(within, func() bool { all = links(m); return len(all) > 0 && is(all[0]) }) {
		t.Fatalf("%s: not %s after %s: %+v", m.Name, what, within, all)
	}
}

func isConnected(l link) bool { return l.Connected }

// sees reports whether a machine is online.
func sees(name string) func(link) bool {
	return func(l link) bool {
		for _, p := range l.Peers {
			if p.Name == name && p.Online {
				return true
			}
		}
		return false
	}
}

// meet starts both machines, and waits until they see each other.
func meet(t *testing.T, w *machines.World) {
	t.Helper()
	w.Start()
	for _, m := range []*machines.Machine{w.A, w.B} {
		awaitLink(t, m, machines.Patience, "connected", isConnected)
	}
	if os.Getuid() == 0 { // who names the hosts
		awaitLink(t, w.A, 5*time.Second, "seeing b", sees(w.B.Name))
		awaitLink(t, w.B, 5*time.Second, "seeing a", sees(w.A.Name))
	}
}

// A push is known to the other machine at once, and both know each other before.
func TestXMPP(t *testing.T) {
	t.Parallel()
	w, s := notified(t, prosody.Options{})
	w.A.Configure(seldom, on(s, "romeo", prosody.Password)+"resource = \"desk\"\n") // which does not name the host
	meet(t, w)
	for n := range 3 {
		w.A.Write("f", fmt.Sprintln("a", n))
		w.Equal(machines.Patience)
		w.B.Write("f", fmt.Sprintln("b", n))
		w.Equal(machines.Patience)
	}
	w.B.Stop()
	awaitLink(t, w.A, 5*time.Second, "missing b", func(l link) bool { return !sees(w.B.Name)(l) })
	w.Stop()
	w.Check()
	log := s.Log()
	for _, want := range []string{"<body>login ", "<body>pushed " + w.Server, "urn:vext:autosync:0"} {
		if !strings.Contains(log, want) {
			t.Errorf("no %s was sent", want)
		}
	}
	if strings.Contains(log, prosody.Password) || strings.Contains(w.A.Log()+w.B.Log(), prosody.Password) {
		t.Error("the password is in a log")
	}
}

// Two instances on one host and account leave each other alone.
func TestXMPPOneHost(t *testing.T) {
	t.Parallel()
	w, s := notified(t, prosody.Options{})
	w.B.Name = w.A.Name
	meet(t, w)
	w.A.Write("f", "f\n")
	w.Equal(machines.Patience)
	time.Sleep(still)
	w.Stop()
	if n := s.Logins(); n != 2 || strings.Contains(s.Log(), "<conflict") {
		t.Errorf("%d logins", n)
	}
}

// A wrong password is said, and is not retried soon.
func TestXMPPPassword(t *testing.T) {
	t.Parallel()
	w, s := notified(t, prosody.Options{})
	w.A.Configure(seldom, on(s, "romeo", "wrong horse"))
	w.A.Start()
	awaitLink(t, w.A, machines.Patience, "rejected", func(l link) bool { return strings.Contains(l.Error, "password") })
	time.Sleep(5 * time.Second)
	if n := s.Attempts(); n != 1 {
		t.Errorf("%d attempts", n)
	}
	if log := w.A.Log(); strings.Count(log, "wrong password") != 1 || strings.Contains(log, "wrong horse") {
		t.Error(log)
	}
	w.A.Write("f", "f\n") // which goes on without
	w.A.Committed()
	w.A.Stop()
}

// Nobody without the certificate of the server gets a password.
func TestXMPPCertificate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]prosody.Certificate{"another name": prosody.WrongName, "untrusted": prosody.Untrusted, "expired": prosody.Expired} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s := notified(t, prosody.Options{Certificate: c})
			w.A.Start()
			awaitLink(t, w.A, machines.Patience, "refused", func(l link) bool { return strings.Contains(l.Error, "certificate") })
			time.Sleep(still)
			w.A.Stop()
			if s.Attempts() != 0 || !strings.Contains(w.A.Log(), "certificate") {
				t.Errorf("%d logins: %s", s.Attempts(), w.A.Log())
			}
		})
	}
	t.Run("no TLS", func(t *testing.T) {
		t.Parallel()
		w, s := notified(t, prosody.Options{Plaintext: true})
		w.A.Start()
		awaitLink(t, w.A, machines.Patience, "refused", func(l link) bool { return strings.Contains(l.Error, "encryption") })
		w.A.Stop()
		if s.Attempts() != 0 {
			t.Errorf("%d logins", s.Attempts())
		}
	})
}

// A server that answers no longer is noticed, and after it does again, what was pushed
// meanwhile is pulled.
func TestXMPPFrozen(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it waits for a minute")
	}
	w, s := notified(t, prosody.Options{})
	w.A.Start()
	awaitLink(t, w.A, machines.Patience, "connected", isConnected)
	s.Freeze()
	awaitLink(t, w.A, time.Minute, "noticing", func(l link) bool { return !l.Connected })
	w.B.Write("f", "f\n")
	w.B.Sh("git add f; git commit -qm f; git push -q")
	s.Thaw()
	begun := time.Now()
	w.A.Await("f", "f\n")
	if took := time.Since(begun); took > 15*time.Second {
		t.Errorf("pulled after %s", took)
	}
	w.A.Stop()
}

// An old stands in for dvcs-autosync, or for anybody else who has the account.
type old struct {
	*xmpp.Client
	t  *testing.T
	mu sync.Mutex
	// what has arrived from others
	messages  []xmpp.Message
	presences map[string]int
}

// logIn starts one, and waits until it is there.
func logIn(t *testing.T, s *prosody.Server) *old {
	t.Helper()
	c, err := xmpp.New(xmpp.Options{JID: prosody.JID("romeo"), Password: prosody.Password, Server: s.Addr, TLS: s.ClientTLS(), Resource: "AutosyncJabberBot on old", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	o := &old{Client: c, t: t, presences: map[string]int{}}
	connected := make(chan struct{}, 10)
	c.Handle(xmpp.Handler{
		Connected: func(string) { connected <- struct{}{} },
		Presence: func(p xmpp.Presence) {
			o.mu.Lock()
			defer o.mu.Unlock()
			if p.Available && p.From != o.Status().Self {
				o.presences[p.From]++
			}
		},
		Message: func(m xmpp.Message) {
			o.mu.Lock()
			defer o.mu.Unlock()
			if m.From != o.Status().Self {
				o.messages = append(o.messages, m)
			}
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { c.Run(ctx) })
	t.Cleanup(func() { cancel(); run.Wait() })
	<-connected
	return o
}

// say sends a text to the account.
func (o *old) say(text string) {
	o.t.Helper()
	if err := o.Send(o.t.Context(), xmpp.Message{To: o.Status().Account, Type: "chat", Body: text}); err != nil {
		o.t.Fatal(err)
	}
}

// traced has a machine log the git commands that it runs, and returns a function that counts
// those with a word.
func traced(t *testing.T, m *machines.Machine) func(word string) int {
	t.Helper()
	dir := filepath.Join(m.Home, "bin")
	log := filepath.Join(m.Home, "git.log")
	script := fmt.Sprintf("#!/bin/sh\necho \" $* \" >>%s\nexec %s \"$@\"\n", log, testkit.Program(t, "git"))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "git"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	m.Env = append(m.Env, "PATH="+dir+":"+os.Getenv("PATH"))
	return func(word string) int {
		text, _ := os.ReadFile(log)
		n := 0
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, " "+word+" ") {
				n++
			}
		}
		return n
	}
}

// dvcs-autosync is understood, a burst is one pull, and nothing unknown is answered.
func TestXMPPAncestor(t *testing.T) {
	t.Parallel()
	w, s := notified(t, prosody.Options{})
	count := traced(t, w.A)
	w.A.Start()
	awaitLink(t, w.A, machines.Patience, "connected", isConnected)
	begun := time.Now()
	o := logIn(t, s)
	greeted := func() bool { // the server has shown the presence of a once by itself
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, n := range o.presences {
			if n >= 2 {
				return true
			}
		}
		return false
	}
	if !testkit.Eventually(10*time.Second, greeted) || time.Since(begun) > 3*time.Second {
		t.Errorf("no presence of its own for the new resource after %s: %v", time.Since(begun), o.presences)
	}
	o.say("login AutosyncJabberBot on old")
	for n, text := range []string{
		"pushed " + w.Server + "\n", "pushed b'" + w.Server + "\\n'", "pushed file://" + w.Server, "Pushed other.example.org:notes.git", "pushed",
	} {
		w.B.Write("f", fmt.Sprintln(n))
		w.B.Sh("git add f; git commit -qm f; git push -q")
		o.say(text)
		w.A.Await("f", fmt.Sprintln(n))
	}
	time.Sleep(still)
	before := count("fetch")
	for range 20 {
		o.say("pushed " + w.Server + "\n")
	}
	time.Sleep(still)
	// On a loaded machine they arrive over more than a second.
	burst := count("fetch") - before
	if burst < 1 || burst > 3 {
		t.Errorf("20 messages are %d pulls", burst)
	}
	for n := range 100 {
		for _, text := range []string{"pong", "You are x, I am y", `Unknown command: "x". Type "help" for available commands.`, "help", "unknown", fmt.Sprintln("text", n), "pushedx", "<b>blubb!</b>", "", "ping pong"} {
			o.say(text)
		}
	}
	time.Sleep(still)
	w.A.Stop()
	if n := count("fetch") - before - burst; n > 1 { // one may still be of the burst
		t.Errorf("unknown texts are %d pulls", n)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.messages) != 0 {
		t.Errorf("%d answers: %+v", len(o.messages), o.messages[0])
	}
}
