package text

import (
	"bytes"
	"io"
	"sync"
)

// maxTail bounds what a Tail keeps, in bytes.
const maxTail = 8 << 10

// A Tail keeps the last lines of what is written to it, some kilobytes, such as the errors of
// a program. It cuts off whole lines, because half a URL would show its password. It is safe
// for use by several goroutines.
type Tail struct {
	mu   sync.Mutex
	kept []byte
}

// Write implements io.Writer.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if cut := len(t.kept) - maxTail; cut > 0 {
		rest := t.kept[cut:]
		end := bytes.IndexAny(rest, "\r\n") // a line of progress ends with \r
		if end < 0 {
			end = len(rest) - 1
		}
		t.kept = bytes.Clone(rest[end+1:])
	}
	return len(p), nil
}

// ReadFrom implements io.ReaderFrom, which spares the 32 kB of io.Copy for each program.
func (t *Tail) ReadFrom(r io.Reader) (n int64, err error) {
	buffer := make([]byte, 512)
	for err == nil {
		var got int
		got, err = r.Read(buffer)
		t.Write(buffer[:got])
		n += int64(got)
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}

// String returns what is kept.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}
