package irc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
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

// A said is a message that reached the server.
type said struct {
	at   time.Duration // since the test began
	to   string
	text string
}

// A server is an IRC server in the test's own process, and time. Its answers to
// JOIN and PRIVMSG can be changed.
type server struct {
	began time.Time

	mu       sync.Mutex
	isDown   bool
	welcome  []string                           // lines of its welcome behind 001
	refuse   map[string]string                  // numerics, by JOIN CHANNEL or PRIVMSG TARGET
	isDeaf   bool                               // answers nothing
	hook     func(line string) ([]string, bool) // answers instead, when it says so
	joins    []said
	messages []said
	dials    []time.Duration
	conn     net.Conn
}

func newServer() *server { return &server{began: time.Now(), refuse: map[string]string{}} }

func (s *server) dial(context.Context, string, string) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials = append(s.dials, time.Since(s.began))
	if s.isDown {
		return nil, errors.New("connection refused")
	}
	ours, theirs := net.Pipe()
	s.conn = ours
	go s.serve(ours)
	return theirs, nil
}

// serve answers one client until it goes.
func (s *server) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewScanner(conn)
	for in.Scan() {
		for _, answer := range s.answers(in.Text()) {
			if _, err := fmt.Fprintf(conn, "%s\r\n", answer); err != nil {
				return
			}
		}
	}
}

func (s *server) answers(line string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hook != nil {
		if all, ok := s.hook(line); ok {
			return all
		}
	}
	command, rest, _ := strings.Cut(line, " ")
	first, text, _ := strings.Cut(rest, " ")
	text = strings.TrimPrefix(text, ":")
	at := time.Since(s.began)
	refuse := s.refuse[command+" "+first]
	switch {
	case command == "USER":
		return slices.Concat([]string{":irc 001 vext :Welcome"}, s.welcome, []string{":irc 376 vext :End"})
	case command == "JOIN":
		s.joins = append(s.joins, said{at, first, text})
		if refuse != "" {
			return []string{fmt.Sprintf(":irc %s vext %s :No", refuse, first)}
		}
		var all []string
		for channel := range strings.SplitSeq(first, ",") {
			all = append(all, ":vext!~vext@localhost JOIN "+channel)
		}
		return all
	case command == "PRIVMSG":
		s.messages = append(s.messages, said{at, first, text})
		if refuse != "" {
			return []string{fmt.Sprintf(":irc %s vext %s :No", refuse, first)}
		}
	case command == "PING" && !s.isDeaf:
		return []string{":irc PONG irc " + rest}
	}
	return nil
}

// say sends a line to the client.
func (s *server) say(line string) {
	s.mu.Lock()
	conn := s.conn
	s.mu.Unlock()
	fmt.Fprintf(conn, "%s\r\n", line)
}

// set changes how the server behaves, and with down breaks the connection.
func (s *server) set(change func(*server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if change(s); s.isDown && s.conn != nil {
		s.conn.Close()
	}
}

// received returns the messages that have come.
func (s *server) received() []said {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// dialed returns when somebody tried to connect.
func (s *server) dialed() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.dials)
}

func (s *server) texts() []string {
	var all []string
	for _, m := range s.received() {
		all = append(all, m.text)
	}
	return all
}

// times returns when the JOINs came.
func (s *server) times() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []time.Duration
	for _, j := range s.joins {
		all = append(all, j.at)
	}
	return all
}

// inTime runs a test of a client with a server, both in time that flies.
func inTime(t *testing.T, change func(*Settings), test func(t *testing.T, s *server, c *bot)) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		settings := Default()
		if change != nil {
			change(&settings)
		}
		c := newBot(t, state, s.dial)
		c.client.Settings = func(*target.Target) Settings { return settings }
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.client.Run(ctx, c) }()
		synctest.Wait()
		test(t, s, c)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

const src = "irc://irc.example.org/#src"

// A bot is a client with an outbox.
type bot struct {
	*outbox.Outbox
	client *Client
}

func newBot(t *testing.T, state string, dial DialFunc) *bot {
	t.Helper()
	c := NewClient()
	c.Settings = func(*target.Target) Settings { return Default() }
	c.Dial, c.Now, c.Log = dial, time.Now, slog.New(slog.DiscardHandler)
	o, err := outbox.Open(state, c, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return &bot{o, c}
}

func (c *bot) status() []NetworkStatus { return c.client.Status(c).([]NetworkStatus) }

func (c *bot) say(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := c.Put(t.Context(), notify.Message{Target: src, Text: text, Project: "src", Commits: 1}); err != nil {
			t.Fatal(err)
		}
	}
}

// channel returns how #src stands.
func (c *bot) channel(t *testing.T) ChannelStatus {
	t.Helper()
	all := c.status()
	if len(all) != 1 || len(all[0].Channels) != 1 {
		t.Fatalf("status %+v", all)
	}
	return all[0].Channels[0]
}
