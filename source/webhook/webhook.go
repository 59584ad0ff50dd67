// Package webhook accepts pushes that forges send by HTTP: POST /hook/NAME, signed with
// the secret of the hook of that name.
//
// An answer with 2xx means that filter.Filter.Accept has stored the push. To accept a push
// again changes nothing, so a forge may repeat it.
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
	"vext/spool"
)

// A Hook accepts the pushes of one forge, or of one repository on it.
type Hook struct {
	Name   string
	Secret string // without a secret the hook is disabled
	// Repositories restricts the repositories of pushes, Allow the addresses that may be
	// reminded because of them, Senders the committers of their commits: patterns as in
	// a policy.Policy. Empty means no restriction.
	Repositories, Allow, Senders []string
}

// A Handler serves the hooks. Its exported fields must not change while it does.
type Handler struct {
	Hooks  []Hook
	Filter *filter.Filter // its Source is replaced by webhook-NAME for each hook
	Policy *policy.Policy // for the names of repositories, and who is reminded
	// LookUp accepts all commits of an update, which the forge did not describe
	// completely, from the followed repository of that name. It may be nil.
	LookUp func(ctx context.Context, repository string, u forge.Update) error
	// Pushed is called with the names of a repository when it has changed, also where no
	// commit is taken: when a tag was pushed. It must return at once, and may be nil.
	Pushed func(names []string)
	// Hub serves what is below HubPath. It may be nil.
	Hub Hub
	Log *slog.Logger
	Now func() time.Time

	once  sync.Once
	slots chan struct{} // one for each request in progress
	conns *conns.Limit
	held  atomic.Int64 // bytes of bodies in memory

	rejected lograte.Limiter
	cut      lograte.Limiter // disconnected clients
	unread   lograte.Limiter // bodies that could not be read
	replaced lograte.Limiter // requests while the state directory is another one

	slotWait, bodyPause time.Duration // replace the constants in tests

	senders senders
}

// HubPath is where the Hub of a Handler is.
const HubPath = "/autosync/"

// A Hub serves requests of its own, such as a peers.Hub.
type Hub interface {
	http.Handler
	// Knows reports whether a request has a token of the hub. Then it may last.
	Knows(r *http.Request) bool
}

// ErrNotFollowed is the error of LookUp when no repository of the name is followed.
var ErrNotFollowed = errors.New("no repository of that name is followed")

const (
	// maxAtOnce bounds the requests in progress, and slotWait the time that others wait
	// for them.
	maxAtOnce = 64
	slotWait  = 5 * time.Second
	// lookUpTime bounds the calls of LookUp for one push. GitHub and GitLab wait 10
	// seconds for an answer.
	lookUpTime = 9 * time.Second
	// retryAfter is the Retry-After of an answer with 503.
	retryAfter = 10 * time.Second
	// maxConns bounds the connections at once.
	maxConns = 500
	// slowAfter is the time for which a client keeps its connection even if it sends
	// nothing. It is short, because forges send a request at once.
	slowAfter = 20 * time.Millisecond
)

// NewServer returns a server for h with time limits for its clients. It must serve a
// listener from Listener.
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

// Listener returns l with a bound on its connections. When there are too many, a client
// that has not finished sending its request is disconnected.
func (h *Handler) Listener(l net.Listener) net.Listener {
	h.init()
	return h.conns.Listener(l)
}

func (h *Handler) init() {
	h.once.Do(func() {
		h.slots = make(chan struct{}, maxAtOnce)
		h.conns = conns.New(maxConns, slowAfter, func(client net.Addr) {
			h.cut.Log(h.Log, h.Now(), slog.LevelWarn, "webhook: too many unfinished requests; the slowest client is disconnected", "client", client)
		})
	})
}

type connKey struct{}

// connOf returns the connection of a request, nil when it is not from Listener.
func connOf(r *http.Request) *conns.Conn {
	conn, _ := r.Context().Value(connKey{}).(*conns.Conn)
	return conn
}

// An answer is a status and one line of text, which contains nothing from the request.
type answer struct {
	status int
	text   string
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.Hub != nil && strings.HasPrefix(r.URL.Path, HubPath) {
		if conn := connOf(r); conn != nil && h.Hub.Knows(r) {
			conn.SetBusy(true)
			if r.Method == http.MethodGet { // events, which last
				http.NewResponseController(w).SetReadDeadline(time.Time{})
			}
		}
		h.Hub.ServeHTTP(w, r)
		return
	}
	a := h.answer(w, r)
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	switch a.status {
	case http.StatusMethodNotAllowed:
		header.Set("Allow", http.MethodPost)
	case http.StatusUnauthorized: // RFC 9110, section 15.5.2, requires the field
		header.Set("WWW-Authenticate", `Basic realm="vext"`)
	case http.StatusServiceUnavailable:
		header.Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	}
	w.WriteHeader(a.status)
	io.WriteString(w, a.text+"\n")
}

// answer handles a request and returns the answer.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request) (a answer) {
	defer func() {
		if fault := recover(); fault != nil {
			h.Log.Error("webhook: panic", "path", r.URL.Path, "err", fault, "stack", string(debug.Stack()))
			a = answer{http.StatusInternalServerError, "a fault of vext"}
		}
	}()
	if err := h.Filter.Spool.Check(); err != nil {
		h.replaced.Log(h.Log, h.Now(), slog.LevelError, "webhook: not accepting pushes", "err", err)
		return answer{http.StatusServiceUnavailable, "the state directory is not there; send it again"}
	}
	hook := h.hook(r.URL.Path)
	switch {
	case hook == nil:
		return answer{http.StatusNotFound, "no such hook"}
	case r.Method != http.MethodPost:
		return answer{http.StatusMethodNotAllowed, "a hook takes POST"}
	}
	claimsProof := hook.hasSecret(r) || isSigned(r.Header)
	maxSize, within := maxBody, bodyTime
	if !claimsProof {
		maxSize, within = maxUnproven, unprovenTime
	}
	body, err := h.body(w, r, maxSize, within)
	defer func() { h.release(r, cap(body)) }()
	if !claimsProof && (err == nil || errors.As(err, new(*http.MaxBytesError))) {
		return h.reject(hook, r, body, "no signature")
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

// slot waits until fewer than maxAtOnce requests are in progress, at most for slotWait.
// The caller calls free when its request is done. Only requests with the secret get here.
func (h *Handler) slot(ctx context.Context) (free func(), ok bool) {
	h.init()
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, true
	case <-ctx.Done():
	case <-time.After(cmp.Or(h.slotWait, slotWait)):
	}
	return nil, false
}

// hook returns the hook at a path, nil when there is none.
func (h *Handler) hook(path string) *Hook {
	name, ok := strings.CutPrefix(path, "/hook/")
	for i := range h.Hooks {
		if ok && h.Hooks[i].Name == name && h.Hooks[i].Secret != "" {
			return &h.Hooks[i]
		}
	}
	return nil
}

// reject answers a request without the right signature. The answer explains nothing; the
// log has the reason, at most once a second.
func (h *Handler) reject(hook *Hook, r *http.Request, body []byte, why string) answer {
	name := h.label(r.Header, body)
	h.note(hook, func(g *spool.Signatures) { g.Reject(name, h.Now()) })
	h.rejected.Log(h.Log, h.Now(), slog.LevelWarn, "webhook: rejected", "hook", hook.Name, "client", r.RemoteAddr, "why", why, "names", name)
	return answer{http.StatusUnauthorized, "not authorized"}
}
