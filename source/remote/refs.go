package remote

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"vext/internal/commit"
)

// refs are names of refs and their values. A list of a remote may also have an entry
// "refs/tags/v1^{}" with the object to which the tag points.
type refs map[string]string

const peeled = "^{}"

// A refspec is one of remote.<name>.fetch.
type refspec struct {
	src, dst string // dst "" for none; with one * each in a pattern
	negative bool
	pattern  bool
}

// parseRefspec parses a refspec for fetching (gitglossary(7)).
func parseRefspec(s string) (refspec, error) {
	var r refspec
	rest := strings.TrimPrefix(s, "+")
	if rest == s {
		rest, r.negative = strings.CutPrefix(s, "^")
	}
	src, dst, hasDst := strings.Cut(rest, ":")
	r.src, r.dst = src, dst
	inSrc, inDst := strings.Count(src, "*"), strings.Count(dst, "*")
	r.pattern = inSrc == 1
	switch {
	case inSrc > 1, r.negative && (hasDst || src == ""), !r.negative && inSrc != inDst:
		return refspec{}, fmt.Errorf("%q is no refspec for git fetch", s)
	}
	if src == "" {
		r.src = "HEAD"
	}
	if r.dst != "" && !r.pattern {
		r.dst = fullName(r.dst)
	}
	return r, nil
}

// fullName completes the right side of a refspec, as git does.
func fullName(name string) string {
	switch {
	case strings.HasPrefix(name, "refs/"):
		return name
	case strings.HasPrefix(name, "heads/"), strings.HasPrefix(name, "tags/"), strings.HasPrefix(name, "remotes/"):
		return "refs/" + name
	}
	return "refs/heads/" + name
}

// expand matches a name with one pattern and returns the other, filled with what the *
// has matched.
func expand(pattern, to, name string) (string, bool) {
	before, after, _ := strings.Cut(pattern, "*")
	if len(name) < len(before)+len(after) || !strings.HasPrefix(name, before) || !strings.HasSuffix(name, after) {
		return "", false
	}
	return strings.Replace(to, "*", name[len(before):len(name)-len(after)], 1), true
}

// matches reports whether the left side of a refspec matches the name of a ref.
func (r refspec) matches(name string) bool {
	if !r.pattern {
		return name == r.src
	}
	_, ok := expand(r.src, "", name)
	return ok
}

// abbreviations are the ways to complete a short name, in git's order.
var abbreviations = []string{"", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"}

// find returns the full name of the ref that the left side of an exact refspec names.
func (r refspec) find(remote refs) (string, bool) {
	for _, prefix := range abbreviations {
		if _, ok := remote[prefix+r.src]; ok {
			return prefix + r.src, true
		}
	}
	if name := "refs/remotes/" + r.src + "/HEAD"; remote[name] != "" {
		return name, true
	}
	return "", false
}

// parseRefspecs parses those that the configuration was checked with.
func (r *Remote) refspecs() []refspec {
	var all []refspec
	for _, s := range r.Fetch {
		if spec, err := parseRefspec(s); err == nil {
			all = append(all, spec)
		}
	}
	if r.tags == allTags {
		all = append(all, refspec{src: "refs/tags/*", dst: "refs/tags/*", pattern: true})
	}
	return all
}

// followsTags reports whether git fetch fetches the tags of what it fetches.
func (r *Remote) followsTags(specs []refspec) bool {
	return r.tags == followTags && slices.ContainsFunc(specs, func(s refspec) bool { return s.dst != "" && !s.negative })
}

// A wanted is what the refspecs of a remote make of its refs.
type wanted struct {
	refs    refs            // of the clone, as they should be
	sources map[string]bool // the remote's refs that are fetched
	tags    refs            // to follow: fetched if the clone has their objects, see peels
	peels   map[string]string
}

// want returns what git fetch would make of the refs of a remote.
func (r *Remote) want(remote refs) wanted {
	specs := r.refspecs()
	w := wanted{refs: refs{}, sources: map[string]bool{}, tags: refs{}, peels: map[string]string{}}
	var patterns, negative []refspec
	for _, s := range specs {
		switch {
		case s.negative:
			negative = append(negative, s)
		case s.pattern:
			patterns = append(patterns, s)
		}
	}
	excluded := func(name string) bool {
		return slices.ContainsFunc(negative, func(s refspec) bool { return s.matches(name) })
	}
	add := func(name, dst, value string) {
		w.sources[name] = true
		if strings.HasPrefix(dst, "refs/") {
			w.refs[dst] = value
		}
	}
	for _, s := range specs {
		if s.negative || s.pattern {
			continue
		}
		if commit.IsHash(s.src) {
			add(s.src, s.dst, s.src)
		} else if name, ok := s.find(remote); ok && !excluded(name) {
			add(name, s.dst, remote[name])
		}
	}
	follow := r.followsTags(specs)
	for name, value := range remote {
		if strings.HasSuffix(name, peeled) || !strings.HasPrefix(name, "refs/") {
			continue
		}
		isExcluded := excluded(name)
		for _, s := range patterns {
			if dst, ok := expand(s.src, s.dst, name); ok && !isExcluded {
				add(name, dst, value)
			}
		}
		if follow && !isExcluded && strings.HasPrefix(name, "refs/tags/") && !w.sources[name] {
			w.tags[name] = value
			w.peels[name] = value
			if object := remote[name+peeled]; object != "" {
				w.peels[name] = object
			}
		}
	}
	return w
}

// newTags returns the tags that the clone does not have. Existing ones are never moved
// by following.
func (w wanted) newTags(local refs) []string {
	var names []string
	for name := range w.tags {
		if _, ok := local[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// differing returns the names of the clone's refs that differ from what is wanted, and
// with prune of those that the remote does not have any more. symbolic refs stay.
func (r *Remote) differing(w wanted, local refs, symbolic map[string]bool) []string {
	var names []string
	for name, value := range w.refs {
		if local[name] != value {
			names = append(names, name)
		}
	}
	if r.prune {
		for name := range local {
			if !symbolic[name] && r.stale(w, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// stale reports whether pruning deletes a ref of the clone: a refspec makes it from refs
// of the remote that don't exist.
func (r *Remote) stale(w wanted, name string) bool {
	specs, isMade := r.refspecs(), false
	for _, s := range specs {
		if s.dst == "" || s.negative {
			continue
		}
		src, ok := s.src, s.dst == name
		if s.pattern {
			src, ok = expand(s.dst, s.src, name)
		}
		if !ok {
			continue
		}
		excluded := slices.ContainsFunc(specs, func(n refspec) bool { return n.negative && n.matches(src) })
		if excluded || w.has(src) {
			return false
		}
		isMade = true
	}
	return isMade
}

// has reports whether a source is fetched; it may be abbreviated.
func (w wanted) has(src string) bool {
	return slices.ContainsFunc(abbreviations, func(prefix string) bool { return w.sources[prefix+src] })
}

// remotePrefixes returns the beginnings of the names that the refspecs want from the
// remote; nil for all.
func (r *Remote) remotePrefixes() []string {
	specs := r.refspecs()
	var all []string
	for _, s := range specs {
		prefix, _, _ := strings.Cut(s.src, "*")
		switch {
		case s.negative || commit.IsHash(s.src):
			continue
		case !strings.HasPrefix(prefix, "refs/"):
			return nil
		}
		all = append(all, prefix)
	}
	if r.followsTags(specs) {
		all = append(all, "refs/tags/")
	}
	return mergeNames(all)
}

// localPrefixes returns the beginnings of the clone's refs that the refspecs make, for
// git for-each-ref: whole words between slashes.
func (r *Remote) localPrefixes() []string {
	specs := r.refspecs()
	var all []string
	for _, s := range specs {
		if s.dst == "" || s.negative {
			continue
		}
		prefix, _, isPattern := strings.Cut(s.dst, "*")
		if isPattern {
			prefix = prefix[:strings.LastIndexByte(prefix, '/')+1]
		}
		all = append(all, prefix)
	}
	if r.followsTags(specs) {
		all = append(all, "refs/tags/")
	}
	return mergeNames(all)
}

// state returns all that a fetch depends on at the remote.
func (w wanted) state() refs {
	all := maps.Clone(w.refs)
	for name, value := range w.tags {
		all["follow "+name] = value
	}
	for name := range w.sources {
		all["source "+name] = "1"
	}
	return all
}
