package irker

import (
	"cmp"
	"context"
	"time"

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

// deliver keeps the lines of notices, in one go. It calls tell once, with the
// error where that fails: whoever wants an answer is told, and will ask again.
// The notices of the others would be lost, so they are tried again until they
// are kept, or ctx has ended.
func (v *serving) deliver(ctx context.Context, notices []notice, tell func(error)) {
	var all, held []notify.Line
	for i := range notices {
		all = append(all, notices[i].lines...)
		if !notices[i].ack {
			held = append(held, notices[i].lines...)
		}
	}
	err := v.put(ctx, all)
	if notify.IsRefused(err) {
		held, err = v.putEach(ctx, all)
	}
	tell(err)
	for pause := firstPause; err != nil && len(held) > 0; pause = min(2*pause, longestPause) {
		if ctx.Err() != nil {
			v.Log.Error("irker: notices are lost, they could not be kept", "lines", len(held), "err", err)
			return
		}
		v.trouble.warn("irker: notices can't be kept, trying again", "lines", len(held), "err", err)
		wait(ctx, pause)
		err = v.put(ctx, held)
	}
}

// putEach keeps the lines that can be kept, where one of them can't, ever. It
// returns those that may be kept later.
func (v *serving) putEach(ctx context.Context, lines []notify.Line) (left []notify.Line, failed error) {
	for _, line := range lines {
		err := v.put(ctx, []notify.Line{line})
		switch {
		case notify.IsRefused(err):
			v.trouble.warn("irker: a notice is passed over", "target", shown(line.Target), "err", err)
		case err != nil:
			left = append(left, line)
		}
		failed = cmp.Or(failed, err)
	}
	return left, failed
}

// put keeps lines, also when ctx has ended.
func (v *serving) put(ctx context.Context, lines []notify.Line) error {
	if len(lines) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), putPatience)
	defer cancel()
	return v.Outlet.Put(ctx, lines...)
}
