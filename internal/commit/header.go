package commit

import (
	"bytes"
	"mime"
	"slices"
	"strings"
)

// Bounds of a header, in bytes and fields. Beyond them, only the first field of each
// name that vext reads is kept.
const (
	maxHeader = 256 << 10
	maxField  = 16 << 10
	maxFields = 2000
)

// A Header is the header of a mail. It is read leniently: lines that are not a field,
// and an mbox `From ` line, are skipped.
type Header struct {
	text   []byte   // the fields as they came, line ends as \n
	fields []field  // their positions in text
	size   int      // of all fields, kept or not, in bytes
	late   []string // names of fields kept beyond the bounds
	Null   bool     // the mbox line has an empty sender: a bounce

	typeAt     int    // index of Content-Type in fields plus 1, 0 while there is none
	boundary   string // its parameter, as of boundaryAt
	boundaryAt int    // the field's end when boundary was read

	lists  map[string]bool // addresses of mailing lists, see readLists
	listID string
}

// A field is text[start:end], its name text[start:colon]. The zero field stands for
// lines that were skipped.
type field struct{ start, colon, end int }

func (h *Header) name(f field) []byte { return bytes.TrimRight(h.text[f.start:f.colon], " \t") }
func (h *Header) value(f field) []byte {
	return bytes.TrimSpace(h.text[min(f.colon+1, f.end):f.end])
}

// Get returns the value of the first field of that name, unfolded and with encoded
// words (RFC 2047) decoded, "" when there is none.
func (h *Header) Get(name string) string {
	raw, _ := h.raw(name)
	value := strings.Join(strings.Fields(string(raw)), " ")
	if strings.Contains(value, "=?") {
		decoder := mime.WordDecoder{CharsetReader: charsetReader}
		if decoded, err := decoder.DecodeHeader(value); err == nil {
			return strings.Join(strings.Fields(decoded), " ")
		}
	}
	return value
}

// Has reports whether there is a field of that name, empty or not.
func (h *Header) Has(name string) bool {
	_, ok := h.raw(name)
	return ok
}

func (h *Header) raw(name string) ([]byte, bool) {
	for _, f := range h.fields {
		if n := h.name(f); len(n) == len(name) && strings.EqualFold(string(n), name) {
			return h.value(f), true
		}
	}
	return nil, false
}

// stamps returns the fields that vext has added to a spooled message: a trailer's
// name and, unless it came as a mail, the commit's source.
func (h *Header) stamps() (trailer, source string) {
	if source = h.Get(SourceHeader); source == FromMail {
		source = ""
	}
	return h.Get(TrailerHeader), source
}

// read reads the header of a mail, or of a part, and the empty line behind it. If that line
// is missing, the first delimiter of a multipart ends the header, and in a part, which may
// have no header, also the first line of text.
func (h *Header) read(lines *lineReader, isPart bool) {
	for first := true; ; {
		line, ok := lines.peek()
		isContinued := len(line) > 0 && (line[0] == ' ' || line[0] == '\t')
		isText := isPart && len(line) > 0 && fieldName(line) == nil && !(isContinued && len(h.fields) > 0)
		if !ok || isText || h.isDelimiter(line) {
			return
		}
		lines.next()
		switch {
		case len(line) == 0 && (isPart || !first):
			return
		case len(line) == 0: // blank lines before the header
			continue
		case first && bytes.HasPrefix(bytes.TrimPrefix(line, []byte(">")), []byte("From ")): // mbox
			sender := strings.SplitN(string(line), " ", 3)[1]
			h.Null = isNobody(strings.Trim(sender, "<>"))
		case isContinued:
			h.continueField(line)
		default:
			h.add(line)
		}
		first = false
	}
}

// isDelimiter reports whether the line is the first delimiter of the header's
// multipart.
func (h *Header) isDelimiter(line []byte) bool {
	if h.typeAt == 0 || !bytes.HasPrefix(line, []byte("--")) {
		return false
	}
	if end := h.fields[h.typeAt-1].end; end != h.boundaryAt { // once, not for every line
		_, params := h.mediaType()
		h.boundary, h.boundaryAt = params["boundary"], end
	}
	return h.boundary != "" && string(bytes.TrimRight(line, " \t")) == "--"+h.boundary
}

func (h *Header) add(line []byte) {
	h.size += len(line)
	line = line[:min(len(line), maxField)]
	name := fieldName(line)
	if name == nil || ((h.size > maxHeader || len(h.fields) > maxFields) && !h.isLate(name)) {
		h.skip()
		return
	}
	start := len(h.text)
	h.text = append(append(h.text, line...), '\n')
	h.fields = append(h.fields, field{start, start + bytes.IndexByte(line, ':'), len(h.text)})
	if h.typeAt == 0 && strings.EqualFold(string(name), "Content-Type") {
		h.typeAt = len(h.fields)
	}
}

// isLate reports whether a field beyond the bounds is kept: the first of a name that
// vext reads. It remembers the names, because a search through all fields for every
// line would take hours on a crafted header.
func (h *Header) isLate(name []byte) bool {
	if !isRead(name) || len(h.late) > 64 {
		return false
	}
	lower := strings.ToLower(string(name))
	if slices.Contains(h.late, lower) {
		return false
	}
	h.late = append(h.late, lower)
	return !h.Has(lower)
}

// skip skips a line. It adds the zero field, so that the lines which continue the
// skipped one are skipped, too.
func (h *Header) skip() {
	if n := len(h.fields); n == 0 || h.fields[n-1] != (field{}) {
		h.fields = append(h.fields, field{})
	}
}

func (h *Header) continueField(line []byte) {
	if len(h.fields) == 0 {
		return
	}
	last := &h.fields[len(h.fields)-1]
	if *last == (field{}) || last.end-last.start+len(line) > maxField {
		return
	}
	h.size += len(line)
	h.text = append(append(h.text, line...), '\n')
	last.end = len(h.text)
}

// fieldName returns the name in a line that is a field (RFC 5322, section 2.2), nil for any
// other line.
func fieldName(line []byte) []byte {
	name, _, ok := bytes.Cut(line, []byte(":"))
	name = bytes.TrimRight(name, " \t")
	if !ok || len(name) == 0 || bytes.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil
	}
	return name
}

// mailers are the prefixes of commit mailers' own fields.
var mailers = []string{"x-git-", "x-svn-", "x-hg-", "x-freebsd-cvs-"}

func isMailers(name []byte) bool {
	lower := strings.ToLower(string(name))
	return slices.ContainsFunc(mailers, func(prefix string) bool { return strings.HasPrefix(lower, prefix) })
}

// names reports whether a mailer's own fields, or the form of its subject, show that
// this is a commit mail. A commit in the text may be quoted.
func (h *Header) names() bool {
	if h.fromMailer() || strings.HasPrefix(h.Get("X-Mailer"), "SVN::Notify") {
		return true
	}
	subject := undecorated(h.Get("Subject"))
	if subject != withoutList(h.Get("Subject")) { // git: HASH - branch - and the like
		return true
	}
	first, _, _ := strings.Cut(strings.ToLower(subject), ":")
	number, _, isNumbered := strings.Cut(subject, " - ") // mailer.py: r7 - trunk
	return first == "svn commit" || first == "cvs commit" || strings.HasPrefix(first, "changeset in ") ||
		isNumbered && isRevisionNumber(number)
}

// isRevisionNumber recognises r and a number.
func isRevisionNumber(s string) bool {
	digits, ok := strings.CutPrefix(s, "r")
	return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// isRead reports whether vext reads fields of that name.
func isRead(name []byte) bool {
	switch lower := strings.ToLower(string(name)); lower {
	case "from", "date", "subject", "message-id", "sender", "return-path", "auto-submitted",
		"in-reply-to", "references", "content-type", "content-transfer-encoding", "x-mailer",
		"to", "cc", "reply-to", "list-id", "list-post", "x-original-from":
		return true
	default:
		return isMailers(name) || strings.HasPrefix(lower, "x-vext")
	}
}

// appendTo appends the header to b without the named fields.
func (h *Header) appendTo(b []byte, without ...string) []byte {
	for _, f := range h.fields {
		name := string(h.name(f))
		leaveOut := slices.ContainsFunc(without, func(w string) bool { return strings.EqualFold(w, name) })
		if name != "" && !leaveOut {
			b = append(b, h.text[f.start:f.end]...)
		}
	}
	return b
}
