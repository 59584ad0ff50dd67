package xmpp

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"vext/internal/hint"
)

// login logs in over a new stream and binds a resource. It returns the full JID. The
// password is sent to nobody but the server with the certificate of the domain.
func (c *Client) login(ctx context.Context, s *stream, isDirect bool, resource string) (self string, err error) {
	if isDirect {
		config := c.tls.Clone()
		config.NextProtos = []string{"xmpp-client"} // XEP-0368
		err = s.secure(ctx, config)
	} else {
		err = startTLS(ctx, s, c.tls)
	}
	if err != nil {
		return "", err
	}
	features, err := s.open()
	if err != nil {
		return "", err
	}
	if err := c.authenticate(s, features); err != nil {
		return "", err
	}
	if features, err = s.open(); err != nil {
		return "", err
	}
	return bind(s, features, resource)
}

// startTLS begins a stream and encrypts it (RFC 6120, section 5).
func startTLS(ctx context.Context, s *stream, config *tls.Config) error {
	features, err := s.open()
	if err != nil {
		return err
	}
	if features.child(nsTLS, "starttls") == nil {
		return errNoTLS
	}
	if err := s.send(node(nsTLS, "starttls")); err != nil {
		return err
	}
	answer, err := s.next()
	if err != nil {
		return err
	}
	if !answer.is(nsTLS, "proceed") {
		return errNoTLS
	}
	return s.secure(ctx, config)
}

// authenticate logs in by the best mechanism that the server offers (RFC 6120, section 6).
func (c *Client) authenticate(s *stream, features *element) error {
	conn, isTLS := s.conn.(*tls.Conn)
	if !isTLS {
		return errNoTLS
	}
	m, err := c.mechanism(features, conn.ConnectionState())
	if err != nil {
		return err
	}
	more, response, err := m.Step(nil)
	if err != nil {
		return err
	}
	initial := base64.StdEncoding.EncodeToString(response)
	if err := s.send(node(nsSASL, "auth", "mechanism", m.name).containing(initial)); err != nil {
		return err
	}
	for {
		data, isSuccess, err := c.answer(s)
		switch {
		case err != nil:
			return err
		case !more && isSuccess:
			return nil
		case !more:
			return errors.New("the server continues a login that is complete")
		case isSuccess && !m.isLast():
			return errors.New("the server accepted the login without a proof that it has the password")
		}
		if more, response, err = m.Step(data); err != nil {
			return fmt.Errorf("login: %w", err)
		}
		if isSuccess {
			return nil
		}
		if err := s.send(node(nsSASL, "response").containing(base64.StdEncoding.EncodeToString(response))); err != nil {
			return err
		}
	}
}

// answer reads what the server answers to a step of the login.
func (c *Client) answer(s *stream) (data []byte, isSuccess bool, err error) {
	e, err := s.next()
	if err != nil {
		return nil, false, err
	}
	isSuccess = e.is(nsSASL, "success")
	switch {
	case e.is(nsSASL, "failure"):
		condition, text := e.condition(nsSASL)
		return nil, false, &loginError{c.jid, condition, text}
	case !isSuccess && !e.is(nsSASL, "challenge"):
		return nil, false, fmt.Errorf("the server sent <%.100s> during the login", e.name.Local)
	}
	if coded := strings.TrimSpace(e.text); coded != "=" { // which is nothing
		data, err = base64.StdEncoding.DecodeString(coded)
	}
	return data, isSuccess, err
}

// bind binds a resource to the stream (RFC 6120, section 7).
func bind(s *stream, features *element, resource string) (self string, err error) {
	if features.child(nsBind, "bind") == nil {
		return "", errors.New("the server lets no resource be bound")
	}
	const id = "bind"
	request := node(nsClient, "iq", "id", id, attrType, "set").
		with(node(nsBind, "bind").with(node(nsBind, "resource").containing(resource)))
	if err := s.send(request); err != nil {
		return "", err
	}
	for {
		answer, err := s.next()
		if err != nil {
			return "", err
		}
		if !answer.is(nsClient, "iq") || answer.attr("id") != id {
			continue
		}
		if answer.attr(attrType) != typeResult {
			condition, text := answer.child(nsClient, typeError).condition(nsStanzas)
			return "", fmt.Errorf("bind the resource %s: %w", resource, &streamError{condition, text})
		}
		self = answer.child(nsBind, "bind").content(nsBind, "jid")
		if bare := Bare(self); bare == self || !strings.Contains(bare, "@") || len(self) > 3071 {
			return "", fmt.Errorf("the server bound %.100q, which is no full JID", self)
		}
		return self, nil
	}
}

var errNoTLS = hint.Wrap(errors.New("the server offers no encryption (STARTTLS)"),
	"vext sends a password only over TLS: enable it at the server")
