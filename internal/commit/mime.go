package commit

import (
	"bufio"
	"bytes"
	"cmp"
	"io"
	"mime"
	"strings"
)

const (
	maxDepth = 8  // of parts in parts
	maxParts = 50 // of one entity
)

// entity reads the texts of an entity (RFC 2045) in order, until one has commits in a
// mailer's shape. It reports whether any text was not empty. It skips attachments and
// forwarded mails.
func (m *Mail) entity(h *Header, lines *lineReader, depth int) (useful bool) {
	mediaType, params := h.mediaType()
	disposition, _, _ := mime.ParseMediaType(h.Get("Content-Disposition"))
	switch {
	case disposition == "attachment" || mediaType == "multipart/report" || depth > maxDepth:
		return false
	case strings.HasPrefix(mediaType, "multipart/") && params["boundary"] != "":
		return m.parts(lines, mediaType, params["boundary"], depth)
	case mediaType == "message/rfc822" && m.Header.isList():
		return m.wrapped(lines)
	case mediaType == "text/html" && m.Header.names():
		text, _ := h.decode(lines.rest(), mediaType, params["charset"])
		m.html(newLineReader(text))
	case mediaType == "text/plain" || mediaType == "" || strings.HasPrefix(mediaType, "multipart/"):
		text, charset := h.decode(lines.rest(), mediaType, params["charset"])
		m.charset = charset
		return m.part(newLineReader(text))
	}
	return false
}

// parts reads the parts of a multipart entity. Of alternatives, which have the same
// content, it reads the first that is not empty.
func (m *Mail) parts(lines *lineReader, mediaType, boundary string, depth int) (useful bool) {
	parts := &partReader{br: bufio.NewReader(lines.rest()), delimiter: []byte("--" + boundary), isLineStart: true}
	for n := 0; n < maxParts && parts.next(); n++ {
		inner := newLineReader(bufio.NewReader(parts))
		var h Header
		h.read(inner, true)
		useful = m.entity(&h, inner, depth+1) || useful
		if len(m.Commits)+m.Others > 0 || useful && mediaType == "multipart/alternative" {
			break
		}
	}
	return useful
}

// html sets OnlyHTML if the HTML asks for a reminder. It reads nothing else from HTML:
// somebody must configure the mailer to write plain text.
func (m *Mail) html(lines *lineReader) {
	m.hasHTML = true
	for line, ok := lines.next(); ok && m.wanted != nil && !m.OnlyHTML; line, ok = lines.next() {
		m.OnlyHTML = m.wanted.Ask(withoutTags(line))
	}
}

// withoutTags returns a line of HTML with a line break for each tag.
func withoutTags(line []byte) []byte {
	text := make([]byte, 0, len(line))
	for len(line) > 0 {
		open := bytes.IndexByte(line, '<')
		if open < 0 {
			text = append(text, line...)
			break
		}
		text = append(append(text, line[:open]...), '\n')
		shut := bytes.IndexByte(line[open:], '>')
		if shut < 0 {
			break
		}
		line = line[open+shut+1:]
	}
	return bytes.ReplaceAll(text, []byte("&nbsp;"), []byte(" "))
}

// wrapped reads a mail that a mailing list has forwarded as a part of a mail of its
// own, which preserves the header of the original.
func (m *Mail) wrapped(lines *lineReader) (useful bool) {
	if m.inner != nil || m.isInner {
		return false
	}
	m.inner = &Mail{wanted: m.wanted, files: m.files, isInner: true}
	m.inner.read(lines.rest())
	m.Commits, m.Others, m.Dropped, m.Plain = m.inner.Commits, m.inner.Others, m.inner.Dropped, m.inner.Plain
	for i := range m.Commits {
		c := &m.Commits[i]
		c.Trailer, c.Source = m.Header.stamps()
		c.Asked = Asked{} // a list that wraps a mail is no source of requests
		c.Sender = cmp.Or(m.Header.Get(SenderHeader), m.inner.Sender())
	}
	return len(m.Commits)+m.Others > 0
}

// mediaType returns the media type of an entity and its parameters, as far as they can
// be read.
func (h *Header) mediaType() (mediaType string, params map[string]string) {
	raw, _ := h.raw("Content-Type")
	field := strings.ReplaceAll(string(raw), "\n", "") // runs of blanks matter in a boundary
	mediaType, params, err := mime.ParseMediaType(field)
	if err != nil || !strings.Contains(mediaType, "/") {
		mediaType, _, _ = strings.Cut(field, ";")
		mediaType = strings.ToLower(strings.TrimSpace(mediaType))
		if i := strings.IndexAny(mediaType, " \t"); i >= 0 {
			mediaType = mediaType[:i]
		}
		params = map[string]string{"boundary": looseParam(field, "boundary"), "charset": looseParam(field, "charset")}
	}
	if mediaType == "text" { // from before MIME was finished
		mediaType = "text/plain"
	}
	return mediaType, params
}

// looseParam returns the value of a parameter, also if it is not quoted as RFC 2045,
// section 5.1, requires.
func looseParam(field, name string) string {
	i := indexFold(field, name+"=")
	if i < 0 {
		return ""
	}
	value := field[i+len(name)+1:]
	if rest, ok := strings.CutPrefix(value, `"`); ok {
		value, _, _ = strings.Cut(rest, `"`)
		return value
	}
	value, _, _ = strings.Cut(value, ";")
	return strings.TrimSpace(value)
}

// A partReader reads the parts of a multipart (RFC 2046, section 5.1), one after the
// other. As mail readers do, it accepts a first delimiter without an empty line before
// it, and a missing last delimiter.
type partReader struct {
	br          *bufio.Reader
	delimiter   []byte
	left        []byte // the unread rest of a line
	isLineStart bool   // a delimiter is possible here
	atDelimiter bool
	ended       bool // by the last delimiter, or by the end of the input
}

// next goes to the next part, which Read then reads. It skips the rest of the current
// part, and the text before the first.
func (p *partReader) next() bool {
	io.Copy(io.Discard, p)
	p.atDelimiter = false
	return !p.ended
}

// Read implements io.Reader. A part ends with io.EOF.
func (p *partReader) Read(to []byte) (int, error) {
	if len(p.left) == 0 && !p.atDelimiter && !p.ended {
		p.readLine()
	}
	if len(p.left) == 0 {
		return 0, io.EOF
	}
	n := copy(to, p.left)
	p.left = p.left[n:]
	return n, nil
}

// readLine reads a line, or as much of it as the buffer holds.
func (p *partReader) readLine() {
	chunk, err := p.br.ReadSlice('\n')
	if rest, ok := bytes.CutPrefix(chunk, p.delimiter); ok && p.isLineStart {
		switch string(bytes.TrimRight(rest, " \t\r\n")) {
		case "":
			p.atDelimiter = true
			return
		case "--":
			p.ended = true
			return
		}
	}
	p.left, p.isLineStart = chunk, err == nil
	p.ended = err != nil && err != bufio.ErrBufferFull
}
