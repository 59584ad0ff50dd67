package reminder

import (
	"cmp"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/disk"
	"vext/internal/history"
)

// A tally is what a run needs from the whole history, whatever there is to do. It is
// kept in STATE/history.tally with the position up to which it counts, so that a run
// reads only what was appended since. Whether a commit had its reminder is never taken
// from it.
type tally struct {
	At      history.Position `json:"at"`
	Time    time.Time        `json:"time"` // of the run
	Zone    string           `json:"zone"` // in which a day is counted
	Digests bool             `json:"digests"`

	First       time.Time                `json:"first"`       // of all events
	LastSent    time.Time                `json:"last_sent"`   // but not of the future
	Months      map[string]*monthCounts  `json:"months"`      // since the last month, as 2026-10
	Quarantined quarantinedSince         `json:"quarantined"` // since the operator was notified
	Unclear     map[string]history.Event `json:"unclear"`     // by name: not understood, and not explained
	Floods      map[string]*flood        `json:"floods"`      // by address
	Notified    map[string]bool          `json:"notified"`    // by notifiedKey
	Mails       map[string]*mailCount    `json:"mails"`       // of today, by address in lower case
	Open        map[string]*sentOnce     `json:"open"`        // by name: sent, and followed
	News        map[string][]mergeNews   `json:"news"`        // by address in lower case
	Followed    string                   `json:"followed"`    // the day on which vext last looked whether these are merged

	now     time.Time
	zone    *time.Location
	changed bool
}

// monthCounts are the numbers of events of a month.
type monthCounts struct{ Queued, Sent, Snoozed, Cancelled, Failed int }

// quarantinedSince are messages that were quarantined.
type quarantinedSince struct {
	Total, Unclear int
	Events         []history.Event // the first maxItems
}

// A mailCount counts the mails to a recipient that forged commits can have caused.
type mailCount struct {
	Count int
	Last  time.Time // when the last was sent: with digests, events of one time are one mail
}

// newTally returns an empty tally.
func newTally(now time.Time, zone *time.Location, digests bool) *tally {
	return &tally{
		now: now, zone: zone, Zone: zone.String(), Digests: digests, changed: true,
		Months: map[string]*monthCounts{}, Unclear: map[string]history.Event{}, Floods: map[string]*flood{},
		Notified: map[string]bool{}, Mails: map[string]*mailCount{}, Open: map[string]*sentOnce{}, News: map[string][]mergeNews{},
	}
}

func (s *Service) tallyPath() string { return filepath.Join(s.Queue.State, "history.tally") }

// tmp returns the directory of files that are being written, and makes it when it is
// missing.
func (s *Service) tmp() (string, error) {
	dir := filepath.Join(s.Queue.State, "tmp")
	return dir, disk.MakeDir(dir)
}

// loadTally reads the tally of the last run. It begins with an empty one when that can't
// be used: it is damaged, the configuration has changed what it counts, or the clock was
// set back.
func (s *Service) loadTally() *tally {
	t := newTally(s.Queue.Now, s.Queue.Zone, s.Digest)
	last := newTally(s.Queue.Now, s.Queue.Zone, s.Digest)
	last.Open, last.News = nil, nil // as in the file of an earlier version, which is not used
	text, err := disk.ReadFile(s.tallyPath())
	if err != nil || json.Unmarshal(text, last) != nil || last.hasNulls() ||
		last.Zone != t.Zone || last.Digests != t.Digests || last.Time.After(s.Queue.Now) {
		return t
	}
	last.changed = false
	last.forgetOld()
	if s.dayOf(last.Time) != s.Queue.Today() {
		clear(last.Mails)
	}
	return last
}

func (t *tally) hasNulls() bool {
	return t.Months == nil || t.Unclear == nil || t.Floods == nil || t.Notified == nil || t.Mails == nil || t.Open == nil || t.News == nil
}

func (s *Service) dayOf(t time.Time) calendar.Day { return calendar.Of(t, s.Queue.Zone) }

// update counts what was appended since the last update.
func (t *tally) update(h history.History) (err error) {
	t.At, err = h.ScanFrom(t.At, func() { *t = *newTally(t.now, t.zone, t.Digests) }, t.take)
	return err
}

// saveTally writes the tally. It ignores errors: the next run makes one anew.
func (s *Service) saveTally(t *tally) {
	t.Time = s.Queue.Now
	text, err := json.Marshal(t)
	if err != nil {
		return
	}
	// Without a sync: after a loss of power it is the old one, the new one, or empty. Its
	// name is always the same, so that a crash leaves one file at most.
	next := s.tallyPath() + ".new"
	os.Remove(next)
	f, err := disk.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return
	}
	_, err = f.Write(text)
	if err = cmp.Or(err, f.Close()); err == nil {
		os.Rename(next, s.tallyPath())
	}
}

// take counts the next event of the history.
func (t *tally) take(e *history.Event) {
	t.changed = true
	if t.First.IsZero() || e.Time.Before(t.First) {
		t.First = e.Time
	}
	isFuture := history.IsFuture(e.Time, t.now)
	switch e.Kind {
	case history.Sent:
		if e.Time.After(t.LastSent) && !isFuture {
			t.LastSent = e.Time
		}
	case history.OperatorNotified:
		if t.Notified[notifiedKey(e)] = true; e.Reason == notifiedQuarantined && !isFuture {
			t.Quarantined = quarantinedSince{}
		}
	case history.Failed:
		t.Quarantined.take(e)
	case history.Limited:
		t.takeLimited(e)
	}
	t.takeOpen(e)
	t.takeNews(e)
	t.takeUnclear(e)
	t.takeMonth(e)
	t.takeMail(e)
}

// isNotified reports whether the operator was notified by an event like e.
func (t *tally) isNotified(e *history.Event) bool { return t.Notified[notifiedKey(e)] }

// notifiedKey identifies what the operator was notified of.
func notifiedKey(e *history.Event) string {
	return strings.Join([]string{e.Reason, e.Due, e.Repository, e.Via, e.Until}, "\n")
}

func (q *quarantinedSince) take(e *history.Event) {
	if q.Total++; e.Cause == history.CausePeriod {
		q.Unclear++
	}
	if len(q.Events) < maxItems {
		q.Events = append(q.Events, *e)
	}
}

func (t *tally) takeUnclear(e *history.Event) {
	switch e.Kind {
	case history.Failed:
		if e.Cause == history.CausePeriod {
			t.Unclear[e.Name] = *e
			return
		}
		fallthrough
	case history.Explained, history.Queued, history.Snoozed, history.Cancelled:
		delete(t.Unclear, e.Name)
	}
}

func (t *tally) takeMonth(e *history.Event) {
	month := monthOf(calendar.Of(e.Time, t.zone))
	if month < lastMonth(calendar.Of(t.now, t.zone)) {
		return
	}
	n := t.Months[month]
	if n == nil {
		n = new(monthCounts)
		t.Months[month] = n
	}
	switch e.Kind {
	case history.Queued:
		n.Queued++
	case history.Sent:
		n.Sent++
	case history.Snoozed:
		n.Snoozed++
	case history.Cancelled:
		n.Cancelled++
	case history.Failed:
		n.Failed++
	}
}

func monthOf(day calendar.Day) string { return day.String()[:6] }

// lastMonth returns the month before that of a day.
func lastMonth(day calendar.Day) string {
	return monthOf(calendar.Date(day.Year(), day.Month()-1, 1))
}

// takeMail counts an event that says that a mail was sent today, or may have been, and
// that a forged commit can have caused. A message to a target is not a mail.
func (t *tally) takeMail(e *history.Event) {
	isMail := e.Kind == history.Sent || e.Kind == history.Fallback || e.Kind == history.Warned || e.Kind == history.Unconfirmed || e.Kind == history.Explained && e.Via != ""
	if !isMail || e.Address == "" || !commit.Forgeable(e.Source) || isTarget(e.Via) ||
		t.now.Sub(e.Time).Abs() >= 48*time.Hour || calendar.Of(e.Time, t.zone) != calendar.Of(t.now, t.zone) {
		return
	}
	n := t.Mails[strings.ToLower(e.Address)]
	if n == nil {
		n = new(mailCount)
		t.Mails[strings.ToLower(e.Address)] = n
	}
	isReminder := e.Kind != history.Explained && e.Kind != history.Warned && e.Cause != history.CausePeriod // of which digests are made
	if !t.Digests || !isReminder || !n.Last.Equal(e.Time) {
		n.Last = e.Time
		n.Count++
	}
}

// A flood is a recipient with more reminders due than the daily limit.
type flood struct {
	Address     string
	Count       int // of the reminders held since then
	Since, Last time.Time
}

// quiet is the time without held reminders after which a new flood begins.
const quiet = 48 * time.Hour

// takeLimited counts a reminder that was held.
func (t *tally) takeLimited(e *history.Event) {
	one := t.Floods[e.Address]
	if one == nil || e.Time.Sub(one.Last).Abs() > quiet {
		one = &flood{Address: e.Address, Since: e.Time}
		t.Floods[e.Address] = one
	}
	one.Last = e.Time
	one.Count++
}

// newFloods returns the floods of which the operator was not notified, and the events by
// which that is done.
func (t *tally) newFloods() (floods []flood, events []history.Event) {
	for _, address := range slices.Sorted(maps.Keys(t.Floods)) {
		one := t.Floods[address]
		e := history.Event{Reason: notifiedLimit, Via: address, Until: one.Since.UTC().Format(time.RFC3339)}
		if t.now.Sub(one.Last).Abs() <= quiet && !t.isNotified(&e) {
			floods, events = append(floods, *one), append(events, e)
		}
	}
	return floods, events
}
