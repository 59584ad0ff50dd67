package hook

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// For how long a hook waits for the worker that it has started. Most have done
// their work by then; the others go on by themselves.
const (
	usualWait = 30 * time.Millisecond
	manyWait  = 150 * time.Millisecond // once the worker has found several commits
)

// WorkerDelay is after how long a worker begins that nobody waits for: by then whoever
// has committed is done, and has had the processor and the disk for itself.
const WorkerDelay = 100 * time.Millisecond

// many is what a worker says when it has found more than one commit.
const many = "m"

// workerFile is the file by which a worker speaks to the hook that has started
// it. It is closed when the work is done.
const workerFile = 3

// ReportSeveral returns what a worker that was fired calls when there is more than one
// commit.
func ReportSeveral() func() {
	syscall.CloseOnExec(workerFile) // git is not to hold it open
	f := os.NewFile(workerFile, "the hook")
	return func() { f.WriteString(many) }
}

// largestUpdates bounds what is handed to a worker: what fits into a pipe, so
// that nobody has to wait for the worker to read it. Of more, the worker is told
// nothing, and looks at all branches.
const largestUpdates = 60 << 10

// Fire starts a worker in a session of its own, hands it what the hook was told,
// and waits for it, but not for long. The worker is the command args.
func Fire(stdin io.Reader, args []string, wait bool) error {
	updates, err := io.ReadAll(io.LimitReader(stdin, largestUpdates+1))
	if err != nil || len(updates) > largestUpdates {
		updates = nil
		io.Copy(io.Discard, stdin)
	}
	in, give, err := os.Pipe()
	if err != nil {
		return err
	}
	hear, out, err := os.Pipe()
	if err != nil {
		return errors.Join(err, in.Close(), give.Close())
	}
	defer hear.Close()
	letGo()
	worker := exec.Command(args[0], args[1:]...)
	worker.Stdin = in
	worker.ExtraFiles = []*os.File{out}
	worker.Dir = "/" // the repository may be removed while it works
	worker.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := worker.Start(); err != nil {
		return errors.Join(err, in.Close(), out.Close(), give.Close())
	}
	in.Close()
	out.Close()
	give.Write(updates)
	give.Close()
	if wait {
		listen(hear)
	}
	return worker.Process.Release()
}

// letGo keeps from the worker what whoever has pushed left open: a lock, say,
// that is to end with the push.
func letGo() {
	open, _ := os.ReadDir("/dev/fd") // where the system tells
	for _, entry := range open {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}

// listen waits until the worker has ended, or for as long as a push may be
// delayed.
func listen(worker *os.File) {
	begun := time.Now()
	worker.SetReadDeadline(begun.Add(usualWait))
	var heard [1]byte
	for {
		n, err := worker.Read(heard[:])
		if err != nil {
			return
		}
		if n > 0 && string(heard[:n]) == many {
			worker.SetReadDeadline(begun.Add(manyWait))
		}
	}
}
