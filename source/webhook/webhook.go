// Package webhook takes the pushes that forges tell of by HTTP: POST
// /hook/NAME, signed with the secret of the hook of that name.
//
// An answer with 2xx means that every commit of the push that asks for a
// reminder is on disk. A push that comes again changes nothing, so that a forge
// may send it as often as it likes.
package webhook

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"vext/filter"
	"vext/internal/conns"
	"vext/internal/forge"
	"vext/internal/lograte"
	"vext/policy"
)

// A Hook is what one forge, or one repository on it, may speak to.
type Hook struct {
	Name   string
	Secret string // without one the hook is closed
	// Repositories are those that it may speak for, Allow the addresses that
	// may be reminded by it, Senders the committers whose commits it may bring:
	// patterns as in a policy.Policy, all of them when there are none.
	Repositories, Allow, Senders []string
}

// A Handler answers the hooks. Its fields are not to be changed once it
// answers.
type Handler struct {
	Hooks  []Hook
	Filter *filter.Filter // the Way of each hook is webhook-NAME
	Policy *policy.Policy // for the names of repositories, and who is reminded
	// LookUp finds the commits of an update that the forge did not describe, in
	// the followed repository of that name. It may be nil.
	LookUp func(ctx context.Context, repository string, u forge.Update) error
	Log    *slog.Logger
	Now    func() time.Time

	once     sync.Once
	slots    chan struct{} // one for each request that is worked on
	slotWait time.Duration // instead of the constant, for tests
	held     atomic.Int64  // bytes of their bodies
	refused  lograte.Limiter

	limitOnce sync.Once
	conns     *conns.Limit
	cut       lograte.Limiter // clients that are cut off
	unread    lograte.Limiter // bodies that did not come to their end
	replaced  lograte.Limiter // requests while the state directory is another
	bodyPause time.Duration   // replaces the constant in tests

	senders senders
}

// ErrNotFollowed is returned by LookUp when no repository of the name is
// followed.
var ErrNotFollowed = errors.New("no repository of that name is followed")

const (
	// maxAtOnce bounds the requests that are worked on at once, and slotWait how
	// long others wait for them.
	maxAtOnce = 64
	slotWait  = 5 * time.Second
	// lookUpTime is how long LookUp may take. Forges wait for an answer for 10
	// seconds: GitHub, GitLab.
	lookUpTime = 9 * time.Second
	// retryAfter is what a forge is told when there is too much at once.
	retryAfter = 10 * time.Second
)

const (
	// maxConns bounds the connections at once.
	maxConns = 500
	// slowAfter is for how long a client keeps its place whatever it sends. It is
	// short: a forge sends all of a request at once.
	slowAfter = 20 * time.Millisecond
)

// NewServer returns a server for h with time limits for its clients. It must serve the
// listener that Listener returns.
func NewServer(h *Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       bodyTime,
		WriteTimeout:      60 * time.Second, // counted from the header, too
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(h.Log.Handler(), slog.LevelDebug),
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
		ConnState: func(c net.Conn, state http.ConnState) {
			if conn, ok := c.(*conns.Conn); ok && state == http.StateIdle {
				conn.SetBusy(false)
			}
		},
	}
}

// Listener returns a listener with as many connections of l as the handler
// serves at once. Those that do not finish sending a request make room for
// others.
func (h *Handler) Listener(l net.Listener) net.Listener { return h.limit().Listener(l) }

func (h *Handler) limit() *conns.Limit {
	h.limitOnce.Do(func() {
		h.conns = conns.New(maxConns, slowAfter, func(client net.Addr) {
			h.cut.Log(h.Log, h.Now(), slog.LevelWarn, "webhook: too many unfinished requests, the slowest is cut off", "client", client)
		})
	})
	return h.conns
}

type connKey struct{}

// connOf returns the connection that a request came by, nil when it did not come
// by Listener.
func connOf(r *http.Request) *conns.Conn {
	conn, _ := r.Context().Value(connKey{}).(*conns.Conn)
	return conn
}

// An answer is a status and one line of text, in which nothing is of the
// request.
type answer struct {
	status int
	text   string
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := h.answer(w, r)
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	switch a.status {
	case http.StatusMethodNotAllowed:
		header.Set("Allow", http.MethodPost)
	case http.StatusUnauthorized: // which has to name a way, RFC 9110, 15.5.2
		header.Set("WWW-Authenticate", `Basic realm="vext"`)
	case http.StatusServiceUnavailable:
		header.Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	}
	w.WriteHeader(a.status)
	io.WriteString(w, a.text+"\n")
}

// answer does everything but write the answer.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request) (a answer) {
	defer func() {
		if fault := recover(); fault != nil {
			h.Log.Error("webhook: panic", "path", r.URL.Path, "err", fault, "stack", string(debug.Stack()))
			a = answer{http.StatusInternalServerError, "a fault of vext"}
		}
	}()
	if err := h.Filter.Spool.Check(); err != nil {
		h.replaced.Log(h.Log, h.Now(), slog.LevelError, "webhook: nothing is taken in", "err", err)
		return answer{http.StatusServiceUnavailable, "the state directory is not there; send it again"}
	}
	hook := h.hook(r.URL.Path)
	switch {
	case hook == nil:
		return answer{http.StatusNotFound, "no such hook"}
	case r.Method != http.MethodPost:
		return answer{http.StatusMethodNotAllowed, "a hook takes POST"}
	}
	proven := hook.isKnown(r) || isSigned(r.Header) // or so it says
	largest, within := maxBody, bodyTime
	if !proven {
		largest, within = maxUnproven, unprovenTime
	}
	body, err := h.body(w, r, largest, within)
	defer func() { h.release(r, cap(body)) }()
	if !proven && (err == nil || errors.As(err, new(*http.MaxBytesError))) {
		return h.refuse(hook, r, body, "no signature")
	}
	if err != nil {
		a := unread(err)
		h.unread.Log(h.Log, h.Now(), slog.LevelWarn, "webhook: not read", "hook", hook.Name, "client", r.RemoteAddr, "status", a.status, "err", err)
		return a
	}
	if conn := connOf(r); conn != nil {
		conn.SetBusy(true)
	}
	p, a := h.read(hook, r, body)
	if p == nil {
		return a
	}
	return h.take(r.Context(), hook, p)
}

// slot waits for a while until fewer than maxAtOnce requests are worked on,
// and returns what lets another one go on. Only who knows the secret comes here.
func (h *Handler) slot(ctx context.Context) (free func(), ok bool) {
	h.once.Do(func() { h.slots = make(chan struct{}, maxAtOnce) })
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, true
	case <-ctx.Done():
	case <-time.After(cmp.Or(h.slotWait, slotWait)):
	}
	return nil, false
}

// hook returns the hook that is called as path, nil when there is none.
func (h *Handler) hook(path string) *Hook {
	name, ok := strings.CutPrefix(path, "/hook/")
	for i := range h.Hooks {
		if ok && h.Hooks[i].Name == name && h.Hooks[i].Secret != "" {
			return &h.Hooks[i]
		}
	}
	return nil
}

// refuse answers one who does not know the secret. It tells him nothing; the
// log has why, once a second at most.
func (h *Handler) refuse(hook *Hook, r *http.Request, body []byte, why string) answer {
	name := h.label(r.Header, body)
	h.refusedOne(hook, name)
	h.refused.Log(h.Log, h.Now(), slog.LevelWarn, "webhook: refused", "hook", hook.Name, "client", r.RemoteAddr, "why", why, "names", name)
	return answer{http.StatusUnauthorized, "not authorized"}
}
