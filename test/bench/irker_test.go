package bench

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"vext/internal/testkit"
)

// A notifier takes irker's protocol: vext, or the irkerd that it is measured
// against.
type notifier interface {
	Start()
	Stop()
	Kill()
	PID() int
}

// An irkerd is Debian's.
type irkerd struct {
	addr string // at which it takes notices

	b       *testing.B
	program string
	cmd     *exec.Cmd
}

// starts counts the irkerds: its port can't be chosen, and it can't have that
// of one that has just ended, so each has an address of its own.
var starts int

// newIrkerd starts one, or skips the benchmark where there is none.
func newIrkerd(b *testing.B) *irkerd {
	b.Helper()
	i := &irkerd{b: b, program: testkit.Program(b, "irkerd")}
	b.Cleanup(i.Kill)
	i.Start()
	return i
}

func (i *irkerd) Start() {
	i.b.Helper()
	path := filepath.Join(i.b.TempDir(), "log")
	log, err := os.Create(path)
	if err != nil {
		i.b.Fatal(err)
	}
	defer log.Close()
	starts++
	host := fmt.Sprintf("127.66.59.%d", starts)
	i.addr = host + ":6659"
	i.cmd = exec.Command(i.program, "-H", host, "-H6", "::ffff:127.66.60."+fmt.Sprint(starts))
	i.cmd.Stdout, i.cmd.Stderr = log, log
	if err := i.cmd.Start(); err != nil {
		i.b.Fatal(err)
	}
	if !testkit.Listens(i.addr, 20*time.Second) {
		text, _ := os.ReadFile(path)
		i.b.Fatalf("irkerd does not listen:\n%s", text)
	}
}

func (i *irkerd) Stop() { i.end(syscall.SIGTERM) }
func (i *irkerd) Kill() { i.end(syscall.SIGKILL) }

func (i *irkerd) end(signal syscall.Signal) {
	if i.cmd != nil {
		i.cmd.Process.Signal(signal)
		i.cmd.Wait()
		i.cmd = nil
	}
}

func (i *irkerd) PID() int { return i.cmd.Process.Pid }

// say gives it texts; it never answers. What it does not take is lost, which
// the benchmarks count.
func (i *irkerd) say(target string, texts ...string) {
	i.b.Helper()
	conn, err := net.Dial("tcp", i.addr)
	if err != nil {
		return
	}
	defer conn.Close()
	for _, text := range texts {
		fmt.Fprintf(conn, "{\"to\": %q, \"privmsg\": %q}\n", target, text)
	}
}
