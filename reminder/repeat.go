package reminder

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
)

// A Repeat says when a reminder comes again. The zero Repeat is never.
type Repeat struct {
	After []commit.Period // after the first reminder, after the second, ...; the last counts for the rest
	Max   int             // how often it comes again
}

// maxRepeat bounds the days between two reminders: the message must still be kept.
const maxRepeat = 56

// ParseRepeat reads the periods between reminders: "1 week, 2 weeks, 4 weeks".
func ParseRepeat(s string, most int) (Repeat, error) {
	if strings.TrimSpace(s) == "" {
		return Repeat{}, nil
	}
	r := Repeat{Max: most}
	day := calendar.Date(2026, 1, 1)
	for value := range strings.SplitSeq(s, ",") {
		p, err := commit.ParsePeriod(strings.TrimSpace(value))
		if err != nil {
			return r, fmt.Errorf("repeat: %q is %w", strings.TrimSpace(value), err)
		}
		due, err := p.Due(day)
		if days := due.Sub(day); err != nil || !p.Date.IsZero() || days < 1 || days > maxRepeat {
			return r, fmt.Errorf("repeat: %q: needs a period of 1 day to %d days", strings.TrimSpace(value), maxRepeat)
		}
		r.After = append(r.After, p)
	}
	return r, nil
}

// next returns the day of the reminder that follows one that was sent on a day, as the
// times-th; false when none does.
func (r *Repeat) next(day calendar.Day, times int) (calendar.Day, bool) {
	if len(r.After) == 0 || times < 1 || times > r.Max {
		return day, false
	}
	next, err := r.After[min(times, len(r.After))-1].Due(day)
	return next, err == nil
}

// repeat puts the reminders that are to come again back into the queue: each is recorded,
// and then moved. After a crash in between, the next run moves it.
func (r *run) repeat() error {
	today := r.Queue.Today()
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(r.tally.Open)) {
		one := r.tally.Open[name]
		if one.Repeat != "" {
			day, err := calendar.Parse(one.Repeat)
			if _, waits := r.Queue.Entry(day, name); err == nil && !waits && r.Queue.IsKept(name) {
				errs = append(errs, r.Queue.Reopen(name, day))
			}
			continue
		}
		sent, err := calendar.Parse(one.Day)
		next, again := r.Repeat.next(sent, one.Times)
		if err != nil || !again || today.Before(next) {
			continue
		}
		errs = append(errs, r.repeatOne(name, one))
	}
	return errors.Join(errs...)
}

// repeatOne puts one reminder back into the queue, when it is about a merge, and nothing
// else was done since it was sent.
func (r *run) repeatOne(name string, one *sentOnce) error {
	kept, err := r.Queue.Kept(func(kept string) bool { return kept == name })
	if err != nil || len(kept) == 0 {
		return err
	}
	m, err := r.Queue.Read(kept[0])
	if err != nil || !m.Request.IsMerge() {
		delete(r.tally.Open, name)
		return nil // the history says that it was sent
	}
	about := r.pending()
	about.Add([]string{name}, nil)
	if err := r.lookUp(about); err != nil {
		return err
	}
	state := r.index.Name(name)
	if !state.Sent || state.Queued == nil {
		return nil
	}
	e := *state.Queued
	e.Time, e.Kind, e.Due = history.Stamp(r.Queue.Now), history.Repeated, r.Queue.Today().String()
	e.Asked, e.By, e.Via, e.Cause = "", "", "", ""
	e.Reason = fmt.Sprintf("reminder %d of at most %d", one.Times+1, r.Repeat.Max+1)
	if err := r.Queue.History.Append(e); err != nil {
		return err
	}
	one.Repeat = e.Due
	r.Log.Info("repeated", "name", name, "for", e.Address, "reason", e.Reason)
	err = r.Queue.Reopen(name, r.Queue.Today())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
