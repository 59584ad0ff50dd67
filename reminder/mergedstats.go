package reminder

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"vext/internal/calendar"
	"vext/internal/history"
	"vext/internal/text"
)

// A MergedCount says what became of the requests that are counted together.
type MergedCount struct {
	Name    string `json:"name"`
	Asked   int    `json:"asked"`
	Merged  int    `json:"merged"`
	Never   int    `json:"never"`   // not merged, and not pending
	Pending int    `json:"pending"` // not merged, and the day has not come
	// DaysAfterDue is the median of the merged ones, negative before the due day; nil when
	// it is known of none.
	DaysAfterDue *float64 `json:"median_days_after_due"`
}

// MergedStats are the requests received in a time, and what became of them.
type MergedStats struct {
	By     string        `json:"by"`
	Total  MergedCount   `json:"total"`
	Counts []MergedCount `json:"counts"` // most requests first
}

// An asked is what the history says of one request.
type asked struct {
	group  string
	due    calendar.Day
	merged bool
	late   int  // days after the due day
	isLate bool // late is known
}

// CountMerged counts the requests that came from the day since to the day until, both
// included, and how many of them vext found to be merged; a zero Day is no limit. today is
// the day up to which a request that is not merged is pending.
func CountMerged(h history.History, by string, since, until, today calendar.Day, zone *time.Location) (*MergedStats, error) {
	key, err := keyFunc(by, zone)
	if err != nil {
		return nil, err
	}
	all := map[string]*asked{}
	_, err = h.Scan(func(e *history.Event) {
		id := cmp.Or(h.CanonicalKey(e.Key), e.Name)
		switch one := all[id]; e.Kind {
		case history.Superseded:
			if e.Successor != "" {
				delete(all, id) // the request is the successor's
			}
		case history.Queued:
			day := calendar.Of(e.Time, zone)
			if day.Before(since) || !until.IsZero() && until.Before(day) {
				return
			}
			if one == nil {
				one = &asked{group: text.OneLine(key(e))}
				all[id] = one
			}
			one.due, _ = calendar.Parse(e.Due)
		default:
			if one != nil {
				one.take(e, zone)
			}
		}
	}, history.Queued, history.Snoozed, history.Merged, history.Superseded)
	return mergedStats(by, all, today), err
}

func (a *asked) take(e *history.Event, zone *time.Location) {
	due, dueErr := calendar.Parse(e.Due)
	if e.Kind == history.Snoozed {
		a.due = due
		return
	}
	a.merged = true
	at, err := time.Parse(time.RFC3339, e.Since)
	if a.isLate = err == nil && dueErr == nil; a.isLate {
		a.late = calendar.Of(at, zone).Sub(due)
	}
}

func mergedStats(by string, all map[string]*asked, today calendar.Day) *MergedStats {
	s := &MergedStats{By: by, Counts: []MergedCount{}}
	groups := map[string][]*asked{}
	var total []*asked
	for _, one := range all {
		groups[one.group] = append(groups[one.group], one)
		total = append(total, one)
	}
	for name, requests := range groups {
		s.Counts = append(s.Counts, mergedCount(name, requests, today))
	}
	s.Total = mergedCount("all", total, today)
	slices.SortFunc(s.Counts, func(a, b MergedCount) int {
		if by == ByMonth {
			return cmp.Compare(a.Name, b.Name)
		}
		return cmp.Or(cmp.Compare(b.Asked, a.Asked), cmp.Compare(a.Name, b.Name))
	})
	return s
}

func mergedCount(name string, requests []*asked, today calendar.Day) MergedCount {
	n := MergedCount{Name: name, Asked: len(requests)}
	var late []int
	for _, one := range requests {
		switch {
		case one.merged:
			n.Merged++
			if one.isLate {
				late = append(late, one.late)
			}
		case today.Before(one.due):
			n.Pending++
		default:
			n.Never++
		}
	}
	if len(late) > 0 {
		slices.Sort(late)
		median := float64(late[len(late)/2]+late[(len(late)-1)/2]) / 2
		n.DaysAfterDue = &median
	}
	return n
}

// Write writes the statistics as a table.
func (s *MergedStats) Write(w io.Writer) error {
	longest := len([]rune(s.By))
	for _, c := range s.Counts {
		longest = max(longest, len([]rune(c.Name)))
	}
	var b strings.Builder
	line := func(values ...any) {
		name := values[0].(string)
		fmt.Fprintf(&b, "%s%*s", name, longest-len([]rune(name)), "")
		fmt.Fprintf(&b, "  %6v  %6v  %6v  %7v  %16v\n", values[1:]...)
	}
	line(strings.ToUpper(s.By[:1])+s.By[1:], "asked", "merged", "never", "pending", "days after due")
	for _, c := range append(slices.Clone(s.Counts), s.Total) {
		line(c.Name, c.Asked, c.Merged, c.Never, c.Pending, c.medianWords())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (c *MergedCount) medianWords() string {
	if c.DaysAfterDue == nil {
		return "-"
	}
	return fmt.Sprintf("%g (median)", *c.DaysAfterDue)
}
