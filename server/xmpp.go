package server

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"vext/internal/config"
	"vext/internal/hint"
	"vext/notify/irc"
	"vext/notify/xmpp"
)

const xmppHint = "see [xmpp] in vext.toml(5)"

// defaultNick is the nick in a room.
const defaultNick = "vext"

// An account is the connection of [xmpp]. All parts of a process that speak XMPP use the
// same one. It connects when the first of them needs it.
type account struct {
	*xmpp.Client
	needed chan struct{}
	need   func()
}

// newAccount returns the account of the configuration, nil when there is none.
func (s *Server) newAccount() (*account, error) {
	c := &s.Config.XMPP
	if c.JID == "" {
		return nil, nil
	}
	password, passwordErr := c.Secret()
	tls, tlsErr := irc.TLSConfig(c.CA, "", "")
	if err := errors.Join(passwordErr, tlsErr); err != nil {
		return nil, hint.Wrap(err, xmppHint)
	}
	client, err := xmpp.New(xmpp.Options{
		JID: c.Account(), Password: password, Server: c.Server, TLS: tls, Resource: c.Resource, Log: s.Log, Now: time.Now,
	})
	if err != nil {
		return nil, hint.Wrap(err, xmppHint)
	}
	needed := make(chan struct{})
	return &account{Client: client, needed: needed, need: sync.OnceFunc(func() { close(needed) })}, nil
}

// xmpp returns the account that all parts of this process share, nil when there is none.
// It is called while the tasks of a process are assembled, by one goroutine: handlers are
// added before the account's task runs, which is run once.
func (s *Server) xmpp() (*account, error) {
	if s.account != nil {
		return s.account, nil
	}
	var err error
	s.account, err = s.newAccount()
	return s.account, err
}

// run keeps the connection from when it is needed until ctx ends.
func (a *account) run(ctx context.Context) error {
	if a == nil {
		<-ctx.Done()
		return nil
	}
	select {
	case <-a.needed:
		return a.Client.Run(ctx)
	case <-ctx.Done():
		return nil
	}
}

// newXMPP returns the transport of a configuration. Without an account it only changes the
// outbox.
func newXMPP(c *config.Config, a *account) *xmpp.Transport {
	var t *xmpp.Transport
	if a == nil {
		t = xmpp.NewTransport(nil)
	} else {
		t = xmpp.NewTransport(a)
		t.Need = a.need
	}
	t.Account, t.Nick = c.XMPP.Account(), cmp.Or(c.XMPP.Nick, defaultNick)
	return t
}
