package commit

import (
	"io"
	"slices"
	"strings"

	"github.com/emersion/go-message"
)

// OwnHeader marks every mail that vext itself sends, so that its filter lets
// them go: reminders that were read as requests once looped for ever.
const OwnHeader = "X-Vext"

// TrailerHeader is put in front of a message by the filter when a trailer that
// it was told to look for made the match, so that the processor finds it too.
const TrailerHeader = "X-Vext-Trailer"

// SourceHeader says by which way a commit came that was no mail. The filter
// does not believe it of a mail.
const SourceHeader = "X-Vext-Source"

// The ways in, as SourceHeader, the history and vext check name them.
const (
	FromMail    = "mail"    // a program that mails are piped into
	FromLMTP    = "lmtp"    // a mail, too
	FromJSON    = "json"    // the object of a hook, on standard input
	FromWebhook = "webhook" // a forge
	FromHook    = "hook"    // a repository's own hook, installed by vext
	FromFollow  = "follow"  // a repository that vext follows
	FromImport  = "import"  // its past
)

// Forgeable reports whether anybody can have written what came by that way.
func Forgeable(source string) bool {
	switch source {
	case FromWebhook, FromHook, FromFollow, FromImport:
		return false
	}
	return true
}

// A Mail is one notification, read only as far as its commit messages reach.
type Mail struct {
	Header  Header
	Commits []Commit // in the order of the mail; more than one only for a push
	Others  int      // commits that were not wanted, see ReadAsking
	LetGo   string   // why it is none of our business; "" for a commit
	Bad     bool     // it is no mail at all
	Plain   bool     // no mailer's shape is known in it: all of its text is taken for the message

	wanted  *Trailers // nil for every commit
	files   bool      // every commit is wanted, and what it changed
	text    collector // the decoded body as far as it was read
	charset string    // in which text is written, when it could not be decoded
}

// ReadMail reads a mail (RFC 5322) with one commit in it, or with the several
// of one push. It reads no further than it must and never fails: what can't be
// understood is reported in LetGo.
func ReadMail(r io.Reader) *Mail { return (&Mail{}).read(r) }

// ReadAll is ReadAsking for one who wants to know of the others, too, and which
// files were changed. Those have no Message, and Others counts what is beyond
// mostOthers.
func ReadAll(r io.Reader, trailers *Trailers) *Mail {
	return (&Mail{wanted: trailers, files: true}).read(r)
}

// mostOthers bounds how many commits are made out that do not ask.
const mostOthers = 5000

// ReadAsking is ReadMail for one who wants only the commits that ask for a
// reminder with one of the trailers. Others are not made out; Others counts
// them.
func ReadAsking(r io.Reader, trailers *Trailers) *Mail { return (&Mail{wanted: trailers}).read(r) }

func (m *Mail) read(r io.Reader) *Mail {
	lines := newLineReader(r)
	m.Header.read(lines)
	if m.Header.empty() {
		m.Bad, m.LetGo = true, "not a mail: it has no header"
		return m
	}
	if m.LetGo = m.Header.letGo(); m.LetGo != "" {
		return m
	}
	text := part{text: lines.br}
	if !m.Header.isPlain() {
		entity, err := message.New(decodable(m.Header.mime(), lines.br))
		var ok bool
		if text, ok = textPart(entity, err, 0); !ok {
			m.LetGo = "it has no plain text"
			return m
		}
	}
	m.charset = text.charset
	b := body{mail: m, lines: newLineReader(text.text)}
	b.read()
	if len(m.Commits)+m.Others == 0 {
		m.LetGo = "no commit message in it"
	}
	return m
}

// isPlain reports whether the body needs no decoding, as that of most commit
// mails.
func (h *Header) isPlain() bool {
	switch strings.ToLower(h.Get("Content-Transfer-Encoding")) {
	case "", "7bit", "8bit":
	default:
		return false
	}
	switch strings.ToLower(h.Get("Content-Type")) {
	case "", "text/plain; charset=utf-8", `text/plain; charset="utf-8"`, "text/plain; charset=us-ascii", "text/plain":
		return true
	}
	return false
}

// letGo returns why a mail with this header is no commit notification, and ""
// when it may be one.
func (h *Header) letGo() string {
	returnPath, hasPath := h.raw("Return-Path")
	auto := strings.ToLower(h.Get("Auto-Submitted"))
	switch {
	case h.Has(OwnHeader):
		return "vext sent it itself"
	case strings.HasPrefix(auto, "auto-replied"):
		return "an automatic reply"
	case h.Null, hasPath && isNobody(strings.Trim(string(returnPath), "<> \t\n")):
		return "a bounce: its envelope sender is empty"
	case strings.EqualFold(Login(ParsePerson(h.Get("From")).Email), "MAILER-DAEMON"):
		return "a bounce: the mail system wrote it"
	case h.isReply():
		return "a reply"
	}
	return ""
}

// isNobody reports whether the envelope sender is that of a bounce. Postfix's
// pipe(8) writes it as MAILER-DAEMON unless told otherwise.
func isNobody(sender string) bool { return sender == "" || sender == "MAILER-DAEMON" }

// isReply tells a person's answer from a commit mail. git-multimail threads
// its mails as replies to the push's, so In-Reply-To says nothing where a
// mailer's own fields are present.
func (h *Header) isReply() bool {
	subject := h.Get("Subject")
	for _, prefix := range []string{"Re:", "RE:", "Re[", "RE[", "Aw:", "AW:", "Sv:", "SV:", "Fwd:", "FWD:", "Fw:", "FW:"} {
		if strings.HasPrefix(subject, prefix) { // with a capital: re: is a driver
			return true
		}
	}
	return !h.fromMailer() && (h.Has("In-Reply-To") || h.Has("References"))
}

// fromMailer reports whether a commit mailer's own fields are present.
func (h *Header) fromMailer() bool {
	return slices.ContainsFunc(h.fields, func(f field) bool { return isMailers(h.name(f)) })
}

// NamesCommit reports whether the header says that a mailer wrote the mail of a
// commit, and not only its text, in which a person may have quoted one. Whoever
// wants to deceive can write such a header, too.
func (m *Mail) NamesCommit() bool { return m.Header.names() }

type part struct {
	text    io.Reader
	charset string // set when text is not UTF-8
}

// How far parts in parts are followed, and how many of one entity.
const (
	deepest   = 8
	mostParts = 50
)

// mediaTypeOf returns the media type of an entity, and of one whose field is
// malformed what stands first in it.
func mediaTypeOf(h *message.Header) (mediaType string, params map[string]string) {
	mediaType, params, err := h.ContentType()
	if err != nil || !strings.Contains(mediaType, "/") {
		mediaType = strings.ToLower(h.Get("Content-Type"))
		if end := strings.IndexAny(mediaType, "; \t"); end >= 0 {
			mediaType = mediaType[:end]
		}
	}
	if mediaType == "text" { // of the time before MIME was finished
		mediaType = "text/plain"
	}
	return mediaType, params
}

// textPart finds the plain text of an entity that was decoded with the error
// err. Attachments and forwarded mails are not looked into.
func textPart(e *message.Entity, err error, depth int) (part, bool) {
	mediaType, params := mediaTypeOf(&e.Header)
	disposition, _, _ := e.Header.ContentDisposition()
	switch {
	case disposition == "attachment" || mediaType == "multipart/report" || depth > deepest:
		return part{}, false
	case strings.HasPrefix(mediaType, "multipart/") && params["boundary"] != "":
		parts := e.MultipartReader()
		for range mostParts {
			next, err := parts.NextPart()
			if next == nil {
				return part{}, false
			}
			if p, ok := textPart(next, err, depth+1); ok {
				return p, true
			}
		}
		return part{}, false
	case mediaType == "text/plain" || mediaType == "" || strings.HasPrefix(mediaType, "multipart/"):
		return decoded(e, params["charset"], err), true
	}
	return part{}, false
}

// decoded returns the entity's text. A charset that go-message does not know
// is decoded here when it is UTF-16, and is else left as it is: in every other
// charset that mails are written in, a trailer is the same bytes as in ASCII.
func decoded(e *message.Entity, charset string, err error) part {
	if err == nil || !message.IsUnknownCharset(err) {
		return part{text: e.Body}
	}
	if r, utf16 := utf16Reader(charset, e.Body); utf16 {
		return part{text: r}
	}
	return part{text: e.Body, charset: charset}
}

// charsetReader is go-message's for header fields, and UTF-16 where it has
// none: the filter goes without its charset package, which would cost a quarter
// of its time.
func charsetReader(charset string, r io.Reader) (io.Reader, error) {
	charset = strings.ToLower(charset)
	switch charset {
	case "", "utf-8", "us-ascii":
		return r, nil
	}
	if message.CharsetReader != nil {
		return message.CharsetReader(charset, r)
	}
	if decoded, ok := utf16Reader(charset, r); ok {
		return decoded, nil
	}
	return nil, message.UnknownCharsetError{}
}
