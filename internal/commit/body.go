package commit

import (
	"bytes"
	"strings"
)

// A body reads the commits from the text of a commit mail. Each mailer has a shape of
// its own around the commit message, which the lines before the message show:
//
//	git         commit 0123..., Author: ..., message indented by 4
//	Subversion  Author:, New Revision:, Log:, message indented by 2 or as it is
//	CVS         Modified files:, Log:, message indented by 2
//	svnnotify   Revision:, Log Message:, message as it is
//	LLVM        New Revision: 0123..., LOG: and the message as it is
//	Mercurial   changeset ... in ..., description:, message indented by a tab
//	GitHub      Branch:, Commit: 0123..., Log Message:, message as it is; all commits of a push
//	GitLab      pushed to branch ..., 01234567 by ..., message as it is; all commits of a push
//	plain       the message, up to a diff, a signature or a list's footer
type body struct {
	mail  *Mail
	lines *lineReader
	facts facts // from the lines before the message
	ended bool  // no commit can follow
	end   int   // of a plain message in the mail's text; -1 while unknown
	start int   // of the last line in the mail's text
	named bool  // the header shows that a mailer's shape follows

	fromGitLab bool
}

// facts are what the lines before a commit message say about it.
type facts struct {
	repository, refname, revision, url string
	authorDate, date                   string
	author                             Person // of a centralised system's commit, often only the login
	log                                bool   // the mailer of a centralised system wrote the mail
	indented                           bool   // and indents the message
	push                               bool   // the mail has all commits of a push
	others                             bool   // the sender of the mail is not the committer
}

// read adds the commits of the text to the mail. For a text without a mailer's shape,
// it returns the message of a plain mail.
func (b *body) read() (plain string) {
	h := &b.mail.Header
	subject := strings.ToLower(h.Get("Subject"))
	b.facts.indented = h.Has("X-SVN-Group") || h.Has("X-FreeBSD-CVS-Branch")
	b.facts.log = b.facts.indented || h.Has("X-SVN-Commit-Repository") ||
		strings.HasPrefix(subject, "svn commit") || strings.HasPrefix(subject, "cvs commit")
	b.facts.push = h.Has("X-Git-Newrev") && !h.Has("X-Git-Rev")
	b.fromGitLab = h.Has("X-GitLab-Project-Path") || strings.Contains(subject, "[git][")
	b.named = b.facts.log || b.fromGitLab || h.names() || ParsePerson(h.Get("From")).IsWebFlow()
	for !b.ended || b.facts.push {
		line, ok := b.next()
		if !ok {
			break
		}
		if b.shape(line) && !b.facts.push {
			return ""
		}
	}
	switch {
	case len(b.mail.Commits)+b.mail.Others > 0 || b.facts.push:
		return ""
	case b.end < 0:
		b.end = b.mail.text.Len()
	}
	return messageText(b.mail.text.String()[:b.end])
}

// next returns the next line, and keeps it for Mail.Cut.
func (b *body) next() ([]byte, bool) {
	line, ok := b.lines.next()
	if ok && !b.ended {
		b.start = b.mail.text.Len()
		b.mail.text.add(line)
	}
	return line, ok
}

// shape examines a line before the message. It reports whether it has read a commit.
func (b *body) shape(line []byte) bool {
	switch {
	case bytes.HasPrefix(line, []byte("commit ")):
		if revision, ok := revisionOf(line); ok && b.aheadIsField() {
			b.gitLog(revision)
			return true
		}
		return false // aheadIsField may have overwritten line
	case b.facts.log && isLogLine(line):
		b.facts.indented = b.facts.indented || line[0] == ' ' // CVS's
		b.centralLog("")
		return true
	case b.facts.log && bytes.HasPrefix(line, []byte("LOG: ")): // LLVM's
		b.centralLog(string(line[len("LOG: "):]))
		return true
	case b.facts.revision != "" && string(line) == "description:":
		b.changesets()
		return true
	case bytes.HasPrefix(line, []byte("  Branch: refs/")):
		return b.gitHub(string(line))
	case b.fromGitLab && isGitLabPush(line):
		b.gitLab(string(line))
		return true
	}
	if !b.ended {
		b.before(line)
	}
	return false
}

// maxRevision is the length of a SHA-256 in hexadecimal.
const maxRevision = 64

// revisionOf returns the revision in `commit 0123456789ab...`.
func revisionOf(line []byte) (string, bool) {
	words := bytes.Fields(line)
	if len(words) < 2 || len(words[1]) > maxRevision {
		return "", false
	}
	return string(words[1]), true
}

// aheadIsField reports whether the next line is a field as git log prints them
// between `commit` and the message.
func (b *body) aheadIsField() bool {
	line, ok := b.lines.peek()
	name, _, colon := bytes.Cut(line[:min(len(line), 20)], []byte(": "))
	if !ok || !colon {
		return false
	}
	switch string(name) {
	case "Author", "AuthorDate", "Commit", "CommitDate", "Date", "Merge", "Parent", "Parents", "Reflog", "Refs", "Branch":
		return true
	}
	return false
}

// isLogLine recognises the line before the message in a centralised system's mail:
// `Log:`, `Log Message:`, CVS's indented `Log:`.
func isLogLine(line []byte) bool {
	s := strings.ToLower(string(bytes.TrimSpace(line[:min(len(line), 20)])))
	return s == "log:" || s == "log message:"
}

// gitLog reads one entry of git log: its fields, then the message.
func (b *body) gitLog(revision string) {
	c := Commit{Revision: revision}
	b.facts.authorDate, b.facts.date = "", ""
	for line, ok := b.next(); ok && len(bytes.TrimSpace(line)) > 0; line, ok = b.next() {
		key, value, _ := strings.Cut(string(line), ":")
		value = strings.TrimSpace(value)
		switch key {
		case "Author":
			c.Author = ParsePerson(value)
		case "Commit":
			c.Committer = ParsePerson(value)
		case "AuthorDate", "Date":
			b.facts.authorDate = value
		case "CommitDate":
			b.facts.date = value
		}
	}
	if c.Committer == (Person{}) {
		c.Committer = c.Author
	}
	c.Message = b.message("    ")
	if b.mail.files && !b.facts.push { // a push lists the files of all its commits together
		c.Files = b.changedFiles()
	}
	b.finish(c, false)
}

// centralLog reads the message of a centralised system's mailer. Its first line may
// be on the line of the field's name.
func (b *body) centralLog(first string) {
	c := Commit{Revision: b.facts.revision}
	ruled := first == "" && b.skipToLog()
	if line, _ := b.lines.peek(); b.facts.indented && len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
		c.Message = withoutTable(b.message("  "))
		c.Files = b.changedFiles()
	} else {
		c.Message, c.Files = b.wholeLog(first, ruled)
	}
	if b.facts.refname == "" {
		b.facts.refname = c.Files.branch()
	}
	if !b.mail.files {
		c.Files = Files{}
	}
	b.finish(c, false)
}

// changesets reads the message of a Mercurial changeset, and further changesets of
// the same push. hg's template decides whether the mail has any, and whether `user:`
// names the committer of each. From names the committer of the first.
func (b *body) changesets() {
	b.facts.indented = true
	b.centralLog("")
	for {
		line, ok := b.lines.peek()
		switch isChangeset := bytes.HasPrefix(line, []byte("changeset ")); {
		case !ok || isDiff(line) && !isChangeset:
			return
		case isChangeset:
			b.facts = facts{log: true, indented: true, others: true}
			b.facts.changeset(strings.Fields(string(line)))
		case bytes.HasPrefix(line, []byte("user:")):
			b.facts.field(line)
		case b.facts.others && b.facts.revision != "" && string(line) == "description:":
			b.next()
			b.centralLog("")
			continue
		}
		b.next()
	}
}

// BranchOfPath returns the branch of a path in a Subversion repository: trunk, head,
// stable/9, branches/x; in the directory of a project also trunk, branches/x and
// tags/x. It is empty for other paths.
func BranchOfPath(path string) string {
	first, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	second, deeper, _ := strings.Cut(rest, "/")
	switch first {
	case "trunk", "head":
		return first
	case "stable", "releng", "release", "branches", "projects", "user", "vendor", "tags":
		if second != "" {
			return first + "/" + second
		}
		return ""
	}
	third, _, _ := strings.Cut(deeper, "/")
	switch second {
	case "trunk":
		return second
	case "branches", "tags":
		if third != "" {
			return second + "/" + third
		}
	}
	return ""
}
