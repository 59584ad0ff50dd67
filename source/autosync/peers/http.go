package peers

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"vext/internal/backoff"
	"vext/internal/text"
	"vext/internal/weburl"
)

// HTTP is a link over the Hub of a `vext serve`.
type HTTP struct {
	URL   string // "https://example.org/autosync"
	Token string
	Host  string         // the name of this machine
	Roots *x509.CertPool // nil for those of the system
	Log   *slog.Logger
	Now   func() time.Time
}

// Pauses of a link over HTTP.
const (
	frozenAfter     = 3 * heartbeat    // without a heartbeat, the connection counts as lost
	announceTime    = 15 * time.Second // for an announcement
	connectTime     = 15 * time.Second // for a connection, and for the beginning of the answer
	lastsAfter      = 10 * time.Second // a connection that lived so long was not one of many that fail
	rejectedPause   = 5 * time.Minute  // after the token was rejected
	maxEvent        = 2 * maxPush      // bytes of a line of an event
	maxErrorMessage = 200              // bytes of the answer of a server that fails
)

// httpLink is a Link over a Hub.
type httpLink struct {
	state
	o         HTTP
	base      string // without a slash at its end
	client    *http.Client
	id        string
	lastEvent string
	frozen    time.Duration
	pause     backoff.Backoff
}

// errRejected says that retrying soon is useless.
var errRejected = errors.New("the token is rejected; it must be one of [autosync-hub] there")

// NewHTTP returns a link over the Hub at o.URL. The token goes to no other place: redirects
// are errors.
func NewHTTP(o HTTP) (Link, error) {
	switch err := weburl.CheckService(o.URL); {
	case err != nil: // which does not show a password
		return nil, fmt.Errorf("peers: %w", err)
	case o.Token == "" || strings.ContainsAny(o.Token, " \t\r\n"):
		return nil, fmt.Errorf("%s: the token is missing, or has blanks in it", o.URL)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12}
	transport.DialContext = (&net.Dialer{Timeout: connectTime, KeepAlive: heartbeat}).DialContext
	transport.ResponseHeaderTimeout = connectTime
	transport.MaxIdleConns = 2
	base := strings.TrimRight(o.URL, "/")
	return &httpLink{
		state: state{name: base, now: o.Now}, o: o, base: base, id: rand.Text(), frozen: frozenAfter,
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		pause:  backoff.Backoff{Min: time.Second, Max: 2 * time.Minute},
	}, nil
}

// request prepares a request to the Hub.
func (l *httpLink) request(ctx context.Context, method, what string, body io.Reader) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, l.base+"/"+what, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+l.o.Token)
	r.Header.Set(clientHeader, l.id)
	r.Header.Set(hostHeader, l.o.Host)
	return r, nil
}

// do sends a request, and returns an error if the answer is not 2xx.
func (l *httpLink) do(r *http.Request) (*http.Response, error) {
	answer, err := l.client.Do(r)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // the URL is known
		}
		return nil, err
	}
	if answer.StatusCode/100 == 2 {
		return answer, nil
	}
	defer answer.Body.Close()
	switch answer.StatusCode / 100 {
	case 3:
		return nil, fmt.Errorf("the server redirects to another URL (%s), which is not followed", answer.Status)
	case 4:
		if answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden {
			return nil, errRejected
		}
		if answer.StatusCode == http.StatusNotFound {
			return nil, errors.New("the server has no [autosync-hub] at this URL (404)")
		}
	}
	said, _ := io.ReadAll(io.LimitReader(answer.Body, maxErrorMessage))
	return nil, fmt.Errorf("the server answers %s: %s", answer.Status, text.OneLine(string(said)))
}

// Announce implements Link.
func (l *httpLink) Announce(ctx context.Context, p Push) error {
	ctx, cancel := context.WithTimeout(ctx, announceTime)
	defer cancel()
	p.Host = cmp.Or(p.Host, l.o.Host)
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	r, err := l.request(ctx, http.MethodPost, "push", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := l.do(r)
	if err != nil {
		return fmt.Errorf("%s: %w", l.name, err)
	}
	return answer.Body.Close()
}

// Run implements Link.
func (l *httpLink) Run(ctx context.Context, pushed func(Push)) error {
	defer l.client.CloseIdleConnections()
	for failures := 1; ; failures++ {
		begun := l.now()
		err := l.listen(ctx, pushed)
		if ctx.Err() != nil {
			l.disconnected(nil)
			return ctx.Err()
		}
		l.disconnected(err)
		if l.wasConnected(begun) {
			failures = 1
		}
		pause := l.pause.After(failures)
		if errors.Is(err, errRejected) {
			pause = max(pause, rejectedPause)
		}
		if failures == 1 || errors.Is(err, errRejected) {
			l.o.Log.Warn("link to peers lost", "link", l.name, "error", err)
		}
		if err := backoff.Sleep(ctx, backoff.Jitter(pause, mathrand.Float64)); err != nil {
			return err
		}
	}
}

// wasConnected reports whether a connection that began then has lasted.
func (l *httpLink) wasConnected(begun time.Time) bool { return l.now().Sub(begun) >= lastsAfter }

// listen connects, and reads events until the connection ends.
func (l *httpLink) listen(ctx context.Context, pushed func(Push)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r, err := l.request(ctx, http.MethodGet, "events", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "text/event-stream")
	if l.lastEvent != "" {
		r.Header.Set("Last-Event-ID", l.lastEvent)
	}
	answer, err := l.do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if kind := answer.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/event-stream") {
		return fmt.Errorf("the server sends %q, not events: is this the URL of an [autosync-hub]?", kind)
	}
	silent := time.AfterFunc(l.frozen, func() { cancel(fmt.Errorf("the server was silent for %s", l.frozen)) })
	defer silent.Stop()
	l.connected()
	l.o.Log.Debug("link to peers", "link", l.name)
	pushed(Push{}) // some may have been missed
	err = readEvents(answer.Body, func() { silent.Reset(l.frozen) }, func(e sseEvent) { l.handle(e, pushed) })
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// handle handles an event. One that is not understood is ignored.
func (l *httpLink) handle(e sseEvent, pushed func(Push)) {
	if isID(e.id) {
		l.lastEvent = e.id
	}
	switch e.kind {
	case "push":
		var p Push
		if json.Unmarshal([]byte(e.data), &p) == nil && isUnderstood(&p) {
			p.URLs = fetchURLs(p.URLs)
			l.hasPushed(p.Host)
			pushed(p)
		}
	case "peer":
		var p peerEvent
		if json.Unmarshal([]byte(e.data), &p) == nil {
			l.seen(p.Host, p.Online)
		}
	}
}

// isID reports whether the number of an event may go into a header field.
func isID(s string) bool {
	return s != "" && len(s) <= maxHost && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
