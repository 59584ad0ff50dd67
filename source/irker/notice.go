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

// A notice is a request as it is worked out: the lines that are still to be kept,
// and what is known for its answer.
type notice struct {
	lines   []notify.Message
	unread  []string // targets that can't be read, as shown returns them
	refused []string // targets that may not be named, or of which there are too many, without their secrets
	err     error    // why there are no lines
	failed  error    // why no line could be kept, or not all
	ack     bool
	id      json.RawMessage
}

// read reads a request and works it out: a line for each of its targets that
// can be read and may be named. The others are skipped.
func (s *Server) read(data []byte) notice {
	r, err := parse(data)
	n := notice{ack: r.ack, id: r.id, err: err}
	if err != nil {
		return n
	}
	var line notify.Message
	if line, n.err = s.line(r); n.err != nil {
		return n
	}
	for _, url := range r.to {
		t, err := target.Parse(url)
		switch {
		case err != nil:
			n.unread = append(n.unread, text.Shorten(text.OneLine(shown(url)), longestShown))
		case !s.allows(t.String()):
			n.refused = append(n.refused, text.Shorten(t.String(), longestShown))
		default:
			line.Target = t.URL()
			n.lines = append(n.lines, line)
		}
	}
	if len(n.lines) == 0 && len(r.to) > 0 {
		n.err = errors.New("no target is left")
	}
	return n
}

// line returns what is to be told of a request, without a target.
func (s *Server) line(r request) (notify.Message, error) {
	if r.made == nil {
		return notify.Message{Text: r.text}, nil
	}
	words, err := s.Format(*r.made)
	if err != nil {
		return notify.Message{}, fmt.Errorf("make the line of commit %q: %w", text.Shorten(r.made.Commit, longestShown), err)
	}
	return notify.Message{Text: words, Project: r.made.Project, Commits: 1}, nil
}

// shown returns what may be seen of a URL that can't be read: not what could be
// a password, before @, or the key of a channel, behind ?.
func shown(url string) string {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		scheme, rest = "", url
	} else {
		scheme += "://"
	}
	rest, key, _ := strings.Cut(rest, "?")
	if strings.Contains(key, "@") { // behind which of both does the host begin?
		return scheme + "..."
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		return scheme + "...@" + rest[i+1:]
	}
	return scheme + rest
}

// An answer is what a client that says "ack": true gets.
type answer struct {
	OK      bool            `json:"ok"`
	ID      json.RawMessage `json:"id,omitempty"`
	Error   string          `json:"error,omitempty"`
	Skipped []string        `json:"skipped,omitempty"`
}

// answer returns the line that answers the notice, nil for none.
func (n *notice) answer() []byte {
	if !n.ack {
		return nil
	}
	a := answer{ID: n.id, Skipped: slices.Concat(n.unread, n.refused)}
	switch {
	case n.err != nil:
		a.Error = n.err.Error()
	case n.failed != nil:
		a.Error = "not kept: " + n.failed.Error()
	default:
		a.OK = true
	}
	line, err := json.Marshal(a)
	if err != nil { // can't be: id has been read as JSON
		return []byte("{\"ok\":false,\"error\":\"no answer\"}\n")
	}
	return append(line, '\n')
}
