package ircd

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// A client is one connection to a scripted server. What is not guarded belongs
// to the goroutine that serves it.
type client struct {
	s      *Scripted
	number int
	conn   net.Conn
	open   bool // guarded by the server's lock

	negotiates bool // CAP has begun and not ended
	caps       map[string]bool
	password   string
	nick, user string
	mechanism  string // of a SASL that has begun
	lines      int
	messages   int
	replies    []string // to the line that is handled
	mute       bool     // that line is not answered, not even by an ACK

	mu      sync.Mutex
	welcome string // nick of a client that is registered
	joined  map[string]bool
}

// maxLine is more than a client may send, tags and all.
const maxLine = 16 << 10

// serve takes what a client sends until the connection ends.
func (s *Scripted) serve(conn net.Conn) {
	if config := s.now().TLS; config != nil {
		conn = tls.Server(conn, config)
	}
	c := &client{s: s, conn: conn, open: true, caps: map[string]bool{}, joined: map[string]bool{}}
	s.mu.Lock()
	s.clients = append(s.clients, c)
	c.number = len(s.clients)
	if s.closed {
		conn.Close()
	}
	s.mu.Unlock()
	defer func() {
		conn.Close()
		c.setWelcome("")
		s.mu.Lock()
		defer s.mu.Unlock()
		c.open = false
	}()
	in := bufio.NewReaderSize(conn, maxLine)
	for {
		raw, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		text := strings.TrimSuffix(strings.TrimSuffix(string(raw), "\n"), "\r")
		m := parse(text)
		s.note(Line{time.Now(), c.number, text, m})
		c.replies, c.mute = nil, false
		ended := c.handle(m)
		if err := c.flush(m.Tags["label"]); err != nil || ended != nil {
			return
		}
	}
}

// handle decides what is replied to a line. An error ends the connection.
func (c *client) handle(m Message) error {
	script := c.s.now()
	if c.lines++; script.FloodAt > 0 && c.lines > script.FloodAt {
		c.reply("ERROR :Closing link: (%s@test) [Excess Flood]", c.nick)
		return errDropped
	}
	switch m.Command {
	case "CAP":
		c.capability(script, m)
	case "AUTHENTICATE":
		c.authenticate(script, m.Param(0))
	case "PASS":
		c.password = m.Param(0)
	case "NICK":
		c.setNick(script, m.Param(0))
	case "USER":
		c.user = m.Param(0)
	case "PING":
		if script.Silent {
			c.mute = true
			return nil
		}
		time.Sleep(script.SlowPong)
		c.reply(":%s PONG %[1]s :%s", serverName, m.Param(0))
	case "JOIN":
		for name := range strings.SplitSeq(m.Param(0), ",") {
			c.join(script, name)
		}
	case "PART":
		c.leave(m.Param(0))
		c.reply(":%s PART %s", c.prefix(), m.Param(0))
	case "PRIVMSG", "NOTICE":
		return c.message(script, m)
	case "QUIT":
		c.reply("ERROR :Closing link")
		return errDropped
	}
	return c.register(script)
}

// register welcomes the client when it has said all that it must.
func (c *client) register(script Script) error {
	if c.welcomeAs() != "" || c.negotiates || c.nick == "" || c.user == "" || script.NoWelcome {
		return nil
	}
	if c.password != script.Password {
		c.numeric(464, "", "Password incorrect")
		c.reply("ERROR :Closing link: bad password")
		return errDropped
	}
	if c.s.refuse() {
		c.reply("ERROR :Closing link: come back later")
		return errDropped
	}
	c.numeric(1, "", "Welcome")
	c.numeric(2, "", "Your host")
	c.numeric(3, "", "Made today")
	c.numeric(4, serverName+" test i nt", "")
	if len(script.ISupport) > 0 {
		c.numeric(5, strings.Join(script.ISupport, " "), "are supported by this server")
	}
	c.numeric(422, "", "No message of the day")
	c.setWelcome(c.nick)
	if script.Endless {
		c.flush("")
		for {
			if _, err := io.WriteString(c.conn, strings.Repeat("x", 1<<16)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *client) setNick(script Script, nick string) {
	if slices.ContainsFunc(script.Taken, func(taken string) bool { return strings.EqualFold(taken, nick) }) || c.s.has(nick, c) {
		c.numeric(433, nick, "Nickname is already in use")
		return
	}
	if c.welcomeAs() != "" {
		c.reply(":%s NICK :%s", c.prefix(), nick)
		c.setWelcome(nick)
	}
	c.nick = nick
}

func (c *client) join(script Script, name string) {
	refusal, refused := script.Joins[name]
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.joined[name]:
	case refused:
		c.numeric(refusal, name, "Cannot join channel")
	case script.MaxJoins > 0 && len(c.joined) >= script.MaxJoins:
		c.numeric(405, name, "You have joined too many channels")
	default:
		c.joined[name] = true
		c.reply(":%s JOIN :%s", c.prefix(), name)
		c.numeric(353, "= "+name, "@"+c.nick)
		c.numeric(366, name, "End of /NAMES list.")
	}
}

// message answers PRIVMSG and NOTICE.
func (c *client) message(script Script, m Message) error {
	if c.messages++; c.s.drop(c.messages) {
		c.mute = true
		return errDropped
	}
	refusal, refused := script.Messages[m.Param(0)]
	if strings.HasPrefix(m.Param(0), "#") && !refused && !c.in(m.Param(0)) {
		refusal, refused = 404, true
	}
	switch {
	case script.Silent:
		c.mute = true
	case refused && m.Command == "NOTICE": // never answered (RFC 2812, section 3.3.2)
	case refused:
		c.numeric(refusal, m.Param(0), "Cannot send to nick/channel")
	case c.caps["echo-message"]:
		c.reply(":%s %s %s :%s", c.prefix(), m.Command, m.Param(0), m.Param(1))
	}
	return nil
}

func (c *client) prefix() string { return c.nick + "!" + c.user + "@client.example.org" }

func (c *client) reply(format string, args ...any) {
	c.replies = append(c.replies, fmt.Sprintf(format, args...))
}

// numeric replies with a number, parameters and a text.
func (c *client) numeric(n int, params, text string) {
	nick := c.nick
	if nick == "" {
		nick = "*"
	}
	line := fmt.Sprintf(":%s %03d %s", serverName, n, nick)
	if params != "" {
		line += " " + params
	}
	if text != "" {
		line += " :" + text
	}
	c.replies = append(c.replies, line)
}

// flush sends the replies, as answers to a label when there is one.
func (c *client) flush(label string) error {
	replies := c.replies
	if label != "" && c.caps["labeled-response"] && !c.mute {
		replies = labeled(label, replies)
	}
	if len(replies) == 0 {
		return nil
	}
	return c.write(strings.Join(replies, "\r\n"))
}

// labeled marks replies as IRCv3's labeled-response has it: none is an ACK,
// several are a batch.
func labeled(label string, replies []string) []string {
	switch len(replies) {
	case 0:
		return []string{"@label=" + label + " :" + serverName + " ACK"}
	case 1:
		return []string{"@label=" + label + " " + replies[0]}
	}
	batch := []string{"@label=" + label + " :" + serverName + " BATCH +1 labeled-response"}
	for _, r := range replies {
		batch = append(batch, "@batch=1 "+r)
	}
	return append(batch, ":"+serverName+" BATCH -1")
}

// write sends lines. It is safe for use by many goroutines.
func (c *client) write(lines string) error {
	_, err := io.WriteString(c.conn, lines+"\r\n")
	return err
}

func (c *client) welcomeAs() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.welcome
}

func (c *client) setWelcome(nick string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.welcome = nick
}

func (c *client) in(channel string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.joined[channel]
}

// leave takes the client out of a channel, and says whether it was there.
func (c *client) leave(channel string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.joined[channel]
	delete(c.joined, channel)
	return was
}
