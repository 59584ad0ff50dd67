package filter

import (
	"bufio"
	"bytes"
	"io"
	"runtime/debug"
	"slices"
)

const (
	// maxWhole bounds a mail that is kept as it came, in bytes. Of a larger one only the
	// header and the commit message are kept.
	maxWhole = 1 << 20
	// maxJSON bounds JSON, in bytes, all of which must be read to find the commit
	// messages. GitHub sends no more.
	maxJSON = 25 << 20
)

// An input is a notification as it is read. It keeps the bytes up to a limit, and the
// error of a failed read.
type input struct {
	buffered  *bufio.Reader // to read from
	r         io.Reader
	captured  []byte
	capturing bool
	overflow  bool
	limit     int
	memory    int64 // see Filter.MemoryLimit
	size      int64
	err       error
}

func newInput(r io.Reader) *input {
	in := &input{r: r, capturing: true, limit: maxWhole}
	in.buffered = bufio.NewReaderSize(in, 16<<10)
	return in
}

// Read implements io.Reader for the field buffered.
func (in *input) Read(p []byte) (int, error) {
	n, err := in.r.Read(p)
	in.size += int64(n)
	if err != nil && err != io.EOF && in.err == nil {
		in.err = err
	}
	if in.capturing && n > 0 {
		if len(in.captured)+n > in.limit {
			in.capturing, in.overflow, in.captured = false, true, nil
		} else {
			in.capture(p[:n])
		}
	}
	return n, err
}

// capture keeps p. Once a mail is larger than the first read, it allocates the limit at
// once: unused memory costs nothing, growing step by step does. The limit of JSON is beyond
// the memory limit, so there the memory is doubled as needed.
func (in *input) capture(p []byte) {
	if in.limit == maxJSON && cap(in.captured) < len(in.captured)+len(p) {
		in.captured = slices.Grow(in.captured, max(len(in.captured), len(p)))
	} else if in.captured != nil && cap(in.captured) < in.limit && in.limit != maxJSON {
		if in.memory > 0 { // only for large inputs, as it takes time
			debug.SetMemoryLimit(in.memory)
		}
		in.captured = append(make([]byte, 0, in.limit), in.captured...)
	}
	in.captured = append(in.captured, p...)
}

// byteOrderMark is what some programs write before UTF-8.
var byteOrderMark = []byte("\xef\xbb\xbf")

// isJSON reports whether the input is a JSON object: its first byte other than white space
// is a brace, which can't begin a header.
func (in *input) isJSON() bool {
	if mark, _ := in.buffered.Peek(len(byteOrderMark)); bytes.Equal(mark, byteOrderMark) {
		in.buffered.Discard(len(mark))
		in.captured = in.captured[len(mark):]
	}
	for n := 1; ; {
		start, err := in.buffered.Peek(n)
		if err != nil {
			return false
		}
		switch start[n-1] {
		case '\r', '\n', ' ', '\t':
			if n++; n > in.buffered.Size() { // white space before a header does not matter
				in.buffered.Discard(n - 1)
				n = 1
			}
		case '{':
			in.limit = maxJSON
			return true
		default:
			return false
		}
	}
}

// drain reads the rest of the input, so that the sender never writes to a closed pipe.
func (in *input) drain() error {
	for in.err == nil {
		if _, err := in.buffered.Discard(1 << 20); err != nil {
			break
		}
	}
	return in.err
}
