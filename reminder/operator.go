package reminder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
	"vext/internal/text"
	"vext/notify"
	"vext/queue"
	"vext/templates"
)

// What the operator is notified of, as Event.Reason has it in the history.
const (
	notifiedQuarantined = "set aside"
	notifiedMonth       = "month"
	notifiedLimit       = "limit"
	notifiedAlert       = "trouble"
)

var notifiedWords = map[string]string{
	notifiedQuarantined: "quarantined messages", notifiedMonth: "monthly numbers",
	notifiedLimit: "daily limit reached", notifiedAlert: "failures",
}

// NotifiedWords describes an OperatorNotified event by its Reason.
func NotifiedWords(reason string) string { return cmp.Or(notifiedWords[reason], reason) }

// maxItems bounds the list in a mail to the operator.
const maxItems = 50

// A report is a mail to the operator.
type report struct {
	what     string // the Reason of the events
	subject  string
	template string
	data     any
	events   []history.Event // one for each thing reported
}

// notifyOperator sends the reports that are due.
func (r *run) notifyOperator(ctx context.Context) error {
	if err := r.tally.update(r.Queue.History); err != nil {
		return err
	}
	if r.tally.changed {
		r.saveTally(r.tally)
	}
	if r.Operator == "" || r.Mail == nil || ctx.Err() != nil {
		return nil
	}
	reports, err := r.reports(r.tally)
	for i := range reports {
		if sendErr := r.mailOperator(ctx, &reports[i]); sendErr != nil {
			return errors.Join(err, sendErr)
		}
	}
	return err
}

// reports returns what the operator was not notified of: each quarantined message, flood
// and alert once, and once a month that the service is alive.
func (s *Service) reports(t *tally) (all []report, err error) {
	if q := &t.Quarantined; q.Total > 0 {
		subject := "[vext] quarantined: " + calendar.Plural(q.Total, "message")
		all = append(all, report{notifiedQuarantined, subject, templates.Quarantined, s.quarantinedData(q), []history.Event{{}}})
	}
	month, event, err := s.newMonth(t)
	if month != nil {
		all = append(all, report{notifiedMonth, "[vext] alive: " + month.Month, templates.Month, month, []history.Event{event}})
	}
	if floods, events := t.newFloods(); len(floods) > 0 {
		subject := "[vext] held: reminders for " + andMore(cmp.Or(floods[0].Address, "?"), len(floods))
		all = append(all, report{notifiedLimit, subject, templates.Limit, limitData{s.Host, s.MaxPerDay, floods}, events})
	}
	if alerts, events := s.newAlerts(t); len(alerts) > 0 {
		subject := "[vext] alert: " + andMore(alerts[0].Subject, len(alerts))
		all = append(all, report{notifiedAlert, subject, templates.Alerts, alertData{s.Host, alerts}, events})
	}
	return all, err
}

func andMore(first string, n int) string {
	if n > 1 {
		return fmt.Sprintf("%s and %d more", first, n-1)
	}
	return first
}

// numbers are what happened in a month, and what is.
type numbers struct {
	Host  string
	Month string // October 2026
	monthCounts
	Waiting, Overdue, Aside int
	LastCommit, LastSent    string // in words
}

// newMonth returns the numbers of the last month, and the event that records the mail to
// the operator. It returns nil when that mail was sent, or when there was no
// event before this month.
func (s *Service) newMonth(t *tally) (*numbers, history.Event, error) {
	today := s.Queue.Today()
	last := calendar.Date(today.Year(), today.Month()-1, 1)
	event := history.Event{Reason: notifiedMonth, Due: last.String()}
	if t.First.IsZero() || t.isNotified(&event) || !s.dayOf(t.First).Before(calendar.Date(today.Year(), today.Month(), 1)) {
		return nil, event, nil
	}
	entries, err := s.Queue.Entries(calendar.Day{})
	failures, failErr := s.Queue.QuarantinedEntries()
	if err = errors.Join(err, failErr); err != nil {
		return nil, event, err
	}
	n := &numbers{
		Host: s.Host, Month: fmt.Sprint(last.Month(), " ", last.Year()),
		Waiting: len(entries), Overdue: queue.Overdue(entries, today), Aside: len(failures),
		LastCommit: s.when(s.Queue.Spool.LastSeen()), LastSent: s.when(t.LastSent),
	}
	if counts := t.Months[monthOf(last)]; counts != nil {
		n.monthCounts = *counts
	}
	return n, event, nil
}

func (s *Service) when(t time.Time) string {
	if t.IsZero() {
		return "none yet"
	}
	day := calendar.Of(t, s.Queue.Zone)
	return day.Long() + ", " + day.Distance(s.Queue.Today())
}

// limitData is the data of limit.txt.
type limitData struct {
	Host       string
	MaxPerDay  int
	Recipients []flood
}

// alertData is the data of alerts.txt.
type alertData struct {
	Host   string
	Alerts []alertItem
}

type alertItem struct{ Subject, Location, Since, Message string }

// Names that templates of earlier versions use.

func (d alertData) Troubles() []alertItem { return d.Alerts }
func (i alertItem) What() string          { return i.Subject }
func (i alertItem) Where() string         { return i.Location }
func (i alertItem) Text() string          { return i.Message }

// newAlerts returns the alerts of which the operator was not notified, and the events by
// which that is done.
func (s *Service) newAlerts(t *tally) (alerts []alertItem, events []history.Event) {
	if s.Sources == nil {
		return nil, nil
	}
	for _, a := range s.Sources.Alerts(s.Queue.Now) {
		e := history.Event{Reason: notifiedAlert, Repository: a.Subject, Until: a.Since.UTC().Format(time.RFC3339)}
		if !t.isNotified(&e) {
			alerts = append(alerts, alertItem{a.Subject, a.Location, s.ago(a.Since), a.Message})
			events = append(events, e)
		}
	}
	return alerts, events
}

// quarantinedData is the data of quarantined.txt.
type quarantinedData struct {
	Vext, Host, State string
	Items             []quarantinedItem
	Total, More       int
	Unclear           int // of Total, those whose trailer is not understood
}

// A quarantinedItem is a message in quarantined.txt.
type quarantinedItem struct {
	history.Event
	ID    string // for vext snooze and vext cancel
	Short string // the revision, a hash cut to twelve digits
	// Why and Advice are the parts of Reason. Items with the same advice are
	// adjacent, and only the last has it.
	Why, Advice string
	IsLast      bool
}

func (s *Service) quarantinedData(q *quarantinedSince) quarantinedData {
	d := quarantinedData{Vext: cmp.Or(s.Vext, "vext"), Host: s.Host, State: s.Queue.State, Total: q.Total, Unclear: q.Unclear, More: q.Total - len(q.Events)}
	for _, group := range queue.ByAdvice(q.Events, func(e *history.Event) string { return e.Reason }) {
		for i, e := range group {
			item := quarantinedItem{Event: *e, ID: text.OneLine(queue.ID(e)), Short: text.OneLine(commit.ShortRevision(e.Revision))}
			why, advice := queue.SplitReason(e.Reason)
			item.Why = text.OneLine(why)
			if item.IsLast = i == len(group)-1; item.IsLast {
				id := item.ID
				if len(group) > 1 {
					id = "ID"
				}
				item.Advice = text.Clean(queue.WithID(advice, d.Vext, id))
			}
			item.Reason = text.Clean(queue.WithID(e.Reason, d.Vext, item.ID))
			item.Name, item.Subject, item.Repository = text.OneLine(e.Name), text.OneLine(e.Subject), text.OneLine(e.Repository)
			d.Items = append(d.Items, item)
		}
	}
	return d
}

// mailOperator sends a report and records that it was sent.
func (s *Service) mailOperator(ctx context.Context, one *report) error {
	text, err := s.Templates.Text(one.template, one.data)
	if err != nil {
		return err
	}
	to := commit.ParsePerson(s.Operator)
	for i := range one.events {
		e := &one.events[i]
		e.Time, e.Kind, e.Reason, e.Address = history.Stamp(s.Queue.Now), history.OperatorNotified, one.what, to.Email
	}
	m, err := s.write(&draft{
		kind: kindOperator, to: to, subject: one.subject, text: text,
		key: strings.Join([]string{one.what, one.events[0].Due, text}, "\n"),
	})
	if err != nil {
		return err
	}
	if err := s.Queue.History.Reserve(); err != nil { // or the mail would go out at every run
		return err
	}
	sending, cancel := finishing(ctx)
	defer cancel()
	err = s.Mail.Send(sending, m)
	switch {
	case notify.IsUnconfirmed(err): // a mail at every run would be worse
		s.Log.Warn("no confirmation of a mail to the operator", "about", one.what, "err", err)
	case notify.IsPermanent(err):
		return fmt.Errorf("mail to the operator was rejected: %w", err)
	case err != nil:
		return err
	}
	return s.record(one.events...)
}
