package hook

import (
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// How long a hook waits for the worker that it has started. Most workers have ended
// by then; the others continue in the background.
const (
	maxWait        = 30 * time.Millisecond
	maxWaitSeveral = 150 * time.Millisecond // after the worker has found several commits
)

// WorkerDelay is how long a worker sleeps first if the hook does not wait for it, so
// that it does not compete with the commit for processor and disk.
const WorkerDelay = 100 * time.Millisecond

// severalMark is what a worker sends when it has found more than one commit.
const severalMark = "m"

// workerFile is the file descriptor of the pipe from a worker to its hook. It is
// closed when the worker ends.
const workerFile = 3

// ReportSeveral returns the function by which a worker reports to its hook that it has
// found more than one commit.
func ReportSeveral() func() {
	syscall.CloseOnExec(workerFile) // git must not inherit it
	f := os.NewFile(workerFile, "the hook")
	return func() { f.WriteString(severalMark) }
}

// maxUpdates bounds the updates that a worker receives, in bytes. They must fit into
// a pipe, because the hook does not wait until the worker reads them. A worker that
// receives none compares all branches.
const maxUpdates = 60 << 10

// Fire starts the command args as a worker in a session of its own, passes it the
// input of the hook and, if wait is set, waits for it, but not for long.
func Fire(stdin io.Reader, args []string, wait bool) error {
	updates, err := io.ReadAll(io.LimitReader(stdin, maxUpdates+1))
	if err != nil || len(updates) > maxUpdates {
		updates = nil
		io.Copy(io.Discard, stdin)
	}
	in, give, err := os.Pipe()
	if err != nil {
		return err
	}
	defer in.Close()
	defer give.Close()
	fromWorker, out, err := os.Pipe()
	if err != nil {
		return err
	}
	defer fromWorker.Close()
	CloseInherited()
	worker := exec.Command(args[0], args[1:]...)
	worker.Stdin = in
	worker.ExtraFiles = []*os.File{out}
	worker.Dir = "/" // the repository may be removed while it works
	worker.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = worker.Start()
	in.Close() // else the write below would wait for ever for a worker that has ended
	out.Close()
	if err != nil {
		return err
	}
	give.Write(updates)
	give.Close()
	if wait {
		waitFor(fromWorker)
	}
	return worker.Process.Release()
}

// CloseInherited prevents a program that runs on in the background from inheriting open
// files of the one that has started this process, such as a lock of a push.
func CloseInherited() {
	open, _ := os.ReadDir("/dev/fd") // empty on a system without it
	for _, entry := range open {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}

// waitFor waits until the worker has ended, but no longer than a push may be delayed.
func waitFor(worker *os.File) {
	begun := time.Now()
	worker.SetReadDeadline(begun.Add(maxWait))
	var mark [len(severalMark)]byte
	for {
		if _, err := worker.Read(mark[:]); err != nil {
			return
		}
		worker.SetReadDeadline(begun.Add(maxWaitSeveral))
	}
}
