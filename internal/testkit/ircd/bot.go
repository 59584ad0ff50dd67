package ircd

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vext/internal/testkit"
)

// A Bot is a vext serve that takes irker's protocol.
type Bot struct {
	Irker string // address at which it takes it
	Vext  string // the program
	State string
	Dir   string // of its configuration and its log

	t   testing.TB
	cmd *exec.Cmd
}

// NewBot makes a configuration and starts vext serve with it. settings are
// TOML: tables, [irc] among them.
func NewBot(t testing.TB, settings string) *Bot {
	t.Helper()
	b := &Bot{
		Irker: testkit.FreeAddr(t, "127.0.0.1"), Vext: filepath.Join(testkit.Programs(t), "vext"), State: testkit.State(t), Dir: t.TempDir(), t: t,
	}
	t.Cleanup(b.Kill)
	t.Cleanup(func() {
		if t.Failed() {
			log := b.Log()
			t.Logf("the end of the log of vext serve:\n%s", log[max(0, len(log)-8000):])
		}
	})
	config := "[reminders]\nallow = [\"*@example.org\"]\n[mail]\nfrom = \"mfc@example.org\"\nvia = \"maildir:" + filepath.Join(b.Dir, "mail") + "\"\n" +
		fmt.Sprintf("[irker]\nlisten = %q\n", b.Irker) + settings
	if err := os.WriteFile(b.config(), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	b.Start()
	return b
}

func (b *Bot) config() string { return filepath.Join(b.Dir, "vext.toml") }

// Start starts vext serve and returns when it takes irker's clients.
func (b *Bot) Start() {
	b.t.Helper()
	log, err := os.OpenFile(filepath.Join(b.Dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		b.t.Fatal(err)
	}
	defer log.Close()
	b.cmd = b.command("serve")
	b.cmd.Stderr = log
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	if !testkit.Listens(b.Irker, patience) {
		b.t.Fatal("vext serve does not listen for irker's clients")
	}
}

// command returns a vext of this bot's configuration and state.
func (b *Bot) command(args ...string) *exec.Cmd {
	return exec.Command(b.Vext, append([]string{"--config", b.config(), "--state", b.State}, args...)...)
}

// Run runs another vext beside the one that serves, and returns what it says.
func (b *Bot) Run(args ...string) string {
	b.t.Helper()
	cmd := b.command(args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		b.t.Fatalf("vext %q: %v\n%s%s", args, err, out, &stderr)
	}
	return string(out)
}

// Status returns what vext irc status says as JSON.
func (b *Bot) Status() string {
	b.t.Helper()
	return b.Run("irc", "status", "--json")
}

// Log returns what vext serve has logged.
func (b *Bot) Log() string {
	text, _ := os.ReadFile(filepath.Join(b.Dir, "log"))
	return string(text)
}

// PID returns the process of vext serve.
func (b *Bot) PID() int { return b.cmd.Process.Pid }

// Stop ends vext serve as its service manager does.
func (b *Bot) Stop() {
	b.t.Helper()
	b.cmd.Process.Signal(syscall.SIGTERM)
	timeout := time.AfterFunc(patience, func() { b.cmd.Process.Kill() })
	if err := b.cmd.Wait(); err != nil || !timeout.Stop() {
		b.t.Errorf("vext serve at SIGTERM: %v", err)
	}
	b.cmd = nil
}

// Kill ends vext serve, if it runs, in the midst of what it does.
func (b *Bot) Kill() {
	if b.cmd != nil {
		b.cmd.Process.Kill()
		b.cmd.Wait()
		b.cmd = nil
	}
}

// Await waits until the status has all of the words.
func (b *Bot) Await(words ...string) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		status, missing := b.Status(), ""
		for _, word := range words {
			if !strings.Contains(status, word) {
				missing = word
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("waited %v in vain for %q in the status:\n%s", patience, missing, status)
		}
	}
}

// Say gives texts for a target to vext, and returns when it has them safely.
func (b *Bot) Say(target string, texts ...string) {
	b.t.Helper()
	c := Dial(b.t, b.Irker)
	defer c.Close()
	for _, text := range texts {
		c.Send(target, text, true)
	}
	for range texts {
		c.Ack()
	}
}

// A Client speaks irker's protocol.
type Client struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

// Dial connects to a listener of irker's protocol.
func Dial(t testing.TB, addr string) *Client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return &Client{t, conn, bufio.NewReader(conn)}
}

// Close ends the connection.
func (c *Client) Close() { c.conn.Close() }

// Send sends a notice; ack asks for an answer.
func (c *Client) Send(to any, text string, ack bool) {
	c.t.Helper()
	notice := map[string]any{"to": to, "privmsg": text}
	if ack {
		notice["ack"] = true
	}
	line, err := json.Marshal(notice)
	if err == nil {
		_, err = c.conn.Write(append(line, '\n'))
	}
	if err != nil {
		c.t.Error(err)
	}
}

// Ack waits for the answer to a request.
func (c *Client) Ack() {
	c.t.Helper()
	c.conn.SetReadDeadline(time.Now().Add(patience))
	line, err := c.in.ReadString('\n')
	if err != nil || !strings.Contains(line, `"ok":true`) {
		c.t.Errorf("the answer to a notice is %q, %v", line, err)
	}
}
