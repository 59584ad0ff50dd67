package autosync

import (
	"context"
	"maps"
	"path"
	"slices"
	"time"

	"vext/source/autosync/watch"
)

// fileKinds are what the version control ignores while a program writes many files, as a compiler
// does beside its sources: by directory and ending, because to ask for each file would take
// as long as the program. What is ignored then stands for its directory, which nothing else
// waits for, and which is looked at now and then: one of these files may count all the same.
type fileKinds struct {
	ignored map[string]bool // by kind; also those that are not ignored
	used    time.Time
}

// kindsAge is how long kinds are remembered after they were of use.
const kindsAge = time.Minute

func kindOf(name string) string { return path.Dir(name) + "/*" + path.Ext(name) }

// learnKinds asks for the kinds of files that are reported in a big burst.
func (t *Tree) learnKinds(ctx context.Context, events []watch.Event, now time.Time) {
	t.mu.Lock()
	k := &t.kinds
	if len(k.ignored) > 0 && now.Sub(k.used) > kindsAge || k.ignored == nil {
		k.ignored = map[string]bool{}
	}
	samples := map[string]string{}
	for _, e := range events {
		if !t.pending.isBig(now) || len(samples)+len(k.ignored) >= maxKnown {
			break
		}
		if _, isKnown := k.ignored[kindOf(e.Path)]; !isKnown && !e.All && !e.Internal && !e.Dir && !e.Gone {
			samples[kindOf(e.Path)] = e.Path
		}
	}
	t.mu.Unlock()
	if len(samples) == 0 {
		return
	}
	ignored, err := t.repo.Ignored(ctx, slices.Sorted(maps.Values(samples)))
	if err != nil { // the whole burst waits
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	k.used = now
	for kind, sample := range samples {
		k.ignored[kind] = ignored[sample]
	}
}

// isIgnored reports whether a file is of a kind that is ignored. The caller has the lock.
func (k *fileKinds) isIgnored(name string, now time.Time) bool {
	if !k.ignored[kindOf(name)] {
		return false
	}
	k.used = now
	return true
}
