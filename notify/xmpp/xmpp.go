// Package xmpp keeps one connection to the XMPP server of one account (RFC 6120, RFC 6121).
// Over it go the messages of the outbox, and the notices of autosync to its peers.
package xmpp

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"time"
)

// Options are how a Client logs in.
type Options struct {
	JID      string // bare: jane@example.org
	Password string
	Server   string      // host:port, where connections to port 5223 begin with TLS; "" to ask DNS for the SRV records of the domain
	TLS      *tls.Config // with the certificate authorities that are trusted; nil for those of the system
	Resource string      // the beginning of the wanted resource, "" for vext-HOST; the server may give another
	Log      *slog.Logger
	Now      func() time.Time

	// How to connect, and to look up SRV records; nil for those of package net.
	Dial   func(ctx context.Context, network, addr string) (net.Conn, error)
	Lookup func(ctx context.Context, service, proto, name string) (cname string, records []*net.SRV, err error)
}

// A Message is a message stanza (RFC 6121, section 5).
type Message struct {
	ID       string
	From, To string // JIDs; From is set by the server
	Type     string // chat, groupchat, normal, headline, error
	Body     string
	Payload  []byte // one element of a namespace of ours, as XML; nil for none
	Delayed  bool   // the server had stored it (XEP-0203)
	Carbon   bool   // a copy of what another resource has sent or got (XEP-0280)
	Receipt  string // the ID of the message whose delivery it confirms (XEP-0184)
	Request  bool   // it asks for a receipt
	NoStore  bool   // nobody keeps it, nor sends copies of it (XEP-0334)
	Error    string // the condition of an error, "" for none
	Text     string // what the server says about it, "" for nothing
}

// A Presence is a presence stanza.
type Presence struct {
	From      string // full JID
	Available bool
	Type      string // "" for available, else as in RFC 6121, section 4.7.1
	Error     string // the condition of an error
	Text      string // what the server or the room says about it, "" for nothing
	Codes     []int  // of a room: 110 for ourselves, 201 for new, 303, 307 ... (XEP-0045, section 15.6)
	Nick      string // of a room, with code 303: the new nick
	Payload   []byte // one element of a namespace of ours, as XML; nil for none
}

// A Handler gets what arrives, one call at a time. It must not block, nor call Send. Any of
// its functions may be nil.
type Handler struct {
	Connected    func(self string) // after the server handled the initial presence; self is the bound full JID
	Disconnected func(err error)
	Message      func(Message)
	Presence     func(Presence)
}

// A Status is the state of the connection.
type Status struct {
	Account   string    `json:"account"`
	Server    string    `json:"server,omitempty"` // host:port
	Connected bool      `json:"connected"`
	Self      string    `json:"self,omitempty"` // the bound full JID
	Since     time.Time `json:"since,omitzero"`
	Error     string    `json:"error,omitempty"` // why it is not connected
	Retry     time.Time `json:"retry,omitzero"`  // when it connects again
}

// A Connection is what users of a Client need. The fake in tests is another one.
type Connection interface {
	// Handle adds a handler. It is called before Run.
	Handle(Handler)
	// Send writes a message to the connection. It returns an *notify.UnavailableError
	// while there is none. That the server has it is confirmed when it returns nil: a ping
	// (XEP-0199) that was sent after it was answered, or the server acknowledged it
	// (XEP-0198).
	Send(ctx context.Context, m Message) error
	// SendPresence sends presence to a full JID, or to a room to join or leave it.
	SendPresence(ctx context.Context, to string, p PresenceOptions) error
	Status() Status
}

// PresenceOptions say what presence is sent.
type PresenceOptions struct {
	Leave    bool   // unavailable
	Room     bool   // with the element of XEP-0045, to join without the history
	Password string // of the room
	Payload  []byte // one element of a namespace of ours, as XML; nil for none
}

// ErrNotConnected says that there is no connection now.
var ErrNotConnected = errors.New("not connected")
