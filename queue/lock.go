package queue

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"vext/internal/disk"
)

// ErrLocked says that another process holds the lock for longer than the caller waits. A
// *LockedError wraps it when that process is known.
var ErrLocked = errors.New("another vext is working on this state directory")

// A LockedError is an ErrLocked that names the holder of the lock.
type LockedError struct{ Holder }

func (e *LockedError) Error() string { return fmt.Sprintf("%v: %s", ErrLocked, e.Holder) }
func (e *LockedError) Unwrap() error { return ErrLocked }

// A Holder is the process that holds a lock.
type Holder struct {
	PID     int
	Program string    // vext run
	Since   time.Time // by the clock of the file system
}

func (h Holder) String() string {
	return fmt.Sprintf("%s (process %d), since %s", h.Program, h.PID, h.Since.Format("Mon 2 Jan 2006 15:04:05 MST"))
}

// A Lock is held by a process that schedules, sends or changes reminders. The kernel
// releases it when the holder exits. Its file has the times of runs, and the holder.
type Lock struct{ f *os.File }

// Acquire takes the lock of a state directory. It waits at most for the time wait, and
// until ctx ends.
func Acquire(ctx context.Context, state string, wait time.Duration) (*Lock, error) {
	f, err := openLock(lockPath(state), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	err = disk.Lock(ctx, f, wait)
	if err == nil {
		l := &Lock{f}
		l.writeHolder()
		return l, nil
	}
	defer f.Close()
	if !errors.Is(err, disk.ErrLocked) {
		return nil, err
	}
	if holder, ok := readHolder(f); ok {
		return nil, &LockedError{holder}
	}
	return nil, ErrLocked
}

// openLock opens the file of a lock, which must be a regular file.
func openLock(path string, flags int) (*os.File, error) {
	f, err := disk.OpenFile(path, flags)
	if errors.Is(err, disk.ErrNotRegular) {
		err = fmt.Errorf("%w; remove it", err)
	}
	return f, err
}

func lockPath(state string) string { return filepath.Join(state, "lock") }

// Release releases the lock.
func (l *Lock) Release() error {
	l.f.Truncate(int64(len(noRuns))) // the holder's line
	return l.f.Close()
}

// The lock's file holds the end of the last run and of the first, in a fixed length: a
// single write of so few bytes is atomic. A line about the holder follows. Its time is
// the modification time of the file.
const (
	lockFormat   = "last run  %s\nfirst run %s\n"
	noRuns       = "last run  none yet            \nfirst run none yet            \n"
	holderPrefix = "held by   "
)

// writeHolder writes the holder into the file. It is only information, so errors are
// ignored.
func (l *Lock) writeHolder() {
	if info, err := l.f.Stat(); err != nil || info.Size() < int64(len(noRuns)) {
		l.f.WriteAt([]byte(noRuns), 0)
	}
	line := fmt.Sprintf("%s%s, process %d\n", holderPrefix, program(os.Args), os.Getpid())
	l.f.Truncate(int64(len(noRuns)))
	l.f.WriteAt([]byte(line), int64(len(noRuns)))
}

// program returns the names of a program and its subcommand, without arguments, which
// can contain a password.
func program(args []string) string {
	name := "vext"
	if len(args) > 0 {
		name = filepath.Base(args[0])
		args = args[1:]
	}
	for _, arg := range args {
		if arg != "" && strings.Trim(arg, "abcdefghijklmnopqrstuvwxyz") == "" {
			return name + " " + arg
		}
	}
	return name
}

// readHolder reads the holder of the lock.
func readHolder(f *os.File) (h Holder, ok bool) {
	info, err := f.Stat()
	if err != nil {
		return h, false
	}
	text := make([]byte, 1000)
	n, _ := f.ReadAt(text, 0)
	_, line, ok := strings.Cut(string(text[:n]), "\n"+holderPrefix)
	if !ok {
		return h, false
	}
	line, _, _ = strings.Cut(line, "\n")
	h.Program, line, ok = strings.Cut(line, ", process ")
	if _, err := fmt.Sscan(line, &h.PID); err != nil || !ok {
		return h, false
	}
	h.Since = info.ModTime()
	return h, true
}

// HeldBy returns the current holder of the lock of a state directory, and whether there
// is one.
func HeldBy(state string) (h Holder, held bool) {
	f, err := openLock(lockPath(state), os.O_RDONLY)
	if err != nil {
		return h, false
	}
	defer f.Close()
	if !disk.IsLocked(f) {
		return h, false
	}
	h, _ = readHolder(f)
	return h, true
}

// MarkRun records the end of a run at the time now.
func (l *Lock) MarkRun(now time.Time) error {
	_, first := Runs(filepath.Dir(l.f.Name()))
	if first.IsZero() || first.After(now) { // the clock was ahead
		first = now
	}
	text := fmt.Sprintf(lockFormat, now.UTC().Format(time.RFC3339), first.UTC().Format(time.RFC3339))
	_, err := l.f.WriteAt([]byte(text), 0)
	return err
}

// Runs returns the ends of the last and the first run, zero when there was none.
func Runs(state string) (last, first time.Time) {
	data, err := disk.ReadFile(lockPath(state))
	if err != nil {
		return last, first
	}
	var a, b string
	if _, err := fmt.Sscanf(string(data), lockFormat, &a, &b); err != nil {
		return last, first
	}
	last, _ = time.Parse(time.RFC3339, a)
	first, _ = time.Parse(time.RFC3339, b)
	return last, first
}

// A ServingError says that another vext serve uses the state directory.
type ServingError struct{ PID int } // 0 when it is not known

func (e *ServingError) Error() string {
	if e.PID == 0 {
		return "another vext serve is running"
	}
	return fmt.Sprintf("another vext serve (pid %d) is running", e.PID)
}

// AcquireServing takes the lock that a vext serve holds while it runs. It does not wait.
// This lock is not the Lock for changes of the queue. The file contains the process ID;
// closing it releases the lock. The error is a *ServingError when another process holds
// the lock.
func AcquireServing(state string) (*os.File, error) {
	f, err := openLock(filepath.Join(state, "serving"), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	err = disk.Lock(context.Background(), f, 0)
	if errors.Is(err, disk.ErrLocked) {
		serving := new(ServingError)
		fmt.Fscan(f, &serving.PID)
		err = serving
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
