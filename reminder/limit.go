package reminder

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"vext/internal/calendar"
	"vext/internal/history"
	"vext/queue"
	"vext/templates"
)

const day = 24 * time.Hour

// count counts a mail for items that was just sent.
func (r *run) count(items []*dueItem) {
	if slices.ContainsFunc(items, (*dueItem).isForgeable) {
		r.mails[r.recipient(items[0])]++
	}
}

func (s *Service) recipient(item *dueItem) string {
	return strings.ToLower(s.Queue.Policy.Recipient(&item.message.Commit).Email)
}

// isOverLimit reports whether an item can be forged and its recipient has received
// the day's maximum.
func (r *run) isOverLimit(item *dueItem) bool {
	return r.MaxPerDay > 0 && item.isForgeable() && r.mails[r.recipient(item)] >= r.MaxPerDay
}

// hold keeps an item in the queue until tomorrow; recordHeld records that.
func (r *run) hold(item *dueItem) {
	e := item.event
	r.held = append(r.held, history.Event{
		Time: history.Stamp(r.Queue.Now), Kind: history.Limited, Name: item.entry.Name,
		Address: r.recipient(item), Source: e.Source, Until: r.tomorrow().UTC().Format(time.RFC3339),
		Reason: fmt.Sprintf("%s for this recipient today already, for commit mails that anybody can forge (max_per_day)", calendar.Plural(r.MaxPerDay, "reminder")),
	})
	r.sum.Held++
}

// tomorrow returns when the next day begins, which need not be at midnight.
func (s *Service) tomorrow() time.Time {
	t := s.Queue.Now.Truncate(15 * time.Minute)
	for !s.Queue.Today().Before(calendar.Of(t, s.Queue.Zone)) {
		t = t.Add(15 * time.Minute)
	}
	return t
}

func (r *run) recordHeld() error {
	events := r.held
	r.held = nil
	return r.Queue.History.Append(events...)
}

// isHeld reports whether a reminder is held until its recipient's next day.
func (s *Service) isHeld(item *dueItem) bool {
	_, held := queue.HeldUntil(item.byName.Limited, s.Queue.Now)
	return held
}

// A flood is a recipient with more reminders due than the daily limit.
type flood struct {
	Address     string
	Count       int // of the reminders held since then
	Since, Last time.Time
}

// quiet is the time without held reminders after which a new flood begins.
const quiet = 2 * day

// notifiedLimit is the Reason of the OperatorNotified event about a flood.
const notifiedLimit = "limit"

// newFloods returns the floods of which the operator was not notified.
func (t *tally) newFloods() (floods []flood) {
	for _, address := range slices.Sorted(maps.Keys(t.Floods)) {
		one := t.Floods[address]
		if t.now.Sub(one.Last).Abs() <= quiet && !t.isNotified(one.event()) {
			floods = append(floods, *one)
		}
	}
	return floods
}

// event returns the event by which the operator is notified of the flood.
func (f *flood) event() history.Event {
	return history.Event{Reason: notifiedLimit, Via: f.Address, Until: f.Since.UTC().Format(time.RFC3339)}
}

type limitData struct {
	Host       string
	MaxPerDay  int
	Recipients []flood
}

// sendFloods notifies the operator, once, of recipients with more reminders due than
// the daily limit.
func (s *Service) sendFloods(ctx context.Context, floods []flood) error {
	if len(floods) == 0 {
		return nil
	}
	data := limitData{Host: s.Host, MaxPerDay: s.MaxPerDay, Recipients: floods}
	var events []history.Event
	for _, f := range floods {
		events = append(events, f.event())
	}
	what := cmp.Or(floods[0].Address, "?")
	if len(floods) > 1 {
		what = fmt.Sprintf("%s and %d more", what, len(floods)-1)
	}
	return s.mailOperator(ctx, notifiedLimit, "[vext] held: reminders for "+what, templates.Limit, data, events...)
}
