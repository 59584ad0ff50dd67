package commit

import (
	"bufio"
	"io"
	"strings"
)

// maxLine bounds what is kept of a line, in bytes. The rest is read and dropped.
const maxLine = 64 << 10

// A lineReader hands out lines without their ends (\n, \r\n, \r\r\n), and can
// look one line ahead.
type lineReader struct {
	br     *bufio.Reader
	line   []byte // holds a line that does not fit into br's buffer
	ahead  []byte // the line that peek returned
	peeked bool
	more   bool
}

func newLineReader(r io.Reader) *lineReader {
	br, ok := r.(*bufio.Reader)
	if !ok {
		br = bufio.NewReaderSize(r, 16<<10)
	}
	return &lineReader{br: br}
}

// next returns the next line, valid until the call after it.
func (l *lineReader) next() ([]byte, bool) {
	if l.peeked {
		l.peeked = false
		return l.ahead, l.more
	}
	l.line = l.line[:0]
	read := false
	for {
		chunk, err := l.br.ReadSlice('\n')
		if err == nil && len(l.line) == 0 { // the common case needs no copy
			l.more = true
			return trimEnd(chunk[:min(len(chunk), maxLine)]), true
		}
		read = read || len(chunk) > 0
		if room := maxLine - len(l.line); room > 0 {
			l.line = append(l.line, chunk[:min(len(chunk), room)]...)
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		l.more = err == nil || read
		return trimEnd(l.line), l.more
	}
}

// trimEnd cuts off the line's end. It is called for every line, and several times
// faster than bytes.TrimRight.
func trimEnd(line []byte) []byte {
	for n := len(line); n > 0 && (line[n-1] == '\n' || line[n-1] == '\r'); n-- {
		line = line[:n-1]
	}
	return line
}

// peek returns the line that next will return. It overwrites the current line.
func (l *lineReader) peek() ([]byte, bool) {
	if !l.peeked {
		l.ahead, l.more = l.next()
		l.peeked = true
	}
	return l.ahead, l.more
}

// rest returns a reader of the lines that next has not returned.
func (l *lineReader) rest() io.Reader {
	if !l.peeked || !l.more {
		return l.br
	}
	return io.MultiReader(strings.NewReader(string(l.ahead)+"\n"), l.br)
}
