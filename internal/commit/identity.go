package commit

import "strings"

// Key identifies the commit, whatever its source: repository and revision, as in
// `src@0123...`. It is empty when there is no revision, or only a number without
// its repository.
func (c *Commit) Key() string {
	if c.Revision == "" || (c.Repository == "" && !IsHash(c.Revision)) {
		return ""
	}
	return MakeKey(c.Repository, c.Revision)
}

// MakeKey returns the key of a revision of a repository.
func MakeKey(repository, revision string) string {
	return RepositoryName(repository) + "@" + revision
}

// CutKey splits a key into its repository and its revision.
func CutKey(key string) (repository, revision string) {
	i := strings.LastIndexByte(key, '@')
	if i < 0 {
		return "", key
	}
	return key[:i], key[i+1:]
}

// Abbreviated is the number of digits to which mailers, such as Mercurial's,
// abbreviate a hash.
const Abbreviated = 12

// SameCommit reports whether two keys name one commit. An abbreviated hash matches
// the full one; a full hash without a repository matches that of any repository.
func SameCommit(a, b string) bool {
	if a == b {
		return a != ""
	}
	repoA, revA := CutKey(a)
	repoB, revB := CutKey(b)
	if revA != revB {
		short := min(len(revA), len(revB))
		if short < Abbreviated || revA[:short] != revB[:short] || !IsHex(revA) || !IsHex(revB) {
			return false
		}
	}
	return repoA == repoB || (repoA == "" || repoB == "") && IsHash(revA) && IsHash(revB)
}

// RepositoryName returns the canonical form of a repository's name: the path of a
// URL or of ssh's user@host:path, without slashes around it and without `.git`.
func RepositoryName(name string) string {
	if scheme, rest, ok := strings.Cut(name, "://"); ok && isScheme(scheme) {
		_, name, _ = strings.Cut(rest, "/")
	} else if host, path, ok := strings.Cut(name, ":"); ok && strings.Contains(host, "@") && !strings.Contains(host, "/") {
		name = path // scp's form, git-clone(1)
	}
	return strings.TrimSuffix(strings.TrimSuffix(strings.Trim(name, "/"), "/.git"), ".git")
}

func isScheme(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '+' && r != '.' && r != '-'
	})
}
