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

// What the operator is told, as the history records it in Event.Reason.
const (
	toldSetAside = "set aside"
	toldMonth    = "month"
)

// ToldWords says for a person what the operator was told, by Event.Reason.
func ToldWords(reason string) string {
	switch reason {
	case toldSetAside:
		return "what was set aside"
	case toldMonth:
		return "vext is alive"
	case toldLimit:
		return "limit reached"
	case toldTrouble:
		return "what fails"
	}
	return reason
}

// mostItems bounds the list in a mail to the operator.
const mostItems = 50

// news is what the operator is to be told.
type news struct {
	setAside []history.Event // since the operator was last told
	month    *Numbers        // of the last month, nil when it was told
	lines    *history.Lines  // that wait for IRC
	floods   []flood         // for whom more is due than may be sent
}

// Numbers are what happened in a month, and what is.
type Numbers struct {
	Host                                     string
	Month                                    string // October 2026
	Queued, Sent, Snoozed, Cancelled, Failed int
	Waiting, Overdue, Aside                  int
	LastCommit, LastSent                     string // for a person
	day                                      calendar.Day
	lastSent, now                            time.Time
}

// tellOperator writes to the operator once about everything that was set
// aside, and once a month that the service is alive.
func (s *Service) tellOperator(ctx context.Context) error {
	if s.Operator == "" || s.Mail == nil || ctx.Err() != nil {
		return nil
	}
	n, err := s.news()
	if err != nil {
		return err
	}
	if len(n.setAside) > 0 {
		err = s.tell(ctx, toldSetAside, fmt.Sprintf("[vext] set aside: %s", calendar.Plural(len(n.setAside), "message")),
			templates.SetAside, s.setAsideData(n.setAside))
	}
	if n.month != nil && err == nil {
		if err = s.complete(n); err == nil {
			err = s.tell(ctx, toldMonth, "[vext] alive: "+n.month.Month, templates.Month, n.month, history.Event{Due: n.month.day.String()})
		}
	}
	if err == nil {
		err = s.tellFloods(ctx, n.floods)
	}
	if err == nil {
		err = s.tellTroubles(ctx)
	}
	return err
}

// news reads the history for what the operator does not know yet.
func (s *Service) news() (*news, error) {
	today := s.Queue.Today()
	month := calendar.Date(today.Year(), today.Month()-1, 1)
	n := &news{lines: history.NewLines(s.Queue.Now), month: &Numbers{Host: s.Host, Month: month.Month().String() + " " + fmt.Sprint(month.Year()), day: month, now: s.Queue.Now}}
	told := false
	begun := false // before this month
	all := &floods{map[string]*flood{}, map[string]bool{}}
	_, err := s.Queue.History.Scan(func(e *history.Event) {
		n.lines.Take(e)
		all.take(e)
		day := calendar.Of(e.Time, s.Queue.Zone)
		begun = begun || day.Before(calendar.Date(today.Year(), today.Month(), 1))
		switch {
		case e.Kind == history.Failed:
			n.setAside = append(n.setAside, *e)
		case e.Kind == history.OperatorNotified && e.Reason == toldSetAside && !isFuture(e.Time, s.Queue.Now):
			n.setAside = nil
		case e.Kind == history.OperatorNotified && e.Reason == toldMonth:
			told = told || e.Due == month.String() // not of a month to come, by a clock that was ahead
		}
		n.month.count(e, day)
	})
	if told || !begun {
		n.month = nil
	}
	n.floods = all.news(s.Queue.Now)
	return n, err
}

// isFuture reports whether an event was recorded with a clock that was ahead. In the
// history of an earlier version such events stand behind later ones.
func isFuture(t, now time.Time) bool { return t.Sub(now) > time.Hour }

func (n *Numbers) count(e *history.Event, day calendar.Day) {
	if e.Kind == history.Sent && e.Time.After(n.lastSent) && !isFuture(e.Time, n.now) {
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

// complete fills in what is not in the history.
func (s *Service) complete(all *news) error {
	n := all.month
	entries, err := s.Queue.Entries(calendar.Day{})
	failures, failErr := s.Queue.QuarantinedFiles()
	n.Waiting, n.Overdue, n.Aside = len(entries), s.overdue(s.notForIRC(entries, all.lines)), len(failures)
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

type setAsideData struct {
	Vext, Host, State string
	Items             []setAsideItem
	Total, More       int
	Unclear           int // of Total, what the commit asks for is not understood
}

// A setAsideItem is a message in setaside.txt.
type setAsideItem struct {
	history.Event
	ID    string // for vext snooze and vext cancel
	Short string // the revision, a hash cut to twelve digits
	// Reason in two parts: Why, and what to do, which the last item says for all
	// those before it that have the same.
	Why, Advice string
	IsLast      bool
}

func (s *Service) setAsideData(events []history.Event) setAsideData {
	d := setAsideData{Vext: s.command(), Host: s.Host, State: s.Queue.State, Total: len(events)}
	for i := range events {
		if events[i].Cause == history.CausePeriod {
			d.Unclear++
		}
	}
	if len(events) > mostItems {
		events, d.More = events[:mostItems], len(events)-mostItems
	}
	for _, group := range queue.ByAdvice(events, func(e *history.Event) string { return e.Reason }) {
		for i, e := range group {
			item := setAsideItem{Event: *e, ID: text.OneLine(queue.ID(e)), Short: text.OneLine(commit.ShortRevision(e.Revision))}
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

// tell sends one mail to the operator and records that it was sent, with what
// is in events, each for one thing that the operator knows now.
func (s *Service) tell(ctx context.Context, what, subject, template string, data any, events ...history.Event) error {
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
	if notify.IsUnconfirmed(err) { // to say it at every run would be worse
		s.Log.Warn("the operator may not have got a mail", "about", what, "err", err)
		err = nil
	}
	if err != nil {
		if notify.IsPermanent(err) {
			return fmt.Errorf("the operator can't be written to: %w", err)
		}
		return err
	}
	_, err = s.record(events...)
	return err
}
