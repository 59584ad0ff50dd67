package xmpp

import (
	"context"
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// handle handles a stanza.
func (s *session) handle(e *element) error {
	switch {
	case e.is(nsClient, "message"):
		if m, ok := s.message(e); ok {
			for _, h := range s.handlers {
				if h.Message != nil {
					h.Message(m)
				}
			}
		}
	case e.is(nsClient, "presence"):
		p := presenceOf(e)
		for _, h := range s.handlers {
			if h.Presence != nil {
				h.Presence(p)
			}
		}
	case e.is(nsClient, "iq"):
		switch e.attr(attrType) {
		case typeResult, typeError:
			if s.isServer(e.attr("from")) {
				s.answered(e.attr("id"))
			}
		case "get", "set":
			_, err := s.write(context.Background(), s.answerOf(e), false)
			return err
		}
	}
	return nil
}

// isServer reports whether a stanza is from the server itself, which also answers for the
// account.
func (s *session) isServer(from string) bool {
	return from == "" || strings.EqualFold(from, s.domain) || from == Bare(s.self)
}

// answerOf returns the answer to a request: XEP-0199, XEP-0030, or that it is not served.
func (s *session) answerOf(e *element) *element {
	answer := func(kind string) *element {
		return node(nsClient, "iq", "id", e.attr("id"), "to", e.attr("from"), attrType, kind)
	}
	if e.attr(attrType) == "get" {
		if e.child(nsPing, "ping") != nil {
			return answer(typeResult)
		}
		if query := e.child(nsDisco, "query"); query != nil && query.attr("node") == "" {
			info := node(nsDisco, "query").with(node(nsDisco, "identity", "category", "client", attrType, "bot", "name", "vext"))
			for _, feature := range []string{nsDisco, nsPing, nsReceipts} {
				info.with(node(nsDisco, "feature", "var", feature))
			}
			return answer(typeResult).with(info)
		}
	}
	return answer(typeError).with(node(nsClient, typeError, attrType, "cancel").with(node(nsStanzas, "service-unavailable")))
}

// message returns what a message stanza says. A copy of another message counts only when
// our own account has sent it: anybody can write one.
func (s *session) message(e *element) (m Message, ok bool) {
	for _, kind := range []string{"sent", "received"} {
		if copied := e.child(nsCarbons, kind); copied != nil {
			inner := copied.child(nsForward, "forwarded").child(nsClient, "message")
			if from := e.attr("from"); inner == nil || from != "" && from != Bare(s.self) {
				return m, false
			}
			m = messageOf(inner)
			m.Carbon = true
			return m, true
		}
	}
	m = messageOf(e)
	if m.From == "" { // RFC 6120, section 8.1.2.1
		m.From = Bare(s.self)
	}
	return m, true
}

func messageOf(e *element) Message {
	m := Message{
		ID: e.attr("id"), From: e.attr("from"), To: e.attr("to"), Type: e.attr(attrType), Body: bodyOf(e),
		Delayed: e.child(nsDelay, "delay") != nil || e.child(nsOldDelay, "x") != nil,
		Request: e.child(nsReceipts, "request") != nil,
		NoStore: e.child(nsHints, "no-store") != nil,
	}
	if m.Type == "" {
		m.Type = "normal"
	}
	if received := e.child(nsReceipts, "received"); received != nil {
		m.Receipt = received.attr("id")
	}
	if m.Type == typeError {
		m.Error, m.Text = errorOf(e)
	}
	m.Payload = payloadOf(e)
	return m
}

// payloadOf returns the element of ours in a stanza, nil if there is none.
func payloadOf(e *element) []byte {
	if i := slices.IndexFunc(e.children, isOurs); i >= 0 {
		return e.children[i].encode("")
	}
	return nil
}

// withPayload adds an element of ours to a stanza.
func withPayload(e *element, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	payload, err := parse(data)
	if err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	if !isOurs(payload) {
		return fmt.Errorf("payload: the namespace of <%s> is not ours", payload.name.Local)
	}
	e.with(payload)
	return nil
}

func isOurs(e *element) bool { return strings.HasPrefix(e.name.Space, nsOurs) }

// bodyOf returns the body of a message, that without a language if there are several.
func bodyOf(e *element) string {
	body := e.child(nsClient, "body")
	for _, c := range e.children {
		isTranslated := slices.ContainsFunc(c.attrs, func(a xml.Attr) bool { return a.Name.Space == nsXML && a.Name.Local == "lang" })
		if c.is(nsClient, "body") && !isTranslated {
			body = c
			break
		}
	}
	if body == nil {
		return ""
	}
	return body.text
}

// errorOf returns the condition of an error, and the text about it.
func errorOf(e *element) (condition, text string) {
	condition, text = e.child(nsClient, typeError).condition(nsStanzas)
	if condition == "" {
		condition = "undefined-condition"
	}
	return condition, text
}

func presenceOf(e *element) Presence {
	p := Presence{From: e.attr("from"), Type: e.attr(attrType), Text: e.content(nsClient, "status"), Payload: payloadOf(e)}
	p.Available = p.Type == ""
	if p.Type == typeError {
		p.Error, p.Text = errorOf(e)
	}
	if room := e.child(nsMUCUser, "x"); room != nil {
		for _, c := range room.children {
			if code, err := strconv.Atoi(c.attr("code")); c.is(nsMUCUser, "status") && err == nil {
				p.Codes = append(p.Codes, code)
			}
		}
		if item := room.child(nsMUCUser, "item"); item != nil {
			p.Nick = item.attr("nick")
			if reason := item.content(nsMUCUser, "reason"); reason != "" {
				p.Text = reason
			}
		}
	}
	return p
}

// element returns a message as it is sent.
func (m *Message) element() (*element, error) {
	e := node(nsClient, "message", "id", m.ID, "to", m.To, attrType, m.Type)
	if m.Body != "" {
		e.with(node(nsClient, "body").containing(m.Body))
	}
	if err := withPayload(e, m.Payload); err != nil {
		return nil, err
	}
	if m.Request {
		e.with(node(nsReceipts, "request"))
	}
	if m.Receipt != "" {
		e.with(node(nsReceipts, "received", "id", m.Receipt))
	}
	if m.NoStore {
		e.with(node(nsHints, "no-store"), node(nsHints, "no-copy"))
	}
	return e, nil
}

// element returns presence as it is sent.
func (p PresenceOptions) element(to string) (*element, error) {
	e := node(nsClient, "presence", "to", to)
	if p.Leave {
		return node(nsClient, "presence", "to", to, attrType, unavailable), nil
	}
	if p.Room {
		join := node(nsMUC, "x").with(node(nsMUC, "history", "maxstanzas", "0"))
		if p.Password != "" {
			join.with(node(nsMUC, "password").containing(p.Password))
		}
		e.with(join)
	}
	return e, withPayload(e, p.Payload)
}

// Bare returns a JID without its resource.
func Bare(jid string) string {
	bare, _, _ := strings.Cut(jid, "/")
	return bare
}
