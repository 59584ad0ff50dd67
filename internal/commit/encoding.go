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

// Read implements io.Reader. It reads into p and decodes in place: three bytes
// never need more room than the four letters they come from.
func (d *base64Reader) Read(p []byte) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	if len(p) < 4 {
		small := make([]byte, 4)
		n, err := d.Read(small[:max(len(p), 1)])
		return copy(p, small[:n]), err
	}
	n, err := d.r.Read(p)
	out := 0
	for _, b := range p[:n] {
		switch s := sextets[b]; {
		case s > 0:
			if d.bits, d.n = d.bits<<6|uint32(s-1), d.n+1; d.n > 1 {
				p[out] = byte(d.bits >> (6 - 2*(d.n-1)))
				out++
			}
			d.n %= 4
		case b == '=':
			d.n = 0
		}
	}
	d.err = err
	if out > 0 {
		return out, nil
	}
	return out, err
}
