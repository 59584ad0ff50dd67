package history

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// Fields of a record, in the order in which Append writes them.
const (
	fTime = iota
	fKind
	fName
	fAddress
	fCommitter
	fRepository
	fBranch
	fRevision
	fKey
	fSubject
	fAsked
	fDue
	fVia
	fBy
	fReason
	fCause
	fSource
	fUntil
	fClock
	fSuccessor
	fTarget
	fPicked
	fSince
	fMark
	fOther
	fields
)

var fieldNames = [fields]string{
	"time", "event", "name", "address", "committer", "repository", "branch", "revision", "key", "subject",
	"asked", "due", "via", "by", "reason", "cause", "source", "until", "clock", "successor",
	"target", "picked", "since", "mark", "other",
}

// prefixes are the keys as Append writes them, with the quote before the value.
var prefixes = func() (all [fields]string) {
	for i, name := range fieldNames {
		all[i] = `"` + name + `":"`
	}
	return all
}()

// A record is a line of the history, split into its fields. Most lines of a scan are
// of no interest, so that only an event makes strings of the fields. No library's
// decoder reads a million lines in a second.
type record [fields][]byte

// split splits a line, and reports whether it is a JSON object whose known fields are
// strings. It skips unknown fields, which a later version may have written.
func (r *record) split(line []byte) bool {
	if *r = (record{}); r.splitOwn(line) {
		return true
	}
	*r = record{}
	var all map[string]json.RawMessage
	if json.Unmarshal(line, &all) != nil {
		return false
	}
	for i, name := range fieldNames {
		switch value := all[name]; {
		case value == nil || string(value) == "null":
		case value[0] != '"':
			return false
		default:
			r[i] = value[1 : len(value)-1]
		}
	}
	return true
}

// splitOwn splits a line that is as Append writes it.
func (r *record) splitOwn(line []byte) bool {
	hasEscapes := bytes.IndexByte(line, '\\') >= 0
	rest, ok := bytes.CutPrefix(line, []byte("{"))
	for field := 0; ok; field++ {
		for field < fields && !hasPrefix(rest, prefixes[field]) {
			field++
		}
		if field == fields {
			return false
		}
		quoted := rest[len(prefixes[field])-1:]
		if r[field], rest, ok = cutString(quoted[1:]); !ok {
			return false
		}
		if hasEscapes && !json.Valid(quoted[:len(r[field])+2]) {
			return false
		}
		if string(rest) == "}\n" {
			return true
		}
		rest, ok = bytes.CutPrefix(rest, []byte(","))
	}
	return false
}

func hasPrefix(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix
}

// cutString returns the rest of a quoted string, and what is behind the quote at its
// end. Escapes stay in it.
func cutString(b []byte) (s, rest []byte, ok bool) {
	for i := 0; ; i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return nil, nil, false
		}
		i += n
		escapes := 0
		for escapes < i && b[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return b[:i], b[i+1:], true
		}
	}
}

// event makes an event of the record, and reports whether it has a kind and a valid
// time.
func (r *record) event(e *Event, known names) bool {
	*e = Event{
		Kind: known.text(r[fKind]), Name: text(r[fName]), Address: known.text(r[fAddress]), Committer: known.text(r[fCommitter]),
		Repository: known.text(r[fRepository]), Branch: known.text(r[fBranch]), Key: text(r[fKey]), Subject: text(r[fSubject]),
		Asked: known.text(r[fAsked]), Due: known.text(r[fDue]), Via: known.text(r[fVia]), By: known.text(r[fBy]),
		Reason: known.text(r[fReason]), Cause: known.text(r[fCause]), Source: known.text(r[fSource]), Until: known.text(r[fUntil]),
		Clock: known.text(r[fClock]), Successor: text(r[fSuccessor]),
		Target: known.text(r[fTarget]), Picked: text(r[fPicked]), Since: text(r[fSince]),
		Mark: known.text(r[fMark]), Other: text(r[fOther]),
	}
	if revision := r[fRevision]; strings.HasSuffix(e.Key, string(revision)) {
		e.Revision = e.Key[len(e.Key)-len(revision):] // which saves memory
	} else {
		e.Revision = text(revision)
	}
	return e.Kind != "" && (r[fTime] == nil || e.Time.UnmarshalText(r[fTime]) == nil)
}

// text returns a field as a string.
func text(b []byte) string {
	if bytes.IndexByte(b, '\\') >= 0 {
		var s string
		quoted := append(append([]byte{'"'}, b...), '"')
		json.Unmarshal(quoted, &s) // split has checked it
		return s
	}
	if !utf8.Valid(b) {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	return string(b)
}

// names holds what is in many events, such as addresses, once.
type names map[string]string

// maxNames bounds the names; a project has fewer.
const maxNames = 10000

func (n names) text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if s, ok := n[string(b)]; ok {
		return s
	}
	s := text(b)
	if len(n) < maxNames {
		n[string(b)] = s
	}
	return s
}
