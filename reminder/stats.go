package reminder

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
	"vext/internal/text"
)

// What the statistics can count by.
const (
	ByCommitter  = "committer"
	ByMonth      = "month"
	ByRepository = "repository"
	ByBranch     = "branch"
)

// A Count is a line of the statistics.
type Count struct {
	Name    string  `json:"name"`
	Count   int     `json:"count"`
	Percent float64 `json:"percent"`
}

// Stats are the reminders sent in a time, counted.
type Stats struct {
	By     string    `json:"by"`
	First  time.Time `json:"first,omitzero"`
	Last   time.Time `json:"last,omitzero"`
	Total  int       `json:"total"`
	Counts []Count   `json:"counts"`

	Imported bool `json:"-"` // the history has reminders of MFCns, in whatever time
}

// CountSent counts the reminders that were sent from the day since to the day
// until, both included; a zero Day is no limit.
func CountSent(h history.History, by string, since, until calendar.Day, zone *time.Location) (*Stats, error) {
	key, err := keyFunc(by, zone)
	if err != nil {
		return nil, err
	}
	s := &Stats{By: by, Counts: []Count{}}
	counts := map[string]int{}
	var lastName string
	var lastTime time.Time
	_, err = h.Scan(func(e *history.Event) {
		s.Imported = s.Imported || e.Via == viaMFCns
		if e.Name != "" && e.Name == lastName && e.Time.Equal(lastTime) {
			return // a record that was written twice because the first try failed
		}
		lastName, lastTime = e.Name, e.Time
		if !since.IsZero() || !until.IsZero() {
			day := calendar.Of(e.Time, zone)
			if day.Before(since) || (!until.IsZero() && until.Before(day)) {
				return
			}
		}
		if s.First.IsZero() || e.Time.Before(s.First) {
			s.First = e.Time
		}
		if e.Time.After(s.Last) {
			s.Last = e.Time
		}
		s.Total++
		counts[text.OneLine(key(e))]++
	}, history.Sent)
	s.fill(counts)
	return s, err
}

const monthLayout = "2006-01"

// keyFunc returns what an event is counted under.
func keyFunc(by string, zone *time.Location) (func(*history.Event) string, error) {
	switch by {
	case ByCommitter:
		return func(e *history.Event) string { return commit.Login(e.Address) }, nil
	case ByMonth:
		return func(e *history.Event) string { return e.Time.In(zone).Format(monthLayout) }, nil
	case ByRepository:
		return func(e *history.Event) string { return cmp.Or(e.Repository, "-") }, nil
	case ByBranch:
		return func(e *history.Event) string { return cmp.Or(e.Branch, "-") }, nil
	}
	return nil, fmt.Errorf("can't count by %q: committer, month, repository or branch", by)
}

// fill sorts the counts: months by time, with the empty ones between; the rest
// by count, then name.
func (s *Stats) fill(counts map[string]int) {
	if s.By == ByMonth && s.Total > 0 {
		names := slices.Sorted(maps.Keys(counts))
		last, _ := time.Parse(monthLayout, names[len(names)-1])
		for month, _ := time.Parse(monthLayout, names[0]); !month.After(last); month = month.AddDate(0, 1, 0) {
			counts[month.Format(monthLayout)] += 0
		}
	}
	for name, n := range counts {
		s.Counts = append(s.Counts, Count{Name: name, Count: n, Percent: 100 * float64(n) / float64(s.Total)})
	}
	slices.SortFunc(s.Counts, func(a, b Count) int {
		if s.By == ByMonth {
			return cmp.Compare(a.Name, b.Name)
		}
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
}

// Titles of the reports, where the configuration has none.
const (
	TableTitle = "Reminder statistics"
	MFCnsTitle = "MFC Notification Service Statistics"
)

// WriteTable writes the statistics by committer as a table.
func (s *Stats) WriteTable(w io.Writer, title string, zone *time.Location) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n\n", title, strings.Repeat("-", len([]rune(title))))
	if s.Total > 0 {
		fmt.Fprintf(&b, "Period: %s - %s\n", calendar.Of(s.First, zone).Long(), calendar.Of(s.Last, zone).Long())
	}
	fmt.Fprintf(&b, "Total number of reminders sent: %d\n", s.Total)
	longest := len("Committer")
	for _, c := range s.Counts {
		longest = max(longest, len([]rune(c.Name)))
	}
	if s.Total > 0 {
		fmt.Fprintf(&b, "\n%-*s  Reminders  %% total\n%s  ---------  -------\n\n", longest, "Committer", strings.Repeat("-", longest))
	}
	for _, c := range s.Counts {
		fmt.Fprintf(&b, "%-*s  %9d  %7.2f\n", longest, c.Name, c.Count, c.Percent)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteReport writes the statistics by committer as MFCns did, to the letter:
// scripts read it.
func (s *Stats) WriteReport(w io.Writer, title string, zone *time.Location) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n\n", title, strings.Repeat("-", len([]rune(title))))
	fmt.Fprintf(&b, "Period: %s - %s\n", ctime(s.First, zone), ctime(s.Last, zone))
	fmt.Fprintf(&b, "Total number of notifications sent: %d\n", s.Total)
	if s.Total > 0 {
		b.WriteString("\nCommitter\tMFCs\t% total\n---------\t----\t-------\n\n")
	}
	for _, c := range s.Counts {
		tabs := "\t\t"
		if len(c.Name) >= 8 {
			tabs = "\t"
		}
		fmt.Fprintf(&b, "%s%s%4d\t%7.2f\n", c.Name, tabs, c.Count, c.Percent)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// ctime writes a time as ctime(3) does, with single blanks.
func ctime(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return "none"
	}
	return t.In(zone).Format("Mon Jan 2 15:04:05 2006")
}

// WriteBars writes the statistics as a table with a bar for every count, at
// most width characters wide.
func (s *Stats) WriteBars(w io.Writer, width int) error {
	longest, most := 4, 1
	for _, c := range s.Counts {
		longest, most = max(longest, len([]rune(c.Name))), max(most, c.Count)
	}
	bar := max(10, width-longest-12)
	var b strings.Builder
	for _, c := range s.Counts {
		n := (c.Count*bar + most - 1) / most
		line := fmt.Sprintf("%s%s  %6d  %s", c.Name, strings.Repeat(" ", longest-len([]rune(c.Name))), c.Count, strings.Repeat("█", n))
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	fmt.Fprintf(&b, "%-*s  %6d\n", longest, "all", s.Total)
	_, err := io.WriteString(w, b.String())
	return err
}
