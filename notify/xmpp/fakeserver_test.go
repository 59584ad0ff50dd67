package xmpp

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vext/internal/target"
	"vext/notify"
	"vext/outbox"
)

// A fakeServer is a Connection whose server has persons and rooms.
type fakeServer struct {
	mu       sync.Mutex
	handlers []Handler
	isDown   bool
	persons  map[string]*fakePerson
	rooms    map[string]*fakeRoom
	got      []string // "TO: BODY" of what has arrived
	written  []string // all that was written to it: messages, joins and leaves
}

// A fakePerson answers messages after a delay: with an error, with a receipt, or not at all.
type fakePerson struct {
	condition string
	receipts  bool
	delay     time.Duration
	times     int // how often the condition is the answer; 0 for always
}

// A fakeRoom is a room.
type fakeRoom struct {
	password  string
	condition string // of every join
	refuses   string // the condition for every message
	taken     []string
	isNew     bool // it is made by joining
	isMute    bool // it sends no message to anybody
	nick      string
}

func newFake() *fakeServer {
	return &fakeServer{persons: map[string]*fakePerson{}, rooms: map[string]*fakeRoom{}}
}

func (s *fakeServer) Handle(h Handler) { s.handlers = append(s.handlers, h) }

func (s *fakeServer) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isDown {
		return Status{Account: account, Error: "connection refused"}
	}
	return Status{Account: account, Connected: true}
}

// later calls the handlers after a delay.
func (s *fakeServer) later(delay time.Duration, call func(Handler)) {
	go func() {
		time.Sleep(delay)
		for _, h := range s.handlers {
			call(h)
		}
	}()
}

func (s *fakeServer) message(delay time.Duration, m Message) {
	s.later(delay, func(h Handler) { h.Message(m) })
}

func (s *fakeServer) presence(p Presence) {
	s.later(time.Millisecond, func(h Handler) { h.Presence(p) })
}

func (s *fakeServer) connect() {
	s.mu.Lock()
	s.isDown = false
	s.mu.Unlock()
	s.later(0, func(h Handler) { h.Connected(account + "/vext") })
}

func (s *fakeServer) disconnect() {
	s.mu.Lock()
	s.isDown = true
	for _, r := range s.rooms {
		r.nick = ""
	}
	s.mu.Unlock()
	s.later(0, func(h Handler) { h.Disconnected(ErrNotConnected) })
}

func (s *fakeServer) Send(ctx context.Context, m Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isDown {
		return &notify.UnavailableError{Err: ErrNotConnected}
	}
	s.written = append(s.written, m.Type+" "+m.To)
	if r := s.rooms[m.To]; m.Type == "groupchat" {
		switch {
		case r == nil || r.nick == "":
			s.message(0, Message{ID: m.ID, From: m.To, Type: "error", Error: "not-acceptable"})
		case r.refuses != "":
			s.message(0, Message{ID: m.ID, From: m.To, Type: "error", Error: r.refuses})
		case !r.isMute:
			s.got = append(s.got, m.To+": "+m.Body)
			m.From = m.To + "/" + r.nick
			s.message(0, m)
		}
		return nil
	}
	p := s.persons[m.To]
	if p == nil {
		p = &fakePerson{condition: "service-unavailable"}
	}
	if p.condition != "" {
		s.message(p.delay, Message{ID: m.ID, From: m.To, Type: "error", Error: p.condition})
		if p.times--; p.times == 0 {
			p.condition = ""
		}
		return nil
	}
	s.got = append(s.got, m.To+": "+m.Body)
	if p.receipts {
		s.message(p.delay, Message{From: m.To + "/phone", Type: "chat", Receipt: m.ID})
	}
	return nil
}

func (s *fakeServer) SendPresence(ctx context.Context, to string, o PresenceOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isDown {
		return ErrNotConnected
	}
	room, nick, _ := strings.Cut(to, "/")
	r := s.rooms[room]
	if o.Leave {
		s.written = append(s.written, "leave "+to)
		r.nick = ""
		return nil
	}
	s.written = append(s.written, "join "+to)
	answer := Presence{From: to, Available: true, Codes: []int{codeOurs}}
	switch {
	case r == nil:
		answer = Presence{From: to, Type: "error", Error: "item-not-found"}
	case r.condition != "":
		answer = Presence{From: to, Type: "error", Error: r.condition}
	case r.password != o.Password:
		answer = Presence{From: to, Type: "error", Error: "not-authorized"}
	case slices.Contains(r.taken, nick):
		answer = Presence{From: to, Type: "error", Error: "conflict"}
	case r.isNew:
		answer.Codes = append(answer.Codes, codeCreated)
	default:
		r.nick = nick
	}
	s.presence(Presence{From: room + "/somebody", Available: true})
	s.presence(answer)
	return nil
}

func (s *fakeServer) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *fakeServer) texts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// count returns how often something was written.
func (s *fakeServer) count(line string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.written {
		if l == line {
			n++
		}
	}
	return n
}

const (
	account = "vext@example.org"
	jane    = "xmpp:jane@example.org"
	room    = "xmpp:dev@conference.example.org?join"
)

// A bot is a transport with an outbox.
type bot struct {
	*outbox.Outbox
	*fakeServer
	transport *Transport
}

// inTime runs a test of a transport with a server, in time that flies.
func inTime(t *testing.T, test func(t *testing.T, b *bot)) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := &bot{fakeServer: newFake()}
		b.transport = NewTransport(b.fakeServer)
		b.transport.Account, b.transport.Nick = account, "vext"
		b.transport.Log, b.transport.Now = slog.New(slog.DiscardHandler), time.Now
		var err error
		if b.Outbox, err = outbox.Open(state, notify.Transports{target.XMPP: b.transport}, time.Now); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- notify.Transports{target.XMPP: b.transport}.Run(ctx, b.Outbox) }()
		b.connect()
		synctest.Wait()
		test(t, b)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}

// after lets time pass.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (b *bot) put(t *testing.T, to string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := b.Put(t.Context(), notify.Message{Target: to, Text: text, Key: text, Project: "src", Commits: 1}); err != nil {
			t.Fatal(err)
		}
	}
}

func (b *bot) remind(t *testing.T, to, text string) {
	t.Helper()
	if err := b.Put(t.Context(), notify.Message{Target: to, Text: text, Key: text, Reminder: true}); err != nil {
		t.Fatal(err)
	}
}

// outcome returns what became of a message: delivered, pending, or why it bounced.
func (b *bot) outcome(t *testing.T, key string) string {
	t.Helper()
	all, err := b.Outcomes(t.Context(), key)
	one, known := all[key]
	switch {
	case err != nil || !known:
		t.Fatalf("%s: %v", key, err)
	case !one.Delivered.IsZero():
		return "delivered"
	case one.Rejected != "":
		return "bounced: " + one.Rejected
	}
	return "pending: " + one.LastError
}

func (b *bot) wantOutcome(t *testing.T, key, want string) {
	t.Helper()
	if got := b.outcome(t, key); got != want && !(strings.HasSuffix(want, "*") && strings.HasPrefix(got, strings.TrimSuffix(want, "*"))) {
		t.Errorf("%s: %s, want %s", key, got, want)
	}
}

func (b *bot) wantTexts(t *testing.T, want ...string) {
	t.Helper()
	if got := b.texts(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
