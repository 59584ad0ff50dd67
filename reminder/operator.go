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

// report is what the operator is to be notified of.
type report struct {
	quarantined []history.Event // since the last notification
	month       *Numbers        // of the last month, nil when these were sent
	floods      []flood         // recipients over the daily limit
}

// Numbers are what happened in a month, and what is.
type Numbers struct {
	Host                                     string
	Month                                    string // October 2026
	Queued, Sent, Snoozed, Cancelled, Failed int
	Waiting, Overdue, Aside                  int
	LastCommit, LastSent                     string // in words
	day                                      calendar.Day
	lastSent, now                            time.Time
}

// notifyOperator mails the operator: once about each quarantined message, flood and
// alert, and once a month that the service is alive.
func (r *run) notifyOperator(ctx context.Context) error {
	if r.Operator == "" || r.Mail == nil || ctx.Err() != nil {
		return nil
	}
	n, err := r.newReport()
	if err != nil {
		return err
	}
	if len(n.quarantined) > 0 {
		err = r.mailOperator(ctx, notifiedQuarantined, fmt.Sprintf("[vext] quarantined: %s", calendar.Plural(len(n.quarantined), "message")),
			templates.Quarantined, r.quarantinedData(n.quarantined))
	}
	if n.month != nil && err == nil {
		if err = r.complete(n); err == nil {
			err = r.mailOperator(ctx, notifiedMonth, "[vext] alive: "+n.month.Month, templates.Month, n.month, history.Event{Due: n.month.day.String()})
		}
	}
	if err == nil {
		err = r.sendFloods(ctx, n.floods)
	}
	if err == nil {
		err = r.sendAlerts(ctx)
	}
	return err
}

// newReport reads the history for what the operator does not know yet.
func (s *Service) newReport() (*report, error) {
	today := s.Queue.Today()
	month := calendar.Date(today.Year(), today.Month()-1, 1)
	n := &report{month: &Numbers{Host: s.Host, Month: month.Month().String() + " " + fmt.Sprint(month.Year()), day: month, now: s.Queue.Now}}
	sent := false  // the numbers of the month
	begun := false // before this month
	all := &floods{map[string]*flood{}, map[string]bool{}}
	_, err := s.Queue.History.Scan(func(e *history.Event) {
		all.take(e)
		day := calendar.Of(e.Time, s.Queue.Zone)
		begun = begun || day.Before(calendar.Date(today.Year(), today.Month(), 1))
		switch {
		case e.Kind == history.Failed:
			n.quarantined = append(n.quarantined, *e)
		case e.Kind == history.OperatorNotified && e.Reason == notifiedQuarantined && !history.IsFuture(e.Time, s.Queue.Now):
			n.quarantined = nil
		case e.Kind == history.OperatorNotified && e.Reason == notifiedMonth:
			sent = sent || e.Due == month.String() // a later month is of a clock that was ahead
		}
		n.month.count(e, day)
	})
	if sent || !begun {
		n.month = nil
	}
	n.floods = all.unreported(s.Queue.Now)
	return n, err
}

func (n *Numbers) count(e *history.Event, day calendar.Day) {
	if e.Kind == history.Sent && e.Time.After(n.lastSent) && !history.IsFuture(e.Time, n.now) {
		n.lastSent = e.Time
	}
	if day.Year() != n.day.Year() || day.Month() != n.day.Month() {
		return
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

// complete adds to the month's numbers what the history does not have.
func (s *Service) complete(all *report) error {
	n := all.month
	entries, err := s.Queue.Entries(calendar.Day{})
	failures, failErr := s.Queue.QuarantinedEntries()
	n.Waiting, n.Overdue, n.Aside = len(entries), queue.Overdue(entries, s.Queue.Today()), len(failures)
	n.LastCommit, n.LastSent = s.when(s.Queue.Spool.LastSeen()), s.when(n.lastSent)
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

func (s *Service) quarantinedData(events []history.Event) quarantinedData {
	d := quarantinedData{Vext: s.command(), Host: s.Host, State: s.Queue.State, Total: len(events)}
	for i := range events {
		if events[i].Cause == history.CausePeriod {
			d.Unclear++
		}
	}
	if len(events) > maxItems {
		events, d.More = events[:maxItems], len(events)-maxItems
	}
	for _, group := range queue.ByAdvice(events, func(e *history.Event) string { return e.Reason }) {
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
