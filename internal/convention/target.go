package convention

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"vext/internal/text"
)

// Targets returns the branches that a commit goes to, newest first: those that its message
// names, else those that match the patterns of the convention. branches are those of the
// repository, without refs/heads/. A branch that the message names and the repository does
// not have is returned under its full name.
func (c *Convention) Targets(r Request, branches []string) []string {
	var all []string
	for _, name := range r.Targets {
		for _, branch := range c.named(name, branches) {
			if !slices.Contains(all, branch) {
				all = append(all, branch)
			}
		}
	}
	sortNewest(all)
	if len(all) > 0 {
		return all
	}
	all = c.matching(branches)
	if r.Oldest == "" {
		return all
	}
	oldest := numbers(r.Oldest)
	return slices.DeleteFunc(all, func(branch string) bool {
		own := numbers(branch)
		return compare(own, oldest[:min(len(own), len(oldest))]) < 0
	})
}

// matching returns the supported branches, newest first.
func (c *Convention) matching(branches []string) []string {
	var all []string
	for _, branch := range branches {
		if slices.ContainsFunc(c.Patterns, func(pattern string) bool { return text.Match(pattern, branch) }) {
			all = append(all, branch)
		}
	}
	sortNewest(all)
	if c.Supported > 0 && len(all) > c.Supported {
		all = all[:c.Supported]
	}
	return all
}

// named returns the branches that a message means by a word: a name, a version such as
// "14", or a pattern such as "25.*".
func (c *Convention) named(word string, branches []string) []string {
	version := strings.TrimSuffix(strings.TrimSuffix(word, "-STABLE"), "-stable")
	for _, form := range append(slices.Clip(c.forms), word) {
		pattern, name := strings.Replace(form, "%s", "*", 1), strings.Replace(form, "%s", version, 1)
		var all []string
		for _, branch := range branches {
			// 6.4 is a DragonFly_RELEASE_6_4, too.
			isVersion := versionIn(version) != "" && text.Match(pattern, branch) && compare(numbers(branch), numbers(version)) == 0
			if isVersion || text.Match(name, branch) {
				all = append(all, branch)
			}
		}
		if len(all) > 0 {
			return all
		}
	}
	switch {
	case strings.ContainsAny(word, "*?") || !strings.ContainsAny(word, "0123456789/"):
		return nil // "if possible" is no branch
	case strings.Contains(word, "/") || len(c.forms) == 0 || versionIn(version) == "":
		return []string{word}
	}
	return []string{strings.Replace(c.forms[0], "%s", version, 1)}
}

// sortNewest sorts branches by the numbers in their names, the highest first.
func sortNewest(branches []string) {
	slices.SortStableFunc(branches, func(a, b string) int {
		return cmp.Or(compare(numbers(b), numbers(a)), cmp.Compare(a, b))
	})
}

// numbers returns the numbers in a name: 6 and 10 of linux-6.10.y.
func numbers(name string) []int {
	var all []int
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return r < '0' || r > '9' }) {
		n, _ := strconv.Atoi(part) // the largest int when there are too many digits
		all = append(all, n)
	}
	return all
}

func compare(a, b []int) int { return slices.Compare(a, b) }

// versionIn returns the version that a word is: 6.6 of v6.6+, 3.3 of 3.3.x; "" for other
// words.
func versionIn(word string) string {
	word = strings.TrimSuffix(strings.TrimRight(strings.TrimPrefix(word, "v"), "+:."), ".x")
	for part := range strings.SplitSeq(word, ".") {
		if part == "" || len(part) > 6 || strings.Trim(part, "0123456789") != "" {
			return ""
		}
	}
	return word
}

// Reached reports whether one of the tags that contain a commit is the one that it waits
// for, or a later one: for "-rc4" also -rc5 and the release.
func Reached(afterTag string, containing []string) bool {
	if afterTag == "" {
		return true
	}
	waits := numbers(afterTag)
	return slices.ContainsFunc(containing, func(tag string) bool {
		version, candidate, isCandidate := strings.Cut(tag, "-rc")
		if len(numbers(version)) == 0 {
			return false
		}
		return !isCandidate || afterTag != Release && compare(numbers(candidate), waits) >= 0
	})
}
