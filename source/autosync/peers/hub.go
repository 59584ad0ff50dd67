package peers

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

// Bounds of a Hub.
const (
	maxPush      = 16 << 10 // bytes of an announcement
	maxListeners = 64       // of one token
	maxReplay    = 64       // pushes that a listener which comes back is still sent
	maxPending   = 32       // events for a listener that does not read
	maxHost      = 100      // bytes of the name of a host
)

// heartbeat is how often a Hub writes to a listener, so that a frozen connection is noticed.
const heartbeat = 20 * time.Second

// Header fields of the machines that use a Hub.
const (
	clientHeader = "Vext-Client" // a random number: a push is not sent back to whoever announced it
	hostHeader   = "Vext-Host"
)

// A Hub passes pushes on between the machines that have the same token, and to no others:
//
//	POST .../push    announces a Push, as JSON
//	GET  .../events  server-sent events: "push" with a Push, "peer" with a machine
//
// Both need "Authorization: Bearer TOKEN". Whoever presents Last-Event-ID is first sent the
// pushes since then, as far as the Hub still has them.
type Hub struct {
	heartbeat time.Duration
	epoch     string // in the numbers of events, so that those of an earlier Hub do not count
	closed    chan struct{}
	once      sync.Once

	mu     sync.Mutex
	groups map[[sha256.Size]byte]*group // by the digest of the token
}

// A group is the machines that have one token.
type group struct {
	last      int // number of the last push
	replay    []event
	listeners map[*listener]bool
}

// A listener is a connection that reads events.
type listener struct {
	client, host string
	events       chan event // closed when it is too slow
}

// An event is one of a Hub.
type event struct {
	number int // 0 for one that is not replayed
	kind   string
	data   []byte
	from   string // the client
}

// peerEvent is the data of an event "peer".
type peerEvent struct {
	Host   string `json:"host"`
	Online bool   `json:"online"`
}

// NewHub returns a Hub for these tokens, each with a group of its own. An empty token is
// ignored.
func NewHub(tokens ...string) *Hub {
	h := &Hub{heartbeat: heartbeat, epoch: rand.Text()[:8], closed: make(chan struct{}), groups: map[[sha256.Size]byte]*group{}}
	for _, token := range tokens {
		if token != "" {
			h.groups[sha256.Sum256([]byte(token))] = &group{listeners: map[*listener]bool{}}
		}
	}
	return h
}

// Close ends all connections of listeners, for http.Server.RegisterOnShutdown.
func (h *Hub) Close() { h.once.Do(func() { close(h.closed) }) }

// ServeHTTP implements http.Handler.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g := h.group(r)
	what := path.Base(r.URL.Path)
	switch {
	case what != "push" && what != "events":
		http.NotFound(w, r)
	case g == nil:
		w.Header().Set("WWW-Authenticate", `Bearer realm="autosync"`)
		http.Error(w, "the token is not one of this server", http.StatusUnauthorized)
	case what == "push" && r.Method == http.MethodPost:
		h.push(w, r, g)
	case what == "events" && r.Method == http.MethodGet:
		h.listen(w, r, g)
	default:
		w.Header().Set("Allow", map[string]string{"push": "POST", "events": "GET"}[what])
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

// Knows reports whether a request has one of the tokens.
func (h *Hub) Knows(r *http.Request) bool { return h.group(r) != nil }

// group returns that of the token of a request, nil if there is none. How long it takes says
// nothing about the tokens.
func (h *Hub) group(r *http.Request) (found *group) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil
	}
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	for digest, g := range h.groups { // which never changes
		if subtle.ConstantTimeCompare(digest[:], sum[:]) == 1 {
			found = g
		}
	}
	return found
}

// push passes an announcement on.
func (h *Hub) push(w http.ResponseWriter, r *http.Request, g *group) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPush))
	var p Push
	if err == nil {
		err = json.Unmarshal(body, &p)
	}
	if err != nil {
		http.Error(w, "not an announcement of a push: "+err.Error(), http.StatusBadRequest)
		return
	}
	data, err := json.Marshal(p) // on one line, and without what is unknown
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h.mu.Lock()
	g.last++
	e := event{g.last, "push", data, clientOf(r)}
	if g.replay = append(g.replay, e); len(g.replay) > maxReplay {
		g.replay = g.replay[1:]
	}
	g.send(e)
	h.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// send queues an event for all listeners but that of its sender. One that does not read is
// disconnected: when it comes back, it looks for itself.
func (g *group) send(e event) {
	for l := range g.listeners {
		if l.client == e.from && e.from != "" {
			continue
		}
		select {
		case l.events <- e:
		default:
			delete(g.listeners, l)
			close(l.events)
		}
	}
}

// listen sends events until one of both sides ends it.
func (h *Hub) listen(w http.ResponseWriter, r *http.Request, g *group) {
	l := &listener{client: clientOf(r), host: bounded(r.Header.Get(hostHeader)), events: make(chan event, maxPending)}
	first, isAccepted := h.join(g, l, r.Header.Get("Last-Event-ID"))
	if !isAccepted {
		http.Error(w, fmt.Sprintf("%d machines listen already", maxListeners), http.StatusServiceUnavailable)
		return
	}
	defer h.leave(g, l)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // of nginx, which would keep events back
	out := sender{w, http.NewResponseController(w), 2 * h.heartbeat}
	if !out.write(": autosync\n\n") {
		return
	}
	for _, e := range first {
		if !out.event(h.epoch, e) {
			return
		}
	}
	tick := time.NewTicker(h.heartbeat)
	defer tick.Stop()
	for {
		isWritten := true
		select {
		case e, isOpen := <-l.events:
			isWritten = isOpen && out.event(h.epoch, e)
		case <-tick.C:
			isWritten = out.write(": still here\n\n")
		case <-h.closed:
			return
		case <-r.Context().Done():
			return
		}
		if !isWritten {
			return
		}
	}
}

// join adds a listener, and returns what it is sent first: the machines that are there, and
// the pushes since the event that it has seen last.
func (h *Hub) join(g *group, l *listener, lastID string) (first []event, isAccepted bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(g.listeners) >= maxListeners {
		return nil, false
	}
	for other := range g.listeners {
		first = append(first, peerIs(other, true))
	}
	var seen int
	if epoch, number, isNumber := strings.Cut(lastID, "-"); isNumber && epoch == h.epoch {
		if _, err := fmt.Sscanf(number, "%d", &seen); err == nil {
			for _, e := range g.replay {
				if e.number > seen && (e.from != l.client || e.from == "") {
					first = append(first, e)
				}
			}
		}
	}
	g.send(peerIs(l, true))
	g.listeners[l] = true
	return first, true
}

// leave removes a listener.
func (h *Hub) leave(g *group, l *listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(g.listeners, l)
	g.send(peerIs(l, false))
}

// peerIs returns the event that a machine came or went.
func peerIs(l *listener, isOnline bool) event {
	data, _ := json.Marshal(peerEvent{l.host, isOnline})
	return event{kind: "peer", data: data, from: l.client}
}

// clientOf returns the random number of a client.
func clientOf(r *http.Request) string { return bounded(r.Header.Get(clientHeader)) }

// bounded cuts what a client says about itself.
func bounded(s string) string { return s[:min(len(s), maxHost)] }

// A sender writes server-sent events, each within a time.
type sender struct {
	w       http.ResponseWriter
	control *http.ResponseController
	within  time.Duration
}

// event writes an event.
func (s sender) event(epoch string, e event) bool {
	id := ""
	if e.number > 0 {
		id = fmt.Sprintf("id: %s-%d\n", epoch, e.number)
	}
	return s.write(fmt.Sprintf("%sevent: %s\ndata: %s\n\n", id, e.kind, e.data))
}

// write reports whether a text was written.
func (s sender) write(text string) bool {
	s.control.SetWriteDeadline(time.Now().Add(s.within)) // without it that of the server holds
	if _, err := io.WriteString(s.w, text); err != nil {
		return false
	}
	return s.control.Flush() == nil
}
