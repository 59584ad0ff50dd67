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
	const schemeBytes = "abcdefghijklmnopqrstuvwxyz0123456789+.-"
	if scheme, rest, ok := strings.Cut(name, "://"); ok && scheme != "" && strings.Trim(scheme, schemeBytes) == "" {
		_, name, _ = strings.Cut(rest, "/")
	} else if host, path, ok := strings.Cut(name, ":"); ok && strings.Contains(host, "@") && !strings.Contains(host, "/") {
		name = path // scp's form, git-clone(1)
	}
	return strings.TrimSuffix(strings.TrimSuffix(strings.Trim(name, "/"), "/.git"), ".git")
}

// An Index maps commits to values. It finds a value by any key that names the same
// commit, see SameCommit. The zero Index is empty and ready for use.
type Index[T any] struct {
	entries map[string][]entry[T] // by full hash, first digits of an abbreviated one, else key
	byStart map[string][]entry[T] // all hashes by their first digits; built on demand
}

type entry[T any] struct {
	key   string
	value T
}

// Add puts a value under a key. The empty key names no commit.
func (x *Index[T]) Add(key string, value T) {
	if key == "" {
		return
	}
	if x.entries == nil {
		x.entries = map[string][]entry[T]{}
	}
	place := key
	if _, revision := CutKey(key); IsHash(revision) {
		place = revision
	} else if mayBeAbbreviated(revision) {
		place = revision[:Abbreviated]
	}
	x.byStart = nil
	x.entries[place] = append(x.entries[place], entry[T]{key, value})
}

// Find calls found with every value whose key names the same commit as key,
// until it returns false.
func (x *Index[T]) Find(key string, found func(T) bool) {
	candidates := [2][]entry[T]{x.entries[key]}
	if _, revision := CutKey(key); IsHash(revision) {
		candidates = [2][]entry[T]{x.entries[revision], x.entries[revision[:Abbreviated]]}
	} else if mayBeAbbreviated(revision) {
		candidates[0] = x.starting(revision[:Abbreviated])
	}
	for _, list := range candidates {
		for _, e := range list {
			if SameCommit(e.key, key) && !found(e.value) {
				return
			}
		}
	}
}

// starting returns all hashes with these first digits. Only a search for an abbreviated
// hash uses it, because many hashes can begin alike.
func (x *Index[T]) starting(digits string) []entry[T] {
	if x.byStart == nil {
		x.byStart = map[string][]entry[T]{}
		for _, list := range x.entries {
			for _, e := range list {
				if _, revision := CutKey(e.key); mayBeAbbreviated(revision) {
					start := revision[:Abbreviated]
					x.byStart[start] = append(x.byStart[start], e)
				}
			}
		}
	}
	return x.byStart[digits]
}

func mayBeAbbreviated(revision string) bool { return len(revision) >= Abbreviated && IsHex(revision) }
