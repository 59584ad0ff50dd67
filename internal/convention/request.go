package convention

import (
	"slices"
	"strings"

	"vext/internal/commit"
)

// A Request is what the message of a commit asks for.
type Request struct {
	commit.Request // zero for a message that asks for no reminder
	// Targets are the branches that the message names, as it names them: "stable/15",
	// "6.10". When it names none, the patterns of the convention say where it goes.
	Targets []string
	// Oldest is the version of the oldest branch that it goes to: "6.6"; "" for no limit.
	Oldest string
	// AfterTag is the tag that must exist before the commit is merged: "-rc4" for one that
	// ends so, Release for any release; "" for none. See Reached.
	AfterTag string
	// Needs are the commits that are to be merged before it, in their order, and With those
	// that go with it.
	Needs []Prerequisite
	With  []string
}

// A Prerequisite is a commit that another needs on the branches of one version.
type Prerequisite struct {
	Version  string // "3.3"
	Revision string
	Subject  string
}

// Release is the AfterTag of a commit that waits for a release.
const Release = "release"

// Bounds of what is read from one message.
const (
	maxTargets = 50
	maxCommits = 100
)

// What the value of a trailer is, commit.Trailer.Value.
const (
	isPeriod  = "period"  // how long to wait, or a date
	isTargets = "targets" // branches: "stable/15, stable/14"
	isOldest  = "oldest"  // the oldest branch: "14"
	isAddress = "address" // of a list, with versions and a remark: "24.1 mesa-stable", "<stable@vger.kernel.org> # 6.6+"
	isCommits = "commits" // that go with this one
)

// values are all of them.
var values = []string{isPeriod, isTargets, isOldest, isAddress, isCommits}

// Ask returns what a message asks for. ok is false when it asks for no reminder; what it
// says of branches and other commits is read all the same.
func (c *Convention) Ask(message string) (r Request, ok bool) {
	r.Request, ok = c.asking.Request(message)
	for trailer, value := range c.asking.Conventional(message) {
		switch trailer.Value {
		case isTargets:
			r.addTargets(value)
		case isOldest:
			r.addOldest(firstWord(value))
		case isAddress:
			r.readAddress(value)
		case isCommits:
			r.addCommits(value)
		}
	}
	return r, ok
}

func firstWord(value string) string {
	words := split(value)
	if len(words) == 0 {
		return ""
	}
	return words[0]
}

// split returns the words of a value without the punctuation around them.
func split(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t,;<>()\"'", r) })
}

// addTargets adds the branches of a value: "stable/15, stable/14", "6.10 6.9 (with care)".
func (r *Request) addTargets(value string) {
	if i := strings.IndexAny(value, "(#"); i >= 0 {
		value = value[:i]
	}
	for _, word := range split(value) {
		word = strings.TrimRight(word, ".:")
		if word != "" && word != "and" && len(r.Targets) < maxTargets && !slices.Contains(r.Targets, word) {
			r.Targets = append(r.Targets, word)
		}
	}
}

// addOldest lowers the version of the oldest branch.
func (r *Request) addOldest(word string) {
	if version := versionIn(word); version != "" && (r.Oldest == "" || compare(numbers(version), numbers(r.Oldest)) < 0) {
		r.Oldest = version
	}
}

// readAddress reads the value of a Cc: versions before the remark are branches, and a
// remark begins with the versions from which on the commit is to be merged, or with a
// prerequisite for one version, as in Linux' stable-kernel-rules.rst.
func (r *Request) readAddress(value string) {
	before, remark, _ := strings.Cut(value, "#")
	for _, word := range split(before) {
		if versionIn(word) != "" {
			r.addTargets(word)
		}
	}
	if p, ok := prerequisite(remark); ok {
		if len(r.Needs) < maxCommits {
			r.Needs = append(r.Needs, p)
		}
		r.addOldest(p.Version)
		return
	}
	for _, word := range split(remark) {
		if version := versionIn(word); strings.Contains(version, ".") || version != "" && strings.HasSuffix(word, "x") {
			r.addOldest(version)
		} else if word = strings.TrimRight(word, "="); word != "" && word != "from" && word != "since" {
			break
		}
	}
	r.addTag(remark)
}

// prerequisite reads "3.3.x: a1f84a3: sched: Check for idle".
func prerequisite(remark string) (Prerequisite, bool) {
	version, rest, ok := strings.Cut(strings.TrimSpace(remark), ":")
	revision, subject, _ := strings.Cut(strings.TrimSpace(rest), " ")
	p := Prerequisite{versionIn(version), strings.TrimSuffix(revision, ":"), strings.TrimSpace(subject)}
	return p, ok && p.Version != "" && isRevision(p.Revision)
}

// addTag reads the tag that a remark waits for: "after -rc4", and the release in "after 6
// weeks in a stable mainline release".
func (r *Request) addTag(remark string) {
	_, rest, ok := strings.Cut(" "+strings.ToLower(strings.Join(strings.Fields(remark), " "))+" ", " after ")
	if !ok {
		return
	}
	word, _, _ := strings.Cut(rest, " ")
	switch word = strings.TrimRight(word, ".,;"); {
	case strings.Contains(word, "-rc"), strings.HasPrefix(word, "rc"):
		r.AfterTag = word[strings.Index(word, "rc"):]
		r.AfterTag = "-" + r.AfterTag
	case strings.Contains(rest, " release"):
		r.AfterTag = Release
	}
}

// addCommits adds the commits of a value: "f3ab0d86e807, r364303 (which missed this)".
func (r *Request) addCommits(value string) {
	for _, word := range split(value) {
		if isRevision(word) && len(r.With) < maxCommits && !slices.Contains(r.With, word) {
			r.With = append(r.With, word)
		}
	}
}

// isRevision reports whether a word is a hash, which may be abbreviated, or r and a number.
func isRevision(word string) bool {
	number, isNumber := strings.CutPrefix(word, "r")
	if isNumber && number != "" && strings.Trim(number, "0123456789") == "" {
		return true
	}
	return len(word) >= 7 && len(word) <= 64 && commit.IsHex(word)
}
