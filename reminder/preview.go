package reminder

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
	"vext/internal/target"
	"vext/queue"
)

// A Step is something that a run would do.
type Step struct {
	Action string // queue, send, wait, ignore, quarantine, explain, ...
	What   string
	Detail string
}

// Preview returns what Run would do now, and changes nothing. It does not connect to
// a mail server.
func (s *Service) Preview() ([]Step, error) {
	if err := s.Queue.History.Verify(); err != nil {
		return nil, err
	}
	r := &run{Service: s}
	plan, planErr := r.readPlan()
	if isHistoryError(planErr) {
		return nil, planErr
	}
	planErr = errors.Join(planErr, r.compare(&plan))
	var steps, later []Step
	today := s.Queue.Today()
	for i := range plan {
		d := &plan[i]
		steps = append(steps, previewDecision(d, today))
		switch {
		case d.Event.Kind == history.Queued && !today.Before(d.Day):
			later = append(later, Step{"send", to(&d.Event), d.Event.Subject})
		case s.Explain && s.explains(&d.Event):
			later = append(later, previewExplanation(&d.Event))
		}
	}
	found, foundErr := s.Queue.StrayFiles()
	for _, f := range found {
		steps = append(steps, Step{"quarantine", f.String(), f.Reason})
	}
	items, errs := r.due()
	for _, item := range items {
		steps = append(steps, s.previewItem(item))
	}
	unclear, unclearErr := r.unexplained()
	for _, item := range unclear {
		later = append(later, previewExplanation(&item.event))
	}
	steps = append(steps, later...)
	reports, reportErr := s.reports(r.tally)
	isQuarantine := func(s Step) bool { return s.Action == "quarantine" }
	if r.tally.Quarantined.Total == 0 && slices.ContainsFunc(steps, isQuarantine) {
		reports = append(reports, report{what: notifiedQuarantined})
	}
	if s.Operator == "" {
		reports = nil
	}
	for _, one := range reports {
		steps = append(steps, Step{"notify", s.Operator, NotifiedWords(one.what)})
	}
	return steps, errors.Join(append(errs, planErr, foundErr, unclearErr, reportErr)...)
}

func previewDecision(d *queue.Decision, today calendar.Day) Step {
	e := &d.Event
	switch e.Kind {
	case history.Queued:
		return Step{"queue", fmt.Sprintf("%s, %s: %s", d.Day.Short(today), d.Day.Distance(today), to(e)), e.Subject}
	case history.Failed: // the other lines of the reason are for what is in failed/
		reason, _, _ := strings.Cut(e.Reason, "\n")
		return Step{"quarantine", d.Name, reason}
	case history.Ignored:
		return Step{"ignore", d.Name, e.Reason}
	case queue.Held:
		return Step{"wait", d.Name, e.Reason}
	}
	return Step{"drop", d.Name, e.Reason}
}

func previewExplanation(e *history.Event) Step {
	return Step{"explain", to(e), "\"" + e.Asked + "\" can't be understood"}
}

func (s *Service) previewItem(item *dueItem) Step {
	e := &item.event
	switch {
	case item.isDone():
		return Step{"drop", item.entry.Name, "a reminder of it was sent or cancelled"}
	case item.isSnoozed():
		return Step{"wait", to(e), "it was snoozed"}
	case s.isHeld(item):
		return Step{"wait", to(e), item.byName.Limited.Reason}
	case s.isInBackoff(item):
		return Step{"wait", to(e), "it could not be sent; no retry before " + s.ago(item.byName.Deferrals().Until)}
	}
	m, reason, err := s.readDue(item)
	switch {
	case err != nil:
		return Step{"leave", item.entry.Name, err.Error()}
	case m == nil:
		return Step{"quarantine", item.entry.Name, reason}
	}
	if s.isQuiet(m) {
		return Step{"wait", to(e), "the day is quiet"}
	}
	route := s.Queue.Policy.RouteOf(&m.Commit)
	names := strings.Join(targetNames(route.Targets), ", ")
	isByTarget := s.Outbox != nil && names != ""
	isBounced := bounceReasons(item.byName, item.entry.Day.String(), &route) != ""
	switch {
	case isByTarget && !route.Mail && !isBounced:
		return Step{"send", to(e) + " to " + names, e.Subject}
	case reason != "":
		return Step{"quarantine", item.entry.Name, reason}
	case isByTarget && route.Mail:
		return Step{"send", to(e) + " by mail and to " + names, e.Subject}
	}
	return Step{"send", to(e), e.Subject}
}

// to names the person and the commit.
func to(e *history.Event) string {
	if e.Revision == "" {
		return e.Address
	}
	return e.Address + " " + commit.ShortRevision(e.Revision)
}

// targetNames returns the names of channels and persons.
func targetNames(targets []target.Target) (names []string) {
	for i := range targets {
		names = append(names, targets[i].String())
	}
	return names
}

// ago returns a time in words, as seen from the time of the run.
func (s *Service) ago(t time.Time) string { return calendar.Ago(t, s.Queue.Now, s.Queue.Zone) }
