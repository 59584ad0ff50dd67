package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"vext/internal/testkit"
)

// Goal: at least 10 times the mails a second that one process of vext-filter
// each takes, on mails that ask for nothing, as most do.
func BenchmarkLMTP2KBGoal10TimesProcesses(b *testing.B) {
	text := mail(1, 2<<10, "")
	input := filepath.Join(b.TempDir(), "mail")
	if err := os.WriteFile(input, text, 0o600); err != nil {
		b.Fatal(err)
	}
	socket, state := serveLMTP(b), testkit.State(b)
	filter, atOnce := program(b, "vext-filter"), runtime.NumCPU()
	process := func(int) { run(b, input, filter, "-state", state) }
	conns := make([]*lmtpClient, 2*atOnce)
	for i := range conns {
		conns[i] = dialLMTP(b, socket, text)
	}
	overLMTP := func(worker int) { conns[worker].mail() }
	for b.Loop() {
		rate(1, 100, process) // warm
		rate(len(conns), 1000, overLMTP)
		one, many := rate(1, 1000, process), rate(atOnce, 2000, process)
		lmtp := rate(len(conns), 50_000, overLMTP)
		b.ReportMetric(lmtp, "lmtp/s")
		b.ReportMetric(one, "process/s")
		b.ReportMetric(many, "processes-at-once/s")
		b.ReportMetric(lmtp/one, "times-process")
		b.ReportMetric(lmtp/many, "times-processes-at-once")
	}
	for _, c := range conns {
		if c.err != nil {
			b.Fatal(c.err)
		}
	}
}

// rate lets workers do something n times in all, and returns how often they
// did it in a second.
func rate(workers, n int, do func(worker int)) float64 {
	var all sync.WaitGroup
	begun := time.Now()
	for worker := range workers {
		all.Go(func() {
			for range n / workers {
				do(worker)
			}
		})
	}
	all.Wait()
	return float64(n/workers*workers) / time.Since(begun).Seconds()
}

// serveLMTP starts vext serve and returns its socket.
func serveLMTP(b *testing.B) (socket string) {
	b.Helper()
	dir, err := os.MkdirTemp("", "vext-bench-") // of a short name, which a socket needs
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	socket = filepath.Join(dir, "lmtp")
	configPath := filepath.Join(dir, "vext.toml")
	if err := os.WriteFile(configPath, fmt.Appendf(nil, config+"[lmtp]\nlisten = \"unix:%s\"\n", "stdout:", socket), 0o600); err != nil {
		b.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(program(b, "vext"), "--config", configPath, "--state", testkit.State(b), "serve")
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			b.Errorf("vext serve: %v\n%s", err, &log)
		}
	})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("unix", socket); err == nil {
			conn.Close()
			return socket
		}
		if time.Now().After(deadline) {
			b.Fatal("vext serve has not begun")
		}
	}
}

// An lmtpClient sends one mail again and again. It sends what it may at once
// (RFC 2920, 3.1): a mail, and the commands that the next one begins with.
type lmtpClient struct {
	conn net.Conn
	in   *bufio.Reader
	text []byte
	err  error
}

func dialLMTP(b *testing.B, socket string, mail []byte) *lmtpClient {
	b.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	const begin = "MAIL FROM:<jane@example.org>\r\nRCPT TO:<commits@example.org>\r\nDATA\r\n"
	c := &lmtpClient{conn: conn, in: bufio.NewReader(conn)}
	c.expect("220")
	io.WriteString(conn, "LHLO bench.example.org\r\n"+begin)
	c.expect("250", "250", "250", "354")
	c.text = append(bytes.ReplaceAll(mail, []byte("\n"), []byte("\r\n")), ".\r\n"+begin...)
	return c
}

func (c *lmtpClient) mail() {
	if c.err == nil {
		_, c.err = c.conn.Write(c.text)
	}
	c.expect("250 2.0.0 <commits@example.org> ignored", "250", "250", "354")
}

// expect reads replies.
func (c *lmtpClient) expect(begins ...string) {
	for i := 0; i < len(begins) && c.err == nil; {
		var line []byte
		line, c.err = c.in.ReadSlice('\n')
		if c.err == nil && !strings.HasPrefix(string(line), begins[i]) {
			c.err = fmt.Errorf("the server replied %q, not %q", line, begins[i])
		}
		if len(line) > 3 && line[3] == ' ' {
			i++
		}
	}
}
