package webhook

import (
	"net/http"
	"sync"
	"time"

	"vext/internal/text"
	"vext/spool"
)

// senders records the outcomes of signature checks of each hook, by its way.
type senders struct {
	mu      sync.Mutex
	hooks   map[string]*spool.Signatures
	changed map[string]bool // since they were stored
	pending bool            // they will be stored in a moment

	parsing sync.Mutex // of requests without the right one: one at a time
}

// noteInterval is the shortest time between two writes of the record, because any
// stranger can change it.
const noteInterval = 20 * time.Millisecond

// note changes the record of a hook, and has it stored soon.
func (h *Handler) note(hook *Hook, change func(*spool.Signatures)) {
	s, way := &h.senders, "webhook-"+hook.Name
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hooks == nil {
		s.hooks, s.changed = map[string]*spool.Signatures{}, map[string]bool{}
	}
	known := s.hooks[way]
	if known == nil {
		known = h.Filter.Spool.Signatures(way)
		s.hooks[way] = known
	}
	change(known)
	s.changed[way] = true
	if !s.pending {
		s.pending = true
		time.AfterFunc(noteInterval, h.Flush)
	}
}

// Flush stores the records that are not stored yet. Call it before the process ends.
func (h *Handler) Flush() {
	s := &h.senders
	s.mu.Lock()
	defer s.mu.Unlock()
	for way := range s.changed {
		h.Filter.Spool.NoteSignatures(way, s.hooks[way])
	}
	clear(s.changed)
	s.pending = false
}

// accepted notes a request with the right signature, and the repository that it
// names, if any.
func (h *Handler) accepted(hook *Hook, repository string) {
	h.note(hook, func(g *spool.Signatures) { g.Accept(shown(repository), h.Now()) })
}

// refusedOne notes a request without the right signature.
func (h *Handler) refusedOne(hook *Hook, label string) {
	h.note(hook, func(g *spool.Signatures) { g.Refuse(label, h.Now()) })
}

// label returns the repository that a request without the right signature names, ""
// when it can't be found cheaply. Anybody can have sent the request, so little work
// is spent on it.
func (h *Handler) label(header http.Header, body []byte) string {
	if len(body) > maxUnproven || !h.senders.parsing.TryLock() {
		return ""
	}
	defer h.senders.parsing.Unlock()
	if isForm(header, body) {
		body = inForm(body)
	}
	p, err := parse(header, body)
	if err != nil {
		return ""
	}
	return shown(h.repository(p))
}

// maxShown bounds the name of a repository, in bytes.
const maxShown = 100

func shown(repository string) string { return text.Shorten(text.OneLine(repository), maxShown) }
