package autosync

import (
	"fmt"
	"strings"
)

// An Ignore is a list of patterns, gitignore(5).
type Ignore struct{ patterns []pattern }

// A pattern is one line of a .gitignore file.
type pattern struct {
	glob     glob
	negative bool // what matches is not ignored
	dirs     bool // only a directory matches
	anywhere bool // it is matched with the last name of a path
}

// NewIgnore parses patterns. Unlike git, it returns an error for one that never matches
// because it is malformed.
func NewIgnore(patterns []string) (*Ignore, error) {
	var ignore Ignore
	for _, line := range patterns {
		p, isEmpty, err := parsePattern(line)
		if err != nil {
			return nil, fmt.Errorf("the pattern %q: %w", line, err)
		}
		if !isEmpty {
			ignore.patterns = append(ignore.patterns, p)
		}
	}
	return &ignore, nil
}

// Match reports whether a path, relative to the root and with slashes, is ignored: by
// itself, or because a directory above it is.
func (i *Ignore) Match(path string, isDir bool) bool {
	if len(i.patterns) == 0 {
		return false
	}
	for at := range len(path) {
		if path[at] == '/' && i.matches(path[:at], true) {
			return true
		}
	}
	return i.matches(path, isDir)
}

// matches asks the patterns about one path. The last one that matches decides.
func (i *Ignore) matches(path string, isDir bool) bool {
	name := path[strings.LastIndexByte(path, '/')+1:]
	for n := len(i.patterns) - 1; n >= 0; n-- {
		p := &i.patterns[n]
		text := path
		if p.anywhere {
			text = name
		}
		if (isDir || !p.dirs) && p.glob.match(text) {
			return !p.negative
		}
	}
	return false
}

// parsePattern parses a line; one that is empty, or a comment, has no pattern.
func parsePattern(line string) (p pattern, isEmpty bool, err error) {
	if strings.HasPrefix(line, "#") {
		return p, true, nil
	}
	line = trimSpaces(line)
	line, p.negative = strings.CutPrefix(line, "!")
	line, p.dirs = strings.CutSuffix(line, "/")
	if line == "" {
		return p, true, nil
	}
	p.anywhere = !strings.Contains(line, "/")
	p.glob, err = parseGlob(strings.TrimPrefix(line, "/"))
	return p, false, err
}

// trimSpaces removes the blanks at the end that are not escaped.
func trimSpaces(line string) string {
	end := 0
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case ' ':
			continue
		case '\\':
			i++
		}
		end = min(i+1, len(line))
	}
	return line[:end]
}
