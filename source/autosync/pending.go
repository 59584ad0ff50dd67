package autosync

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"
)

// whole is the path that stands for the whole tree: anything in it may have changed.
const whole = "."

// A look is what lstat(2) says about a file: whether it stands still is found by comparing
// two of them.
type look struct {
	size int64
	time time.Time
	mode fs.FileMode
}

// lookAt returns the look of a file, and false when there is none of that name.
func lookAt(root, path string) (look, bool) {
	info, err := os.Lstat(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil {
		return look{}, false
	}
	return lookOf(info), true
}

func lookOf(info fs.FileInfo) look {
	if info == nil {
		return look{}
	}
	if info.IsDir() { // what is in it has a look of its own
		return look{mode: fs.ModeDir}
	}
	return look{info.Size(), info.ModTime(), info.Mode()}
}

// A waiter is a path that has changed and is not committed yet.
type waiter struct {
	first, last time.Time // changes
	look        look
	gone        bool // there is nothing of that name now
	minor       bool // it belongs to no burst
	vain        int  // how often in a row it was reported in vain before
	echo        bool // its last change came with a commit of ours
	burst       int  // in which it has changed last
}

// pending is which paths have changed, and when each is due. Its users hold the lock of the
// tree, and say what time it is.
//
// A path is due when it has rested for quiet, or longest after its first change. What is due
// waits for the rest of its burst, so that a burst becomes one commit: a burst is changes of
// which each comes within quiet after the one before. A path that never rests belongs to no
// burst.
type pending struct {
	quiet, longest time.Duration
	waiting        map[string]*waiter
	restless       map[string]bool // paths that were committed although they did not rest
	vain           map[string]int  // how often in a row a path was reported in vain
	echoes         int             // commits in a row that had nothing but what came with the one before

	burst     int // the number of the current one
	burstSize int
	burstLast time.Time
}

func newPending(quiet, longest time.Duration) *pending {
	return &pending{quiet: quiet, longest: longest, waiting: map[string]*waiter{}, restless: map[string]bool{}, vain: map[string]int{}}
}

// touch notes that a path has changed. A minor path belongs to no burst.
func (p *pending) touch(path string, now time.Time, l look, exists, minor bool) {
	w := p.waiting[path]
	if w == nil {
		w = &waiter{first: now, vain: p.vain[path]}
		p.waiting[path] = w
	} else if !exists && !w.gone {
		minor = true // it has come and gone
	}
	w.last, w.look, w.gone, w.echo = now, l, !exists, false
	w.minor = minor || p.isRestless(path, w) || p.vain[path] >= minVain
	if w.minor {
		w.burst = 0
		return
	}
	if p.burst == 0 || now.Sub(p.burstLast) >= p.quiet {
		p.burst++
		p.burstSize = 0
	}
	p.burstLast = now
	if w.burst != p.burst {
		w.burst = p.burst
		p.burstSize++
	}
}

// touchedByCommit says that the last change of a path came while a commit was made: a hook may
// have written it. Where each commit brings the next one, these wait longer and longer.
func (p *pending) touchedByCommit(path string) {
	if w := p.waiting[path]; w != nil {
		w.echo = true
		if p.echoes >= minVain {
			w.minor, w.burst = true, 0
		}
	}
}

// noteEchoes counts a commit of a batch.
func (p *pending) noteEchoes(b *batch) {
	for path := range b.paths {
		if w := p.waiting[path]; w != nil && path != whole && !w.echo {
			p.echoes = 0
			return
		}
	}
	p.echoes++
}

// touchWhole notes that anything may have changed. The whole tree is due at once; during a
// burst, when the burst rests.
func (p *pending) touchWhole(now time.Time) {
	at := now
	if p.burst == 0 || now.Sub(p.burstLast) >= p.quiet {
		at = now.Add(-p.quiet)
	}
	if w := p.waiting[whole]; w != nil && w.last.Before(at) {
		return
	}
	p.waiting[whole] = &waiter{first: at, last: at, minor: true}
}

// isRestless reports whether a path goes on changing.
func (p *pending) isRestless(path string, w *waiter) bool {
	return p.restless[path] || w.last.Sub(w.first) > 2*p.quiet
}

// due returns when a path is committed at the earliest. A deletion waits twice as long: the
// other half of a move may come.
func (p *pending) due(w *waiter) time.Time {
	wait := p.quiet
	if w.gone {
		wait *= 2
	}
	if w.vain >= minVain {
		wait <<= min(w.vain-minVain, 4)
	}
	if w.echo && p.echoes >= minVain {
		return w.last.Add(wait << min(p.echoes-minVain+1, 9))
	}
	due, latest := w.last.Add(wait), w.first.Add(p.longest)
	if latest.Before(due) {
		return latest
	}
	return due
}

// A batch is paths that are committed together.
type batch struct {
	at    time.Time
	paths map[string]bool
	force bool // they are committed even when they do not rest
}

// has reports whether a path, or a directory above it, is in the batch.
func (b *batch) has(name string) bool {
	for ; ; name = path.Dir(name) {
		if b.paths[name] {
			return true
		}
		if name == "." || name == "/" {
			return false
		}
	}
}

// minVain is how often a path is reported in vain before it waits longer and longer: its
// changes may be our own.
const minVain = 3

// bigBurst is the number of files from which a burst is waited for until longest: an archive
// is being unpacked. A smaller one is not waited for that long.
const bigBurst = 100

// isBig reports whether a big burst is going on.
func (p *pending) isBig(now time.Time) bool {
	return p.burstSize >= bigBurst && now.Sub(p.burstLast) < p.quiet
}

// take returns what is to be committed now, nil for nothing, and when to ask again; the zero
// time says that nothing waits.
func (p *pending) take(now time.Time) (*batch, time.Time) {
	b := &batch{at: now, paths: map[string]bool{}}
	var next, limit, rest time.Time // rest is when the burst of what is due rests
	bursts, onlyGone := map[int]bool{}, true
	for path, w := range p.waiting {
		due := p.due(w)
		if now.Before(due) {
			next = earlier(next, due)
			continue
		}
		b.paths[path] = true
		onlyGone = onlyGone && w.gone
		bursts[w.burst] = true
		limit = earlier(limit, w.first.Add(p.longest))
		if p.burstSize < bigBurst {
			limit = earlier(limit, due.Add(2*p.quiet))
		}
	}
	if len(b.paths) == 0 {
		return nil, next
	}
	for path, w := range p.waiting {
		switch {
		case b.paths[path]:
		case !onlyGone && w.gone && !now.Before(w.last.Add(p.quiet)):
			b.paths[path] = true
		case w.burst != 0 && bursts[w.burst] && !p.isRestless(path, w):
			rest = later(rest, p.due(w))
		}
	}
	if now.Before(rest) && now.Before(limit) {
		return nil, earlier(rest, limit)
	}
	return b, now
}

// takeQuiet returns what rests, whatever else is going on.
func (p *pending) takeQuiet(now time.Time) *batch {
	b := &batch{at: now, paths: map[string]bool{}}
	for path, w := range p.waiting {
		if !now.Before(w.last.Add(p.quiet)) {
			b.paths[path] = true
		}
	}
	return b
}

// done removes what has been committed, or turned out to be no change.
func (p *pending) done(b *batch, changed bool) {
	if changed {
		p.noteEchoes(b)
	}
	for path := range b.paths {
		w := p.waiting[path]
		if changed {
			delete(p.vain, path)
		} else if len(p.vain) < maxKnown {
			p.vain[path]++
		}
		switch {
		case w == nil:
		case w.last.After(b.at): // it has changed again
			w.first = w.last
		default:
			p.remember(path, w, b)
			delete(p.waiting, path)
		}
	}
}

// maxKnown bounds the number of paths of which more is known than that they wait.
const maxKnown = 1000

// remember keeps in mind whether a path rested when it was taken.
func (p *pending) remember(path string, w *waiter, b *batch) {
	if b.force || !b.at.Before(w.last.Add(p.quiet)) {
		delete(p.restless, path)
	} else if len(p.restless) < maxKnown {
		p.restless[path] = true
	}
}

// isOverdue reports whether a path has waited for so long that it is committed as it is.
func (p *pending) isOverdue(path string, now time.Time) bool {
	w := p.waiting[path]
	return w != nil && !now.Before(w.first.Add(p.longest))
}

// earlier returns the earlier of two times, of which the zero one is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
