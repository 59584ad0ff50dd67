package commit

import (
	"bytes"
	"cmp"
	"fmt"
	"mime"
	"strings"
)

// Mail returns the commit as a commit mail in the format of FreeBSD's mailer, the only
// format behind the filter. ReadMail reads the same commit from it.
func (c *Commit) Mail() []byte {
	var b bytes.Buffer
	field := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	field("From", headerPerson(c.Committer))
	if !c.Date.IsZero() {
		field("Date", c.Date.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	}
	field("Message-ID", "<"+c.ID+">")
	field("Subject", mime.QEncoding.Encode("utf-8", fmt.Sprintf("git: %s - %s - %s", c.Short(), cmp.Or(c.Branch(), "?"), c.Subject)))
	field("MIME-Version", "1.0")
	field("Content-Type", "text/plain; charset=utf-8")
	field("Content-Transfer-Encoding", "8bit")
	field("X-Git-Committer", mime.QEncoding.Encode("utf-8", c.Committer.Login()))
	field("X-Git-Repository", mime.QEncoding.Encode("utf-8", c.Repository))
	field("X-Git-Refname", mime.QEncoding.Encode("utf-8", c.Refname))
	field("X-Git-Commit", mime.QEncoding.Encode("utf-8", c.Revision))
	field("Auto-Submitted", "auto-generated")
	field(TrailerHeader, c.Trailer)
	field(SourceHeader, c.Source)
	if c.Sender != c.Committer.Email {
		field(SenderHeader, c.Sender)
	}
	for _, f := range c.Asked.fields() {
		field(f[0], f[1])
	}
	b.WriteByte('\n')
	if c.URL != "" {
		fmt.Fprintf(&b, "URL: %s\n\n", c.URL)
	}
	fmt.Fprintf(&b, "commit %s\n", c.Revision)
	fmt.Fprintf(&b, "Author:     %s\n", logPerson(c.Author))
	if !c.AuthorDate.IsZero() {
		fmt.Fprintf(&b, "AuthorDate: %s\n", c.AuthorDate.Format(logDate))
	}
	fmt.Fprintf(&b, "Commit:     %s\n", logPerson(c.Committer))
	if !c.Date.IsZero() {
		fmt.Fprintf(&b, "CommitDate: %s\n", c.Date.Format(logDate))
	}
	b.WriteByte('\n')
	for line := range strings.Lines(c.Message) {
		b.WriteString(strings.TrimRight("    "+line, " \n") + "\n")
	}
	return b.Bytes()
}

func headerPerson(p Person) string {
	if p.Name == "" {
		return "<" + p.Email + ">"
	}
	name := mime.QEncoding.Encode("utf-8", p.Name)
	if name == p.Name {
		name = `"` + strings.NewReplacer(`\`, ``, `"`, `\"`).Replace(name) + `"`
	}
	return name + " <" + p.Email + ">"
}

// logPerson returns a person as in git log, which writes empty parts, too.
func logPerson(p Person) string { return p.Name + " <" + p.Email + ">" }

// Cut returns the mail without the text behind its commit messages: the header, the
// decoded text as far as it was read, and one line that says how much of the size bytes
// was left out.
func (m *Mail) Cut(size int64) []byte {
	if m.inner != nil {
		return m.inner.Cut(size)
	}
	text := m.text.String()
	if m.textEnd > 0 {
		text = text[:m.textEnd]
	}
	if m.Plain { // without the line that ended it, which could end it before a second part
		text = m.plain
	}
	charset := cmp.Or(m.charset, "utf-8")
	b := m.Header.appendTo(nil, "Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "MIME-Version", "Content-Length", "Lines")
	b = append(b, "MIME-Version: 1.0\nContent-Type: text/plain; charset="+charset+"\nContent-Transfer-Encoding: 8bit\n\n"...)
	b = append(b, text...)
	return fmt.Appendf(b, cutMark+"%d bytes\n", size)
}
