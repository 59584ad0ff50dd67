package ircd

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Received is one thing that was said, to a channel or the recorder itself.
type Received struct {
	At      time.Time
	From    string // nick
	Command string // PRIVMSG or NOTICE
	To      string // in lower case
	Text    string
}

// A Recorder is a client that writes down what is said. It is the operator of
// channels that it was the first to join.
type Recorder struct {
	t    testing.TB
	nick string
	conn net.Conn
	done chan struct{} // closed when nothing comes any more

	mu       sync.Mutex
	changed  chan struct{} // closed at the next message
	received []Received
	messages []Message
	lost     error
}

// Record connects to a server and joins channels. trust is nil for no TLS;
// password is the server's.
func Record(t testing.TB, addr string, trust *tls.Config, password, nick string, channels ...string) *Recorder {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if trust != nil {
		trust = trust.Clone()
		trust.ServerName, _, _ = net.SplitHostPort(addr)
		conn = tls.Client(conn, trust)
	}
	r := &Recorder{t: t, nick: nick, conn: conn, done: make(chan struct{}), changed: make(chan struct{})}
	t.Cleanup(r.Close)
	go r.read()
	if password != "" {
		r.Sendf("PASS %s", password)
	}
	r.Sendf("NICK %s\r\nUSER %s 0 * :%s", nick, nick, nick)
	r.Await("welcome", func(m Message) bool { return m.Command == "001" })
	r.Join(channels...)
	return r
}

// Join joins channels.
func (r *Recorder) Join(channels ...string) {
	r.t.Helper()
	for _, c := range channels {
		r.Sendf("JOIN %s", c)
	}
	for _, c := range channels {
		r.Await("joined "+c, func(m Message) bool { return m.Command == "366" && strings.EqualFold(m.Param(1), c) })
	}
}

// Close ends the connection.
func (r *Recorder) Close() {
	r.conn.Close()
	<-r.done
}

// Sendf sends a line as it is.
func (r *Recorder) Sendf(format string, args ...any) {
	fmt.Fprintf(r.conn, format+"\r\n", args...)
}

// Kick kicks somebody.
func (r *Recorder) Kick(channel, nick string) {
	r.t.Helper()
	r.Sendf("KICK %s %s :test", channel, nick)
	r.Await(nick+" is kicked", func(m Message) bool {
		return m.Command == "KICK" && strings.EqualFold(m.Param(0), channel) && m.Param(1) == nick
	})
}

// Mode changes a mode, such as "+b", "*!*@*", and returns when it is changed.
func (r *Recorder) Mode(channel, mode string, args ...string) {
	r.t.Helper()
	from := len(r.Messages())
	r.Sendf("MODE %s %s %s", channel, mode, strings.Join(args, " "))
	r.wait(patience, "mode "+mode, func(ms []Message) bool {
		for _, m := range ms[from:] {
			if m.Command == "MODE" && strings.EqualFold(m.Param(0), channel) {
				return true
			}
		}
		return false
	})
}

// Await waits for a message among all that came.
func (r *Recorder) Await(what string, is func(Message) bool) {
	r.t.Helper()
	r.Patiently(patience, what, is)
}

// Patiently is Await for what may take long.
func (r *Recorder) Patiently(patience time.Duration, what string, is func(Message) bool) {
	r.t.Helper()
	next := 0
	r.wait(patience, what, func(ms []Message) bool {
		for ; next < len(ms); next++ {
			if is(ms[next]) {
				return true
			}
		}
		return false
	})
}

func (r *Recorder) wait(patience time.Duration, what string, done func([]Message) bool) {
	r.t.Helper()
	timeout := time.After(patience)
	for {
		r.mu.Lock()
		messages, changed, lost := r.messages, r.changed, r.lost
		r.mu.Unlock()
		if done(messages) {
			return
		}
		if lost != nil {
			r.t.Fatalf("recorder: %s: the connection is lost: %v", what, lost)
		}
		select {
		case <-changed:
		case <-timeout:
			r.t.Fatalf("recorder: waited %v in vain: %s; the last that came: %+v", patience, what, messages[max(0, len(messages)-5):])
		}
	}
}

// Messages returns all that came.
func (r *Recorder) Messages() []Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.messages
}

// Received returns what was said to a channel or nick, "" for all.
func (r *Recorder) Received(to string) []Received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return said(r.received, to)
}

func said(received []Received, to string) []Received {
	var found []Received
	for _, h := range received {
		if to == "" || h.To == strings.ToLower(to) {
			found = append(found, h)
		}
	}
	return found
}

// WaitAll waits until all of the texts were received in a channel, some of which may
// be received twice, or until nothing was received for as long as patience.
func (r *Recorder) WaitAll(to string, texts []string, patience time.Duration) []Received {
	return waitAll(texts, func(n int) []Received { return r.WaitReceived(to, n, patience) })
}

// waitAll waits for more until all texts are among what was received, or no more
// comes.
func waitAll(texts []string, wait func(n int) []Received) []Received {
	for n := len(texts); ; {
		received := wait(n)
		missing := map[string]bool{}
		for _, text := range texts {
			missing[text] = true
		}
		for _, h := range received {
			delete(missing, h.Text)
		}
		if len(missing) == 0 || len(received) < n {
			return received
		}
		n = len(received) + 1
	}
}

// WaitReceived waits until n things were said to a channel or nick ("" for all),
// or until nothing was said for a while, and returns what was.
func (r *Recorder) WaitReceived(to string, n int, patience time.Duration) []Received {
	quiet := time.NewTimer(patience)
	defer quiet.Stop()
	for {
		r.mu.Lock()
		received, changed := r.received, r.changed
		r.mu.Unlock()
		if len(received) >= n {
			if found := said(received, to); len(found) >= n {
				return found
			}
		}
		select {
		case <-changed:
			quiet.Reset(patience)
		case <-r.done:
			return r.Received(to)
		case <-quiet.C:
			return r.Received(to)
		}
	}
}

// read takes what comes until the connection ends.
func (r *Recorder) read() {
	defer close(r.done)
	in := bufio.NewScanner(r.conn)
	in.Buffer(nil, 1<<16)
	for in.Scan() {
		m := parse(in.Text())
		if m.Command == "PING" {
			r.Sendf("PONG :%s", m.Param(0))
			continue
		}
		r.note(m)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lost = in.Err(); r.lost == nil {
		r.lost = net.ErrClosed
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *Recorder) note(m Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.Command == "PRIVMSG" || m.Command == "NOTICE" {
		r.received = append(r.received, Received{time.Now(), m.From, m.Command, strings.ToLower(m.Param(0)), m.Param(1)})
	} else {
		r.messages = append(r.messages, m)
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

// Texts returns the texts alone.
func Texts(received []Received) []string {
	texts := make([]string, len(received))
	for i, h := range received {
		texts[i] = h.Text
	}
	return texts
}
