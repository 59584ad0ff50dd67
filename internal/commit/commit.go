// Package commit describes commits: who made one, where and when, and which
// reminder its message asks for. It reads commits from commit mails and from a
// hook's JSON, and writes them as commit mails.
package commit

import (
	"strings"
	"time"

	"vext/internal/calendar"
	"vext/internal/text"
)

// A Commit is one commit as a message describes it. What the message does not say is
// empty. Its JSON is that of an Arrival.
type Commit struct {
	ID         string    `json:"id,omitempty"` // Message-ID without its angle brackets
	Repository string    `json:"repository,omitempty"`
	Refname    string    `json:"refname,omitempty"`  // refs/heads/main, or what the mail calls the branch
	Revision   string    `json:"revision,omitempty"` // a full hash, or r and a number
	URL        string    `json:"url,omitempty"`
	Subject    string    `json:"subject"` // of the commit, without a mailing list's decoration
	Message    string    `json:"-"`       // the commit message, its lines ended by \n
	Author     Person    `json:"author"`
	Committer  Person    `json:"committer"`
	AuthorDate time.Time `json:"-"`
	Date       time.Time `json:"date,omitzero"`    // of the commit, else of the mail; zero when unknown
	Sender     string    `json:"sender,omitempty"` // the address in From of the mail
	Trailer    string    `json:"-"`                // the trailer that asks, when it is not one of the usual ones
	Source     string    `json:"source,omitempty"` // one of the From constants; "" for a mail
	Files      Files     `json:"-"`                // that it changed; only for commits that are announced
	Asked      Asked     `json:"-"`                // a request that was made after the commit
}

// A Person has a name and an address, as a commit gives them.
type Person struct {
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
}

// String returns the person as `Name <address>`.
func (p Person) String() string {
	switch {
	case p.Email == "":
		return p.Name
	case p.Name == "":
		return p.Email
	}
	return p.Name + " <" + p.Email + ">"
}

// IsWebFlow reports whether the person is GitHub itself, the committer of what is
// merged on its pages.
func (p Person) IsWebFlow() bool { return strings.EqualFold(p.Email, "noreply@github.com") }

// Login returns the local part of the person's address. Statistics are by login.
func (p Person) Login() string { return Login(p.Email) }

// Login returns the local part of an address.
func Login(address string) string {
	if i := strings.LastIndexByte(address, '@'); i >= 0 {
		return address[:i]
	}
	return address
}

// ParsePerson reads `Name <address>`, a bare address, `address (Name)`, or a
// bare name. It never fails.
func ParsePerson(s string) Person {
	s = strings.TrimSpace(s)
	open := strings.LastIndexByte(s, '<')
	if end := strings.LastIndexByte(s, '>'); open >= 0 && end > open {
		name := strings.Trim(strings.TrimSpace(s[:open]), `"`)
		return Person{Name: strings.ReplaceAll(name, `\"`, `"`), Email: strings.TrimSpace(s[open+1 : end])}
	}
	address, name, ok := strings.Cut(s, " (")
	if strings.Contains(address, "@") && !strings.Contains(address, " ") {
		if !ok {
			name = ""
		}
		return Person{Name: strings.TrimSuffix(name, ")"), Email: address}
	}
	return Person{Name: s}
}

// Branch returns the branch without `refs/heads/`. Other refs keep their full
// name, so that the tag main is not the branch main.
func (c *Commit) Branch() string { return BranchName(c.Refname) }

// BranchName returns refname without `refs/heads/`.
func BranchName(refname string) string { return strings.TrimPrefix(refname, "refs/heads/") }

// Short returns the revision as people write it: twelve digits of a hash.
func (c *Commit) Short() string { return ShortRevision(c.Revision) }

// ShortRevision cuts a hash to twelve digits and leaves other revisions whole.
func ShortRevision(revision string) string {
	if IsHash(revision) {
		return revision[:12]
	}
	return revision
}

// IsHash reports whether s is a full hash: SHA-1 or SHA-256 in hexadecimal.
func IsHash(s string) bool { return (len(s) == 40 || len(s) == 64) && IsHex(s) }

// IsHex reports whether s is of hexadecimal digits, in lower case as version
// control systems write them, and not empty.
func IsHex(s string) bool {
	return s != "" && strings.Trim(s, "0123456789abcdef") == ""
}

// Due returns the day on which the commit is due after the period p. It counts
// from the commit's day in the zone loc; a date that is missing, or more than
// a day ahead of now, is replaced by the time of receipt.
func (c *Commit) Due(p Period, received, now time.Time, loc *time.Location) (calendar.Day, error) {
	return p.Due(calendar.Of(c.Made(received, now), loc))
}

// Made returns the commit's own date or, when that is missing or more than a day
// ahead of now, the time of receipt, which is never later than now.
func (c *Commit) Made(received, now time.Time) time.Time {
	if !c.Date.IsZero() && c.Date.Year() > 1 && !c.Date.After(now.Add(24*time.Hour)) {
		return c.Date
	}
	if received.After(now) {
		return now
	}
	return received
}

// Files are the first of the paths that a commit changed, and the number of all.
type Files struct {
	Paths []string
	Count int
}

const (
	maxFiles = 100 // paths that are kept of a commit
	maxPath  = 300 // bytes that are kept of a path
)

// Add adds a path, unless it is empty.
func (f *Files) Add(path string) {
	if path = text.Shorten(text.OneLine(path), maxPath); path == "" {
		return
	}
	if f.Count++; len(f.Paths) < maxFiles {
		f.Paths = append(f.Paths, path)
	}
}

// FilesOf returns the files of lists of paths.
func FilesOf(lists ...[]string) Files {
	var f Files
	for _, list := range lists {
		for _, path := range list {
			f.Add(path)
		}
	}
	return f
}

// branch finds the branch in the first paths, by the usual layout of a
// Subversion repository.
func (f *Files) branch() string {
	for _, path := range f.Paths[:min(len(f.Paths), 20)] {
		if branch := BranchOfPath(path); branch != "" {
			return branch
		}
	}
	return ""
}
