package commit

import (
	"bytes"
	"strings"
)

// A body is the text of a commit mail on its way to become commits. Every
// mailer wraps the commit message in a shape of its own; what stands before
// the message says which it is:
//
//	git         commit 0123..., Author: ..., message indented by 4
//	Subversion  Author:, New Revision:, Log:, message indented by 2
//	CVS         Modified files:, Log:, message indented by 2
//	svnnotify   Revision:, Log Message:, message as it is
//	Mercurial   changeset ... in ..., description:, message indented by a tab
//	plain       the message, up to a diff, a signature or a list's footer
type body struct {
	mail  *Mail
	lines *lineReader
	facts facts // from the lines before the message
	ended bool  // a plain message has ended
	end   int   // where, in the mail's text
	start int   // of the last line there
}

// facts are what the lines before a commit message say about it.
type facts struct {
	repository, refname, revision, url string
	authorDate, date                   string
	log                                bool // a centralised system's mailer wrote this
	push                               bool // one mail for all commits of a push
}

func (b *body) read() {
	h := &b.mail.Header
	subject := strings.ToLower(h.Get("Subject"))
	b.facts.log = h.Has("X-SVN-Group") || h.Has("X-SVN-Commit-Repository") || h.Has("X-FreeBSD-CVS-Branch") ||
		strings.HasPrefix(subject, "svn commit") || strings.HasPrefix(subject, "cvs commit")
	b.facts.push = h.Has("X-Git-Newrev") && !h.Has("X-Git-Rev")
	for !b.ended || b.facts.push {
		line, ok := b.next()
		if !ok {
			break
		}
		if b.shape(line) && !b.facts.push {
			return
		}
	}
	if len(b.mail.Commits) == 0 && !b.facts.push {
		if !b.ended {
			b.end = b.mail.text.Len()
		}
		b.facts.date = "" // what looked like one is a part of the message
		b.mail.Plain = true
		b.finish(Commit{Message: messageText(b.mail.text.String()[:b.end])}, true)
	}
}

// next returns the next line and keeps it for a mail that must be cut.
func (b *body) next() ([]byte, bool) {
	line, ok := b.lines.next()
	if ok && !b.ended {
		b.start = b.mail.text.Len()
		b.mail.text.add(line)
	}
	return line, ok
}

// shape looks at a line before the message. It reports whether a commit was
// read.
func (b *body) shape(line []byte) bool {
	switch {
	case bytes.HasPrefix(line, []byte("commit ")):
		if revision, ok := revisionOf(line); ok && b.aheadIsField() {
			b.gitLog(revision)
			return true
		}
		return false // and the line may be overwritten by the look ahead
	case b.facts.log && isLogLine(line):
		b.centralLog()
		return true
	case b.facts.revision != "" && string(line) == "description:":
		b.centralLog()
		return true
	}
	if !b.ended {
		b.before(line)
	}
	return false
}

// longestRevision is the length of a SHA-256 in hexadecimal.
const longestRevision = 64

// revisionOf returns the revision in `commit 0123456789ab...`.
func revisionOf(line []byte) (string, bool) {
	words := bytes.Fields(line)
	if len(words) < 2 || len(words[1]) > longestRevision {
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

// isLogLine recognises the line after which a centralised system's mailer
// prints the message: `Log:`, `Log Message:`, CVS's indented `Log:`.
func isLogLine(line []byte) bool {
	s := strings.ToLower(string(bytes.TrimSpace(line[:min(len(line), 20)])))
	return s == "log:" || s == "log message:"
}

// gitLog reads one entry of git log: its fields, then the message.
func (b *body) gitLog(revision string) {
	c := Commit{Revision: revision}
	var date, authorDate string
	for {
		line, ok := b.next()
		if !ok || len(bytes.TrimSpace(line)) == 0 {
			break
		}
		key, value, _ := strings.Cut(string(line), ":")
		value = strings.TrimSpace(value)
		switch key {
		case "Author":
			c.Author = ParsePerson(value)
		case "Commit":
			c.Committer = ParsePerson(value)
		case "AuthorDate", "Date":
			authorDate = value
		case "CommitDate":
			date = value
		}
	}
	if c.Committer == (Person{}) {
		c.Committer = c.Author // a log that names nobody else
	}
	b.facts.authorDate, b.facts.date = authorDate, date
	c.Message = b.message("    ")
	if b.mail.files && !b.facts.push { // behind the commits of a push are the files of all
		c.Files = b.changedFiles()
	}
	b.finish(c, false)
}

// centralLog reads the message of a centralised system's mailer.
func (b *body) centralLog() {
	c := Commit{Revision: b.facts.revision, Message: b.message("  ")}
	switch {
	case b.mail.files:
		c.Files = b.changedFiles()
		if b.facts.refname == "" {
			b.facts.refname = c.Files.branch()
		}
	case b.facts.refname == "":
		b.facts.refname = b.changedBranch()
	}
	b.finish(c, false)
}

// message reads a commit message whose lines are indented by indent or by a
// tab; it ends at the first line that is not. When its first line already is
// not, it ends where a plain one does.
func (b *body) message(indent string) string {
	var c collector
	indented := false
	for first := true; ; {
		line, ok := b.lines.peek()
		if !ok {
			break
		}
		text := line
		if blank := len(bytes.TrimSpace(line)) == 0; first && !blank && !isRule(line) {
			first, indented = false, true
			switch {
			case bytes.HasPrefix(line, []byte(indent)):
			case line[0] == '\t':
				indent = "\t"
			default:
				indented = false
			}
		} else if first {
			b.next() // an empty line or svnnotify's rule before the message
			continue
		}
		switch cut, ok := bytes.CutPrefix(line, []byte(indent)); {
		case indented && ok && bytes.HasPrefix(cut, []byte("Revision  Changes ")): // CVS's table
			return messageText(c.String())
		case indented && ok:
			text = cut
		case indented && len(bytes.TrimSpace(line)) > 0, !indented && (isEnd(line) || isListEnd(line)):
			return messageText(c.String())
		}
		c.add(bytes.TrimRight(text, " \t"))
		b.next()
	}
	return messageText(c.String())
}

// isRule recognises a line of dashes or equals signs.
func isRule(line []byte) bool {
	return len(line) >= 8 && (len(bytes.Trim(line, "-")) == 0 || len(bytes.Trim(line, "=")) == 0)
}

// isEnd recognises the line behind a message that is not indented:
// format-patch's three dashes, a signature, a diff, and what mailing lists and
// majordomo put below.
func isEnd(line []byte) bool {
	if len(line) < 2 || bytes.IndexByte([]byte("-_@dIT"), line[0]) < 0 {
		return false // as most lines are
	}
	switch s := string(line[:min(len(line), 40)]); s[0] {
	case '-':
		return s == "--" || s == "-- " || s == "---" || strings.HasPrefix(s, "--- ") ||
			s == "-----BEGIN PGP SIGNATURE-----" || s == "-----Original Message-----"
	case '_':
		return len(s) == 40 && strings.Trim(s, "_") == "" // mailman's
	case '@':
		return strings.HasPrefix(s, "@@ -")
	case 'd':
		return strings.HasPrefix(s, "diff --git ") || strings.HasPrefix(s, "diff -r ") || strings.HasPrefix(s, "diff -u ")
	case 'I':
		return strings.HasPrefix(s, "Index: ")
	case 'T':
		return s == "To generate a diff of this commit:" || strings.HasPrefix(s, "To Unsubscribe: ")
	}
	return false
}

// isListEnd recognises the line behind a message of a centralised system that
// is not indented: a list of files, or a rule. In a plain mail these may be a
// part of the message.
func isListEnd(line []byte) bool {
	return len(line) > 1 && (isRule(line) && len(line) >= 20 || isFileList(line))
}

// isFileList recognises the line over a list of paths: `Modified:`,
// `Added Paths:`, `Removed files:`.
func isFileList(line []byte) bool {
	if line[len(line)-1] != ':' || len(line) > 20 {
		return false
	}
	verb, noun, _ := strings.Cut(string(line[:len(line)-1]), " ")
	switch verb {
	case "Modified", "Added", "Deleted", "Removed", "Replaced", "Copied", "Changed":
		return noun == "" || noun == "Paths" || noun == "files"
	}
	return false
}

// changedBranch finds the branch in the list of paths behind a message, by the
// usual layout of a Subversion repository.
func (b *body) changedBranch() string {
	for range 20 {
		line, ok := b.next()
		if !ok {
			break
		}
		if branch := BranchOfPath(string(bytes.TrimSpace(line))); branch != "" {
			return branch
		}
	}
	return ""
}

// BranchOfPath returns the branch that a path of a Subversion repository lies
// on: trunk, head, stable/9, branches/x; below a project's own directory, too,
// where the branch is one of trunk, branches and tags. It is empty for other
// paths.
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
