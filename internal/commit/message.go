package commit

import (
	"bytes"
	"strings"
)

// message reads a commit message whose lines are indented by indent or by a tab, up to
// the first line that is not. If its first line is not indented, the message ends as a
// plain one does, see isEnd.
func (b *body) message(indent string) string {
	line, ok := b.lines.peek()
	for ; ok && len(bytes.TrimSpace(line)) == 0; line, ok = b.lines.peek() {
		b.next()
	}
	if bytes.HasPrefix(line, []byte("\t")) {
		indent = "\t"
	}
	isIndented := bytes.HasPrefix(line, []byte(indent))
	var c collector
	for ; ok; line, ok = b.lines.peek() {
		text, found := bytes.CutPrefix(line, []byte(indent))
		switch {
		case isIndented && !found && len(bytes.TrimSpace(line)) > 0, !isIndented && isEnd(line):
			return messageText(c.String())
		case !isIndented:
			text = line
		}
		c.add(bytes.TrimRight(text, " \t"))
		b.next()
	}
	return messageText(c.String())
}

// isEnd recognises the line behind a plain message: format-patch's three dashes, a
// signature, a diff, the footer of a mailing list.
func isEnd(line []byte) bool {
	if len(line) < 2 || bytes.IndexByte([]byte("-_@dIT"), line[0]) < 0 {
		return false // the usual case
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
		return begins(s, "diff --git ", "diff -r ", "diff -u ")
	case 'I':
		return strings.HasPrefix(s, "Index: ")
	case 'T':
		return s == "To generate a diff of this commit:" || strings.HasPrefix(s, "To Unsubscribe: ")
	}
	return false
}

// isDiffLine reports whether a line that isEnd recognises begins a diff.
func isDiffLine(line []byte) bool {
	return line[0] == 'd' || line[0] == 'I' || line[0] == '@'
}

// skipToLog skips the lines between a centralised system's `Log:` and the message:
// empty lines, and the rule of svnnotify. It reports whether there was a rule.
func (b *body) skipToLog() (ruled bool) {
	for {
		line, ok := b.lines.peek()
		isRule := !ruled && string(line) == "-----------"
		if !ok || !isRule && len(bytes.TrimSpace(line)) > 0 {
			return ruled
		}
		ruled = ruled || isRule
		b.next()
	}
}

// wholeLog reads a message that is not indented and may contain lines that look like
// its end. The message ends where the mailer's lists of paths begin: the last lists
// before the diff, or before the end of the mail. Without lists it ends at the first
// diff. The files are those in the lists.
func (b *body) wholeLog(first string, ruled bool) (message string, files Files) {
	var c collector
	if first != "" {
		c.add([]byte(first))
	}
	empty := first != "" // LLVM's mailer also prints lists without paths
	diff := -1           // where the first diff begins in c
	textEnd := 0         // behind the first line of that diff in the mail's text
	for {
		line, ok := b.next()
		if !ok || bytes.HasPrefix(line, []byte(cutMark)) {
			break
		}
		if !mayEndLog(line) {
			c.add(bytes.TrimRight(line, " \t"))
			continue
		}
		kept := string(line) // peek may overwrite it
		ahead, more := b.lines.peek()
		if endsLog(kept, string(ahead[:min(len(ahead), 200)]), more) {
			if begin, _ := listsOf(lastLines(c.String()), ruled, empty); begin >= 0 {
				diff = -1
				break
			}
			if diff < 0 {
				diff, textEnd = c.Len(), b.mail.text.Len()
			}
			if c.full {
				break
			}
		}
		c.add([]byte(strings.TrimRight(kept, " \t")))
	}
	lines := strings.Split(strings.TrimRight(c.String(), "\n"), "\n")
	begin, end := listsOf(lines, ruled, empty)
	if begin < 0 && diff >= 0 {
		lines = strings.Split(strings.TrimRight(c.String()[:diff], "\n"), "\n")
		begin, end = listsOf(lines, ruled, empty)
		b.mail.textEnd = textEnd
	}
	if begin < 0 {
		begin, end = len(lines), len(lines)
	}
	for _, line := range lines[begin:end] {
		path, _, _ := strings.Cut(strings.TrimSpace(line), "   (") // (props changed)
		if strings.HasPrefix(line, " ") && !strings.HasPrefix(path, "- ") && !strings.Contains(path, "://") {
			files.Add(path)
		}
	}
	return withoutIndent(messageText(strings.Join(lines[:begin], "\n") + "\n")), files
}

// lastLines returns enough of the last lines of a text to recognise a list.
func lastLines(text string) []string {
	text = strings.TrimRight(text, "\n")
	if far := len(text) - smallText; far > 0 {
		text = text[far:]
	}
	return strings.Split(text, "\n")
}

// listsOf finds a mailer's lists of paths: svnnotify's, whose names are underlined
// (ruled), or those at the end of the lines. begin is -1 when there are none.
func listsOf(lines []string, ruled, empty bool) (begin, end int) {
	if ruled {
		return ruledLists(lines)
	}
	return lists(lines, empty)
}

// cutMark begins the line by which Cut replaces what it leaves out.
const cutMark = "--- vext left out the rest of this message, which had "

// mayEndLog reports whether a line can be the first behind a message, other than a list
// of paths. It is a fast check before endsLog.
func mayEndLog(line []byte) bool {
	return len(line) > 5 && bytes.IndexByte([]byte("MADCRIPd#_T-"), line[0]) >= 0
}

// endsLog reports whether a diff, or a mailing list's footer, begins with the line and
// the next one.
func endsLog(line, ahead string, more bool) bool {
	cut := strings.HasPrefix(ahead, cutMark) // before the cut, the line was an end
	word, path, _ := strings.Cut(line, ": ")
	switch word {
	case "Modified", "Added", "Deleted", "Copied", "Removed", "Replaced", "Index", "Property changes on":
		return path != "" && (isRule(ahead, '=') || isRule(ahead, '_') || strings.HasPrefix(ahead, "URL: http") || cut)
	case "To Unsubscribe":
		return true
	}
	switch {
	case line[0] == '#':
		return isRule(line, '#') && (strings.HasPrefix(ahead, "diff ") || !more || cut)
	case line[0] == '_':
		isFooter := strings.Contains(ahead, "mailing list") || strings.Contains(ahead, "@") || strings.Contains(ahead, "://")
		return isRule(line, '_') && (isFooter || cut)
	case line == "To generate a diff of this commit:":
		return strings.HasPrefix(ahead, "cvs rdiff ") || cut
	case strings.HasPrefix(line, "diff "):
		return begins(ahead, "index ", "--- ", "new file ", "deleted file ", "old mode ", "similarity ", "dissimilarity ",
			"rename ", "copy ", "Binary ", "===") // cutMark begins with "--- ", too
	}
	return false
}

// isRule recognises a line of at least 40 times one character.
func isRule(line string, of byte) bool {
	return len(line) >= 40 && strings.Trim(line, string(of)) == ""
}

// ruledLists finds svnnotify's lists: the last group of lists without other text
// between them.
func ruledLists(lines []string) (begin, end int) {
	begin = -1
	for i := 0; i < len(lines); {
		n := ruledList(lines[i:])
		if n == 0 {
			i++
			continue
		}
		if begin < 0 || strings.TrimSpace(strings.Join(lines[end:i], "")) != "" {
			begin = i
		}
		i += n
		end = i
	}
	return begin, end
}

// ruledList returns the length of a list of svnnotify at the beginning of the lines,
// 0 when there is none: a name, dashes below it, and lines indented by four blanks.
func ruledList(lines []string) (n int) {
	if len(lines) < 3 {
		return 0
	}
	switch lines[0] {
	case "Modified Paths:", "Added Paths:", "Removed Paths:", "Property Changed:", "Revision Links:", "Ticket Links:":
	default:
		return 0
	}
	if lines[1] != strings.Repeat("-", len(lines[0])-1) {
		return 0
	}
	for n = 2; n < len(lines) && strings.HasPrefix(lines[n], "    "); n++ {
	}
	if n == 2 {
		return 0
	}
	return n
}

// lists finds the lists of paths at the end of the lines: a name such as `Modified:`
// with indented lines below it. If empty is set, a list may have no lines.
func lists(lines []string, empty bool) (begin, end int) {
	begin = -1
	for i := len(lines); ; i = begin {
		above, paths := i, 0
		for above > 0 && (lines[above-1] == "" || lines[above-1][0] == ' ' || lines[above-1][0] == '\t') {
			if above--; lines[above] != "" {
				paths++
			}
		}
		if above == 0 || !isListName(lines[above-1]) || paths == 0 && !empty && begin < 0 {
			return begin, len(lines)
		}
		begin = above - 1
	}
}

// isListName recognises the line above a list of paths in the mails of FreeBSD and
// others.
func isListName(line string) bool {
	return isFileList([]byte(line)) || line == "Directory Properties:" || line == "Changes in other areas also in this revision:"
}

// isFileList recognises the line above a list of paths: `Modified:`, `Added Paths:`,
// `Removed files:`.
func isFileList(line []byte) bool {
	if len(line) < 2 || line[len(line)-1] != ':' || len(line) > 20 {
		return false
	}
	verb, noun, _ := strings.Cut(string(line[:len(line)-1]), " ")
	switch verb {
	case "Modified", "Added", "Deleted", "Removed", "Replaced", "Copied", "Changed":
		return noun == "" || noun == "Paths" || noun == "files"
	}
	return false
}

// withoutIndent removes two blanks from the beginning of each line of a message, if
// all lines begin with them.
func withoutIndent(message string) string {
	for line := range strings.Lines(message) {
		if line != "\n" && !strings.HasPrefix(line, "  ") {
			return message
		}
	}
	return strings.ReplaceAll("\n"+message, "\n  ", "\n")[1:]
}

// withoutTable returns a message without the table of revisions that CVS's mailer
// prints behind it with the same indentation.
func withoutTable(message string) string {
	i := strings.LastIndex(message, "\nRevision  Changes ")
	if i < 0 {
		return message
	}
	_, rows, _ := strings.Cut(message[i+1:], "\n")
	if rows != "" && !isDigit(rows[0]) {
		return message // a part of the message
	}
	return messageText(message[:i+1])
}

// maxFileLines bounds how many lines are read for the files of a commit.
const maxFileLines = 500

// changedFiles reads the list of files behind a message: git's diffstat, or the
// indented paths below `Modified:` and the like. It ends where the diff begins.
func (b *body) changedFiles() Files {
	var f Files
	listed := false // a line such as Modified: was there
	for range maxFileLines {
		line, ok := b.lines.peek()
		if !ok || isDiff(line) {
			break
		}
		switch path, _, stat := bytes.Cut(line, []byte(" | ")); {
		case isFileList(line):
			listed = true
		case len(line) < 2 || line[0] != ' ' && line[0] != '\t':
		case stat && line[0] == ' ':
			f.Add(strings.TrimSpace(string(path)))
		case listed && !stat:
			f.Add(strings.TrimSpace(string(line)))
		}
		b.next()
	}
	return f
}

// isDiff recognises the line with which the diff of a commit begins, and the
// next commit.
func isDiff(line []byte) bool {
	return begins(string(line[:min(len(line), 40)]), "diff ", "Index: ", "@@ -", "commit ", "changeset ", "====",
		"Property changes on: ", "Modified: ", "Added: ", "Deleted: ", "Copied: ")
}
