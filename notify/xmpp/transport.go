package xmpp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"vext/internal/backoff"
	"vext/internal/target"
	"vext/notify"
)

// A Transport is a notify.Transport to persons and rooms, over the connection of one
// account. It is safe for use by many goroutines. Each recipient has a goroutine.
type Transport struct {
	Account string   // the bare JID; "" accepts nothing
	Nick    string   // in rooms
	Keep    []string // URIs of rooms to stay in
	Need    func()   // is called when there is something to deliver; nil for nothing
	Log     *slog.Logger
	Now     func() time.Time

	conn Connection // nil where nothing is delivered

	mu         sync.Mutex
	queue      notify.Queue
	ctx        context.Context // while it runs
	isUp       bool            // the connection
	recipients map[string]*recipient
	known      map[string]bool // all of them, also those of the outbox, by their URLs
	keep       map[string]bool
	pace       *notify.Pace
	workers    sync.WaitGroup
}

// The pace of messages. Servers limit the bytes a second of a connection, most to some
// thousand.
const (
	burst = 10
	rate  = 5
)

// maxRecipients bounds the recipients that others can name.
const maxRecipients = 2000

// NewTransport returns a transport over a connection that does not run yet, or without one,
// nil, a transport that only changes the outbox.
func NewTransport(conn Connection) *Transport {
	t := &Transport{conn: conn, recipients: map[string]*recipient{}, known: map[string]bool{}, keep: map[string]bool{}, pace: notify.NewPace(burst, rate)}
	if conn != nil {
		conn.Handle(Handler{Connected: t.connected, Disconnected: t.disconnected, Message: t.received, Presence: t.present})
	}
	return t
}

// Accept implements notify.Transport. A text stays one message, whatever lines it has.
// Without a text, which is how pending messages are dropped, no account is needed.
func (t *Transport) Accept(all []notify.Message) (accepted []notify.Message, recipients []notify.Recipient, err error) {
	if t.Account == "" && slices.ContainsFunc(all, func(m notify.Message) bool { return m.Text != "" }) {
		return nil, nil, &notify.PermanentError{Err: errors.New("xmpp: no account to send from: set jid and password (or password_file) under [xmpp]")}
	}
	addressed, recipients, err := notify.Addressed(all)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range addressed {
		if m.Text = clean(m.Text); m.Text != "" {
			accepted = append(accepted, m)
		}
	}
	return accepted, recipients, t.checkBounds(recipients)
}

func (t *Transport) checkBounds(recipients []notify.Recipient) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	added := 0
	for _, r := range recipients {
		if !t.known[r.URL] {
			added++
		}
	}
	if added > 0 && added+len(t.known) > maxRecipients {
		return &notify.PermanentError{Err: fmt.Errorf("more than %d persons and rooms on XMPP", maxRecipients)}
	}
	return nil
}

// Run implements notify.Transport. It returns when the goroutines of all recipients have
// ended.
func (t *Transport) Run(ctx context.Context, q notify.Queue) error {
	known, err := q.Recipients(true)
	var kept []notify.Recipient
	for _, url := range t.Keep {
		to, parseErr := target.Parse(url)
		if err = errors.Join(err, parseErr); parseErr == nil {
			kept = append(kept, notify.RecipientOf(&to))
		}
	}
	t.mu.Lock()
	t.ctx, t.queue = ctx, q
	for _, r := range known {
		t.known[r.URL] = true
	}
	for _, r := range kept {
		t.keep[r.URL] = true
	}
	t.mu.Unlock()
	pending, pendingErr := q.Recipients(false)
	t.Wake(append(kept, pending...))
	<-ctx.Done()
	t.mu.Lock()
	t.ctx = nil // no recipient begins after this
	t.mu.Unlock()
	t.workers.Wait()
	return errors.Join(err, pendingErr)
}

// Wake implements notify.Transport.
func (t *Transport) Wake(recipients []notify.Recipient) {
	for _, r := range recipients {
		to, err := target.Parse(r.URL)
		if err != nil {
			continue
		}
		if one := t.use(to, r.URL); one != nil {
			one.wake(r.Secret)
		}
	}
}

// use returns a recipient that is known from now on, nil while the transport does not run.
func (t *Transport) use(to target.Target, url string) *recipient {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known[url] = true
	ctx := t.ctx
	if ctx == nil || t.conn == nil {
		return nil
	}
	r := t.recipients[url]
	if r == nil {
		r = newRecipient(t, to, url)
		r.isAway = notify.WasAway(t.queue, url, t.Now())
		t.recipients[url] = r
		t.workers.Go(func() { r.run(ctx) })
		if t.Need != nil {
			t.Need()
		}
	}
	return r
}

// waitTurn waits until the pace allows another message.
func (t *Transport) waitTurn(ctx context.Context) error {
	for {
		t.mu.Lock()
		now := t.Now()
		wait := t.pace.Wait(now)
		if wait == 0 {
			t.pace.Spend(now)
		}
		t.mu.Unlock()
		if wait == 0 {
			return ctx.Err()
		}
		if err := backoff.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// all returns the recipients in use.
func (t *Transport) all() []*recipient {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Values(t.recipients))
}

// find returns the recipients of a JID: a room and a person may have the same one.
func (t *Transport) find(jid string) (found []*recipient) {
	jid = strings.ToLower(Bare(jid))
	for _, r := range t.all() {
		if r.target.Name == jid {
			found = append(found, r)
		}
	}
	return found
}

func (t *Transport) up() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.isUp
}

func (t *Transport) setUp(isUp bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.isUp = isUp
}

// connected handles a new connection.
func (t *Transport) connected(string) {
	t.setUp(true)
	for _, r := range t.all() {
		r.change(func() { r.retry = time.Time{} })
	}
}

// disconnected handles the loss of the connection. The server takes us out of all rooms.
func (t *Transport) disconnected(error) {
	t.setUp(false)
	for _, r := range t.all() {
		r.change(func() {
			r.enter(outside)
			r.isAway = true
			r.sent.fail(errLost)
		})
	}
}

// received handles a message. Only what answers one of ours counts: whoever else writes to
// us gets no answer.
func (t *Transport) received(m Message) {
	if m.Carbon || m.Delayed {
		return
	}
	for _, r := range t.find(m.From) {
		r.received(m)
	}
}

// present handles presence. Only that of ourselves in a room counts.
func (t *Transport) present(p Presence) {
	for _, r := range t.find(p.From) {
		if !r.target.IsPerson {
			r.present(p)
		}
	}
}
