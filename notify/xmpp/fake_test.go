package xmpp

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"vext/internal/testkit/ircd"
)

// A server is the other end of a connection of a Client, which a test plays.
type server struct {
	conn     net.Conn
	d        *xml.Decoder
	config   *tls.Config
	attempt  int    // from 1
	resource string // that the client wants
}

var errServer = errors.New("the client did not do as expected")

// open answers the beginning of a stream with features.
func (s *server) open(features string) error {
	s.d = xml.NewDecoder(s.conn)
	for {
		token, err := s.d.Token()
		if err != nil {
			return err
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "stream" {
			break
		}
	}
	return s.write("<?xml version='1.0'?><stream:stream from='localhost' id='1' version='1.0' xmlns='jabber:client' xmlns:stream='" +
		nsStream + "'><stream:features>" + features + "</stream:features>")
}

func (s *server) write(text string) error {
	_, err := io.WriteString(s.conn, text)
	return err
}

// read returns the next element.
func (s *server) read() (*element, error) {
	for {
		token, err := s.d.Token()
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			return build(s.d, token)
		case xml.EndElement:
			return nil, io.EOF
		}
	}
}

// secure lets the client begin TLS, and a stream with features.
func (s *server) secure(features string) error {
	if err := s.open("<starttls xmlns='" + nsTLS + "'/>"); err != nil {
		return err
	}
	if e, err := s.read(); err != nil || !e.is(nsTLS, "starttls") {
		return errors.Join(err, errServer)
	}
	if err := s.write("<proceed xmlns='" + nsTLS + "'/>"); err != nil {
		return err
	}
	s.conn = tls.Server(s.conn, s.config)
	return s.open(features)
}

func mechanismsOf(names ...string) (features string) {
	for _, name := range names {
		features += "<mechanism>" + name + "</mechanism>"
	}
	return "<mechanisms xmlns='" + nsSASL + "'>" + features + "</mechanisms>"
}

// login lets the client log in, and answers the ping after its presence.
func (s *server) login() error {
	if err := s.bind(); err != nil {
		return err
	}
	return s.pong()
}

// bind lets the client bind a resource.
func (s *server) bind() error {
	if err := s.secure(mechanismsOf("PLAIN")); err != nil {
		return err
	}
	if e, err := s.read(); err != nil || !e.is(nsSASL, "auth") || e.attr("mechanism") != "PLAIN" {
		return errors.Join(err, errServer)
	}
	if err := s.write("<success xmlns='" + nsSASL + "'/>"); err != nil {
		return err
	}
	if err := s.open("<bind xmlns='" + nsBind + "'/>"); err != nil {
		return err
	}
	e, err := s.read()
	if err != nil {
		return err
	}
	s.resource = e.child(nsBind, "bind").content(nsBind, "resource")
	if err := s.write(fmt.Sprintf("<iq type='result' id='%s'><bind xmlns='%s'><jid>romeo@localhost/%s</jid></bind></iq>", e.attr("id"), nsBind, s.resource)); err != nil {
		return err
	}
	if e, err = s.read(); err != nil || !e.is(nsClient, "presence") {
		return errors.Join(err, errServer)
	}
	return nil
}

// pong reads a ping and answers it.
func (s *server) pong() error {
	e, err := s.read()
	if err != nil || e.child(nsPing, "ping") == nil {
		return errors.Join(err, errServer)
	}
	return s.write("<iq type='result' id='" + e.attr("id") + "' from='localhost' to='" + s.resource + "'/>")
}

// serve answers pings until the connection ends, and passes other stanzas on.
func (s *server) serve(got chan<- *element) {
	for {
		e, err := s.read()
		if err != nil {
			return
		}
		if e.child(nsPing, "ping") != nil && e.attr("to") == "localhost" {
			s.write("<iq type='result' id='" + e.attr("id") + "'/>")
		} else if got != nil {
			got <- e
		}
	}
}

// play returns the options of a client whose connections a script serves, and how often it
// has connected.
func play(t *testing.T, script func(*server)) (Options, *atomic.Int32) {
	ca, attempts := ircd.NewCA(t), new(atomic.Int32)
	config := ca.Server("localhost").ServerTLS(t)
	config.ClientAuth = tls.NoClientCert
	dial := func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			script(&server{conn: far, config: config, attempt: int(attempts.Add(1))})
		}()
		return near, nil
	}
	return Options{JID: "romeo@localhost", Password: "x", Server: "localhost:5222", TLS: ca.ClientTLS(), Dial: dial}, attempts
}

// A stoppable connection loses what is written, once it is stopped.
type stoppable struct {
	net.Conn
	stop atomic.Bool
}

func (s *stoppable) Write(b []byte) (int, error) {
	if s.stop.Load() {
		return len(b), nil
	}
	return s.Conn.Write(b)
}
