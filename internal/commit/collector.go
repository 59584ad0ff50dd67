package commit

import (
	"bytes"
	"slices"
	"strings"
)

// largestText bounds what is kept of a commit message, and of the text around
// it.
const (
	largestText = 512 << 10
	smallText   = 2 << 10 // of most
	largeText   = 64 << 10
)

// A collector keeps lines up to a bound. Behind the bound it keeps only the
// few that hold a period, so that a trailer at the end of an endless message
// still counts.
type collector struct {
	strings.Builder
	full bool
}

func (c *collector) add(line []byte) {
	c.full = c.full || c.Len()+len(line) >= largestText
	if c.full && (c.Len() > largestText+largestText/8 || !holdsPeriod(line)) {
		return
	}
	switch need := c.Len() + len(line) + 1; {
	case need <= c.Cap():
	case need <= smallText:
		c.Grow(smallText)
	case need > largeText: // the last time: memory that is not used costs nothing
		c.Grow(largestText + largestText/4)
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

// holdsPeriod reports whether line may be a trailer with a period. It is asked
// for every line of an endless message, and looks at most of them only briefly.
func holdsPeriod(line []byte) bool {
	i := bytes.IndexByte(line[:min(len(line), longestKey)], ':')
	if i < 0 || len(line) > 200 {
		return false
	}
	value := bytes.TrimLeft(line[i+1:], " \t")
	if !startsPeriod(value) {
		return false
	}
	_, err := ParsePeriod(cutAfter(string(value)))
	return err == nil
}

// startsPeriod reports whether value begins with a digit or with a word that a
// period can begin with.
func startsPeriod(value []byte) bool {
	end := 0
	for end < len(value) && end < 8 && (value[end]|0x20) >= 'a' && (value[end]|0x20) <= 'z' {
		end++
	}
	if end == 0 {
		return len(value) > 0 && '0' <= value[0] && value[0] <= '9'
	}
	word := strings.ToLower(string(value[:end]))
	return word == "after" || word == "in" || slices.Contains(numberWords, word)
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
