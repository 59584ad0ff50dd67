package commit

import (
	"bytes"
	"strings"
)

// gitHub reads the rest of a mail of GitHub's push notifications, which begins with
// line and describes all commits of a push:
//
//	  Branch: refs/heads/main
//	  Home:   https://github.com/acme/widget
//	  Commit: 0123...
//	      https://github.com/acme/widget/commit/0123...
//	  Author: Jane Miller <jane@example.org>
//	  Date:   2026-11-30 (Mon, 30 Nov 2026)
//
//	  Changed paths:
//	    M foo.c
//
//	  Log Message:
//	  -----------
//	  foo: fix bar
//
//	The rest of the message is not indented.
//
// It reports whether this is such a mail.
func (b *body) gitHub(line string) bool {
	home, _ := b.lines.peek()
	if !bytes.HasPrefix(home, []byte("  Home: ")) {
		return false
	}
	b.facts.repository = strings.TrimSpace(string(home[len("  Home: "):]))
	b.facts.refname, b.facts.others = strings.TrimSpace(strings.TrimPrefix(line, "  Branch: ")), true
	for revision := b.nextGitHub(nil); revision != ""; {
		c := b.gitHubFields(revision)
		var text collector
		revision = b.nextGitHub(&text)
		c.Message = messageText(strings.TrimPrefix(text.String(), "  "))
		if revision == "" {
			c.Message = withoutGitHubFooter(c.Message)
		}
		b.finish(c, false)
	}
	return true
}

// nextGitHub reads up to the next commit and returns its revision, "" at the end of
// the mail. It adds the lines before that to text, which may be nil.
func (b *body) nextGitHub(text *collector) (revision string) {
	for {
		line, ok := b.next()
		if !ok || bytes.HasPrefix(line, []byte(cutMark)) {
			return ""
		}
		if hash, isCommit := bytes.CutPrefix(line, []byte("  Commit: ")); isCommit && IsHash(string(hash)) {
			revision = string(hash)
			if ahead, _ := b.lines.peek(); bytes.HasPrefix(ahead, []byte("      ")) && bytes.HasSuffix(ahead, []byte(revision)) {
				return revision
			}
			line = []byte("  Commit: " + revision)
		}
		if text != nil {
			text.add(bytes.TrimRight(line, " \t"))
		}
	}
}

// gitHubFields reads what stands between the revision of a commit and its
// message.
func (b *body) gitHubFields(revision string) Commit {
	c := Commit{Revision: revision}
	b.facts.date = ""
	for line, ok := b.next(); ok; line, ok = b.next() {
		key, value, _ := strings.Cut(string(line[:min(len(line), 1000)]), ": ")
		switch strings.TrimSpace(key) {
		case "Author":
			c.Author = ParsePerson(value)
			c.Committer = c.Author
		case "Date": // a day; noon is on the same day nearly everywhere
			day, _, _ := strings.Cut(strings.TrimSpace(value), " ")
			b.facts.date = day + " 12:00:00"
		case "Log Message:":
			b.next() // the rule
			return c
		default:
			b.gitHubPath(&c, key)
		}
	}
	return c
}

// gitHubPath reads a line without a name: the URL of the commit, or a changed file.
func (b *body) gitHubPath(c *Commit, line string) {
	path := strings.TrimSpace(line)
	switch {
	case strings.Contains(path, "://") && strings.HasSuffix(path, c.Revision):
		b.facts.url = path
	case b.mail.files && strings.HasPrefix(line, "    ") && len(path) > 2 && path[1] == ' ':
		c.Files.Add(path[2:])
	}
}

// withoutGitHubFooter returns the last message of a mail without the mail's footer.
func withoutGitHubFooter(message string) string {
	for _, footer := range []string{"To unsubscribe from these emails", "Compare: http"} {
		text := strings.TrimRight(message, "\n")
		last := strings.LastIndexByte(text, '\n') + 1
		if strings.HasPrefix(text[last:], footer) {
			message = messageText(text[:last])
		}
	}
	return message
}

// isGitLabPush recognises the line with which GitLab begins a mail of its
// integration "Emails on push".
func isGitLabPush(line []byte) bool {
	return bytes.Contains(line, []byte(" pushed to branch ")) || bytes.Contains(line, []byte(" pushed new branch "))
}

// gitLab reads the rest of such a mail, which describes all commits of a push:
//
//	Ida Koch pushed to branch main at acme / widget
//
//	Commits:
//	01234567 by Jane Miller at 2026-11-30T11:00:00+01:00
//	foo: fix bar
//
//	The rest of the message.
//	- - - - -
//
// It has no addresses: the mail is from GitLab, or from the person who pushed. A forced
// push also lists the commits that it deleted.
func (b *body) gitLab(line string) {
	_, rest, _ := strings.Cut(line, " branch ")
	branch, project := rest, ""
	if i := strings.LastIndex(rest, " at "); i >= 0 {
		branch, project = rest[:i], strings.ReplaceAll(rest[i+len(" at "):], " / ", "/")
	}
	if path := b.mail.Header.Get("X-GitLab-Project-Path"); path != "" {
		project = path
	}
	b.facts.repository, b.facts.refname, b.facts.others = project, "refs/heads/"+branch, true
	for {
		line, ok := b.next()
		if !ok || string(line) == "Deleted commits:" {
			return
		}
		if string(line) == "Commits:" {
			break
		}
	}
	for {
		line, ok := b.next()
		c, date, isCommit := gitLabCommit(line)
		if !ok || !isCommit && len(line) > 0 {
			return
		}
		if isCommit {
			b.facts.date = date
			c.Message = b.gitLabMessage()
			b.finish(c, false)
		}
	}
}

// gitLabCommit reads the line before a message.
func gitLabCommit(line []byte) (c Commit, date string, ok bool) {
	revision, rest, ok := strings.Cut(string(line[:min(len(line), 1000)]), " by ")
	if !ok || len(revision) < 7 || len(revision) > maxRevision || !IsHex(revision) {
		return Commit{}, "", false
	}
	name := rest
	if i := strings.LastIndex(rest, " at "); i >= 0 {
		name, date = rest[:i], rest[i+len(" at "):]
	}
	who := Person{Name: strings.TrimSpace(name)}
	return Commit{Revision: revision, Author: who, Committer: who}, date, true
}

// gitLabMessage reads a message and the dashes behind it. Dashes end a message if the
// next commit or GitLab's footer follows.
func (b *body) gitLabMessage() string {
	var text collector
	for line, ok := b.next(); ok; line, ok = b.next() {
		if string(line) != "- - - - -" {
			text.add(bytes.TrimRight(line, " \t"))
			continue
		}
		blank := 0
		ahead, more := b.lines.peek()
		for ; more && len(ahead) == 0; ahead, more = b.lines.peek() {
			b.next()
			blank++
		}
		if _, _, isCommit := gitLabCommit(ahead); isCommit || !more || blank > 0 && isGitLabFooter(ahead) {
			break
		}
		text.addAll("- - - - -\n" + strings.Repeat("\n", min(blank, 100)))
	}
	return messageText(text.String())
}

// isGitLabFooter recognises what GitLab prints behind the last message.
func isGitLabFooter(line []byte) bool {
	return bytes.HasSuffix(line, []byte(" changed file:")) || bytes.HasSuffix(line, []byte(" changed files:")) || string(line) == "Changes:" ||
		bytes.HasPrefix(line, []byte("View it on GitLab")) || string(line) == "-- " || bytes.HasPrefix(line, []byte(cutMark))
}
