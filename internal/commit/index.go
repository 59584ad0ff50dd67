package commit

// An Index finds what belongs to a commit by any key that names it. The zero
// Index is empty and ready for use.
type Index[T any] struct {
	exact   map[string][]entry[T] // by the hash, or by the whole key of another revision
	short   map[string][]entry[T] // hashes that are cut off, by their first digits
	byStart map[string][]entry[T] // all hashes by their first digits; made when it is needed
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

// starting returns all hashes by their first digits. Only one who has no more
// than these looks there: many hashes can have them in common.
func (x *Index[T]) starting() map[string][]entry[T] {
	if x.byStart == nil {
		x.byStart = map[string][]entry[T]{}
		for _, places := range []map[string][]entry[T]{x.exact, x.short} {
			for _, list := range places {
				for _, e := range list {
					_, revision := CutKey(e.key)
					if isCut(revision) || IsHash(revision) {
						start := revision[:abbreviated]
						x.byStart[start] = append(x.byStart[start], e)
					}
				}
			}
		}
	}
	return x.byStart
}

// places returns where a key is looked for: the first digits of a hash, and what
// it is found by when it is not cut off.
func places(key string) (start, at string) {
	_, revision := CutKey(key)
	switch {
	case IsHash(revision):
		return revision[:abbreviated], revision
	case isCut(revision):
		return revision[:abbreviated], ""
	}
	return "", key
}

// isCut reports whether a revision is a hash that may be cut off.
func isCut(revision string) bool { return len(revision) >= abbreviated && IsHex(revision) }
