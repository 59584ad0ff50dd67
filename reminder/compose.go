package reminder

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	netmail "net/mail"
	"slices"
	"strings"

	"github.com/emersion/go-message/mail"

	"vext/internal/commit"
	"vext/internal/text"
	"vext/notify"
	"vext/templates"
)

// Kinds of mails, the values of OwnHeader.
const (
	kindReminder = "reminder"
	kindOperator = "operator"
	kindExplains = "not-understood"
)

// A draft is a mail before it is written.
type draft struct {
	kind    string
	to      commit.Person
	subject string
	text    string
	key     string   // of which the Message-ID's local part is a digest
	replyTo []string // Message-IDs without angle brackets
	answers string   // the address for Reply-To, or empty
}

// subject returns the subject of a reminder, by the word of its trailer.
func subject(word, text string) string {
	if word == "" {
		return "[Reminder] " + text
	}
	return "[" + word + " reminder] " + text
}

// digestData is the data of digest.txt.
type digestData struct {
	Reminders      []Words
	Host, Operator string
	OnHost         bool     // see Words
	HasTargets     bool     // of one of the commits it is known what became of it
	Merged         []string // see Words
}

// OthersAsked reports whether somebody else than the recipient has asked.
func (d digestData) OthersAsked() bool {
	return slices.ContainsFunc(d.Reminders, func(w Words) bool { return w.Asker != "" && w.Asker != "you" })
}

// notUnderstoodData is the data of not-understood.txt.
type notUnderstoodData struct {
	Words
	Why string // what is wrong with the line: not a period such as "2 weeks"
}

// compose composes the mail for items of one recipient: a reminder or a digest of several.
// To a committer whose trailer is not understood it explains that, with the operator in
// Reply-To.
func (s *Service) compose(items []*dueItem, words []Words) (*notify.Mail, error) {
	item, w := items[0], words[0]
	d := draft{kind: kindReminder, to: s.Queue.Policy.Recipient(&item.message.Commit), key: item.key()}
	for _, item := range items {
		d.replyTo = append(d.replyTo, item.message.ID)
	}
	template, data := templates.Reminder, any(w)
	switch {
	case item.why != nil:
		w.Asked = text.Shorten(w.Asked, maxText)
		template, data = templates.NotUnderstood, notUnderstoodData{w, item.why.Error()}
		d.kind, d.subject = kindExplains, "[Not understood] "+w.Subject
		d.key, d.answers = kindExplains+"\n"+d.key, s.Operator
	case len(items) == 1:
		d.subject = subject(w.Word, w.Subject)
	default:
		word := w.Word
		d.key = ""
		hasTargets := false
		for i, item := range items {
			words[i].Number = i + 1
			hasTargets = hasTargets || len(words[i].Targets) > 0
			if words[i].Word != word {
				word = ""
			}
			d.key += item.key() + "\n"
		}
		template, data = templates.Digest, digestData{words, s.Host, s.Operator, w.OnHost, hasTargets, w.Merged}
		d.subject = subject(word, fmt.Sprintf("%d commits", len(items)))
	}
	var err error
	if d.text, err = s.Templates.Text(template, data); err != nil {
		return nil, err
	}
	return s.write(&d)
}

// write writes a draft as a mail. No value can add a header field or a recipient:
// line ends are removed, and go-message encodes what is not ASCII (RFC 2047).
func (s *Service) write(d *draft) (*notify.Mail, error) {
	sum := sha256.Sum256([]byte(d.key))
	key := hex.EncodeToString(sum[:16])
	// go-message puts each field before those set earlier.
	var h mail.Header
	h.Set(commit.OwnHeader, d.kind)
	h.Set("Auto-Submitted", "auto-generated") // RFC 3834, section 5
	h.Set("Content-Transfer-Encoding", "7bit")
	if !isPlain(d.text) {
		h.Set("Content-Transfer-Encoding", "quoted-printable")
	}
	h.SetContentType("text/plain", map[string]string{"charset": "utf-8"})
	h.Set("MIME-Version", "1.0")
	if ids := validIDs(d.replyTo); len(ids) > 0 {
		references := "<" + strings.Join(ids, "> <") + ">"
		h.AddRaw(folded("References", references))
		h.AddRaw(folded("In-Reply-To", references))
	}
	h.SetMessageID("vext." + key + s.From.Address[strings.LastIndexByte(s.From.Address, '@'):])
	h.AddRaw(folded("Subject", mime.QEncoding.Encode("utf-8", text.Shorten(text.OneLine(d.subject), maxText))))
	if answers, err := netmail.ParseAddress(d.answers); err == nil {
		h.AddRaw(folded("Reply-To", answers.String()))
	}
	to := netmail.Address{Name: text.Shorten(text.OneLine(d.to.Name), maxText), Address: d.to.Email}
	h.AddRaw(folded("To", to.String()))
	h.AddRaw(folded("From", (*netmail.Address)(s.From).String()))
	h.SetDate(s.Queue.Now.In(s.Queue.Zone))
	var b bytes.Buffer
	w, err := mail.CreateSingleInlineWriter(&b, h)
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(w, strings.ReplaceAll(d.text, "\n", "\r\n")); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return &notify.Mail{Sender: s.Envelope, Recipient: d.to.Email, Key: key, Data: b.Bytes()}, nil
}

// maxText bounds a subject or a name, in bytes.
const maxText = 200

// maxHeaderLine bounds a header line that has a blank to fold at, in bytes (RFC 2047,
// section 2).
const maxHeaderLine = 76

// folded writes a header field, folded at blanks. go-message folds, but not
// between encoded words.
func folded(name, value string) []byte {
	b := []byte(name + ":")
	line := len(b)
	for _, word := range strings.Fields(value) {
		if line+1+len(word) > maxHeaderLine && line > 0 {
			b, line = append(b, "\r\n"...), 0
		}
		b = append(append(b, ' '), word...)
		line += 1 + len(word)
	}
	return append(b, "\r\n"...)
}

// isPlain reports whether text needs no encoding: ASCII, and no line longer
// than SMTP takes (RFC 5321, section 4.5.3.1.6).
func isPlain(text string) bool {
	for line := range strings.Lines(text) {
		if len(line) > 990 {
			return false
		}
		for i := range len(line) {
			if line[i] >= 0x7f || line[i] == 0 || line[i] == '\r' {
				return false
			}
		}
	}
	return true
}

// maxIDs bounds the Message-IDs in References.
const maxIDs = 20

// validIDs returns the Message-IDs that fit in a header: printable ASCII, with an @,
// and short enough for a folded line.
func validIDs(ids []string) []string {
	var valid []string
	for _, id := range ids {
		ok := strings.Count(id, "@") == 1 && len(id) <= 250 && !strings.ContainsFunc(id, func(r rune) bool {
			return r <= ' ' || r >= 0x7f || strings.ContainsRune("<>()[],;:\\\"", r)
		})
		if ok && len(valid) < maxIDs {
			valid = append(valid, id)
		}
	}
	return valid
}

// ParseAddress reads an address of the configuration, with a name or without.
func ParseAddress(s string) (*mail.Address, error) {
	a, err := netmail.ParseAddress(s)
	if err != nil {
		return nil, fmt.Errorf("not an address: %q", s)
	}
	return (*mail.Address)(a), nil
}

// maxLine bounds a line without the URL at its end, in bytes. A server accepts 512, which
// include the command, the prefix and the line end (RFC 2812, section 2.3).
const maxLine = 400

// lineText returns the text of a reminder for targets, of at most maxLine bytes without the URL
// at its end. It shortens a long subject, and leaves out a URL of more than maxLine bytes.
func (s *Service) lineText(w Words) (string, error) {
	if len(w.URL) > maxLine {
		w.URL = ""
	}
	line, err := s.oneLine(w)
	if over := len(line) - len(w.URL) - maxLine; over > 0 {
		w.Subject = text.Shorten(w.Subject, max(0, len(w.Subject)-over-len("…")))
		line, err = s.oneLine(w)
	}
	if len(line)-len(w.URL) > maxLine && err == nil { // the rest of it is too long as well
		before, atEnd := strings.CutSuffix(line, w.URL)
		line = text.Shorten(before, maxLine-len(" …"))
		if atEnd && w.URL != "" {
			line += " " + w.URL
		}
	}
	return line, err
}

// oneLine executes the template and replaces line ends by blanks.
func (s *Service) oneLine(w Words) (string, error) {
	said, err := s.Templates.Text(templates.ReminderIRC, w)
	return strings.Join(strings.Fields(text.OneLine(said)), " "), err
}
