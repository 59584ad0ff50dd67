package commit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Request is the request for a reminder in a commit message.
type Request struct {
	Key    string // the trailer's name as written: "MFC after"
	Value  string // its value, on one line: "2 weeks (after r336539)"
	Period Period
	Err    error  // why Value can't be read; nil for a period
	Others string // other trailers, which differ and do not count: "MFC after: 4 weeks, MFC in: soon"
}

// Line returns the trailer as written, on one line.
func (r *Request) Line() string { return r.Key + ": " + r.Value }

// Word returns the first word of the trailer for use in a subject: "MFC", "Merge",
// "Backport", and "" for `Remind after` and configured names.
func (r Request) Word() string {
	switch w := firstWord(r.Key); w {
	case "mfc":
		return "MFC"
	case "merge":
		return "Merge"
	case "backport":
		return "Backport"
	}
	return ""
}

// IsMerge reports whether the trailer is about merging the commit, as all are
// but `Remind after`.
func (r Request) IsMerge() bool { return firstWord(r.Key) != "remind" }

func firstWord(key string) string {
	key = canonical(key)
	key = strings.TrimPrefix(key, "x-")
	word, _, _ := strings.Cut(key, "-")
	return word
}

// Trailers is a set of names of trailers that ask for a reminder. Names are compared
// without case, and with a hyphen for every run of blanks, so `MFC-after` and
// `Mfc  After` are the same.
type Trailers struct {
	names   []string
	initial [256]bool // the first letters of names
}

// defaultTrailers are in every set. They are in canonical form.
var defaultTrailers = []string{"mfc-after", "mfc-in", "merge-after", "backport-after", "remind-after"}

// bareTrailer is DragonFly's. Its value must have a unit or be a date, because projects
// also use this trailer for merges that were done.
const bareTrailer = "mfc"

// NewTrailers returns the set of the usual names and those in extra. A name that is
// empty or contains a colon or a control character is an error.
func NewTrailers(extra ...string) (*Trailers, error) {
	t := &Trailers{names: make([]string, 0, 8)}
	t.begins("x-") // a prefix that every name may have
	t.begins(bareTrailer)
	for _, name := range defaultTrailers {
		t.add(name)
	}
	for _, name := range extra {
		key := canonical(strings.TrimSuffix(strings.TrimSpace(name), ":"))
		key = strings.TrimPrefix(key, "x-")
		if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r == ':' || r < ' ' || r == 0x7f }) {
			return nil, fmt.Errorf("not a trailer's name: %q", name)
		}
		t.add(key)
	}
	return t, nil
}

func (t *Trailers) add(key string) {
	t.names = append(t.names, key)
	t.begins(key)
}

func (t *Trailers) begins(key string) {
	t.initial[key[0]] = true
	t.initial[strings.ToUpper(key[:1])[0]] = true
}

// canonical returns a trailer's name in lower case, with one hyphen between words.
func canonical(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return r == ' ' || r == '\t' })
	return strings.ToLower(strings.Join(words, "-"))
}

// Request returns the request in a commit message, and false if there is none. A value
// may continue in the lines below it, see unfold. Of several trailers, the last with a
// period counts; if there is none, the last that can't be read, with its Err.
func (t *Trailers) Request(message string) (Request, bool) {
	var found Request
	var asked bool
	var all []Request
	for line, below := range trailerLines(message) {
		r, ok := t.parse(line, below)
		if r.Value != "" && len(all) < maxTrailers {
			all = append(all, r)
		}
		if !ok || (r.Err != nil && asked && found.Err == nil) {
			continue
		}
		found, asked = r, true
	}
	if asked && len(all) > 1 {
		found.Others = othersThan(&found, all)
	}
	return found, asked
}

// maxTrailers bounds the trailers of one commit that are compared.
const maxTrailers = 8

// othersThan lists the trailers whose meaning differs from that of r.
func othersThan(r *Request, all []Request) string {
	var others []string
	for i := range all {
		o := &all[i]
		if o.Err == nil && r.Err == nil && o.Period.equals(r.Period) || o.Line() == r.Line() || slices.Contains(others, o.Line()) {
			continue
		}
		others = append(others, o.Line())
	}
	return strings.Join(others, ", ")
}

// Ask reports whether there is a request in a commit message. It is much faster than
// Request if there is none.
func (t *Trailers) Ask(message []byte) bool {
	if bytes.IndexByte(message, '\r') >= 0 { // ends a line, also without \n
		message = bytes.ReplaceAll(message, []byte("\r\n"), []byte("\n"))
		message = bytes.ReplaceAll(message, []byte("\r"), []byte("\n"))
	}
	for len(message) > 0 {
		line := message
		if end := bytes.IndexByte(message, '\n'); end >= 0 {
			line, message = message[:end], message[end+1:]
		} else {
			message = nil
		}
		start := bytes.TrimLeft(line, " \t")
		if len(start) == 0 || !t.initial[start[0]] || bytes.IndexByte(start[:min(len(start), maxKey)], ':') < 0 {
			continue
		}
		if key, _, _ := t.cut(string(line)); key == "" {
			continue
		}
		if _, ok := t.parse(string(line), string(message[:min(len(message), maxFolded)])); ok {
			return true
		}
	}
	return false
}

// parse reads a trailer from a line and the lines below on which its value continues.
// ok is false for other lines, and for a value such as `never`, which the request then
// has.
func (t *Trailers) parse(line, below string) (r Request, ok bool) {
	key, value, known := t.cut(line)
	if key == "" {
		return Request{}, false
	}
	indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	values := unfold(value, indent, below, t.isName)
	if !known {
		for i := range values {
			values[i] = cutAfter(values[i])
		}
		if !hasUnitOrDate(values[len(values)-1]) {
			return Request{}, false
		}
	}
	value, period, err := readFolded(values)
	r = Request{Key: key, Value: value, Period: period, Err: err}
	if errors.Is(err, ErrNoPeriod) {
		r.Err = nil
		r.Period = noPeriod
		return r, false
	}
	return r, true
}

// cut splits a line into the name of a trailer of the set and its value. known is false
// for bareTrailer. key is empty for any other line.
func (t *Trailers) cut(line string) (key, value string, known bool) {
	line = strings.TrimLeft(line, " \t")
	if line == "" || !t.initial[line[0]] {
		return "", "", false
	}
	key, value, ok := cutTrailer(line)
	if !ok {
		return "", "", false
	}
	name := strings.TrimPrefix(canonical(key), "x-")
	if known = slices.Contains(t.names, name); !known && name != bareTrailer {
		return "", "", false
	}
	return key, value, known
}

// isName reports whether name, in canonical form, is that of a trailer.
func (t *Trailers) isName(name string) bool {
	return name == bareTrailer || slices.Contains(t.names, name) || isBeside(name)
}

// cutAfter removes the first word from DragonFly's `MFC: After 3 days.`
func cutAfter(value string) string {
	words := strings.Fields(value)
	if len(words) == 0 {
		return value
	}
	switch strings.ToLower(strings.TrimSuffix(words[0], ":")) {
	case "after", "in":
		return strings.Join(words[1:], " ")
	}
	return value
}

// maxKey bounds the name of a trailer, in bytes.
const maxKey = 64

// cutTrailer splits a line at its first colon into a trailer's name and value, without
// the blanks around them.
func cutTrailer(line string) (key, value string, ok bool) {
	line = strings.TrimSpace(line)
	i := strings.IndexByte(line[:min(len(line), maxKey)], ':')
	if i <= 0 {
		return "", "", false
	}
	key = strings.Join(strings.Fields(line[:i]), " ")
	return key, strings.TrimSpace(line[i+1:]), key != ""
}
