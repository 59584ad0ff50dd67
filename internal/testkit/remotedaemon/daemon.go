package remotedaemon

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"vext/internal/testkit"
)

// Vext is the command of vext remote. The variable REMOTE names another one to test.
func Vext(t testing.TB) []string {
	t.Helper()
	if other := os.Getenv("REMOTE"); other != "" {
		return strings.Fields(other)
	}
	return []string{filepath.Join(testkit.Programs(t), "vext"), "remote", "--foreground"}
}

// Annex is the command of git-annex.
func Annex(t testing.TB) []string {
	t.Helper()
	testkit.Program(t, "git-annex")
	return []string{"git", "annex", "remotedaemon", "--foreground"}
}

// A Line is a line that a daemon has printed, and when.
type Line struct {
	Text string
	At   time.Time
}

// A Daemon is a running daemon.
type Daemon struct {
	PID int

	w      *World
	t      testing.TB
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stderr testkit.Log
	exited chan error

	mu    sync.Mutex
	lines []Line
	next  int           // the first line that no Wait has returned
	more  chan struct{} // a line was added, or the output has ended
	eof   bool
	dead  bool // it was killed
}

// Start starts a daemon in Local. It is killed with the test, which fails when the daemon
// does not keep to the protocol.
func (w *World) Start(command []string, args ...string) *Daemon {
	w.t.Helper()
	return w.StartIn("local", command, args...)
}

// StartIn is Start in a directory of the world.
func (w *World) StartIn(dir string, command []string, args ...string) *Daemon {
	w.t.Helper()
	d := &Daemon{w: w, t: w.t, more: make(chan struct{}, 1), exited: make(chan error, 1)}
	d.cmd = w.Command(dir, command[0], append(command[1:len(command):len(command)], args...)...)
	d.cmd.Env = append(slices.Clone(w.Env), mark+"="+w.Dir)
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal to ask anything
	d.cmd.Stderr = &d.stderr
	d.cmd.WaitDelay = time.Second
	in, err := d.cmd.StdinPipe()
	w.ok(err)
	d.stdin = in
	r, out, err := os.Pipe()
	w.ok(err)
	d.cmd.Stdout = out
	w.ok(d.cmd.Start())
	out.Close()
	d.PID = d.cmd.Process.Pid
	go d.read(r)
	go func() { d.exited <- d.cmd.Wait() }()
	w.t.Cleanup(d.cleanUp)
	return d
}

func (d *Daemon) read(r io.ReadCloser) {
	defer r.Close()
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		d.mu.Lock()
		d.lines = append(d.lines, Line{in.Text(), time.Now()})
		d.mu.Unlock()
		d.signal()
	}
	d.mu.Lock()
	d.eof = true
	d.mu.Unlock()
	d.signal()
}

func (d *Daemon) signal() {
	select {
	case d.more <- struct{}{}:
	default:
	}
}

func (d *Daemon) cleanUp() {
	d.Kill()
	for _, p := range d.w.Processes() {
		syscall.Kill(p.PID, syscall.SIGKILL)
	}
	if d.t.Failed() {
		text := d.stderr.String()
		d.t.Logf("%q printed:\n%s\nand on stderr:\n%s", d.cmd.Args, d.Transcript(), text[max(0, len(text)-4000):])
	}
}

// Lines returns all lines.
func (d *Daemon) Lines() []Line {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Line(nil), d.lines...)
}

// Stderr returns what was printed there.
func (d *Daemon) Stderr() string { return d.stderr.String() }

// Transcript returns all lines with their times.
func (d *Daemon) Transcript() string {
	var b strings.Builder
	for _, line := range d.Lines() {
		fmt.Fprintf(&b, "%s %s\n", line.At.Format("05.000"), line.Text)
	}
	return b.String()
}

// Send sends a command.
func (d *Daemon) Send(lines ...string) {
	d.t.Helper()
	for _, line := range lines {
		if _, err := io.WriteString(d.stdin, line+"\n"); err != nil {
			d.t.Fatalf("%s: %v", line, err)
		}
	}
}

// take returns the next line for which is is true, and skips others.
func (d *Daemon) take(within time.Duration, is func(string) bool) (Line, bool) {
	deadline := time.After(within)
	for {
		d.mu.Lock()
		for d.next < len(d.lines) {
			line := d.lines[d.next]
			d.next++
			if is(line.Text) {
				d.mu.Unlock()
				return line, true
			}
		}
		eof := d.eof
		d.mu.Unlock()
		if eof {
			d.signal() // for the next call
			return Line{}, false
		}
		select {
		case <-d.more:
		case <-deadline:
			return Line{}, false
		}
	}
}

func isWarning(line string) bool { return strings.HasPrefix(line, "WARNING ") }

// Next returns the next event that is no WARNING.
func (d *Daemon) Next(within time.Duration) (Line, bool) {
	return d.take(within, func(line string) bool { return !isWarning(line) })
}

// Expect waits for events, which must be the next ones but for WARNINGs, and returns the
// last.
func (d *Daemon) Expect(events ...string) (last Line) {
	d.t.Helper()
	for _, want := range events {
		line, ok := d.Next(Patience)
		if !ok {
			d.t.Fatalf("no %q within %s", want, Patience)
		}
		if line.Text != want {
			d.t.Fatalf("%q, want %q", line.Text, want)
		}
		last = line
	}
	return last
}

// Seek waits for a line that begins so, and skips others.
func (d *Daemon) Seek(begins string, within time.Duration) Line {
	d.t.Helper()
	line, ok := d.take(within, func(line string) bool { return strings.HasPrefix(line, begins) })
	if !ok {
		d.t.Fatalf("no %q within %s", begins, within)
	}
	return line
}

// Quiet checks that there is no event for a while but WARNINGs.
func (d *Daemon) Quiet(while time.Duration) {
	d.t.Helper()
	if line, ok := d.Next(while); ok {
		d.t.Fatalf("%q, want nothing", line.Text)
	}
}

// Connected waits for CONNECTED of origin.
func (d *Daemon) Connected() { d.t.Helper(); d.Expect("CONNECTED " + d.w.URI()) }

// Synced waits for a successful fetch from origin.
func (d *Daemon) Synced() {
	d.t.Helper()
	d.Expect("SYNCING "+d.w.URI(), "DONESYNCING "+d.w.URI()+" 1")
}

// CloseStdin ends the commands.
func (d *Daemon) CloseStdin() { d.stdin.Close() }

// Signal sends a signal to the daemon alone.
func (d *Daemon) Signal(sig syscall.Signal) { d.cmd.Process.Signal(sig) }

// Stop sends STOP.
func (d *Daemon) Stop() {
	d.t.Helper()
	d.Send("STOP")
	d.Ended(0, 2*time.Second)
}

// Ended waits until the daemon has exited with a status, and checks its lines and that it
// leaves no process.
func (d *Daemon) Ended(status int, within time.Duration) {
	d.t.Helper()
	begun := time.Now()
	select {
	case err := <-d.exited:
		d.exited <- err
	case <-time.After(Patience):
		d.t.Fatal("it does not end")
	}
	if took := time.Since(begun); took > within {
		d.t.Errorf("it ended after %s, not within %s", took, within)
	}
	if got := d.cmd.ProcessState.ExitCode(); got != status {
		d.t.Errorf("exit status %d, want %d: %s", got, status, d.Stderr())
	}
	if left := d.w.Processes(); len(left) > 0 {
		d.t.Errorf("it leaves %+v", left)
	}
	d.Check()
}

// Kill kills the daemon alone, and waits for it.
func (d *Daemon) Kill() {
	d.mu.Lock()
	d.dead = true
	d.mu.Unlock()
	d.cmd.Process.Kill()
	err := <-d.exited
	d.exited <- err
}

// Exited reports whether the daemon has ended.
func (d *Daemon) Exited() bool {
	select {
	case err := <-d.exited:
		d.exited <- err
		return true
	default:
		return false
	}
}

// grammar is what a line may be.
var grammar = regexp.MustCompile(`^(?:(?:CONNECTED|DISCONNECTED|SYNCING) (\S+)|DONESYNCING (\S+) [01]|WARNING \S+ .+)$`)

// Check checks all lines: each is of the protocol; each SYNCING has its DONESYNCING; and
// CONNECTED and DISCONNECTED alternate. A daemon that was killed may leave a SYNCING open.
func (d *Daemon) Check() {
	d.t.Helper()
	connected, syncing := map[string]bool{}, map[string]bool{}
	for _, line := range d.Lines() {
		if !grammar.MatchString(line.Text) {
			d.t.Errorf("%q is no line of the protocol", line.Text)
			continue
		}
		words := strings.Fields(line.Text)
		uri := words[1]
		switch words[0] {
		case "CONNECTED", "DISCONNECTED":
			is := words[0] == "CONNECTED"
			if connected[uri] == is {
				d.t.Errorf("%q twice", line.Text)
			}
			connected[uri] = is
		case "SYNCING", "DONESYNCING":
			is := words[0] == "SYNCING"
			if syncing[uri] == is {
				d.t.Errorf("%q without the other", line.Text)
			}
			syncing[uri] = is
		}
	}
	d.mu.Lock()
	dead := d.dead
	d.mu.Unlock()
	for uri, is := range syncing {
		if is && d.Exited() && !dead {
			d.t.Errorf("SYNCING %s has no end", uri)
		}
	}
}
