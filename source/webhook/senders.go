package webhook

import (
	"net/http"
	"sync"
	"time"

	"vext/internal/text"
	"vext/spool"
)

// senders records the outcomes of signature checks of each hook, by its source.
type senders struct {
	mu      sync.Mutex
	hooks   map[string]*spool.Signatures
	changed map[string]bool // since they were stored
	pending bool            // a call of Flush is scheduled

	parsing sync.Mutex // parse unsigned requests one at a time
}

// noteInterval is the shortest time between two writes of the record, because any
// stranger can change it.
const noteInterval = 20 * time.Millisecond

// note changes the record of a hook, and has it stored soon.
func (h *Handler) note(hook *Hook, change func(*spool.Signatures)) {
	s, source := &h.senders, sourceOf(hook)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hooks == nil {
		s.hooks, s.changed = map[string]*spool.Signatures{}, map[string]bool{}
	}
	known := s.hooks[source]
	if known == nil {
		known = h.Filter.Spool.Signatures(source)
		s.hooks[source] = known
	}
	change(known)
	s.changed[source] = true
	if !s.pending {
		s.pending = true
		time.AfterFunc(noteInterval, h.Flush)
	}
}

// sourceOf returns the name of a hook as a source, see filter.Filter.
func sourceOf(hook *Hook) string { return "webhook-" + hook.Name }

// Flush stores the records that are not stored yet. Call it before the process ends.
func (h *Handler) Flush() {
	s := &h.senders
	s.mu.Lock()
	defer s.mu.Unlock()
	for source := range s.changed {
		h.Filter.Spool.NoteSignatures(source, s.hooks[source])
	}
	clear(s.changed)
	s.pending = false
}

// accepted records a request with the right signature, and the repository that it names,
// "" for none.
func (h *Handler) accepted(hook *Hook, repository string) {
	h.note(hook, func(g *spool.Signatures) { g.Accept(shown(repository), h.Now()) })
}

// label returns the repository that a request without the right signature names, "" when
// it can't be found cheaply. Anybody can send such a request.
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

// maxShown bounds the recorded name of a repository, in bytes.
const maxShown = 100

func shown(repository string) string { return text.Shorten(text.OneLine(repository), maxShown) }
