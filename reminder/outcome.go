package reminder

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"vext/internal/calendar"
	"vext/internal/history"
	"vext/internal/text"
)

// isOver reports whether IRC can't be had for a reminder, which is to go by
// mail: a target refuses it, or a line has waited for too long. A line of the
// future was handed over by a clock that was wrong.
func (st *settlement) isOver(h *handed) bool {
	return slices.ContainsFunc(h.alone, func(l *history.Line) bool {
		o := st.outcomes[lineKey(&l.Enqueued)]
		return l.State == history.LineUndelivered || !st.leaves(h, l) && l.IsOpen() && (o.Rejected != "" || o.Delivered.IsZero() && st.isLate(l))
	})
}

func (s *Service) isLate(l *history.Line) bool {
	return s.Queue.Now.Sub(l.Enqueued.Time).Abs() >= ircPatience
}

// judge decides what became of a reminder's lines.
func (st *settlement) judge(h *handed) {
	for _, l := range h.beside {
		if !st.drop(h, l) {
			st.close(l, h.unwanted, h.unwanted != "" || h.standing.Sent || !h.waits)
		}
	}
	if !anyOpen(h.alone) {
		return
	}
	if h.unwanted != "" {
		for _, l := range h.alone {
			st.close(l, h.unwanted, true)
		}
		return
	}
	over, said, left := st.isOver(h), 0, h.left
	var rest []*history.Line
	for _, l := range h.alone {
		if st.drop(h, l) {
			left = true
			continue
		}
		rest = append(rest, l)
		o, known := st.outcomes[lineKey(&l.Enqueued)]
		switch {
		case st.isTold(l):
			said++
		case known && o.Rejected == "": // waits, or is on the wire
			over = false
			st.openKeys = append(st.openKeys, lineKey(&l.Enqueued))
		case !known && !over:
			st.missing[lineKey(&l.Enqueued)] = true
		}
	}
	switch {
	case len(rest) == 0: // its new targets are told
	case said == len(rest) && !(left && h.lacks):
		st.done(h, rest)
	case over:
		st.fail(h, rest)
	default:
		st.sum.Waiting++
	}
}

// guess decides about a reminder when the outbox can't be asked, or nothing be
// taken back. After a day the mail goes all the same; the line is taken back
// when that can be done.
func (st *settlement) guess(h *handed) {
	if h.unwanted != "" || !anyOpen(h.alone) {
		return
	}
	told, late := 0, true
	for _, l := range h.alone {
		switch {
		case st.isTold(l):
			told++
		case l.IsOpen():
			late = late && st.isLate(l)
		}
	}
	switch {
	case told == len(h.alone) && !h.lacks:
		st.done(h, h.alone)
	case late && told < len(h.alone):
		st.fail(h, h.alone)
	default:
		st.sum.Waiting++
	}
}

// fail lets the mail go in the place of lines.
func (st *settlement) fail(h *handed, lines []*history.Line) {
	for _, l := range lines {
		st.close(l, "", true)
	}
	st.failed = append(st.failed, h.name)
}

// close records what became of one line, where that is known. lost says that a
// line which the outbox does not have will not be told: else it is put in once
// more.
func (st *settlement) close(l *history.Line, reason string, lost bool) {
	if !l.IsOpen() {
		return
	}
	key := lineKey(&l.Enqueued)
	o, known := st.outcomes[key]
	switch {
	case !o.Delivered.IsZero():
		st.note(history.Delivered, &l.Enqueued, l.Enqueued.Via, "")
		if l.IsAlongsideMail() {
			st.sum.DeliveredToo++
		}
	case o.Rejected != "":
		st.note(history.Undelivered, &l.Enqueued, l.Enqueued.Via, o.Rejected)
	case known && st.blind == nil:
		st.openKeys = append(st.openKeys, key)
	case lost:
		st.note(history.Undelivered, &l.Enqueued, l.Enqueued.Via, cmp.Or(reason, st.reason(l)))
	default:
		st.missing[key] = true
	}
}

// reason returns why a line was not told that the outbox does not have, or no
// more.
func (st *settlement) reason(l *history.Line) string {
	trouble, back := st.why[lineKey(&l.Enqueued)]
	switch {
	case st.blind != nil:
		return "it could not be taken back: " + text.OneLine(st.blind.Error())
	case trouble != "":
		return trouble
	case st.isLate(l):
		return "it could not be told for a day"
	case back:
		return "taken back, because another target could not be told"
	}
	return "the outbox for IRC did not have it"
}

func (st *settlement) note(kind string, handed *history.Event, via, reason string) {
	e := *handed
	e.Time, e.Kind, e.Via, e.Reason = history.Stamp(st.Queue.Now), kind, via, reason
	st.events = append(st.events, e)
}

// done records that all targets of a reminder were told, once for all.
func (st *settlement) done(h *handed, lines []*history.Line) {
	var via []string
	for _, l := range lines {
		via = append(via, l.Enqueued.Via)
	}
	st.note(history.Sent, &lines[0].Enqueued, strings.Join(via, ", "), "")
	entry, _ := st.Queue.Entry(h.day, h.name)
	st.told = append(st.told, entry)
	st.sum.Sent++
}

// finish takes the reminders that were told out of the queue.
func (st *settlement) finish() error {
	for i := range st.events {
		e := &st.events[i]
		log := st.Log
		if e.Reason != "" {
			log = log.With("reason", e.Reason)
		}
		log.Info(e.Kind, "name", e.Name, "to", e.Address, "via", e.Via)
	}
	var errs []error
	days := map[calendar.Day]bool{}
	for _, entry := range st.told {
		errs = append(errs, st.Queue.Finish(entry))
		days[entry.Day] = true
	}
	for day := range days {
		errs = append(errs, st.Queue.SyncDay(day))
	}
	return errors.Join(errs...)
}

// forget makes the outbox forget the lines that the history has closed.
func (st *settlement) forget(ctx context.Context) error {
	for i := range st.events {
		st.lines.Take(&st.events[i])
	}
	open, closed := map[string]bool{}, map[string]bool{}
	for _, standing := range st.lines.Names {
		for i := range standing.Lines {
			l := &standing.Lines[i]
			key := lineKey(&l.Enqueued)
			o, known := st.outcomes[key]
			if l.IsOpen() {
				open[key] = true
			} else if known && (!o.Delivered.IsZero() || o.Rejected != "") {
				closed[key] = true
			}
		}
	}
	maps.DeleteFunc(closed, func(key string, _ bool) bool { return open[key] })
	if len(closed) == 0 {
		return nil
	}
	return st.IRC.Forget(ctx, slices.Sorted(maps.Keys(closed))...)
}
