package source

import (
	"fmt"
	"slices"
	"time"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/config"
	"vext/reminder"
	"vext/source/follow"
)

// A silent source may work, in a quiet project. So the limit of its silence is
// learnt from the days on which it brought commits, unless max_silence sets it.

const (
	// minSilence is how long any source may be silent: a week off is no fault.
	minSilence = 7
	// learnFrom is how many days back the commits of a source are considered.
	learnFrom = 365
	// A source has a rhythm when it brought commits on busyDays days within a span
	// of busySpan days or more. With steadyDays days, one long silence counts as an
	// exception. A source without a rhythm, but with commits on more than one day,
	// may be silent for rareSilence days.
	busyDays    = 6
	busySpan    = 28
	steadyDays  = 100
	rareSilence = 180
)

// allowed returns for how many days a source that brought commits on those days,
// oldest first, may be silent; 0 for no limit.
//
// The limit is twice its longest silence of the last year. For a source with
// commits on many days it is at most four times the second longest silence, so
// that one outage does not hide the next. A source without a rhythm may be silent
// for half a year, or for four times its longest silence if that is more. For a
// source with commits on one day only there is no limit.
func allowed(days []calendar.Day) int {
	if len(days) < 2 {
		return 0
	}
	last := days[len(days)-1]
	days = slices.DeleteFunc(slices.Clone(days), func(day calendar.Day) bool { return last.Sub(day) > learnFrom })
	var gaps []int
	for i := range days[1:] {
		gaps = append(gaps, days[i+1].Sub(days[i]))
	}
	slices.Sort(gaps)
	slices.Reverse(gaps)
	switch {
	case len(gaps) == 0: // it was silent for more than a year before
		return 4 * learnFrom
	case len(days) < busyDays || last.Sub(days[0]) < busySpan:
		return max(rareSilence, 4*gaps[0])
	}
	limit := 2 * gaps[0]
	if len(days) >= steadyDays {
		limit = min(limit, 4*gaps[1])
	}
	return max(minSilence, limit)
}

// arrivals are when a source brought commits.
type arrivals struct {
	days []calendar.Day // in UTC, oldest first
	last time.Time      // zero when never
}

// seenBy returns when a source brought commits.
func (k *checker) seenBy(source string) arrivals {
	return arrivals{k.q.Spool.DaysSeen(source, k.q.Now), k.q.Spool.LastSeenBy(source)}
}

// arrivals returns when a repository brought commits.
func (k *checker) arrivals(s *follow.State) arrivals {
	var h arrivals
	for _, arrival := range s.Arrivals {
		if !arrival.After(k.q.Now) {
			h.days, h.last = append(h.days, calendar.Of(arrival, time.UTC)), arrival
		}
	}
	return h
}

// silenceOf returns the max_silence of a repository that is followed or has a
// hook, nil where none is set.
func (k *checker) silenceOf(s *follow.State) *config.Silence {
	for i := range k.c.Repositories {
		r := &k.c.Repositories[i]
		if commit.RepositoryName(r.Name) == s.Name || !r.URL.IsZero() && commit.RepositoryName(r.URL.String()) == commit.RepositoryName(s.Where) {
			return r.MaxSilence
		}
	}
	return nil
}

// addSilence turns a finding that is OK into a warning when its source has been
// silent for too long. table is the table of max_silence in the configuration.
func (k *checker) addSilence(f *reminder.Finding, h arrivals, set *config.Silence, table string) {
	if f.Level != reminder.OK || len(h.days) == 0 {
		return
	}
	today := calendar.Of(k.q.Now, time.UTC)
	silent := today.Sub(h.days[len(h.days)-1])
	switch limit := allowed(h.days); {
	case set != nil:
		since := h.last
		if since.After(k.q.Now) { // the clock was wrong
			return
		}
		if set.Duration > 0 && k.q.Now.Sub(since) > set.Duration {
			f.Level = reminder.Warning
			f.Text += fmt.Sprintf("; silent for %s, and max_silence is %s", calendar.Plural(silent, "day"), set)
			f.Hint = "do its commits still arrive? see max_silence under " + table
		}
	case limit > 0 && silent > limit:
		f.Level = reminder.Warning
		f.Text += fmt.Sprintf("; silent for %s, and never before for more than %s", calendar.Plural(silent, "day"), calendar.Plural(maxGap(h.days), "day"))
		f.Hint = `do its commits still arrive? if the project is quiet, set a longer limit: max_silence = "365d" under ` + table + `, or "0" for none`
	}
}

// maxGap returns the longest silence between two of the days.
func maxGap(days []calendar.Day) int {
	gap := 0
	for i := range days[1:] {
		gap = max(gap, days[i+1].Sub(days[i]))
	}
	return gap
}
