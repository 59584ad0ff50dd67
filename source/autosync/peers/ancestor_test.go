package peers_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"vext/internal/testkit/prosody"
	"vext/notify/xmpp"
	"vext/source/autosync/peers"
)

// An ancestor stands in for dvcs-autosync, as far as its messages go: it misses the presence
// of those who are online before it, ignores whoever has shown none, answers to the account,
// and to what it does not know, too.
type ancestor struct {
	*xmpp.Client
	pulls chan string
	all   chan xmpp.Message

	mu    sync.Mutex
	ready bool // it registers its handler of presence after it has logged in
	seen  map[string]bool
}

func startAncestor(t *testing.T, s *prosody.Server, user string) *ancestor {
	t.Helper()
	// Its resource differs only in the random end.
	c, err := xmpp.New(xmpp.Options{JID: prosody.JID(user), Password: prosody.Password, Server: s.Addr, TLS: s.ClientTLS(), Resource: "AutosyncJabberBot on beta", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	a := &ancestor{Client: c, pulls: make(chan string, 1000), all: make(chan xmpp.Message, 1000), seen: map[string]bool{}}
	connected := make(chan string, 1)
	said := make(chan string, 1000)
	c.Handle(xmpp.Handler{
		Connected: func(self string) { connected <- self },
		Presence: func(p xmpp.Presence) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.seen[p.From] = a.seen[p.From] || a.ready
		},
		Message: func(m xmpp.Message) {
			a.all <- m
			a.mu.Lock()
			defer a.mu.Unlock()
			if m.Type != "chat" || m.Delayed || m.From == c.Status().Self || !a.seen[m.From] {
				return
			}
			switch word, rest, _ := strings.Cut(m.Body, " "); strings.ToLower(word) {
			case "pushed":
				a.pulls <- rest
			case "ping":
				said <- "pong"
			case "login", "unknown":
			default:
				said <- fmt.Sprintf(`Unknown command: "%s". Type "help" for available commands.<b>blubb!</b>`, word)
			}
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { c.Run(ctx) })
	self := <-connected
	a.mu.Lock()
	a.ready = true
	a.mu.Unlock()
	wg.Go(func() {
		for {
			select {
			case text := <-said:
				a.say(ctx, text)
			case <-ctx.Done():
				return
			}
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	a.say(ctx, "login "+strings.SplitN(self, "/", 2)[1])
	return a
}

func (a *ancestor) say(ctx context.Context, text string) {
	a.Send(ctx, xmpp.Message{To: a.Status().Account, Type: "chat", Body: text})
}

// vext and dvcs-autosync understand each other, whoever starts first, and no storm of answers
// begins.
func TestAncestor(t *testing.T) {
	for _, isFirst := range []bool{true, false} {
		t.Run(fmt.Sprintf("ancestor first %v", isFirst), func(t *testing.T) {
			t.Parallel()
			s := prosody.Start(t, prosody.Options{})
			pushes := make(chan peers.Push, 1000)
			links := []running{onServer(t, s, "romeo", "alpha"), onServer(t, s, "romeo", "gamma")}
			run := func() {
				for _, l := range links {
					ctx, cancel := context.WithCancel(t.Context())
					var wg sync.WaitGroup
					wg.Go(func() {
						l.Run(ctx, func(p peers.Push) {
							if p.Remote != "" {
								pushes <- p
							}
						})
					})
					t.Cleanup(func() { cancel(); wg.Wait() })
				}
			}
			if !isFirst {
				run()
				for _, l := range links {
					for !l.Status().Connected {
						time.Sleep(10 * time.Millisecond)
					}
				}
			}
			a := startAncestor(t, s, "romeo")
			if isFirst {
				run()
			}
			begun := time.Now()
			greeted := func() bool { // by both
				a.mu.Lock()
				defer a.mu.Unlock()
				n := 0
				for from, is := range a.seen {
					if is && from != a.Status().Self {
						n++
					}
				}
				return n == 2 && links[0].Status().Connected && links[1].Status().Connected
			}
			for !greeted() {
				if time.Since(begun) > 10*time.Second {
					t.Fatal("the ancestor is deaf")
				}
				time.Sleep(10 * time.Millisecond)
			}
			if err := links[0].Announce(t.Context(), peers.Push{Remote: "ssh://example.org/notes", New: "a"}); err != nil {
				t.Fatal(err)
			}
			select {
			case url := <-a.pulls:
				if url != "ssh://example.org/notes" {
					t.Errorf("pulled for %q", url)
				}
			case <-time.After(10 * time.Second):
				t.Error("the ancestor does not pull")
			}
			select {
			case <-pushes: // of the other link
			case <-time.After(10 * time.Second):
				t.Fatal("the other link reports no push")
			}
			a.say(t.Context(), "pushed b'ssh://example.org/notes\\n'")
			for range links {
				select {
				case p := <-pushes:
					if p.Remote != "ssh://example.org/notes" || !strings.HasPrefix(p.Host, "beta") {
						t.Errorf("%+v", p)
					}
				case <-time.After(10 * time.Second):
					t.Fatal("the ancestor is not understood")
				}
			}
			for _, text := range []string{"ping", "whoami", "pong", "sync now", "Unknown command: \"x\""} {
				a.say(t.Context(), text)
			}
			// Two answers to ping and to whoami each arrive, besides what is from itself. The ancestor
			// answers each pong and each answer to whoami once, which is answered by nobody.
			time.Sleep(500 * time.Millisecond)
			a.say(t.Context(), "end")
			var bodies []string
			for m := range a.all {
				if m.Body == "end" {
					break
				}
				if m.From != a.Status().Self && !strings.HasPrefix(m.Body, "login ") {
					bodies = append(bodies, m.Body)
				}
			}
			if len(bodies) != 5 {
				t.Errorf("%d messages: %q", len(bodies), bodies)
			}
		})
	}
}
