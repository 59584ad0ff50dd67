package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/config"
	"vext/queue"
	"vext/reminder"
	"vext/server"
	"vext/source/follow"
)

// followed is a repository that is followed, as vext follow list shows it.
type followed struct {
	Name       string    `json:"name"`
	URL        string    `json:"url"` // without a password
	VCS        string    `json:"vcs,omitempty"`
	Patterns   []string  `json:"patterns"` // of the branches that count
	Branches   []string  `json:"branches"` // that count and were there at the last look
	Start      time.Time `json:"start,omitzero"`
	LastLook   time.Time `json:"last_look,omitzero"`
	LastOK     time.Time `json:"last_ok,omitzero"`
	Next       time.Time `json:"next_look,omitzero"` // by [follow]; zero if it is not followed
	Failures   int       `json:"failures"`
	Failing    time.Time `json:"failing_since,omitzero"`
	Error      string    `json:"error,omitempty"`
	Warnings   []string  `json:"warnings,omitempty"`
	Configured bool      `json:"configured"` // false where only its state is left
}

func newFollowList(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "Show the followed repositories",
		Example: `  vext follow list
  vext follow list --json | jq -r '.[] | select(.failures > 0) | .name'`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			s, q, err := a.open()
			if err != nil {
				return err
			}
			all, err := followedBy(q, s.Config)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(a.stdout, all)
			}
			return printFollowed(a.stdout, styleFor(a.stdout), all, q)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// followedBy returns the repositories of the configuration, in its order, followed by
// those that have only a state left.
func followedBy(q *queue.Queue, c *config.Config) ([]followed, error) {
	schedule, err := reminder.ParseSchedule(c.Follow.Schedule, c.Zone)
	if err != nil {
		return nil, err
	}
	states, err := follow.Followed(q.State).All()
	if err != nil {
		return nil, err
	}
	all := []followed{}
	for _, r := range server.Repositories(c) {
		s := &follow.State{}
		if i := slices.IndexFunc(states, func(s *follow.State) bool { return s.Name == r.Name }); i >= 0 {
			s = states[i]
			states = slices.Delete(states, i, i+1)
		}
		one := describe(s)
		one.Name, one.URL, one.Patterns, one.Configured = r.Name, r.Where(), r.Branches, true
		one.VCS = cmp.Or(string(r.Kind), one.VCS)
		one.Next = schedule.Next(q.Now)
		if !s.LastTry.IsZero() {
			one.Next = schedule.Next(s.LastTry)
		}
		if one.Next.Before(s.Next) {
			one.Next = schedule.Next(s.Next.Add(-time.Second))
		}
		all = append(all, one)
	}
	for _, s := range states {
		all = append(all, describe(s))
	}
	return all, nil
}

// describe returns a repository with the facts from its state.
func describe(s *follow.State) followed {
	one := followed{
		Name: s.Name, URL: s.Where, VCS: string(s.Kind), Start: s.Start, LastLook: s.LastTry, LastOK: s.LastOK,
		Failures: s.Failures, Failing: s.Failing, Error: s.Error, Warnings: s.Warnings, Branches: []string{}, Patterns: []string{},
	}
	for _, refname := range slices.Sorted(maps.Keys(s.Positions)) {
		if refname != "" && !s.Uncounted[refname] { // "" stands for all branches of Subversion
			one.Branches = append(one.Branches, commit.BranchName(refname))
		}
	}
	return one
}

// maxBranches bounds the branches shown for a repository.
const maxBranches = 4

// printFollowed prints a row for each repository, and below it what is wrong.
func printFollowed(w io.Writer, s style, all []followed, q *queue.Queue) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "no repository is followed")
		return err
	}
	head := []string{"NAME", "BRANCHES", "LAST LOOK", "NEXT", "URL"}
	rows := [][]string{head}
	for i := range all {
		one := &all[i]
		branches := one.Branches
		if len(branches) == 0 {
			branches = one.Patterns
		}
		if more := len(branches) - maxBranches; more > 0 {
			branches = append(slices.Clone(branches[:maxBranches]), fmt.Sprintf("%d more", more))
		}
		rows = append(rows, []string{one.Name, cmp.Or(strings.Join(branches, ", "), "all"), lookedAt(one.LastLook, q), lookNext(one, q), one.URL})
	}
	widths := make([]int, len(head)-1) // the last needs none
	for _, row := range rows {
		for i := range widths {
			widths[i] = max(widths[i], runewidth.StringWidth(printable(row[i])))
		}
	}
	var b bytes.Buffer
	for i, row := range rows {
		line := ""
		for n, width := range widths {
			line += column(row[n], width) + "  "
		}
		line += printable(row[len(widths)])
		if i == 0 {
			fmt.Fprintln(&b, s.bold(line))
			continue
		}
		fmt.Fprintln(&b, line)
		for _, text := range all[i-1].wrong(q) {
			fmt.Fprintf(&b, "  %s\n", s.red(printable(text)))
		}
	}
	_, err := b.WriteTo(w)
	return err
}

func lookedAt(t time.Time, q *queue.Queue) string {
	if t.IsZero() {
		return "never"
	}
	return t.In(q.Zone).Format("Mon 2 Jan 15:04")
}

// lookNext says when the next look is due according to the schedule of [follow].
func lookNext(one *followed, q *queue.Queue) string {
	switch {
	case !one.Configured:
		return "never"
	case !one.Next.After(q.Now):
		return "due"
	}
	return one.Next.In(q.Zone).Format("Mon 2 Jan 15:04")
}

// wrong says what is wrong with following a repository.
func (f *followed) wrong(q *queue.Queue) []string {
	wrong := slices.Clone(f.Warnings)
	if f.Failures > 0 {
		wrong = append(wrong, fmt.Sprintf("failing since %s: %s", calendar.Ago(f.Failing, q.Now, q.Zone), f.Error))
	}
	if !f.Configured {
		wrong = append(wrong, "no longer in the configuration; vext follow remove "+f.Name+" forgets it")
	}
	return wrong
}
