package reminder

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"vext/internal/calendar"
	"vext/internal/history"
	"vext/notify"
	"vext/policy"
	"vext/queue"
)

// Settle records what became of the reminders that were handed to IRC, and
// takes those out of the queue that were told. Those that are to go by mail
// instead wait for the next Run. Settle takes the lock as Run does.
func (s *Service) Settle(ctx context.Context) (Summary, error) {
	lock, err := queue.Acquire(ctx, s.Queue.State, lockWait)
	if err != nil {
		return Summary{}, err
	}
	defer lock.Release()
	r := &run{Service: s}
	failed, err := r.settle(ctx)
	r.sum.ByMail = len(failed)
	return r.sum, err
}

// ircPatience is how long a line may wait for IRC before the mail goes instead.
// It is that of the longest pause, so that a daily run is never a minute too
// early.
var ircPatience = retries.Max

// forgetAfter is for how long the outbox is asked whether it still knows a line
// of which all is recorded: a crash can come between the record and Forget.
const forgetAfter = 7 * 24 * time.Hour

// A settlement is what is found out about the lines of one moment.
type settlement struct {
	*run
	lines    *history.Lines
	outcomes map[string]notify.Outcome // of the lines that the outbox knows, by key
	why      map[string]string         // a line was not told yet
	blind    error                     // why lines can't be asked for or taken back, nil when they can
	all      []*handed                 // what has an open line

	events []history.Event
	told   []queue.Entry // reminders that are done
	failed []string      // names of those that are to go by mail instead
}

// settle asks what became of the lines that were handed over. It returns the
// names of the reminders that are to go by mail now. Every step can be cut off
// and is done again by the next call: the outbox forgets only what the history
// knows.
func (r *run) settle(ctx context.Context) ([]string, error) {
	r.sum.Waiting, r.missing, r.openKeys = 0, map[string]bool{}, nil
	if r.IRC == nil {
		// Then only what is due matters, if there is any.
		if due, err := r.Queue.Entries(r.Queue.Today()); len(due) == 0 {
			return nil, err
		}
	}
	st := &settlement{run: r, lines: history.NewLines(r.Queue.Now.Add(-forgetAfter)), why: map[string]string{}}
	if _, err := r.Queue.History.Scan(st.lines.Take); err != nil {
		return nil, err
	}
	st.gatherAll()
	if st.blind = st.ask(ctx); st.blind != nil && ctx.Err() != nil {
		return nil, st.blind
	}
	for _, h := range st.all {
		if st.blind != nil {
			st.guess(h)
		} else {
			st.judge(h)
		}
	}
	if err := r.Queue.History.Append(st.events...); err != nil {
		return nil, err
	}
	return st.failed, errors.Join(st.blind, st.finish(), st.forget(ctx))
}

// A handed is a reminder on one day and its lines: those that go in the place
// of a mail, and those that go beside one.
type handed struct {
	name     string
	standing *history.State
	day      calendar.Day
	alone    []*history.Line // open or not
	beside   []*history.Line // open
	waits    bool            // it is in the queue
	unwanted string          // why none of them is to be told any more, "" when they are

	way   *policy.Route // that the rules give it now, nil when that is not known
	left  bool          // a line is closed whose target is one no longer
	lacks bool          // a target has no line yet
}

// gatherAll gathers every reminder that has an open line.
func (st *settlement) gatherAll() {
	for _, name := range slices.Sorted(maps.Keys(st.lines.Names)) {
		standing := st.lines.Names[name]
		days := map[string]bool{}
		for i := range standing.Lines {
			l := &standing.Lines[i]
			if due := l.Enqueued.Due; l.IsOpen() && !days[due] {
				days[due] = true
				st.all = append(st.all, st.gather(name, standing, due))
			}
		}
	}
}

func (st *settlement) gather(name string, standing *history.State, due string) *handed {
	h := &handed{name: name, standing: standing}
	h.day, _ = calendar.Parse(due)
	var entry queue.Entry
	entry, h.waits = st.Queue.Entry(h.day, name)
	all := standing.LinesOf(due)
	h.way = st.wayNow(entry, h.waits, &all[0].Enqueued)
	lines := wanted(all, h.way)
	h.left, h.lacks = len(lines) < len(all), isLacking(lines, h.way)
	for _, l := range lines {
		switch {
		case !l.IsAlongsideMail():
			h.alone = append(h.alone, l)
		case l.IsOpen():
			h.beside = append(h.beside, l)
		}
	}
	switch {
	case standing.Snoozed != "" && standing.Snoozed != due:
		h.unwanted = "it was put off"
	case standing.Done && !standing.Sent:
		h.unwanted = "it was cancelled"
	case !h.waits && anyOpen(h.alone):
		h.unwanted = "nothing waits for it"
	}
	return h
}

func anyOpen(lines []*history.Line) bool {
	return slices.ContainsFunc(lines, (*history.Line).IsOpen)
}

// ask asks for the outcomes, and takes back what is not to be told any more.
// What was taken back is like what the outbox never had.
func (st *settlement) ask(ctx context.Context) error {
	var keys []string
	for _, standing := range st.lines.Names {
		for i := range standing.Lines {
			keys = append(keys, lineKey(&standing.Lines[i].Enqueued))
		}
	}
	if st.IRC == nil {
		return nil
	}
	if len(keys) > 0 {
		outcomes, err := st.IRC.Outcomes(ctx, keys...)
		if err != nil {
			return err
		}
		st.outcomes = outcomes
	}
	unwanted, err := st.strays(ctx)
	if err != nil {
		return err
	}
	for _, h := range st.all {
		over := h.unwanted != "" || st.isOver(h)
		for _, l := range slices.Concat(h.alone, h.beside) {
			isBack := h.unwanted != "" || over && !l.IsAlongsideMail() || st.leaves(h, l)
			if isBack && st.isUntold(l) {
				unwanted = append(unwanted, lineKey(&l.Enqueued))
			}
		}
	}
	if len(unwanted) == 0 {
		return nil
	}
	back, err := st.IRC.Withdraw(ctx, unwanted...)
	for _, key := range back {
		st.why[key] = st.outcomes[key].LastError
		delete(st.outcomes, key)
	}
	return err
}

// strays returns the lines in the outbox that nothing waits for: the history
// was restored, or went on without IRC for a while.
func (st *settlement) strays(ctx context.Context) ([]string, error) {
	waiting, err := st.IRC.Pending(ctx)
	if err != nil {
		return nil, err
	}
	open := map[string]bool{}
	for _, h := range st.all {
		for _, l := range slices.Concat(h.alone, h.beside) {
			if l.IsOpen() {
				open[lineKey(&l.Enqueued)] = true
			}
		}
	}
	return slices.DeleteFunc(waiting, func(key string) bool { return open[key] || !strings.HasPrefix(key, keyPrefix) }), nil
}

// isUntold reports whether a line is in the outbox and may yet be told, or
// taken back.
func (st *settlement) isUntold(l *history.Line) bool {
	o, known := st.outcomes[lineKey(&l.Enqueued)]
	return l.IsOpen() && known && o.Delivered.IsZero() && o.Rejected == ""
}

func (st *settlement) isTold(l *history.Line) bool {
	return l.State == history.LineDelivered || !st.outcomes[lineKey(&l.Enqueued)].Delivered.IsZero()
}
