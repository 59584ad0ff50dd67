package irker

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"vext/internal/target"
	"vext/internal/text"
	"vext/notify"
)

// A request holds the messages that are still to be stored, and the result for the
// answer.
type request struct {
	lines   []notify.Message
	unread  []string // invalid targets, as shown returns them
	refused []string // targets that are not allowed, or are too many, without secrets
	err     error    // why there are no messages
	failed  error    // why not all messages could be stored
	ack     bool
	id      json.RawMessage
}

// read parses a request, and makes a message for each target that is valid and allowed.
// The others are skipped.
func (s *Server) read(data []byte) request {
	p, err := parse(data)
	r := request{ack: p.ack, id: p.id, err: err}
	if err != nil {
		return r
	}
	var line notify.Message
	if line, r.err = s.line(p); r.err != nil {
		return r
	}
	for _, url := range p.to {
		t, err := target.Parse(url)
		switch {
		case err != nil:
			r.unread = append(r.unread, text.Shorten(text.OneLine(shown(url)), maxShown))
		case !s.allows(t.String()):
			r.refused = append(r.refused, text.Shorten(t.String(), maxShown))
		default:
			line.Target = t.URL()
			r.lines = append(r.lines, line)
		}
	}
	if len(r.lines) == 0 && len(p.to) > 0 {
		r.err = errors.New("no target is left")
	}
	return r
}

// line returns the message of a request, without its target.
func (s *Server) line(p payload) (notify.Message, error) {
	if p.made == nil {
		return notify.Message{Text: p.text}, nil
	}
	words, err := s.Format(*p.made)
	if err != nil {
		return notify.Message{}, fmt.Errorf("format commit %q: %w", text.Shorten(p.made.Commit, maxShown), err)
	}
	return notify.Message{Text: words, Project: p.made.Project, Commits: 1}, nil
}

// shown returns an invalid URL without the parts that may be secret: a password, before
// @, and the key of a channel, after ?.
func shown(url string) string {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		scheme, rest = "", url
	} else {
		scheme += "://"
	}
	rest, key, _ := strings.Cut(rest, "?")
	if strings.Contains(key, "@") { // the start of the host is ambiguous
		return scheme + "..."
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		return scheme + "...@" + rest[i+1:]
	}
	return scheme + rest
}

// An answer is the answer to a request with "ack": true.
type answer struct {
	OK      bool            `json:"ok"`
	ID      json.RawMessage `json:"id,omitempty"`
	Error   string          `json:"error,omitempty"`
	Skipped []string        `json:"skipped,omitempty"`
}

// answer returns the line that answers the request, or nil.
func (r *request) answer() []byte {
	if !r.ack {
		return nil
	}
	a := answer{ID: r.id, Skipped: slices.Concat(r.unread, r.refused)}
	switch {
	case r.err != nil:
		a.Error = r.err.Error()
	case r.failed != nil:
		a.Error = "not kept: " + r.failed.Error()
	default:
		a.OK = true
	}
	line, err := json.Marshal(a)
	if err != nil { // impossible: id was parsed as JSON
		return []byte("{\"ok\":false,\"error\":\"no answer\"}\n")
	}
	return append(line, '\n')
}
