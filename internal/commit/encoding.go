package commit

import (
	"io"
	"strings"

	"github.com/emersion/go-message"
)

// decodable returns an entity's header and body for go-message, whose decoders
// end at the first byte that should not be there, and with it would a commit
// message: RFC 2045 has such bytes passed over (section 6.7, note 5, and 6.8).
func decodable(h message.Header, body io.Reader) (message.Header, io.Reader) {
	if strings.Contains(strings.ToLower(h.Get("Content-Type")), "utf-16") && h.Get("Content-Transfer-Encoding") == "" {
		return h, body // its zeros are no mistake
	}
	if strings.EqualFold(h.Get("Content-Transfer-Encoding"), "base64") {
		h.Del("Content-Transfer-Encoding")
		return h, &base64Reader{r: body}
	}
	return h, controlReader{body}
}

// A controlReader turns control characters into blanks.
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

// A base64Reader decodes base64, passes over what is not of its alphabet, and
// begins anew behind padding: some mailers put one block after the other.
type base64Reader struct {
	r    io.Reader
	bits uint32
	n    int // of sextets in bits
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

// Read implements io.Reader. It reads into p and decodes in place: no letter
// gives more than a byte.
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

// put takes in the value of a letter and returns how many bytes it gave.
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
