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
	"vext/internal/commit"
	"vext/internal/history"
	"vext/queue"
	"vext/templates"
)

// A dayCount counts the mails to each recipient on one day that forged commits can
// have caused. It counts the history's events, so that a crash, or many runs a day,
// make no difference.
type dayCount struct {
	now     time.Time
	zone    *time.Location
	digests bool                 // events of one time stand for one mail
	mails   map[string]int       // by address, in lower case
	last    map[string]time.Time // of the mail that was counted last
}

func (s *Service) newDayCount() *dayCount {
	return &dayCount{s.Queue.Now, s.Queue.Zone, s.Digest, map[string]int{}, map[string]time.Time{}}
}

// take counts the next event of the history.
func (c *dayCount) take(e *history.Event) {
	if !c.counts(e) {
		return
	}
	address := strings.ToLower(e.Address)
	isReminder := e.Kind != history.Explained && e.Cause != history.CausePeriod // which a digest is made of
	if c.digests && isReminder && c.last[address].Equal(e.Time) {
		return
	}
	c.last[address] = e.Time
	c.mails[address]++
}

// counts reports whether an event says that a mail was sent today, or may have been,
// that a forged commit can have caused. A line to IRC is not a mail.
func (c *dayCount) counts(e *history.Event) bool {
	isMail := e.Kind == history.Sent || e.Kind == history.Fallback || e.Kind == history.Unconfirmed || e.Kind == history.Explained && e.Via != ""
	return isMail && e.Address != "" && commit.Forgeable(e.Source) && !strings.HasPrefix(e.Via, "irc") &&
		c.now.Sub(e.Time).Abs() < 2*day && calendar.Of(e.Time, c.zone) == calendar.Of(c.now, c.zone)
}

const day = 24 * time.Hour

// count counts a mail for items that was just sent.
func (r *run) count(items []*dueItem) {
	if slices.ContainsFunc(items, (*dueItem).isForgeable) {
		r.today.mails[r.recipient(items[0])]++
	}
}

func (s *Service) recipient(item *dueItem) string {
	return strings.ToLower(s.Queue.Policy.Recipient(&item.message.Commit).Email)
}

// isOverLimit reports whether an item can be forged and its recipient has received
// the day's maximum.
func (r *run) isOverLimit(item *dueItem) bool {
	return r.MaxPerDay > 0 && item.isForgeable() && r.today.mails[r.recipient(item)] >= r.MaxPerDay
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
	since, last time.Time
}

// quiet is the time without held reminders after which a new flood begins.
const quiet = 2 * day

// floods collects the floods in the history, and those of which the operator was
// notified.
type floods struct {
	byAddress map[string]*flood
	notified  map[string]bool // by address and since
}

// notifiedLimit is the Reason of the OperatorNotified event about a flood.
const notifiedLimit = "limit"

func (f *floods) take(e *history.Event) {
	switch {
	case e.Kind == history.Limited:
		one := f.byAddress[e.Address]
		if one == nil || e.Time.Sub(one.last).Abs() > quiet {
			one = &flood{Address: e.Address, since: e.Time}
			f.byAddress[e.Address] = one
		}
		one.last = e.Time
		one.Count++
	case e.Kind == history.OperatorNotified && e.Reason == notifiedLimit:
		f.notified[e.Via+" "+e.Until] = true
	}
}

// unreported returns the floods of which the operator was not notified.
func (f *floods) unreported(now time.Time) (news []flood) {
	for _, address := range slices.Sorted(maps.Keys(f.byAddress)) {
		one := f.byAddress[address]
		if now.Sub(one.last).Abs() <= quiet && !f.notified[address+" "+one.since.UTC().Format(time.RFC3339)] {
			news = append(news, *one)
		}
	}
	return news
}

type limitData struct {
	Host       string
	MaxPerDay  int
	Recipients []flood
}

// sendFloods notifies the operator, once, of recipients with more reminders due than
// the daily limit.
func (s *Service) sendFloods(ctx context.Context, news []flood) error {
	if len(news) == 0 {
		return nil
	}
	data := limitData{Host: s.Host, MaxPerDay: s.MaxPerDay, Recipients: news}
	var events []history.Event
	for _, f := range news {
		events = append(events, history.Event{Via: f.Address, Until: f.since.UTC().Format(time.RFC3339)})
	}
	what := cmp.Or(news[0].Address, "?")
	if len(news) > 1 {
		what = fmt.Sprintf("%s and %d more", what, len(news)-1)
	}
	return s.mailOperator(ctx, notifiedLimit, "[vext] held: reminders for "+what, templates.Limit, data, events...)
}
