package commit

import (
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"

	"github.com/emersion/go-message"
	"golang.org/x/text/encoding/unicode"
)

// decode returns the decoded text of an entity, and its charset when it is not decoded: in
// every charset that mails use but UTF-16, a trailer has the bytes of ASCII. Invalid bytes
// are ignored, as RFC 2045 wants it (section 6.7, note 5, and section 6.8).
func (h *Header) decode(body io.Reader, mediaType, charset string) (text io.Reader, undecoded string) {
	encoding, _, _ := strings.Cut(strings.TrimRight(h.Get("Content-Transfer-Encoding"), ";"), " ")
	switch encoding = strings.ToLower(encoding); {
	case encoding == "base64":
		body = &base64Reader{r: body}
	case encoding == "quoted-printable":
		body = quotedprintable.NewReader(controlReader{body})
	case encoding != "" || !strings.HasPrefix(strings.ToLower(charset), "utf-16"): // whose zero bytes are valid
		body = controlReader{body}
	}
	if !strings.HasPrefix(mediaType, "text/") {
		return body, ""
	}
	text, err := charsetReader(charset, body)
	if err != nil {
		return body, charset
	}
	return text, ""
}

// charsetReader returns a reader of UTF-8. The filter knows only UTF-16 (RFC 2781), of which
// a byte order mark has precedence over the name: it does not link go-message's charset
// package, which would take a quarter of its time.
func charsetReader(charset string, r io.Reader) (io.Reader, error) {
	charset = strings.ToLower(charset)
	switch charset {
	case "", "utf-8", "us-ascii":
		return r, nil
	case "utf-16", "utf-16be":
		return unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder().Reader(r), nil
	case "utf-16le":
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Reader(r), nil
	}
	if message.CharsetReader != nil {
		return message.CharsetReader(charset, r)
	}
	return nil, fmt.Errorf("unknown charset: %q", charset)
}

// A controlReader replaces control characters by blanks.
type controlReader struct{ r io.Reader }

func (c controlReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	for i, b := range p[:n] {
		if (b < ' ' && b != '\t' && b != '\r' && b != '\n') || b == 0x7f {
			p[i] = ' '
		}
	}
	return n, err
}

// A base64Reader decodes base64. It ignores bytes outside the alphabet, and starts a new
// block behind padding, because some mailers write several blocks.
type base64Reader struct {
	r    io.Reader
	bits uint32
	n    int // how many sextets bits has
	err  error
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// sextets gives the value of each letter of the alphabet, plus one.
var sextets = func() (table [256]byte) {
	for i := range len(alphabet) {
		table[alphabet[i]] = byte(i + 1)
	}
	return table
}()

// Read implements io.Reader. It reads into p and decodes in place: a letter yields at
// most one byte.
func (d *base64Reader) Read(p []byte) (int, error) {
	out := 0
	for out == 0 && d.err == nil && len(p) > 0 {
		var n int
		n, d.err = d.r.Read(p)
		for _, b := range p[:n] {
			if s := sextets[b]; s > 0 {
				out += d.put(s-1, p[out:])
			} else if b == '=' {
				d.n = 0
			}
		}
	}
	if out > 0 {
		return out, nil
	}
	return 0, d.err
}

// put adds the value of a letter and returns how many bytes it wrote to to.
func (d *base64Reader) put(value byte, to []byte) int {
	d.bits = d.bits<<6 | uint32(value)
	d.n++
	if d.n == 1 {
		return 0
	}
	to[0] = byte(d.bits >> (8 - 2*d.n))
	d.n %= 4
	return 1
}
