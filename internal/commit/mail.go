package commit

import (
	"io"
	"slices"
	"strings"
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

// SenderHeader holds the From address of a mail with several commits, each of which is
// spooled as a mail from its committer. The filter does not trust this field in an
// incoming mail.
const SenderHeader = "X-Vext-Sender"

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

// ReadsRepository reports whether a source reads commits from a repository.
func ReadsRepository(source string) bool {
	return source == FromHook || source == FromFollow || source == FromImport
}

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
	Dropped int      // commits that were wanted, of a push too large to keep
	Ignored string   // why it is none of our business; "" for a commit
	Bad     bool     // it is no mail at all
	// OnlyHTML says that a commit mail asks for a reminder only in its HTML, which is
	// not read. Ignored then says what to do.
	OnlyHTML bool
	Plain    bool // no mailer's shape is known in it: all of its text is taken for the message

	wanted  *Trailers // nil for every commit
	files   bool      // every commit is wanted, and what it changed
	text    collector // the decoded text that was read last, as far as it was read
	textEnd int       // what is behind that was read in vain; 0 for nothing
	charset string    // in which text is written, when it could not be decoded

	hasText bool      // there was a part with text
	hasHTML bool      // of a commit mailer
	plain   string    // the first text in which no mailer's shape is known
	joined  collector // that and further ones
	facts   facts     // from the first
	from    *Person   // who wrote the mail, once it was asked for
	kept    int       // bytes of the messages of Commits, but for the first
	inner   *Mail     // the mail that a list has wrapped
	isInner bool
}

// ReadMail reads a mail (RFC 5322) with one commit in it, or with the several
// of one push. It reads no further than it must and never fails: what can't be
// understood is reported in Ignored.
func ReadMail(r io.Reader) *Mail { return (&Mail{}).read(r) }

// ReadAll is ReadAsking for one who wants to know of the others, too, and which
// files were changed. Those have no Message, and Others counts what is beyond
// maxOthers.
func ReadAll(r io.Reader, trailers *Trailers) *Mail {
	return (&Mail{wanted: trailers, files: true}).read(r)
}

// maxOthers bounds how many commits are made out that do not ask.
const maxOthers = 5000

// ReadAsking is ReadMail for one who wants only the commits that ask for a
// reminder with one of the trailers. Others are not made out; Others counts
// them.
func ReadAsking(r io.Reader, trailers *Trailers) *Mail { return (&Mail{wanted: trailers}).read(r) }

func (m *Mail) read(r io.Reader) *Mail {
	lines := newLineReader(r)
	m.Header.read(lines)
	if m.Header.empty() {
		m.Bad, m.Ignored = true, "not a mail: it has no header"
		return m
	}
	if m.Ignored = m.Header.letGo(); m.Ignored != "" {
		return m
	}
	if m.Header.isPlain() && !lines.peeked {
		m.part(lines)
	} else {
		m.entity(&m.Header, lines, 0)
	}
	if len(m.Commits)+m.Others == 0 {
		m.takePlain()
	}
	m.OnlyHTML = m.OnlyHTML && len(m.Commits)+m.Others == 0
	switch {
	case len(m.Commits)+m.Others > 0:
	case m.inner != nil && m.inner.Ignored != "":
		m.Ignored = m.inner.Ignored
	case m.hasHTML:
		m.Ignored = "the commit is only in HTML, which is not read; have the mailer send plain text, alone or as well"
	case !m.hasText:
		m.Ignored = "it has no plain text"
	default:
		m.Ignored = "no commit message in it"
	}
	return m
}

// part reads the text of a part, and reports whether it was not empty. It keeps a text
// without a mailer's shape for takePlain, because another part may have one.
func (m *Mail) part(lines *lineReader) (useful bool) {
	m.hasText = true
	m.text, m.textEnd = collector{}, 0
	b := body{mail: m, lines: lines, end: -1}
	switch message := b.read(); {
	case message == "":
		return len(m.Commits)+m.Others > 0
	case m.plain == "":
		m.plain, m.facts = message, b.facts
	default:
		if m.joined.Len() == 0 {
			m.joined.addAll(m.plain)
		}
		m.joined.addAll("\n" + message)
	}
	return true
}

// takePlain makes all texts of the mail together the message of a commit.
func (m *Mail) takePlain() {
	if m.joined.Len() > 0 {
		m.plain = messageText(m.joined.String())
	}
	m.Plain = m.plain != ""
	m.facts.date = "" // what looked like one is a part of the message
	b := body{mail: m, facts: m.facts}
	b.finish(Commit{Message: m.plain}, true)
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

// Sender returns the address in From.
func (m *Mail) Sender() string { return ParsePerson(m.Header.Get("From")).Email }

// NamesCommit reports whether the header says that a mailer wrote the mail of a
// commit, and not only its text, in which a person may have quoted one. Whoever
// wants to deceive can write such a header, too.
func (m *Mail) NamesCommit() bool { return m.Header.names() }
