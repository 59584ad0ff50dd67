package filter

import (
	"bufio"
	"bytes"
	"io"
	"runtime/debug"
	"slices"
)

const (
	// maxWhole is the size up to which a message is kept as it came. Of a
	// larger one the header and the commit message are kept.
	maxWhole = 1 << 20
	// maxJSON bounds the object of a hook or a forge, whose commit messages
	// can't be found without reading the whole of it. GitHub sends no more.
	maxJSON = 25 << 20
)

// An input is what the sender writes. It keeps the bytes as they came, up to a
// limit, and remembers an error of reading, which is not the sender's end.
type input struct {
	buffered  *bufio.Reader // read from this
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

// Read implements io.Reader for the buffer in front of it.
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

// capture keeps p. Beyond the first buffer of a mail it makes room for all
// there can be, which costs nothing until it is used, and growing step by step
// would. JSON, whose bound is beyond the memory limit, has the room doubled.
func (in *input) capture(p []byte) {
	if in.limit == maxJSON && cap(in.captured) < len(in.captured)+len(p) {
		in.captured = slices.Grow(in.captured, max(len(in.captured), len(p)))
	} else if in.captured != nil && cap(in.captured) < in.limit && in.limit != maxJSON {
		if in.memory > 0 { // for large inputs only: to set it costs time
			debug.SetMemoryLimit(in.memory)
		}
		in.captured = append(make([]byte, 0, in.limit), in.captured...)
	}
	in.captured = append(in.captured, p...)
}

// byteOrderMark is what some programs put before UTF-8.
var byteOrderMark = []byte("\xef\xbb\xbf")

// isJSON reports whether the first byte that is no white space opens an
// object. No header begins with one.
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
			if n++; n > in.buffered.Size() { // blanks before a header say nothing
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

// drain reads what is left, so that the sender never writes into a closed
// pipe.
func (in *input) drain() error {
	for in.err == nil {
		if _, err := in.buffered.Discard(1 << 20); err != nil {
			break
		}
	}
	return in.err
}
