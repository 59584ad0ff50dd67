package watch

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The environment of a process that watches.
const (
	childRoot = "VEXT_WATCH_ROOT"
	childPoll = "VEXT_WATCH_POLL"
)

func TestMain(m *testing.M) {
	if root := os.Getenv(childRoot); root != "" {
		runChild(root)
		return
	}
	os.Exit(m.Run())
}

// A line is one line of the output of a process that watches.
type line struct {
	Batch   []Event `json:",omitempty"`
	Warning string  `json:",omitempty"`
	End     string  `json:",omitempty"`
	Gone    bool    `json:",omitempty"`
	Mode    string
	Watched int
}

// runChild watches until its standard input ends.
func runChild(root string) {
	out := json.NewEncoder(os.Stdout)
	o := options(root)
	o.Poll, _ = time.ParseDuration(os.Getenv(childPoll))
	o.Warn = func(text string) { out.Encode(line{Warning: text}) }
	w := New(o)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		os.Stdin.Read(make([]byte, 1))
		cancel()
	}()
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	for batch := range w.Events() {
		out.Encode(line{Batch: batch, Mode: w.Mode(), Watched: w.Watched()})
	}
	err := <-ended
	var gone *GoneError
	out.Encode(line{End: err.Error(), Gone: errors.As(err, &gone)})
}

// A child is a process that watches.
type child struct {
	*tree
	pid int
}

// startChild starts a process that watches, by a command line that gets the program as its
// last argument. prepare may change how it is started.
func startChild(t testing.TB, root string, poll time.Duration, prepare func(*exec.Cmd), command ...string) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command = append(command, self)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), childRoot+"="+root, childPoll+"="+poll.String())
	cmd.Stderr = os.Stderr
	if prepare != nil {
		prepare(cmd)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	c := &child{newTree(t, root), cmd.Process.Pid}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		lines := bufio.NewScanner(stdout)
		lines.Buffer(nil, 64<<20)
		for lines.Scan() {
			c.takeLine(lines.Bytes())
		}
	}()
	t.Cleanup(func() { stdin.Close(); <-ended; cmd.Wait() })
	c.wait("the first scan", func() bool { return c.all > 0 })
	c.forget()
	return c
}

func (c *child) takeLine(data []byte) {
	var l line
	if err := json.Unmarshal(data, &l); err != nil {
		c.t.Errorf("%s: %v", data, err)
	}
	c.take(l.Batch)
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.Warning != "" {
		c.warns = append(c.warns, l.Warning)
	}
	if l.Batch != nil {
		c.mode, c.count = l.Mode, l.Watched
	}
	if l.Gone {
		c.done <- &GoneError{Root: c.root, Why: l.End}
	} else if l.End != "" {
		c.done <- errors.New(l.End)
	}
}

// signal sends a signal, and waits until the process has stopped, if it was to.
func (c *child) signal(sig syscall.Signal) {
	c.t.Helper()
	c.must(syscall.Kill(c.pid, sig))
	c.wait("the signal", func() bool { return sig != syscall.SIGSTOP || strings.HasPrefix(c.proc("status", "State"), "T") })
}

// proc returns a field of /proc/PID/file.
func (c *child) proc(file, field string) string {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", c.pid, file))
	_, rest, _ := strings.Cut(string(data), "\n"+field+":")
	value, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(value)
}

// rss returns the largest memory that it has had, in bytes.
func (c *child) rss() int {
	n, _ := strconv.Atoi(strings.TrimSuffix(c.proc("status", "VmHWM"), " kB"))
	return n << 10
}

// wakeUps returns how often its threads have slept.
func (c *child) wakeUps() (sum int) {
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", c.pid))
	for _, task := range tasks {
		n, _ := strconv.Atoi(c.proc("task/"+task.Name()+"/status", "voluntary_ctxt_switches"))
		sum += n
	}
	return sum
}

// ends waits until the process says why it watches no longer.
func (tr *tree) ends(what, want string) {
	tr.t.Helper()
	select {
	case err := <-tr.done:
		tr.done <- err
		var gone *GoneError
		if !errors.As(err, &gone) || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), tr.root) {
			tr.t.Errorf("%s: ended: %v, want %s", what, err, want)
		}
	case <-time.After(deadline):
		tr.t.Fatalf("%s: goes on", what)
	}
}
