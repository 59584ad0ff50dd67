package commit

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"vext/internal/text"
)

// notification is the JSON object of a hook. Dates are in RFC 3339; one that can't be
// read counts as missing.
type notification struct {
	Repository string     `json:"repository"`
	Refname    string     `json:"refname"`
	Revision   string     `json:"revision"`
	Author     *signature `json:"author"`
	Committer  *signature `json:"committer"`
	Message    *string    `json:"message"`
	URL        string     `json:"url"`
	ID         string     `json:"id"`
}

type signature struct {
	Name  string          `json:"name"`
	Email string          `json:"email"`
	Date  json.RawMessage `json:"date"`
}

func (s *signature) person() Person { return Person{Name: s.Name, Email: s.Email} }

func (s *signature) date() time.Time {
	var text string
	if json.Unmarshal(s.Date, &text) != nil {
		return time.Time{}
	}
	return ParseDate(text)
}

// ParseJSON reads one commit from the JSON object of a hook. It ignores unknown
// members. A missing committer, revision or message is an error, and so is anything but
// white space behind the object.
func ParseJSON(data []byte) (Commit, error) {
	var n notification
	decoder := json.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&n); err != nil {
		return Commit{}, fmt.Errorf("not a JSON object of a commit: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return Commit{}, errors.New("more than one JSON object")
	}
	switch {
	case n.Committer == nil:
		return Commit{}, errors.New("committer is missing")
	case text.OneLine(n.Revision) == "":
		return Commit{}, errors.New("revision is missing")
	case n.Message == nil:
		return Commit{}, errors.New("message is missing")
	}
	revision := text.OneLine(n.Revision)
	if len(revision) > maxRevision || strings.Contains(revision, " ") {
		return Commit{}, fmt.Errorf("not a revision: %.80q", n.Revision)
	}
	if lower := strings.ToLower(revision); IsHash(lower) {
		revision = lower
	}
	if n, err := strconv.ParseUint(strings.TrimPrefix(revision, "r"), 10, 32); err == nil {
		revision = "r" + strconv.FormatUint(n, 10) // Subversion's, as its mails write it
	}
	if n.Author == nil {
		n.Author = n.Committer
	}
	c := Commit{
		Repository: n.Repository,
		Refname:    n.Refname,
		Revision:   revision,
		URL:        n.URL,
		Author:     n.Author.person(),
		Committer:  n.Committer.person(),
		AuthorDate: n.Author.date(),
		Date:       n.Committer.date(),
		Message:    *n.Message,
	}
	c.Clean()
	c.ID = strings.Trim(text.OneLine(n.ID), "<>")
	if c.ID == "" {
		c.ID = c.MadeID()
	}
	return c, nil
}

// Clean prepares a commit from JSON to be written as a mail: each fact on one line, and
// the message without what a mail can't contain. It sets the subject, and the sender,
// who is the committer.
func (c *Commit) Clean() {
	for _, fact := range []*string{&c.Repository, &c.Refname, &c.Revision, &c.URL,
		&c.Author.Name, &c.Author.Email, &c.Committer.Name, &c.Committer.Email} {
		*fact = text.OneLine(*fact)
	}
	for _, address := range []*string{&c.Author.Email, &c.Committer.Email} {
		if strings.ContainsAny(*address, "<>\"(),;\\ \t") {
			*address = "" // it would be read back as another address
		}
	}
	c.Repository = RepositoryName(c.Repository)
	c.Message = cleanMessage(c.Message)
	c.Subject, _, _ = strings.Cut(c.Message, "\n")
	c.Sender = c.Committer.Email
}

// MadeID returns the Message-ID of a commit that has none. The branch is part of it, so
// that a commit on a branch that does not count is not mistaken for the same commit on
// one that does.
func (c *Commit) MadeID() string {
	id := escapeID(c.Revision)
	if branch := c.Branch(); branch != "" {
		id += "+" + escapeID(branch)
	}
	return id + "@" + escapeID(cmp.Or(c.Repository, "vext"))
}

// LooksMade reports whether a Message-ID has the form of one from MadeID.
func LooksMade(id string) bool {
	revision, rest, _ := strings.Cut(id, "@")
	revision, _, _ = strings.Cut(revision, "+")
	number := strings.TrimPrefix(revision, "r")
	return rest != "" && (IsHash(revision) || number != revision && number != "" && strings.Trim(number, "0123456789") == "")
}

// escapeID replaces bytes that a Message-ID can't contain by = and two hexadecimal
// digits, so that different names stay different.
func escapeID(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("._-", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return b.String()
}

// cleanMessage returns a commit message with \n for every line end, without control
// characters other than tabs, and shortened as by collector.
func cleanMessage(s string) string {
	var c collector
	for len(s) > 0 {
		end := strings.IndexAny(s, "\r\n")
		line, rest := s, ""
		if end >= 0 {
			line, rest = s[:end], s[end+1:]
			if s[end] == '\r' {
				rest = strings.TrimPrefix(rest, "\n")
			}
		}
		c.add([]byte(strings.Map(withoutControl, line)))
		s = rest
	}
	return messageText(c.String())
}

func withoutControl(r rune) rune {
	if r < ' ' && r != '\t' || r == 0x7f {
		return -1
	}
	return r
}
