package autosync

import (
	"errors"
	"strings"
)

// A glob is a pattern in the syntax of git's wildmatch, as an automaton: each part matches
// one byte, and some match any number. The time to match grows with the length of the
// pattern and of the text, and no faster.
type glob []part

type part struct {
	kind partKind
	set  *[256]bool // of a oneOf
}

type partKind uint8

const (
	oneOf   partKind = iota // one byte of a set
	star                    // any number of bytes but slashes: *
	all                     // any number of bytes: ** at the end
	dirs                    // nothing, or any number of bytes and a slash: **/
	endDirs                 // the bytes and the slash of dirs
)

var (
	errBackslash = errors.New("a backslash is at the end")
	errBracket   = errors.New("a [ is not closed")
	errClass     = errors.New("an unknown [:class:]")
)

// parseGlob parses a pattern.
func parseGlob(s string) (glob, error) {
	var g glob
	for i := 0; i < len(s); {
		switch c := s[i]; c {
		case '*':
			end := i + len(s[i:]) - len(strings.TrimLeft(s[i:], "*"))
			g = append(g, stars(s, i, end)...)
			if g[len(g)-1].kind == endDirs {
				end++
			}
			i = end
			continue
		case '?':
			g = append(g, part{oneOf, anyByte})
		case '[':
			set, end, err := parseSet(s, i)
			if err != nil {
				return nil, err
			}
			g = append(g, part{oneOf, set})
			i = end
		case '\\':
			if i++; i == len(s) {
				return nil, errBackslash
			}
			g = append(g, part{oneOf, only(s[i])})
		default:
			g = append(g, part{oneOf, only(c)})
		}
		i++
	}
	return g, nil
}

// stars returns what the stars from i to end mean. Two or more of them between slashes
// match slashes. Git compares what is before the first special character by itself, so that
// such stars need no slash before them: a**/b is ab, too.
func stars(s string, i, end int) glob {
	isAlone := end-i > 1 && (s[:i] == "" || s[i-1] == '/' || !strings.ContainsAny(s[:i], `*?[\`))
	switch {
	case isAlone && end == len(s):
		return glob{{kind: all}}
	case isAlone && s[end] == '/':
		return glob{{kind: dirs}, {kind: endDirs}}
	}
	return glob{{kind: star}}
}

// anyByte is what a ? matches.
var anyByte = func() *[256]bool {
	var set [256]bool
	for c := range set {
		set[c] = c != '/'
	}
	return &set
}()

// only returns the set of one byte.
func only(c byte) *[256]bool {
	var set [256]bool
	set[c] = true
	return &set
}

// match reports whether the whole text matches.
func (g glob) match(text string) bool {
	at, next := make([]bool, len(g)+1), make([]bool, len(g)+1) // the parts that may come next
	g.enter(at, 0)
	for i := range len(text) {
		clear(next)
		for p, is := range at[:len(g)] {
			if is {
				g.step(next, p, text[i])
			}
		}
		at, next = next, at
	}
	return at[len(g)]
}

// enter adds a part, and those after it that may follow because it matches nothing.
func (g glob) enter(at []bool, p int) {
	at[p] = true
	if p == len(g) {
		return
	}
	switch g[p].kind {
	case star, all:
		g.enter(at, p+1)
	case dirs:
		at[p+1] = true
		g.enter(at, p+2)
	}
}

// step adds what may follow when a part matches a byte.
func (g glob) step(next []bool, p int, c byte) {
	switch g[p].kind {
	case oneOf:
		if g[p].set[c] {
			g.enter(next, p+1)
		}
	case star:
		if c != '/' {
			g.enter(next, p)
		}
	case all:
		g.enter(next, p)
	case endDirs:
		next[p] = true
		if c == '/' {
			g.enter(next, p+1)
		}
	}
}

// classes are the bytes of [:class:], in ASCII.
var classes = map[string]func(c byte) bool{
	"alnum":  func(c byte) bool { return isLetter(c) || isDigit(c) },
	"alpha":  isLetter,
	"blank":  func(c byte) bool { return c == ' ' || c == '\t' },
	"cntrl":  func(c byte) bool { return c < ' ' || c == 0x7f },
	"digit":  isDigit,
	"graph":  func(c byte) bool { return c > ' ' && c < 0x7f },
	"lower":  func(c byte) bool { return c >= 'a' && c <= 'z' },
	"print":  func(c byte) bool { return c >= ' ' && c < 0x7f },
	"punct":  func(c byte) bool { return c > ' ' && c < 0x7f && !isLetter(c) && !isDigit(c) },
	"space":  func(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' },
	"upper":  func(c byte) bool { return c >= 'A' && c <= 'Z' },
	"xdigit": func(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' },
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// parseSet parses the set that begins at s[i] with a [. It returns where its ] is.
func parseSet(s string, i int) (set *[256]bool, end int, err error) {
	set = new([256]bool)
	i++
	isNegative := i < len(s) && (s[i] == '!' || s[i] == '^')
	if isNegative {
		i++
	}
	last := -1 // the byte that may begin a range
	for first := i; ; i++ {
		switch {
		case i >= len(s):
			return nil, 0, errBracket
		case s[i] == ']' && i > first:
			for c := range set {
				set[c] = set[c] != isNegative && c != '/'
			}
			return set, i, nil
		case s[i] == '-' && last >= 0 && i+1 < len(s) && s[i+1] != ']':
			if i++; s[i] == '\\' {
				i++
			}
			if i >= len(s) {
				return nil, 0, errBracket
			}
			for c := last; c <= int(s[i]); c++ {
				set[c] = true
			}
			last = -1
			continue
		case strings.HasPrefix(s[i:], "[:"):
			name, after, isClosed := strings.Cut(s[i+2:], "]")
			if !isClosed {
				return nil, 0, errBracket
			}
			if name, isClass := strings.CutSuffix(name, ":"); isClass {
				in := classes[name]
				if in == nil {
					return nil, 0, errClass
				}
				for c := range set {
					set[c] = set[c] || in(byte(c))
				}
				i, last = len(s)-len(after)-1, -1
				continue
			}
		case s[i] == '\\':
			if i++; i >= len(s) {
				return nil, 0, errBracket
			}
		}
		set[s[i]], last = true, int(s[i])
	}
}
