package remote

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vext/internal/calendar"
	"vext/internal/text"
	"vext/internal/throttle"
)

// Notices tell a person of new commits, at most once in a few seconds for each remote.
type Notices struct {
	Show  func(ctx context.Context, title, body string)
	Pause time.Duration

	news chan notice
}

// A notice is what a fetch has brought.
type notice struct {
	remote    string
	summaries []Summary
}

// maxNotices bounds those that are not shown yet.
const maxNotices = 100

// NewNotices returns notices of a daemon, for Add and Run.
func NewNotices(show func(ctx context.Context, title, body string), pause time.Duration) *Notices {
	return &Notices{Show: show, Pause: pause, news: make(chan notice, maxNotices)}
}

// Add adds what a fetch of a daemon has changed.
func (n *Notices) Add(ctx context.Context, d *Daemon, r Remote, changes []RefChange) {
	summaries, err := d.Summarize(ctx, r, changes)
	if err != nil {
		d.opts.Log.Debug("cannot summarize", "remote", r.Name, "error", err)
	}
	if len(summaries) == 0 {
		return
	}
	select {
	case n.news <- notice{r.Name, summaries}:
	default:
	}
}

// Run shows the notices about a repository until ctx ends.
func (n *Notices) Run(ctx context.Context, repository string) {
	join := func(before, more notice) notice {
		return notice{before.remote, merge(before.summaries, more.summaries)}
	}
	throttle.Run(ctx, n.news, n.Pause, func(one notice) string { return one.remote }, join, func(one notice) {
		title, body := describe(repository, one.remote, one.summaries)
		n.Show(ctx, title, body)
	})
}

// merge joins what several fetches have brought.
func merge(before, more []Summary) []Summary {
	all := slices.Clone(before)
	for _, s := range more {
		i := slices.IndexFunc(all, func(o Summary) bool { return o.Branch == s.Branch })
		switch {
		case i < 0:
			all = append(all, s)
		case all[i].Commits == 0:
			s.New = all[i].New
			all[i] = s
		case s.Commits > 0:
			all[i].Commits += s.Commits
			all[i].Last = s.Last
		}
	}
	return all
}

// maxShown bounds the branches that are named, and the length of a name or a subject.
const (
	maxShown   = 5
	maxSubject = 120
)

// describe returns what a person reads about new commits.
func describe(repository, remote string, all []Summary) (title, body string) {
	commits := 0
	for _, s := range all {
		commits += s.Commits
	}
	repository = text.Shorten(text.OneLine(repository), maxSubject)
	if len(all) == 1 {
		s := all[0]
		at := fmt.Sprintf("%s/%s", remote, text.Shorten(text.OneLine(s.Branch), maxSubject))
		return repository + ": " + s.what() + " " + s.where() + at, s.subjects("\n")
	}
	title = fmt.Sprintf("%s: %s on %s of %s", repository, calendar.Plural(commits, "new commit"), calendar.Verb(len(all), "branch", "branches"), remote)
	var lines []string
	for _, s := range all[:min(len(all), maxShown)] {
		line := fmt.Sprintf("%s: %s", text.Shorten(text.OneLine(s.Branch), maxSubject), s.what())
		if s.Commits > 0 {
			line += ": " + text.Shorten(text.OneLine(s.First), maxSubject)
		}
		lines = append(lines, line)
	}
	if more := len(all) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return title, strings.Join(lines, "\n")
}

// what says what has happened to a branch.
func (s Summary) what() string {
	switch {
	case s.Commits > 0:
		return calendar.Plural(s.Commits, "new commit")
	case s.New:
		return "new branch"
	}
	return "no new commit, but a change" // it was rewound
}

func (s Summary) where() string {
	if s.Commits == 0 && s.New {
		return ""
	}
	return "on "
}

// subjects returns the first subject, and the last.
func (s Summary) subjects(separator string) string {
	subject := func(s string) string { return text.Shorten(text.OneLine(s), maxSubject) }
	switch s.Commits {
	case 0:
		return ""
	case 1:
		return subject(s.First)
	case 2:
		return subject(s.First) + separator + subject(s.Last)
	}
	return subject(s.First) + separator + "…" + separator + subject(s.Last)
}

// Repository returns the name of the clone's directory.
func (d *Daemon) Repository() string {
	return strings.TrimSuffix(filepath.Base(strings.TrimSuffix(d.clone.top, "/.git")), ".git")
}
