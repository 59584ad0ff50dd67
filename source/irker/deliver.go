package irker

import (
	"context"
	"slices"
	"time"

	"vext/internal/text"
	"vext/notify"
)

const (
	// firstPause and longestPause are how long notices wait that could not be
	// kept; each pause is twice as long as the one before.
	firstPause   = 100 * time.Millisecond
	longestPause = 30 * time.Second
	// putPatience bounds a call of Put, so that the service can end.
	putPatience = time.Minute
)

// deliver keeps the lines of notices, in one go, and calls tell once, when each
// notice has an error of its own where that fails: whoever wants an answer is
// told, and will ask again. The notices of the others would be lost, so they are
// tried again until they are kept, or ctx has ended.
func (v *serving) deliver(ctx context.Context, notices []notice, tell func()) {
	err := v.keep(ctx, notices)
	tell()
	held := slices.DeleteFunc(slices.Clone(notices), func(n notice) bool { return n.ack })
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		left := 0
		for i := range held {
			left += len(held[i].lines)
		}
		if left == 0 {
			return
		}
		if ctx.Err() != nil {
			v.Log.Error("irker: notices are lost, they could not be kept", "lines", left, "err", err)
			return
		}
		v.trouble.warn("irker: notices can't be kept, trying again", "lines", left, "err", err)
		wait(ctx, pause)
		err = v.keep(ctx, held)
	}
}

// keep keeps the lines of notices, where it can in one go, and takes them out of
// the notices. Those that are left may be kept later; err is why they are not.
func (v *serving) keep(ctx context.Context, notices []notice) (err error) {
	var all []notify.Message
	for i := range notices {
		all = append(all, notices[i].lines...)
	}
	err = v.put(ctx, all)
	if !notify.IsPermanent(err) {
		for i := range notices {
			notices[i].kept(err)
		}
		return err
	}
	err = nil
	for i := range notices {
		if failed := v.keepEach(ctx, &notices[i]); failed != nil {
			err = failed
		}
	}
	return err
}

// kept notes what became of the notice's lines, all of them.
func (n *notice) kept(err error) {
	if len(n.lines) == 0 {
		return
	}
	if n.failed = err; err == nil {
		n.lines = nil
	}
}

// keepEach keeps the lines of a notice that can be kept, where one of some
// notice can't, ever: a target of which there is one too many is skipped. The
// error is why lines are left.
func (v *serving) keepEach(ctx context.Context, n *notice) (failed error) {
	var left []notify.Message
	var refused error
	kept := false
	for _, line := range n.lines {
		err := v.put(ctx, []notify.Message{line})
		switch {
		case err == nil:
			kept = true
		case notify.IsPermanent(err):
			v.trouble.warn("irker: a notice is passed over", "target", shown(line.Target), "err", err)
			n.refused = append(n.refused, text.Shorten(shown(line.Target), longestShown))
			refused = err
		default:
			left, failed = append(left, line), err
		}
	}
	n.lines, n.failed = left, failed
	if !kept && failed == nil {
		n.failed = refused
	}
	return failed
}

// put keeps lines, also when ctx has ended.
func (v *serving) put(ctx context.Context, lines []notify.Message) error {
	if len(lines) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), putPatience)
	defer cancel()
	return v.Outlet.Put(ctx, lines...)
}
