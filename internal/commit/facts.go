package commit

import (
	"bytes"
	"cmp"
	"path"
	"strconv"
	"strings"

	"vext/internal/text"
)

// factInitials are the first bytes of the lines that before understands.
const factInitials = "-_@dIT" + "tc MCUADNROu"

// before reads one of the lines before a message. It is called for every line of a
// plain mail. It uses no regular expressions, as nothing in the filter does: compiling
// them would slow down its start.
func (b *body) before(line []byte) {
	if len(line) == 0 || strings.IndexByte(factInitials, line[0]) < 0 {
		return
	}
	if isEnd(line) && !b.facts.push {
		if b.end < 0 {
			b.end = b.start
		}
		b.ended = !b.named || isDiffLine(line) || bytes.HasPrefix(line, []byte(cutMark))
		return
	}
	if len(line) > 200 {
		return
	}
	f := &b.facts
	switch {
	case bytes.HasPrefix(line, []byte("The branch")):
		f.updatedBranch(string(line))
	case bytes.HasPrefix(line, []byte(`the project "`)) && bytes.HasSuffix(line, []byte(`".`)):
		f.repository = string(line[len(`the project "`) : len(line)-len(`".`)])
	case bytes.HasPrefix(line, []byte("changeset ")):
		f.changeset(strings.Fields(string(line)))
	case bytes.HasPrefix(line, []byte("On branch  :")): // git-notifier's; On branches: is ambiguous
		f.refname = string(bytes.TrimSpace(line[len("On branch  :"):]))
	case bytes.HasSuffix(line, []byte("odified files:")), bytes.HasPrefix(line, []byte("Module Name:")),
		bytes.HasPrefix(line, []byte("Changes by:")), bytes.HasPrefix(line, []byte("Committed By:")):
		f.log = true
	default:
		f.field(line)
	}
}

// updatedBranch reads the branch from the first line of FreeBSD's and of
// post-receive-email's mails.
func (f *facts) updatedBranch(line string) {
	name := strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(line, "The branch"), ","))
	name, rest, _ := strings.Cut(name, " ")
	if strings.HasPrefix(rest, "has been ") && f.refname == "" {
		f.refname = name
	}
}

// changeset reads revision and repository from Mercurial's
// `changeset 0123456789ab in /path`.
func (f *facts) changeset(words []string) {
	if len(words) == 4 && words[2] == "in" && len(words[1]) >= 12 && IsHex(words[1]) {
		f.revision, f.repository = words[1], path.Base(words[3])
	}
}

// field reads a line of the form `Key: value`.
func (f *facts) field(line []byte) {
	i := bytes.IndexByte(line, ':')
	if i < 3 || i > len("New Revision") {
		return
	}
	value := string(bytes.TrimSpace(line[i+1:]))
	switch string(line[:i]) {
	case "URL":
		f.url = value
		// http://svn.freebsd.org/changeset/base/224709, https://github.com/llvm/llvm-project/commit/0123...
		if _, base, ok := strings.Cut(value, "/changeset/"); ok {
			f.repository, _, _ = strings.Cut(base, "/")
		} else if repository, revision, ok := strings.Cut(value, "/commit/"); ok && IsHash(revision) {
			f.repository = strings.TrimSuffix(repository, "/-")
		}
	case "Date":
		f.date = value
	case "Author", "user":
		f.author = ParsePerson(value)
	case "New Revision", "Revision":
		if n, err := strconv.ParseUint(strings.TrimPrefix(value, "r"), 10, 32); err == nil {
			f.revision, f.log = "r"+strconv.FormatUint(n, 10), true
		} else if IsHash(value) {
			f.revision, f.log = value, true
		}
	}
}

// maxKept bounds the messages that are kept of one mail, in bytes; the rest of a
// larger push is dropped. commitSize is what a commit needs besides its message.
const (
	maxKept    = 8 << 20
	commitSize = 512
)

// finish completes a commit from the mail's header and the lines before its
// message, and adds it to the mail.
func (b *body) finish(c Commit, plain bool) {
	if c.Message == "" {
		return
	}
	m, asks := b.mail, true
	if m.wanted != nil {
		_, asks = m.wanted.Request(c.Message)
	}
	if !asks && (!m.files || len(m.Commits) >= maxOthers) {
		m.Others++
		return
	}
	if asks && len(m.Commits) > 0 {
		if m.kept += len(c.Message) + commitSize; m.kept > maxKept {
			m.Dropped++
			return
		}
		c.Message = strings.Clone(c.Message) // its buffer is larger
	}
	h, f := &m.Header, &b.facts
	c.AuthorDate, c.Date = ParseDate(f.authorDate), ParseDate(f.date)
	c.ID = messageID(h)
	if c.Trailer, c.Source = h.stamps(); !Forgeable(c.Source) {
		c.Asked = h.asked()
	}
	c.Sender = cmp.Or(h.Get(SenderHeader), m.Sender())
	c.URL = text.OneLine(f.url)
	c.Repository = RepositoryName(cmp.Or(h.Get("X-Git-Repository"), h.Get("X-Git-Repo"), h.Get("X-SVN-Commit-Repository"), f.repository))
	c.Refname = cmp.Or(h.Get("X-Git-Refname"), h.Get("X-SVN-Group"), h.Get("X-FreeBSD-CVS-Branch"), b.svnBranch(), f.refname)
	c.Revision = cmp.Or(c.Revision, h.Get("X-Git-Commit"), h.Get("X-Git-Rev"))
	b.people(&c, plain)
	if c.Date.IsZero() {
		c.Date = ParseDate(h.Get("Date"))
	}
	c.Subject, _, _ = strings.Cut(c.Message, "\n")
	if plain || strings.TrimSpace(c.Subject) == "" {
		c.Subject = cmp.Or(undecorated(h.Get("Subject")), c.Subject)
	}
	for _, shown := range []*string{&c.Subject, &c.Repository, &c.Refname, &c.Revision} {
		*shown = text.OneLine(*shown)
	}
	if !asks {
		c.Message, c.Subject = "", strings.Clone(c.Subject) // Subject is a part of Message
	}
	m.Commits = append(m.Commits, c)
}

// people completes author and committer of a commit. A mailing list is neither.
func (b *body) people(c *Commit, plain bool) {
	m, h, f := b.mail, &b.mail.Header, &b.facts
	for _, p := range []*Person{&c.Committer, &c.Author} {
		if h.isLists(p.Email) {
			p.Email = ""
		}
	}
	if m.from == nil {
		author := h.author()
		m.from = &author
	}
	switch {
	case c.Committer.Email != "":
	case !plain && h.isPerson(f.author):
		c.Committer = f.author
	case f.others && !plain:
		c.Committer = cmp.Or(c.Committer, Person{Name: f.author.Name})
	case !plain && strings.Contains(f.author.Name, " ") && !strings.EqualFold(f.author.Name, m.from.Name):
		c.Committer = Person{Name: f.author.Name} // another person sent the mail
	case m.from.Email == "" && !plain && f.author.Name != "":
		c.Committer = Person{Name: f.author.Name} // a login, for which the policy may have a domain
	default:
		c.Committer = *m.from
	}
	if c.Author.Email == "" {
		c.Author = c.Committer
	}
}

// svnBranch finds the branch in a subject such as
// `svn commit: r224709 - in head/sys/dev/ath: . ath_hal`.
func (b *body) svnBranch() string {
	if !b.facts.log {
		return ""
	}
	_, path, _ := strings.Cut(b.mail.Header.Get("Subject"), " in ")
	path, _, _ = strings.Cut(path, " ")
	return BranchOfPath(strings.TrimRight(path, ":"))
}

// undecorated returns a subject without the prefixes of mailers and lists: `[list]`,
// `git: 0123456789ab - main - `, `svn commit: r224709 - `.
func undecorated(subject string) string {
	s := withoutList(subject)
	if rest, ok := strings.CutPrefix(s, "git: "); ok {
		parts := strings.SplitN(rest, " - ", 3)
		if len(parts) == 3 && (IsHex(parts[0]) || parts[0][0] == 'r') {
			return strings.TrimSpace(parts[2])
		}
	}
	if rest, ok := strings.CutPrefix(s, "svn commit: "); ok {
		if _, rest, ok := strings.Cut(rest, " - "); ok {
			return strings.TrimSpace(rest)
		}
	}
	return strings.TrimSpace(strings.TrimPrefix(s, "cvs commit: "))
}

// withoutList returns a subject without the prefixes of lists.
func withoutList(subject string) string {
	s := strings.TrimSpace(subject)
	for strings.HasPrefix(s, "[") {
		_, rest, ok := strings.Cut(s, "]")
		if rest = strings.TrimSpace(rest); !ok || rest == "" {
			break
		}
		s = rest
	}
	return s
}

// messageID returns the Message-ID without its angle brackets and without comments
// around it (RFC 5322, section 3.6.4), "" when there is none.
func messageID(h *Header) string {
	id := h.Get("Message-ID")
	if _, inner, ok := strings.Cut(id, "<"); ok {
		id, _, _ = strings.Cut(inner, ">")
	}
	return strings.TrimSpace(id)
}
