package irker

import (
	"bytes"
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
		case !s.allows(&t):
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
	start := 0
	if i := strings.Index(url, "://"); i >= 0 {
		start = i + len("://")
	}
	scheme := url[:start]
	rest, key, _ := strings.Cut(url[start:], "?")
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
	line, _ := json.Marshal(a) // no error, because id was parsed as JSON
	return append(line, '\n')
}

// Fields describe the commit of a payload without a text: the fields of irkerhook, by
// the names that an older program called vext gave them. Each may be empty.
type Fields struct {
	Project, Repository, Branch, Commit, Author, URL string

	Files   string // separated by blanks
	Message string // all lines of it
	Colors  string // none, mirc or ansi
}

// A payload is the JSON object of a client.
type payload struct {
	to   []string // URLs as the client wrote them
	text string   // "" only joins
	made *Fields  // the source of the text, if there is none
	ack  bool     // an answer is requested
	id   json.RawMessage
}

// notText stands for a target that is not a string.
const notText = "(no text)"

// maxID bounds the id, a string or a number, that an answer repeats, in bytes.
const maxID = 200

// parse reads a payload: a JSON object with the members to, a URL or a list of URLs,
// and privmsg, the text; or with the member commit instead of privmsg, see Fields. If
// the payload or the text is null, there is no message; GitLab sends such payloads
// for some pushes. Other members are ignored.
//
// With an error, ack and id are still set if they are valid.
func parse(data []byte) (payload, error) {
	var p payload
	data = bytes.ToValidUTF8(bytes.TrimSpace(data), []byte("\ufffd"))
	// A map, because names in a struct would match without regard to case.
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		if errors.As(err, new(*json.UnmarshalTypeError)) {
			return p, errors.New("not a JSON object")
		}
		return p, fmt.Errorf("not JSON: %w", err)
	}
	if members == nil {
		return p, nil
	}
	p.ack = string(members["ack"]) == "true"
	if id := members["id"]; len(id) > 0 && len(id) <= maxID && strings.ContainsRune(`"-0123456789`, rune(id[0])) {
		p.id = id
	}
	privmsg, given := members["privmsg"]
	switch {
	case given && string(privmsg) == "null":
		return p, nil
	case given && json.Unmarshal(privmsg, &p.text) != nil:
		return p, errors.New("privmsg is not a string")
	case !given && members["commit"] == nil:
		return p, errors.New("privmsg is missing")
	case !given:
		fields, err := readFields(members)
		if err != nil {
			return p, err
		}
		p.made = &fields
	}
	var err error
	p.to, err = urls(members["to"])
	return p, err
}

func urls(value json.RawMessage) ([]string, error) {
	var one string
	var list []json.RawMessage
	switch {
	case value == nil:
		return nil, errors.New("to is missing")
	case value[0] == '"' && json.Unmarshal(value, &one) == nil:
		return []string{one}, nil
	case value[0] != '[' || json.Unmarshal(value, &list) != nil:
		return nil, errors.New("to is neither a URL nor a list of URLs")
	case len(list) > maxTargets:
		return nil, fmt.Errorf("to has %d targets, more than %d", len(list), maxTargets)
	}
	all := make([]string, len(list))
	for i, item := range list {
		if item[0] != '"' || json.Unmarshal(item, &all[i]) != nil {
			all[i] = notText
		}
	}
	return all, nil
}

func readFields(members map[string]json.RawMessage) (Fields, error) {
	var f Fields
	for name, to := range map[string]*string{
		"project": &f.Project, "repository": &f.Repository, "branch": &f.Branch, "commit": &f.Commit,
		"author": &f.Author, "url": &f.URL, "files": &f.Files, "message": &f.Message, "colors": &f.Colors,
	} {
		var err error
		if *to, err = word(members[name]); err != nil {
			return f, fmt.Errorf("%s is %w", name, err)
		}
	}
	switch f.Colors = strings.ToLower(f.Colors); f.Colors {
	case "none", "mirc", "ansi":
	case "":
		f.Colors = "none"
	default:
		return f, errors.New("colors is none of none, mirc and ansi")
	}
	if f.Commit == "" {
		return f, errors.New("commit is empty")
	}
	return f, nil
}

// word returns a member that is a string, a number, or a list of strings, which it joins
// by blanks; "" if it is missing or null.
func word(value json.RawMessage) (string, error) {
	var s string
	var list []string
	var number json.Number
	switch {
	case value == nil, string(value) == "null":
		return "", nil
	case json.Unmarshal(value, &s) == nil:
		return s, nil
	case json.Unmarshal(value, &list) == nil:
		return strings.Join(list, " "), nil
	case json.Unmarshal(value, &number) == nil:
		return number.String(), nil
	}
	return "", errors.New("not a string")
}
