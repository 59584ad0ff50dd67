package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Irker is the source name of the listener for irker's clients.
const Irker = "irker"

const (
	dialTimeout = 2 * time.Second
	lostReport  = 24 * time.Hour // for how long lost datagrams are reported
)

// lastSeen returns when a source last brought a commit, in words.
func (c *Checker) lastSeen(source string) string {
	t := c.Queue.Spool.LastSeenBy(source)
	if t.IsZero() {
		return "no commit yet"
	}
	return "last commit " + c.Ago(t)
}

// filter reports on vext-filter, if it has run.
func (c *Checker) filter() []Finding {
	if c.Queue.Spool.LastSeenBy("").IsZero() {
		return nil
	}
	f := Finding{What: "vext-filter", Text: c.lastSeen("")}
	if hold := c.Config.MailIn.Hold.Duration; hold > 0 {
		f.Text += "; mails are held for " + hold.String()
	}
	c.AddSilence(&f, c.seenBy(""), c.Config.MailIn.MaxSilence, "[mail-in]")
	return []Finding{f}
}

// listeners checks that vext serve answers where it is configured to listen.
func (c *Checker) listeners(ctx context.Context) []Finding {
	var findings []Finding
	if network, address, err := c.Config.LMTP.Address(); err == nil && address != "" {
		f := listeners["lmtp"].check(ctx, "lmtp", network, address, c.lastSeen("lmtp"))
		c.AddSilence(&f, c.seenBy("lmtp"), c.Config.LMTP.MaxSilence, "[lmtp]")
		findings = append(findings, f)
	}
	address, err := c.Config.HTTP.Address()
	switch {
	case err == nil && address != "":
		findings = append(findings, listeners["http"].check(ctx, "http", "tcp", address, "answers"))
	case len(c.Config.Hooks) > 0:
		findings = append(findings, Finding{Warning, "http", "[[hook]] is configured, but [http] has no listen address", `listen = "127.0.0.1:8645" under [http]`})
	}
	if address, err := c.Config.Irker.Address(); err == nil && address != "" {
		findings = append(findings, listeners[Irker].check(ctx, Irker, "tcp", address, "answers"))
		if lost := c.Queue.Spool.LastLost(Irker); c.since(lost) < lostReport {
			findings = append(findings, Finding{
				Warning, Irker, "requests by UDP were lost " + c.Ago(lost),
				"they arrived faster than they could be stored; vext serve logs how many; let the clients use TCP",
			})
		}
	}
	if path := c.Config.Control.Socket; path != "" {
		f := listeners["control"].check(ctx, "control", "unix", path, "answers")
		if dir := closedDir(filepath.Dir(path)); f.Level == OK && dir != "" {
			f.Level, f.Text = Warning, path+" answers, but users can't reach it: "+dir+" is closed to them"
			f.Hint = "chmod o+x " + dir + ", or set another socket under [control]"
		}
		findings = append(findings, f)
	}
	return findings
}

// A listener is how to probe one protocol.
type listener struct {
	request string
	reply   string // how the reply begins
	refusal string // in the reply while the state directory is replaced
	half    bool   // close the connection for writing after the request
	hint    string // for a wrong reply
}

const stuckHint = "is vext serve stuck, or does another program have the address?"

var listeners = map[string]listener{
	"lmtp":    {"LHLO localhost\r\nMAIL FROM:<>\r\nQUIT\r\n", "220 ", "\n451 ", false, stuckHint},
	"http":    {"GET / HTTP/1.0\r\n\r\n", "HTTP/1.", " 503 ", false, stuckHint},
	"control": {"{}\n", "{", "", false, stuckHint},
	Irker: {`{"to": [], "privmsg": "", "ack": true}` + "\n", `{"ok":true`, "", true,
		"does allow under [irker] exclude this machine? otherwise vext serve is stuck, or another program has the address"},
}

// check sends the request to an address. text is that of the finding for a good reply.
func (l listener) check(ctx context.Context, what, network, address, text string) Finding {
	reply, err := exchange(ctx, network, address, l.request, l.half)
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "dial":
		return Finding{Warning, what, err.Error(), "is vext serve running?"}
	case !strings.HasPrefix(reply, l.reply):
		text = address + ": it does not answer"
		if err != nil {
			text += ": " + err.Error()
		}
		return Finding{Warning, what, text, l.hint}
	case l.refusal != "" && strings.Contains(reply, l.refusal):
		return Finding{
			Critical, what, address + ": everything is rejected: the state directory is not the one with which vext serve started",
			"is its file system mounted? once the directory is back, vext continues by itself; to use another directory, restart vext serve",
		}
	}
	return Finding{OK, what, address + ": " + text, ""}
}

// exchange sends a request to an address and returns the reply.
func exchange(ctx context.Context, network, address, request string, half bool) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	fmt.Fprint(conn, request)
	if tcp, ok := conn.(*net.TCPConn); ok && half {
		tcp.CloseWrite()
	}
	reply, err := io.ReadAll(conn)
	if ctx.Err() != nil {
		err = fmt.Errorf("no reply within %s", dialTimeout)
	}
	return string(reply), err
}

// closedDir returns the first directory, from dir upwards, that some users can't enter,
// "" when there is none.
func closedDir(dir string) string {
	for {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&0o001 == 0 && info.Mode().Type() == fs.ModeDir {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
		dir = filepath.Dir(dir)
	}
}
