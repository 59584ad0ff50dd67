package remote

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"vext/internal/text"
)

// A process is a running ssh in a session of its own: it has no terminal to ask at, and is
// ended with the processes that it starts.
type process struct {
	stdin  io.WriteCloser
	stdout *os.File
	stderr text.Tail
	cmd    *exec.Cmd
	exited chan struct{}
	err    error // of Wait, after exited
}

// inheritDelay is how long what has inherited the output of an ssh may keep it open after the
// ssh has ended. A master in the background does.
const inheritDelay = 500 * time.Millisecond

// startProcess starts a command. The caller calls end. When this process is killed, the
// command reads the end of its stdin, and is signalled where the system can do that.
func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, exited: make(chan struct{})}
	stdout, childStdout, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer childStdout.Close()
	p.stdout, cmd.Stdout, cmd.Stderr = stdout, childStdout, &p.stderr
	cmd.WaitDelay = inheritDelay
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	endWithParent(cmd.SysProcAttr)
	if p.stdin, err = cmd.StdinPipe(); err == nil {
		started := make(chan error)
		go p.run(started)
		err = <-started
	}
	if err != nil {
		stdout.Close()
		return nil, err
	}
	return p, nil
}

// run starts and awaits the command on a thread that lives as long, because the system
// signals a child when the thread ends that has started it.
func (p *process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	close(p.exited)
}

// kill ends the process by force, with its children.
func (p *process) kill() { p.signal(syscall.SIGKILL) }

func (p *process) signal(sig syscall.Signal) {
	select {
	case <-p.exited: // its number may be another's
	default:
		syscall.Kill(-p.cmd.Process.Pid, sig)
	}
}

// end ends the process and releases what it has.
func (p *process) end() {
	p.kill()
	<-p.exited
	p.stdout.Close()
}

// exits waits until the process exits. It reports false if it had to kill it.
func (p *process) exits(within time.Duration) bool {
	timer := time.AfterFunc(within, p.kill)
	<-p.exited
	return timer.Stop()
}

// drained closes the output some time after the process has ended, for what has inherited
// it. It returns a function that ends the waiting.
func (p *process) drained() (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-p.exited:
		case <-done:
			return
		}
		select {
		case <-time.After(inheritDelay):
			p.stdout.Close()
		case <-done:
		}
	}()
	return func() { close(done); <-ended }
}

// status returns the exit status, -1 for a signal, after exited.
func (p *process) status() int { return p.cmd.ProcessState.ExitCode() }

// sshOutput runs a command until ctx ends, and returns what it prints.
func sshOutput(ctx context.Context, cmd *exec.Cmd) (string, error) {
	p, err := startProcess(cmd)
	if err != nil {
		return "", err
	}
	defer p.end()
	defer context.AfterFunc(ctx, p.kill)()
	defer p.drained()()
	p.stdin.Close()
	out, err := io.ReadAll(io.LimitReader(p.stdout, 1<<20))
	if err != nil && !errors.Is(err, os.ErrClosed) {
		return "", err
	}
	<-p.exited
	return string(out), p.err
}
