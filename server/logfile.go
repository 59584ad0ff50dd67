package server

import (
	"errors"
	"io/fs"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
)

// maxLog bounds a log, in bytes. The one before it is kept, too.
const maxLog = 1 << 20

// A LogFile is the log of a process in the background. What comes before it is open is
// lost.
type LogFile struct {
	mu   sync.Mutex
	path string
	file *os.File
	size int64
}

// Open opens the log at path, or makes it.
func (l *LogFile) Open(path string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.path = path
	return l.next()
}

// next opens the log, after it has renamed one that is full.
func (l *LogFile) next() error {
	info, err := os.Lstat(l.path)
	if err == nil && info.Size() >= maxLog {
		os.Rename(l.path, l.path+".old")
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return err
	}
	if info, err = file.Stat(); err != nil {
		file.Close()
		return err
	}
	debug.SetCrashOutput(file, debug.CrashOptions{})
	if l.file != nil {
		l.file.Close()
	}
	l.file, l.size = file, info.Size()
	return nil
}

// Write implements io.Writer.
func (l *LogFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return len(p), nil
	}
	if l.size >= maxLog {
		l.next() // or else the old one grows
	}
	n, err := l.file.Write(p)
	l.size += int64(n)
	return n, err
}
