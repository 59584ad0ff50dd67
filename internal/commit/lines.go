package commit

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"strings"
)

// maxLine bounds what is kept of a line, in bytes. The rest is read and dropped.
const maxLine = 64 << 10

// A lineReader hands out lines without their ends (\n, \r\n, \r\r\n), and can
// look one line ahead.
type lineReader struct {
	br     *bufio.Reader
	line   []byte // holds a line that does not fit into br's buffer
	ahead  []byte // the line that peek returned
	peeked bool
	more   bool
}

func newLineReader(r io.Reader) *lineReader {
	br, ok := r.(*bufio.Reader)
	if !ok {
		br = bufio.NewReaderSize(r, 16<<10)
	}
	return &lineReader{br: br}
}

// next returns the next line, valid until the call after it.
func (l *lineReader) next() ([]byte, bool) {
	if l.peeked {
		l.peeked = false
		return l.ahead, l.more
	}
	l.line = l.line[:0]
	read := false
	for {
		chunk, err := l.br.ReadSlice('\n')
		if err == nil && len(l.line) == 0 { // the common case needs no copy
			l.more = true
			return trimEnd(chunk[:min(len(chunk), maxLine)]), true
		}
		read = read || len(chunk) > 0
		if room := maxLine - len(l.line); room > 0 {
			l.line = append(l.line, chunk[:min(len(chunk), room)]...)
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		l.more = err == nil || read
		return trimEnd(l.line), l.more
	}
}

// trimEnd cuts off the line's end. It is called for every line, and several times
// faster than bytes.TrimRight.
func trimEnd(line []byte) []byte {
	for n := len(line); n > 0 && (line[n-1] == '\n' || line[n-1] == '\r'); n-- {
		line = line[:n-1]
	}
	return line
}

// peek returns the line that next will return. It overwrites the current line.
func (l *lineReader) peek() ([]byte, bool) {
	if !l.peeked {
		l.ahead, l.more = l.next()
		l.peeked = true
	}
	return l.ahead, l.more
}

// rest returns a reader of the lines that next has not returned.
func (l *lineReader) rest() io.Reader {
	if !l.peeked || !l.more {
		return l.br
	}
	return io.MultiReader(strings.NewReader(string(l.ahead)+"\n"), l.br)
}

const (
	maxText   = 512 << 10 // bounds a commit message, and the text around it, in bytes
	smallText = 2 << 10   // most messages are smaller
	largeText = 64 << 10
)

// A collector keeps lines up to maxText. Beyond that it keeps only the few lines with
// a period, so that a trailer at the end of an endless message still counts.
type collector struct {
	strings.Builder
	full  bool
	folds int    // how many more lines the value of the last kept line may have
	name  string // the last line when it is a name without a value, which may be folded
}

func (c *collector) add(line []byte) {
	c.full = c.full || c.Len()+len(line) >= maxText
	switch {
	case !c.full:
		c.folds = maxFolds
	case c.Len() > maxText+maxText/8 || !c.keeps(line):
		return
	}
	c.write(line)
}

// keeps reports whether a line beyond the bound is kept: a line with a period, or one
// on which a value continues.
func (c *collector) keeps(line []byte) bool {
	isFolded := len(line) > 0 && len(line) <= 200 && (line[0] == ' ' || line[0] == '\t')
	switch {
	case isFolded && c.folds > 0:
		c.folds--
		return true
	case isFolded && c.name != "" && startsPeriod(bytes.TrimLeft(line, " \t")):
		c.write([]byte(c.name))
		c.folds, c.name = maxFolds, ""
		return true
	}
	c.folds, c.name = 0, ""
	if holdsPeriod(line) {
		c.folds = maxFolds
		return true
	}
	if len(line) > 1 && len(line) <= maxKey && line[len(line)-1] == ':' {
		c.name = string(line)
	}
	return false
}

func (c *collector) write(line []byte) {
	switch need := c.Len() + len(line) + 1; {
	case need <= c.Cap():
	case need <= smallText:
		c.Grow(smallText)
	case need > largeText: // all that can be needed: unused memory costs nothing
		c.Grow(maxText + maxText/4)
	}
	c.Write(line)
	c.WriteByte('\n')
}

// addAll adds all lines of a text.
func (c *collector) addAll(text string) {
	for line := range strings.Lines(text) {
		c.add([]byte(strings.TrimSuffix(line, "\n")))
	}
}

// holdsPeriod reports whether line may be a trailer with a period. It is called for
// every line of an endless message, so it must be fast.
func holdsPeriod(line []byte) bool {
	i := bytes.IndexByte(line[:min(len(line), maxKey)], ':')
	if i < 0 || len(line) > 200 {
		return false
	}
	value := bytes.TrimLeft(line[i+1:], " \t")
	if !startsPeriod(value) {
		return false
	}
	_, err := ParsePeriod(string(value))
	return err == nil
}

// startsPeriod reports whether value begins as a period can begin: with a digit, a
// sign, or one of a few words.
func startsPeriod(value []byte) bool {
	switch word, _ := cutWord(strings.ToLower(string(value[:min(len(value), 16)]))); word {
	case "":
		return len(value) > 0 && (isDigit(value[0]) || value[0] == '~' || value[0] == '>' || value[0] >= 0x80)
	case "after", "in", "at", "about", "around", "roughly", "approximately", "approx", "circa", "ca", "minimum", "min", "between",
		"half", "couple", "now", "immediately", "immediate", "right", "straight", "today", "tomorrow":
		return true
	default:
		return slices.Contains(numberWords, word)
	}
}

// messageText returns text as a commit message: without the empty lines around
// it, every line ended.
func messageText(text string) string {
	end := len(strings.TrimRight(text, "\n"))
	if end == 0 {
		return ""
	}
	return strings.TrimLeft(text[:end+1], "\n")
}

// begins reports whether a text begins with one of the prefixes.
func begins(text string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(text, prefix) })
}
