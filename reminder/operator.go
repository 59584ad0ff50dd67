package reminder

import (
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
)

// NotifiedWords describes an OperatorNotified event by its Reason.
func NotifiedWords(reason string) string {
	switch reason {
	case notifiedQuarantined:
		return "quarantined messages"
	case notifiedMonth:
		return "monthly numbers"
	case notifiedLimit:
		return "daily limit reached"
	case notifiedAlert:
		return "failures"
	}
	return reason
}

// maxItems bounds the list in a mail to the operator.
const maxItems = 50

// Numbers are what happened in a month, and what is.
type Numbers struct {
	Host  string
	Month string // October 2026
	monthCounts
	Waiting, Overdue, Aside int
	LastCommit, LastSent    string // in words
	day                     calendar.Day
}

// notifyOperator mails the operator: once about each quarantined message, flood and
// alert, and once a month that the service is alive.
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
	var err error
	if q := &r.tally.Quarantined; q.Total > 0 {
		err = r.mailOperator(ctx, notifiedQuarantined, fmt.Sprintf("[vext] quarantined: %s", calendar.Plural(q.Total, "message")),
			templates.Quarantined, r.quarantinedData(q))
	}
	if month := r.newMonth(r.tally); month != nil && err == nil {
		if err = r.complete(month); err == nil {
			err = r.mailOperator(ctx, notifiedMonth, "[vext] alive: "+month.Month, templates.Month, month, history.Event{Due: month.day.String()})
		}
	}
	if err == nil {
		err = r.sendFloods(ctx, r.tally.newFloods())
	}
	if err == nil {
		err = r.sendAlerts(ctx, r.newAlerts(r.tally))
	}
	return err
}

// newMonth returns the numbers of the last month, nil when they were sent before, or when
// there was nothing yet.
func (s *Service) newMonth(t *tally) *Numbers {
	today := s.Queue.Today()
	last := calendar.Date(today.Year(), today.Month()-1, 1)
	if t.First.IsZero() || t.isNotified(history.Event{Reason: notifiedMonth, Due: last.String()}) || !s.dayOf(t.First).Before(calendar.Date(today.Year(), today.Month(), 1)) {
		return nil
	}
	n := &Numbers{Host: s.Host, Month: last.Month().String() + " " + fmt.Sprint(last.Year()), day: last, LastSent: s.when(t.LastSent)}
	if counts := t.Months[monthOf(last)]; counts != nil {
		n.monthCounts = *counts
	}
	return n
}

// complete adds what the history does not have.
func (s *Service) complete(n *Numbers) error {
	entries, err := s.Queue.Entries(calendar.Day{})
	failures, failErr := s.Queue.QuarantinedEntries()
	n.Waiting, n.Overdue, n.Aside = len(entries), queue.Overdue(entries, s.Queue.Today()), len(failures)
	n.LastCommit = s.when(s.Queue.Spool.LastSeen())
	return errors.Join(err, failErr)
}

func (s *Service) when(t time.Time) string {
	if t.IsZero() {
		return "none yet"
	}
	day := calendar.Of(t, s.Queue.Zone)
	return day.Long() + ", " + day.Distance(s.Queue.Today())
}

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
	d := quarantinedData{Vext: s.command(), Host: s.Host, State: s.Queue.State, Total: q.Total, Unclear: q.Unclear, More: q.Total - len(q.Events)}
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

// mailOperator sends one mail to the operator and records that it was sent, with what
// is in events, one for each thing reported.
func (s *Service) mailOperator(ctx context.Context, what, subject, template string, data any, events ...history.Event) error {
	if len(events) == 0 {
		events = []history.Event{{}}
	}
	text, err := s.Templates.Text(template, data)
	if err != nil {
		return err
	}
	to := commit.ParsePerson(s.Operator)
	for i := range events {
		e := &events[i]
		e.Time, e.Kind, e.Reason, e.Address = history.Stamp(s.Queue.Now), history.OperatorNotified, what, to.Email
	}
	m, err := s.write(&draft{
		kind: kindOperator, to: to, subject: subject, text: text,
		key: strings.Join([]string{what, events[0].Due, text}, "\n"),
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
	if notify.IsUnconfirmed(err) { // a mail at every run would be worse
		s.Log.Warn("no confirmation of a mail to the operator", "about", what, "err", err)
		err = nil
	}
	if err != nil {
		if notify.IsPermanent(err) {
			return fmt.Errorf("mail to the operator was rejected: %w", err)
		}
		return err
	}
	_, err = s.record(events...)
	return err
}
