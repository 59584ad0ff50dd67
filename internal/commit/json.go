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
	Person
	Date json.RawMessage `json:"date"`
}

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
	revision := text.OneLine(n.Revision)
	switch {
	case n.Committer == nil:
		return Commit{}, errors.New("committer is missing")
	case revision == "":
		return Commit{}, errors.New("revision is missing")
	case n.Message == nil:
		return Commit{}, errors.New("message is missing")
	case len(revision) > maxRevision || strings.Contains(revision, " "):
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
		Author:     n.Author.Person,
		Committer:  n.Committer.Person,
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
	return rest != "" && (IsHash(revision) || isRevisionNumber(revision))
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
	c.addAll(text.Clean(unixLines(s)))
	return messageText(c.String())
}

// unixLines returns a text with \n for \r\n, and for a \r alone.
func unixLines(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// An Arrival is a commit as it arrives, with what its push says about it.
type Arrival struct {
	Commit
	More    int      `json:"more,omitempty"`    // how many commits of the push come before it and are not described
	Counted []string `json:"counted,omitempty"` // revisions of those, where they are known
	Page    string   `json:"page,omitempty"`    // the URL of a page that shows the whole push
}

// An arrivalLine is an Arrival on disk: a JSON object on one line, without the message.
type arrivalLine struct {
	*Arrival
	Files     []string `json:"files,omitempty"`
	FileCount int      `json:"file_count,omitempty"`
}

// Line returns the arrival, without its message, as a line of JSON.
func (a *Arrival) Line() []byte {
	line, err := json.Marshal(arrivalLine{a, a.Files.Paths, a.Files.Count})
	if err != nil { // RFC 3339 can't express the year
		undated := *a
		undated.Date = time.Time{}
		return undated.Line()
	}
	return append(line, '\n')
}

// maxFact bounds each fact about an arrival, in bytes.
const maxFact = 1000

// ParseArrival reads what Line has written. Anybody may have written it: each fact is
// made to fit on a line, and shortened.
func ParseArrival(line []byte) (Arrival, error) {
	a := Arrival{}
	from := arrivalLine{Arrival: &a}
	if err := json.Unmarshal(line, &from); err != nil {
		return Arrival{}, fmt.Errorf("not a commit as a line of JSON: %w", err)
	}
	for _, fact := range []*string{
		&a.Repository, &a.Refname, &a.Revision, &a.ID, &a.URL, &a.Subject, &a.Author.Name, &a.Author.Email,
		&a.Committer.Name, &a.Committer.Email, &a.Sender, &a.Source, &a.Page,
	} {
		*fact = fit(*fact)
	}
	for i := range a.Counted {
		a.Counted[i] = fit(a.Counted[i])
	}
	a.Repository = RepositoryName(a.Repository)
	a.Files = FilesOf(from.Files)
	a.Files.Count = max(a.Files.Count, from.FileCount)
	a.More = max(a.More, len(a.Counted))
	return a, nil
}

func fit(fact string) string {
	return text.Shorten(text.OneLine(strings.ToValidUTF8(fact, "\ufffd")), maxFact)
}
