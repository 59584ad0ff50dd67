package commit

// An Index maps commits to values. It finds a value by any key that names the same
// commit, see SameCommit. The zero Index is empty and ready for use.
type Index[T any] struct {
	exact   map[string][]entry[T] // by the full hash, or by the key where there is none
	short   map[string][]entry[T] // abbreviated hashes, by their first digits
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
	if x.exact == nil {
		x.exact, x.short = map[string][]entry[T]{}, map[string][]entry[T]{}
	}
	x.byStart = nil
	e := entry[T]{key, value}
	switch start, at := places(key); {
	case at != "":
		x.exact[at] = append(x.exact[at], e)
	default:
		x.short[start] = append(x.short[start], e)
	}
}

// Find calls found with every value whose key names the same commit as key,
// until it returns false.
func (x *Index[T]) Find(key string, found func(T) bool) {
	start, at := places(key)
	var candidates [2][]entry[T]
	switch {
	case key == "" || x.exact == nil:
		return
	case at != "":
		candidates[0], candidates[1] = x.exact[at], x.short[start]
	default:
		candidates[0] = x.starting()[start]
	}
	for _, list := range candidates {
		for _, e := range list {
			if SameCommit(e.key, key) && !found(e.value) {
				return
			}
		}
	}
}

// starting returns all hashes by their first digits. Only a search for an abbreviated
// hash uses it, because many hashes can begin alike.
func (x *Index[T]) starting() map[string][]entry[T] {
	if x.byStart == nil {
		x.byStart = map[string][]entry[T]{}
		for _, places := range []map[string][]entry[T]{x.exact, x.short} {
			for _, list := range places {
				for _, e := range list {
					_, revision := CutKey(e.key)
					if mayBeAbbreviated(revision) || IsHash(revision) {
						start := revision[:Abbreviated]
						x.byStart[start] = append(x.byStart[start], e)
					}
				}
			}
		}
	}
	return x.byStart
}

// places returns the keys of Index's maps: the first digits of a hash, and the key
// in exact, "" for an abbreviated hash.
func places(key string) (start, at string) {
	_, revision := CutKey(key)
	switch {
	case IsHash(revision):
		return revision[:Abbreviated], revision
	case mayBeAbbreviated(revision):
		return revision[:Abbreviated], ""
	}
	return "", key
}

func mayBeAbbreviated(revision string) bool { return len(revision) >= Abbreviated && IsHex(revision) }
