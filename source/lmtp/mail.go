package lmtp

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxPiece bounds how much of a mail's line is read at once, in bytes.
const maxPiece = 8 << 10

// A mailReader reads a mail up to the line with a dot that ends it (RFC 5321, section
// 4.5.2), and removes the dots before dots. It accepts CR CR LF as a line end, but not a
// line end without CR.
type mailReader struct {
	in     *bufio.Reader
	left   []byte // of a line
	begins bool   // the next bytes begin a line
	err    error  // io.EOF at the end of the mail
}

// Read implements io.Reader. It returns as much as it can without waiting: the filter
// allocates memory for a large mail at the second read.
func (m *mailReader) Read(p []byte) (n int, err error) {
	for n < len(p) && m.err == nil && (n == 0 || len(m.left) > 0 || m.in.Buffered() > 0) {
		if len(m.left) == 0 {
			m.left, m.err = m.line()
		}
		copied := copy(p[n:], m.left)
		n, m.left = n+copied, m.left[copied:]
	}
	if n > 0 {
		return n, nil
	}
	return 0, m.err
}

// line returns the next line, or a piece of a long one.
func (m *mailReader) line() ([]byte, error) {
	line, err := m.in.ReadSlice('\n')
	begins := m.begins
	m.begins = false
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		if cut := bytes.TrimRight(line, "\r"); len(cut) < len(line) {
			line = cut
			m.in.UnreadByte() // may be part of the line end
		}
	case err == io.EOF:
		return nil, io.ErrUnexpectedEOF
	case err != nil:
		return nil, err
	case bytes.HasSuffix(line, []byte("\r\n")):
		m.begins = true
		if begins && len(line) == len(".\r\n") && line[0] == '.' {
			return nil, io.EOF
		}
		line = append(bytes.TrimRight(line, "\r\n"), "\r\n"...)
	}
	if begins && len(line) > 0 && line[0] == '.' {
		line = line[1:]
	}
	return line, nil
}
