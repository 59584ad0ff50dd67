package commit

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
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
	// ByDefault says that Value gives no period, and Period is that of the convention.
	ByDefault bool
	// ByConvention says that the trailer is one that only a convention has.
	ByConvention bool
	word         string // of the convention, see Word
}

// Line returns the trailer as written, on one line.
func (r *Request) Line() string { return r.Key + ": " + r.Value }

// Word returns the first word of the trailer for use in a subject: "MFC", "Merge",
// "Backport", or the word of the convention that has the trailer, and "" for `Remind after`
// and configured names.
func (r Request) Word() string {
	if r.word != "" {
		return r.word
	}
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
	word, _, _ := strings.Cut(canonical(key), "-")
	return word
}

// Trailers is a set of names of trailers that ask for a reminder. Names are compared
// without case, and with a hyphen for every run of blanks, so `MFC-after` and
// `Mfc  After` are the same.
type Trailers struct {
	names   []string  // of those whose value is a period, in canonical form
	own     []own     // the others, see With
	initial [256]bool // the first letters of what asks
}

// defaultTrailers are in every set. They are in canonical form.
var defaultTrailers = []string{"mfc-after", "mfc-in", "merge-after", "backport-after", "remind-after"}

// bareTrailer is DragonFly's. Its value must have a unit or be a date, because projects
// also use this trailer for merges that were done.
const bareTrailer = "mfc"

// NewTrailers returns the set of the usual names and those in extra. A name that is
// empty or contains a colon or a control character is an error.
func NewTrailers(extra ...string) (*Trailers, error) {
	t := &Trailers{names: slices.Clone(defaultTrailers)}
	for _, name := range extra {
		key := canonical(strings.TrimSuffix(strings.TrimSpace(name), ":"))
		if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r == ':' || r < ' ' || r == 0x7f }) {
			return nil, fmt.Errorf("not a trailer's name: %q", name)
		}
		t.names = append(t.names, key)
	}
	t.begin(append([]string{bareTrailer, "x-"}, t.names...)...)
	return t, nil
}

// begin notes the first letters of names.
func (t *Trailers) begin(names ...string) {
	for _, name := range names {
		t.initial[name[0]] = true
		t.initial[strings.ToUpper(name[:1])[0]] = true
	}
}

// canonical returns a trailer's name in lower case, with one hyphen between words, and
// without the prefix `X-` that every name may have.
func canonical(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return r == ' ' || r == '\t' })
	return strings.TrimPrefix(strings.ToLower(strings.Join(words, "-")), "x-")
}

// Request returns the request in a commit message, and false if there is none. A value
// may continue in the lines below it, see unfold. Of several trailers, the last with a
// period counts; if there is none, the last that can't be read, with its Err; then the last
// that takes the period of the convention.
func (t *Trailers) Request(message string) (Request, bool) {
	var found Request
	var asked bool
	var all []Request
	for line, below := range trailerLines(message) {
		r, ok := t.parse(line, below)
		if r.Value != "" && !r.ByDefault && len(all) < maxTrailers {
			all = append(all, r)
		}
		if !ok || asked && r.rank() < found.rank() {
			continue
		}
		found, asked = r, true
	}
	if asked && len(all) > 1 {
		found.Others = othersThan(&found, all)
	}
	return found, asked
}

// rank orders the requests of one commit.
func (r *Request) rank() int {
	switch {
	case r.ByDefault:
		return 0
	case r.Err != nil:
		return 1
	}
	return 2
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
		message = []byte(unixLines(string(message)))
	}
	for len(message) > 0 {
		line, below, _ := bytes.Cut(message, []byte("\n"))
		message = below
		start := bytes.TrimLeft(line, " \t")
		if len(start) == 0 || !t.initial[start[0]] || bytes.IndexByte(start[:min(len(start), maxKey)], ':') < 0 {
			continue
		}
		if _, ok := t.parse(string(line), string(below[:min(len(below), maxFolded)])); ok {
			return true
		}
	}
	return false
}

// parse reads a trailer from a line and the lines below on which its value continues.
// ok is false for other lines, and for a value such as `never`, which the request then
// has.
func (t *Trailers) parse(line, below string) (r Request, ok bool) {
	key, value, name := t.cut(line)
	if key == "" {
		return Request{}, false
	}
	values := unfold(line, value, below, t.names)
	whole := values[len(values)-1]
	if !slices.Contains(t.names, name) {
		if r, ok = t.ask(name, whole); ok {
			r.Key = key
			return r, true
		}
		if name != bareTrailer || !hasUnitOrDate(whole) {
			return Request{}, false
		}
	}
	value, period, err := readFolded(values)
	if errors.Is(err, ErrNoPeriod) {
		return Request{Key: key, Value: value, Period: noPeriod}, false
	}
	return Request{Key: key, Value: value, Period: period, Err: err}, true
}

// cut splits a line into the name of a trailer that may ask, as written and in canonical
// form, and its value. key is empty for any other line.
func (t *Trailers) cut(line string) (key, value, name string) {
	line = strings.TrimLeft(line, " \t")
	if line == "" || !t.initial[line[0]] {
		return "", "", ""
	}
	key, value, ok := cutTrailer(line)
	if name = canonical(key); !ok || name != bareTrailer && !slices.Contains(t.names, name) && !t.asks(name) {
		return "", "", ""
	}
	return key, value, name
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

// A trailer's value may be folded: it continues in the following lines that begin
// with white space, as `git interpret-trailers --unfold` reads them. Messages may
// arrive indented, so the lines of a value are those with a deeper indentation than
// its trailer. An empty line ends the value.

// Bounds of the text that is read below a trailer. No period is longer.
const (
	maxFolded = 1 << 10 // bytes
	maxFolds  = 8       // lines
)

// besideTrailers ask for no reminder; a reminder shows their values.
var besideTrailers = []string{"mfc-to", "mfc-with"}

// trailerLines iterates over the lines of a message that are not empty, each with the
// text below it.
func trailerLines(message string) iter.Seq2[string, string] {
	return func(yield func(line, below string) bool) {
		for len(message) > 0 {
			line, rest, _ := strings.Cut(message, "\n")
			message = rest
			if line != "" && !yield(line, rest[:min(len(rest), maxFolded)]) {
				return
			}
		}
	}
}

// unfold returns the possible values of the trailer in line: value, which is the text on
// the line itself, and that text with one, two and more of the lines below. A line that is
// itself a trailer, by one of the names or one known anyway, ends the value.
func unfold(line, value, below string, names []string) []string {
	indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	values := []string{value}
	for line := range strings.Lines(below) {
		deeper, ok := strings.CutPrefix(line, indent)
		text := strings.TrimSpace(line)
		if !ok || text == "" || deeper[0] != ' ' && deeper[0] != '\t' || len(values) > maxFolds {
			break
		}
		key, _, _ := cutTrailer(text)
		if key = canonical(key); key == bareTrailer || slices.Contains(names, key) || slices.Contains(besideTrailers, key) {
			break
		}
		values = append(values, strings.TrimSpace(values[len(values)-1]+" "+text))
	}
	return values
}

// readFolded reads the longest of unfold's values that is a period. Text below a
// complete value, such as "2 weeks", may be a remark. A bare number is not complete:
// the text below may be its unit, so if that can't be read, the value can't.
func readFolded(values []string) (value string, p Period, err error) {
	last := len(values) - 1
	p, err = ParsePeriod(values[last])
	if err == nil || errors.Is(err, ErrNoPeriod) || errors.Is(err, errTooLong) {
		return values[last], p, err
	}
	for _, v := range slices.Backward(values[:last]) {
		q, qErr := ParsePeriod(v)
		if qErr == nil && isComplete(v) || errors.Is(qErr, ErrNoPeriod) && v != "" || errors.Is(qErr, errTooLong) {
			return v, q, qErr
		}
	}
	return values[last], p, err
}

// Values returns the values of every trailer of the given name, one of besideTrailers, in
// a message, each on one line.
func Values(message, name string) []string {
	var values []string
	want := canonical(name)
	for line, below := range trailerLines(message) {
		key, value, ok := cutTrailer(line)
		if !ok || canonical(key) != want {
			continue
		}
		folded := unfold(line, value, below, defaultTrailers)
		if value = folded[len(folded)-1]; value != "" {
			values = append(values, value)
		}
	}
	return values
}
