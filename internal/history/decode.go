package history

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"
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
	fields
)

var fieldNames = [fields]string{
	"time", "event", "name", "address", "committer", "repository", "branch", "revision", "key", "subject",
	"asked", "due", "via", "by", "reason", "cause", "source", "until", "clock", "successor",
}

// prefixes are the keys as Append writes them.
var prefixes = func() (all [fields]string) {
	for i, name := range fieldNames {
		all[i] = `"` + name + `":`
	}
	return all
}()

// cutKey removes a key and the colon behind it from the front of b, and returns its field,
// -1 for an unknown one. Usually it is the field next, or one soon after it.
func cutKey(b []byte, next int) (field int, rest []byte, ok bool) {
	for i := next; i < fields; i++ {
		if len(b) > len(prefixes[i]) && string(b[:len(prefixes[i])]) == prefixes[i] {
			return i, skipSpace(b[len(prefixes[i]):]), true
		}
	}
	key, rest, ok := cutString(skipSpace(b))
	if ok {
		rest, ok = cutByte(rest, ':')
	}
	return slices.Index(fieldNames[:], string(key)), skipSpace(rest), ok
}

// A record is a line of the history, split into its fields. Most lines of a scan are
// of no interest, so that only an event makes strings of the fields. No library's
// decoder reads a million lines in a second.
type record [fields][]byte

// split splits a line, and reports whether it is a JSON object whose known fields are
// strings. It skips unknown fields, which a later version may have written.
func (r *record) split(line []byte) bool {
	*r = record{}
	rest, ok := cutByte(line, '{')
	if !ok {
		return false
	}
	if _, ok := cutByte(rest, '}'); ok {
		return true
	}
	hasEscapes := bytes.IndexByte(line, '\\') >= 0
	for next := 0; ; {
		var value []byte
		field, from, ok := cutKey(rest, next)
		if !ok {
			return false
		}
		if value, rest, ok = cutString(from); ok {
			ok = !hasEscapes || json.Valid(from[:len(value)+2])
		} else if value, rest, ok = cutOther(from); field >= 0 {
			ok, field = ok && string(value) == "null", -1
		}
		if !ok {
			return false
		}
		if field >= 0 {
			r[field], next = value, field+1
		}
		if rest = skipSpace(rest); len(rest) > 0 && rest[0] == '}' {
			return len(skipSpace(rest[1:])) == 0
		}
		if rest, ok = cutByte(rest, ','); !ok {
			return false
		}
	}
}

func skipSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t' || b[0] == '\n' || b[0] == '\r') {
		b = b[1:]
	}
	return b
}

// cutByte removes a byte from the front of b, and the space before it.
func cutByte(b []byte, c byte) (rest []byte, ok bool) {
	b = skipSpace(b)
	if len(b) == 0 || b[0] != c {
		return b, false
	}
	return b[1:], true
}

// cutString removes a quoted string from the front of b. Escapes stay in it.
func cutString(b []byte) (s, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return nil, nil, false
	}
	for i := 1; ; {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return nil, nil, false
		}
		i += n
		escapes := 0
		for b[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return b[1:i], b[i+1:], true
		}
		i++
	}
}

// cutOther removes a value that is not a string from the front of b.
func cutOther(b []byte) (value, rest []byte, ok bool) {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			_, rest, ok := cutString(b[i:])
			if !ok {
				return nil, nil, false
			}
			i = len(b) - len(rest) - 1
		case '[', '{':
			depth++
		case ']', '}', ',':
			if depth == 0 {
				value = bytes.TrimSpace(b[:i])
				return value, b[i:], json.Valid(value)
			}
			if b[i] != ',' {
				depth--
			}
		}
	}
	return nil, nil, false
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
	}
	if revision := r[fRevision]; strings.HasSuffix(e.Key, string(revision)) {
		e.Revision = e.Key[len(e.Key)-len(revision):] // which saves memory
	} else {
		e.Revision = text(revision)
	}
	ok := true
	if r[fTime] != nil {
		e.Time, ok = parseTime(r[fTime])
	}
	return ok && e.Kind != ""
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

// parseTime reads a time of RFC 3339; the form that vext writes, 2006-01-02T15:04:05Z,
// quickly.
func parseTime(b []byte) (time.Time, bool) {
	if len(b) != len("2006-01-02T15:04:05Z") || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' || b[19] != 'Z' {
		var t time.Time
		err := t.UnmarshalText(b)
		return t, err == nil
	}
	number := func(from, to int) int {
		n := 0
		for _, c := range b[from:to] {
			if c < '0' || c > '9' {
				return -1 << 20
			}
			n = n*10 + int(c-'0')
		}
		return n
	}
	year, month, day := number(0, 4), number(5, 7), number(8, 10)
	hour, minute, second := number(11, 13), number(14, 16), number(17, 19)
	if year < 1 || month < 1 || month > 12 || day < 1 || day > 28 && day > daysIn(year, month) ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return time.Time{}, false
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC), true
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}
