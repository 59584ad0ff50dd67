package xmpp

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// maxStanza bounds what is read from the network for one stanza. The default of servers is
// a quarter of it.
const maxStanza = 1 << 20

var errStanza = errors.New("the server sent a stanza that is too large")

// A bounded connection reads no more than left bytes, and waits for no write for longer
// than timeout.
type bounded struct {
	net.Conn
	left    int
	timeout time.Duration
}

func (c *bounded) Read(b []byte) (int, error) {
	if c.left <= 0 {
		return 0, errStanza
	}
	n, err := c.Conn.Read(b)
	c.left -= n
	return n, err
}

func (c *bounded) Write(b []byte) (int, error) {
	if err := c.Conn.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// A stream is an XML stream to a server (RFC 6120, section 4).
type stream struct {
	raw    *bounded
	conn   net.Conn // raw, or TLS over it
	d      *xml.Decoder
	domain string
}

func newStream(conn net.Conn, domain string, timeout time.Duration) *stream {
	raw := &bounded{Conn: conn, left: maxStanza, timeout: timeout}
	return &stream{raw: raw, conn: raw, domain: domain}
}

// secure begins TLS.
func (s *stream) secure(ctx context.Context, config *tls.Config) error {
	conn := tls.Client(s.raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return &certificateError{config.ServerName, err}
	}
	s.conn = conn
	return nil
}

// open begins the stream, or begins it anew, and returns the features that are offered.
func (s *stream) open() (*element, error) {
	var to strings.Builder
	xml.EscapeText(&to, []byte(s.domain))
	header := fmt.Sprintf(`<?xml version="1.0"?><stream:stream to="%s" version="1.0" xml:lang="en" xmlns="%s" xmlns:stream="%s">`,
		to.String(), nsClient, nsStream)
	if _, err := io.WriteString(s.conn, header); err != nil {
		return nil, err
	}
	s.d = xml.NewDecoder(s.conn)
	s.raw.left = maxStanza
	for {
		token, err := s.d.Token()
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name != (xml.Name{Space: nsStream, Local: "stream"}) {
				return nil, errors.New("this is no server of XMPP")
			}
			features, err := s.next()
			if err == nil && !features.is(nsStream, "features") {
				err = fmt.Errorf("the server sent <%s> where its features are expected", features.name.Local)
			}
			return features, err
		case xml.ProcInst:
		case xml.CharData:
			if strings.TrimSpace(string(token)) != "" {
				return nil, errors.New("this is no server of XMPP")
			}
		default:
			return nil, errRestricted
		}
	}
}

// next returns the next element that is within the bounds. An error of the stream is a
// *streamError.
func (s *stream) next() (*element, error) {
	for {
		s.raw.left = maxStanza
		token, err := s.d.Token()
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			e, err := build(s.d, token)
			if errors.Is(err, errTooLarge) {
				continue
			}
			if err == nil && e.is(nsStream, "error") {
				condition, text := e.condition(nsStreams)
				err = &streamError{condition, text}
			}
			return e, err
		case xml.EndElement: // of the stream
			return nil, io.EOF
		case xml.CharData: // whitespace keeps connections alive
			if strings.TrimSpace(string(token)) != "" {
				return nil, errRestricted
			}
		default:
			return nil, errRestricted
		}
	}
}

// send writes an element.
func (s *stream) send(e *element) error {
	_, err := s.conn.Write(e.encode(nsClient))
	return err
}
