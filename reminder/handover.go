package reminder

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"vext/internal/history"
	"vext/notify"
	"vext/policy"
	"vext/queue"
)

// A handover is what a run puts into the outbox for IRC.
type handover struct {
	*run
	events  []history.Event   // of the lines that are new
	lines   []notify.Message  // these, and those that a crash kept from the outbox
	mails   []*dueItem        // that go by mail now
	depends map[*dueItem]bool // mails that go only when their lines are in the outbox
	handed  map[string]bool   // the commits of the items that have lines
	nowhere map[string]bool   // the targets for which there is no IRC
}

// handOver puts the lines of what is due into the outbox for IRC, and returns
// the items that go by mail now. A line is in the history before it is in the
// outbox: after a crash in between it is put there. The error is a stopError
// when nothing may be sent.
func (r *run) handOver(ctx context.Context, items []*dueItem) ([]*dueItem, error) {
	h := &handover{run: r, depends: map[*dueItem]bool{}, handed: map[string]bool{}, nowhere: map[string]bool{}}
	for _, item := range items {
		if err := h.take(item); err != nil {
			return nil, stopError{err} // a template of one's own that does not fit
		}
	}
	if len(h.nowhere) > 0 {
		return h.mails, fmt.Errorf("there is no IRC for %s: mails go instead", strings.Join(slices.Sorted(maps.Keys(h.nowhere)), ", "))
	}
	if len(h.lines) == 0 {
		return h.mails, nil
	}
	if err := r.Queue.History.Append(h.events...); err != nil {
		return nil, stopError{err}
	}
	for i := range h.events {
		r.Log.Info("handed to IRC", "name", h.events[i].Name, "target", h.events[i].Via)
	}
	if err := r.IRC.Put(ctx, h.lines...); err != nil {
		return slices.DeleteFunc(h.mails, func(item *dueItem) bool { return h.depends[item] }), err
	}
	for _, l := range h.lines {
		r.openKeys = append(r.openKeys, l.Key)
	}
	return h.mails, nil
}

// take decides which way an item goes. What was handed over already stays where
// it is, as long as the rules name the target.
func (h *handover) take(item *dueItem) error {
	lines := item.byName.LinesOf(item.entry.Day.String())
	isPlain := len(h.Queue.Policy.Routes) == 0 && len(lines) == 0
	if isPlain || item.isDone() || item.isSnoozed() || h.handed[item.event.Key] {
		h.mails = append(h.mails, item)
		return nil
	}
	m, err := h.Queue.Read(item.entry)
	if err != nil {
		h.mails = append(h.mails, item) // said in its turn
		return nil
	}
	way := h.Queue.Policy.RouteOf(&m.Commit)
	lines = wanted(lines, &way)
	waits, why := waiting(lines)
	switch {
	case !waits && why != "":
		item.instead = "IRC could not be had: " + why
	case h.IRC != nil:
		return h.hand(item, m, way, lines, waits)
	case waits:
		return nil
	default:
		for i := range way.Targets {
			h.nowhere[way.Targets[i].String()] = true
		}
		if !way.Mail {
			item.instead = "there is no IRC"
		}
	}
	h.mails = append(h.mails, item)
	return nil
}

// waiting reports whether lines that go in the place of a mail are open, and
// why others of these will not be told.
func waiting(lines []*history.Line) (waits bool, why string) {
	var failed []string
	for _, l := range lines {
		switch {
		case l.IsAlongsideMail():
		case l.IsOpen():
			waits = true
		case l.State == history.LineUndelivered:
			failed = append(failed, l.Enqueued.Via+": "+l.Why)
		}
	}
	return waits, strings.Join(failed, "; ")
}

// hand takes an item's lines for the targets that have none, and those that the
// outbox has lost.
func (h *handover) hand(item *dueItem, m *queue.Message, way policy.Route, lines []*history.Line, waits bool) error {
	event := h.handedEvent(item, m, way)
	var w Words
	isNew, isAgain, isLate := false, false, false
	known := map[string]*history.Line{}
	for _, l := range lines {
		known[l.Enqueued.Via] = l
	}
	for i := range way.Targets {
		event.Via = way.Targets[i].String()
		l, handed := known[event.Via]
		if handed && !(l.IsOpen() && h.missing[lineKey(&event)]) {
			continue
		}
		if !isNew && !isAgain {
			w = h.words(m, item.entry.Name, &item.commit.All, h.Queue.Today())
		}
		line, err := h.line(&event, &way.Targets[i], m, w)
		if err != nil {
			return err
		}
		h.lines = append(h.lines, line)
		if handed {
			isAgain, isLate = true, isLate || h.isLate(l)
		} else {
			isNew = true
			h.events = append(h.events, event)
			known[event.Via] = &history.Line{Enqueued: event}
		}
	}
	if isNew {
		h.sum.Enqueued++
	}
	if key := item.event.Key; key != "" {
		h.handed[key] = h.handed[key] || isNew || isAgain || waits
		h.sentKeys[key] = h.sentKeys[key] || waits || isNew && !way.Mail
	}
	switch {
	case waits: // and was counted
	case isNew && !way.Mail:
		h.sum.Waiting++
	default:
		h.depends[item] = (isNew || isAgain) && !isLate // a mail is held up by no more than a day
		h.mails = append(h.mails, item)
	}
	return nil
}

// handedEvent returns the event of an item's lines, but for their target.
func (h *handover) handedEvent(item *dueItem, m *queue.Message, way policy.Route) history.Event {
	e := item.event
	to := h.Queue.Policy.Recipient(&m.Commit)
	e.Time, e.Kind, e.Name, e.Due = history.Stamp(h.Queue.Now), history.Enqueued, item.entry.Name, item.entry.Day.String()
	e.Address, e.Committer, e.Asked, e.Reason, e.By = to.Email, to.Name, "", "", ""
	if way.Mail {
		e.Reason = history.AlongsideMail
	}
	return e
}

// via names the ways that an item's mail goes, and those on which IRC was told
// before the mail had to go all the same.
func (s *Service) via(item *dueItem) string {
	via := s.Mail.String()
	for _, l := range item.byName.LinesOf(item.entry.Day.String()) {
		if !l.IsAlongsideMail() && l.State == history.LineDelivered {
			via += ", " + l.Enqueued.Via
		}
	}
	return via
}
