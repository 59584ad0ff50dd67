package commit

import (
	"io"
	"slices"
	"strings"
)

// OwnHeader marks every mail that vext sends. The filter ignores such mails:
// reminders that were read as requests would loop.
const OwnHeader = "X-Vext"

// TrailerHeader names the trailer that asks, when it is not one of the usual ones.
// The filter adds it to a message, so that the queue finds the request, too. A trailer of a
// convention needs the rest of that, and is not named.
const TrailerHeader = "X-Vext-Trailer"

// SourceHeader names the source of a commit that did not come as a mail. The filter
// overrides it in a mail.
const SourceHeader = "X-Vext-Source"

// SenderHeader holds the From address of a mail with several commits, each of which
// is spooled as a mail from its committer. The filter overrides it in a mail.
const SenderHeader = "X-Vext-Sender"

// The sources, as SourceHeader, the history and vext check name them.
const (
	FromMail    = "mail"    // a mail on vext-filter's standard input
	FromLMTP    = "lmtp"    // a mail by LMTP
	FromJSON    = "json"    // JSON on vext-filter's standard input
	FromWebhook = "webhook" // a forge's webhook
	FromHook    = "hook"    // a repository's hook, installed by vext
	FromFollow  = "follow"  // a repository that vext follows
	FromImport  = "import"  // the past of a repository
	FromRemind  = "remind"  // a person with vext remind, who named a commit of a repository
)

// ReadsRepository reports whether a source reads commits from a repository.
func ReadsRepository(source string) bool {
	return source == FromHook || source == FromFollow || source == FromImport || source == FromRemind
}

// Forgeable reports whether anybody can write what comes from a source.
func Forgeable(source string) bool {
	return source != FromWebhook && !ReadsRepository(source)
}

// A Mail is a mail, read only as far as its commit messages reach.
type Mail struct {
	Header  Header
	Commits []Commit // in the order of the mail; more than one only for a push
	Others  int      // how many commits Commits leaves out, see ReadAsking
	Dropped int      // how many more of a push had a request, but did not fit into memory
	Ignored string   // why it is not a commit mail; "" for one that is
	Bad     bool     // it is not a mail
	// OnlyHTML says that a commit mail asks for a reminder only in its HTML, which is
	// not read. Ignored then says what to do.
	OnlyHTML bool
	Plain    bool // of no known mailer: all of its text is taken for the message

	wanted  *Trailers // Commits has those that ask by these; nil for all commits
	files   bool      // Commits has all commits, with their files
	text    collector // the decoded text that was read last, as far as it was read
	textEnd int       // text behind it is not needed; 0 when all of text is
	charset string    // of text, when it could not be decoded

	hasText bool      // there was a part with text
	hasHTML bool      // there was a part with HTML, of a commit mailer
	plain   string    // the first text without a known mailer's shape
	joined  collector // that text and further ones
	facts   facts     // from the first text
	from    *Person   // who wrote the mail; nil while unknown
	kept    int       // bytes of the messages of Commits without the first
	inner   *Mail     // the mail that a list has wrapped
	isInner bool
}

// ReadMail reads a mail (RFC 5322) with one commit, or with several commits of one
// push. It reads no further than it must and never fails: Ignored says why a mail is
// not understood.
func ReadMail(r io.Reader) *Mail { return (&Mail{}).read(r) }

// maxOthers bounds the commits that are returned though they ask for nothing.
const maxOthers = 5000

// ReadAsking is ReadMail, but returns only the commits that ask for a reminder by one
// of the trailers. Others counts the rest. With all, it returns the other commits as well, up
// to maxOthers and without their messages, and the files that each commit changed.
func ReadAsking(r io.Reader, trailers *Trailers, all bool) *Mail {
	return (&Mail{wanted: trailers, files: all}).read(r)
}

func (m *Mail) read(r io.Reader) *Mail {
	lines := newLineReader(r)
	m.Header.read(lines, false)
	if len(m.Header.text) == 0 {
		m.Bad, m.Ignored = true, "not a mail: it has no header"
		return m
	}
	if m.Ignored = m.Header.ignored(); m.Ignored != "" {
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
// without a mailer's shape for takePlain, because a later part may have a shape.
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

// takePlain takes all texts of the mail together for the message of a commit.
func (m *Mail) takePlain() {
	if m.joined.Len() > 0 {
		m.plain = messageText(m.joined.String())
	}
	m.Plain = m.plain != ""
	m.facts.date = "" // what looked like a date is part of the message
	b := body{mail: m, facts: m.facts}
	b.finish(Commit{Message: m.plain}, true)
}

// isPlain reports whether the body needs no decoding. Most commit mails need none.
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

// ignored returns why a mail with this header is not a commit mail, "" when it may be
// one.
func (h *Header) ignored() string {
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
// pipe(8) writes it as MAILER-DAEMON by default.
func isNobody(sender string) bool { return sender == "" || sender == "MAILER-DAEMON" }

// isReply reports whether a person has written the mail as a reply. In-Reply-To alone
// does not show that: git-multimail threads its mails.
func (h *Header) isReply() bool {
	subject := h.Get("Subject")
	if begins(subject, "Re:", "RE:", "Re[", "RE[", "Aw:", "AW:", "Sv:", "SV:", "Fwd:", "FWD:", "Fw:", "FW:") {
		return true // with a capital: re: is a driver
	}
	return !h.fromMailer() && (h.Has("In-Reply-To") || h.Has("References"))
}

// fromMailer reports whether a commit mailer's own fields are present.
func (h *Header) fromMailer() bool {
	return slices.ContainsFunc(h.fields, func(f field) bool { return isMailers(h.name(f)) })
}

// Sender returns the address in From.
func (m *Mail) Sender() string { return ParsePerson(m.Header.Get("From")).Email }

// NamesCommit reports whether the header shows that a commit mailer wrote the mail.
// Without that, a commit in the text may be a quotation. A header can be forged.
func (m *Mail) NamesCommit() bool { return m.Header.names() }
