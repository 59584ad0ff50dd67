package commit

import (
	"cmp"
	"fmt"
	"mime"
	"slices"
	"strings"
	"time"

	"vext/internal/text"
)

// An Asked is a request for a reminder that was made after its commit: by vext remind, in a
// note of git, or at a forge. The zero Asked is that of a commit whose own message asks.
type Asked struct {
	Line string    // the trailer that asks, "MFC after: 2 weeks"; a period counts from Date
	To   []string  // the branches to merge to, as in `MFC to:`; may be empty
	By   Person    // who asked; a login has no address
	Date time.Time // when
}

// IsZero reports whether the commit's own message asks.
func (a *Asked) IsZero() bool { return a.Line == "" }

// Header fields of a request that was made after its commit. They count only in a message
// from a source that nobody can forge, see Forgeable: the filter overrides SourceHeader in a
// mail.
const (
	askedHeader     = "X-Vext-Asked"
	askedToHeader   = "X-Vext-Asked-To"
	askedByHeader   = "X-Vext-Asked-By"
	askedDateHeader = "X-Vext-Asked-Date"
)

// Bounds of a request, in bytes, and of its branches.
const (
	maxAskedLine = 200
	maxAskedTo   = 20
	maxBranch    = 100
	maxWho       = 200
)

// Clean makes a request fit for a header: bounded, each part on one line.
func (a *Asked) Clean() {
	a.Line = cut(a.Line, maxAskedLine)
	a.By = Person{Name: cut(a.By.Name, maxWho), Email: cut(a.By.Email, maxWho)}
	if strings.ContainsAny(a.By.Email, "<>\"(),;\\ \t") {
		a.By.Email = "" // it would be read back as another address
	}
	a.By.Name = cut(strings.NewReplacer("<", "", ">", "", `"`, "").Replace(a.By.Name), maxWho)
	to := a.To
	a.To = nil
	a.Add(to...)
}

// cut returns s on one line of at most n bytes, with one blank between words, as a header
// field is read back.
func cut(s string, n int) string {
	if s = strings.Join(strings.Fields(text.OneLine(s)), " "); len(s) > n {
		s = strings.TrimSpace(strings.ToValidUTF8(s[:n], ""))
	}
	return s
}

// Add adds branches, without refs/heads/, each once. Each text may name several, with commas
// or blanks between them.
func (a *Asked) Add(branches ...string) {
	to := slices.Clip(a.To)
	for _, list := range branches {
		for branch := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || r == ' ' || text.IsControl(r) }) {
			if branch = cut(BranchName(branch), maxBranch); branch != "" && len(to) < maxAskedTo && !slices.Contains(to, branch) {
				to = append(to, branch)
			}
		}
	}
	a.To = to
}

// Who returns who asked, never empty.
func (a *Asked) Who() string { return cmp.Or(a.By.String(), "somebody") }

// fields returns the header fields of a request.
func (a *Asked) fields() [][2]string {
	if a.IsZero() {
		return nil
	}
	by := ""
	if a.By != (Person{}) {
		by = mime.QEncoding.Encode("utf-8", a.By.Name)
		if a.By.Email != "" {
			by = strings.TrimSpace(by + " <" + a.By.Email + ">")
		}
	}
	date := ""
	if !a.Date.IsZero() {
		date = a.Date.Format("Mon, 02 Jan 2006 15:04:05 -0700")
	}
	return [][2]string{
		{askedHeader, mime.QEncoding.Encode("utf-8", a.Line)},
		{askedToHeader, mime.QEncoding.Encode("utf-8", strings.Join(a.To, ", "))},
		{askedByHeader, by},
		{askedDateHeader, date},
	}
}

// asked reads the fields of a request.
func (h *Header) asked() Asked {
	a := Asked{
		Line: h.Get(askedHeader), To: []string{h.Get(askedToHeader)},
		By: ParsePerson(h.Get(askedByHeader)), Date: ParseDate(h.Get(askedDateHeader)),
	}
	if a.IsZero() {
		return Asked{}
	}
	a.Clean()
	return a
}

// StampTo returns a message of a request with the branches of this one.
func (a *Asked) StampTo(message []byte) []byte {
	field := askedToHeader + ": " + mime.QEncoding.Encode("utf-8", strings.Join(a.To, ", ")) + "\n"
	return append([]byte(field), message...) // the first of a name counts
}

// Asking returns the text in which a request is looked for: that of a request that was made
// after the commit, else the commit message.
func (c *Commit) Asking() string {
	if !c.Asked.IsZero() {
		return c.Asked.Line
	}
	return c.Message
}

// AllTrailers returns the text in which trailers are looked for that only describe a
// request: the commit message, and a request that was made after the commit.
func (c *Commit) AllTrailers() string {
	if len(c.Asked.To) == 0 {
		return c.Message
	}
	return c.Message + "\nMFC to: " + strings.Join(c.Asked.To, ", ") + "\n"
}

// AskedID returns what the name of a request that was made after its commit is made of: two
// requests with the same commit, text, person and time are one.
func (c *Commit) AskedID() string {
	a := &c.Asked
	return fmt.Sprintf("asked %s\n%s\n%s\n%s\n%d", c.Key(), a.Line, strings.Join(a.To, ","), a.By, a.Date.Unix())
}
