package commit

import (
	"bufio"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A utf16Decoder converts UTF-16 (RFC 2781) to UTF-8. golang.org/x/text would slow down
// the start of the filter.
type utf16Decoder struct {
	r      *bufio.Reader
	little bool
	begun  bool
	rest   []byte // bytes of a character that did not fit into the caller's buffer
}

// utf16Reader returns a reader of UTF-8 if the charset is a kind of UTF-16. A byte order
// mark has precedence over the charset's name.
func utf16Reader(charset string, r io.Reader) (io.Reader, bool) {
	switch strings.ToLower(charset) {
	case "utf-16", "utf-16be":
		return &utf16Decoder{r: bufio.NewReader(r)}, true
	case "utf-16le":
		return &utf16Decoder{r: bufio.NewReader(r), little: true}, true
	}
	return nil, false
}

// Read implements io.Reader.
func (d *utf16Decoder) Read(p []byte) (int, error) {
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	for n < len(p) && len(d.rest) == 0 {
		c, err := d.rune()
		if err != nil {
			if n > 0 {
				return n, nil
			}
			return 0, err
		}
		var encoded [utf8.UTFMax]byte
		size := utf8.EncodeRune(encoded[:], c)
		copied := copy(p[n:], encoded[:size])
		n, d.rest = n+copied, encoded[copied:size]
	}
	return n, nil
}

func (d *utf16Decoder) rune() (rune, error) {
	c, err := d.unit()
	if err != nil {
		return 0, err
	}
	if !d.begun {
		d.begun = true
		switch c {
		case 0xfffe: // a byte order mark in the other order
			d.little = !d.little
			return d.rune()
		case 0xfeff:
			return d.rune()
		}
	}
	if !utf16.IsSurrogate(c) {
		return c, nil
	}
	low, err := d.unit()
	if err != nil {
		return utf8.RuneError, nil
	}
	return utf16.DecodeRune(c, low), nil
}

// unit reads two bytes. Half a unit at the end is dropped.
func (d *utf16Decoder) unit() (rune, error) {
	a, err := d.r.ReadByte()
	if err != nil {
		return 0, err
	}
	b, err := d.r.ReadByte()
	if err != nil {
		return 0, err
	}
	if d.little {
		a, b = b, a
	}
	return rune(a)<<8 | rune(b), nil
}
