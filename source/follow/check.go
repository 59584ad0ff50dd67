package follow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"vext/health"
	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/config"
	"vext/reminder"
)

// maxFetchAge is how old the last fetch of a followed repository may be.
const maxFetchAge = 24 * time.Hour

// A check reports on repositories.
type check struct{ *health.Checker }

// Check returns the findings about the repositories that are followed or have a hook.
// broken returns the files of a hook that are missing or changed, and how.
func Check(c *health.Checker, broken func(*State) ([]string, error)) []health.Finding {
	k, state := check{c}, c.Queue.State
	var findings []health.Finding
	critical := func(what string, err error, hint string) {
		if err != nil {
			findings = append(findings, health.Finding{Level: health.Critical, What: what, Text: err.Error(), Hint: hint})
		}
	}
	states, err := Followed(state).All()
	critical("repositories", err, "")
	for _, name := range c.Followed() {
		i := slices.IndexFunc(states, func(s *State) bool { return s.Name == name })
		if i < 0 || states[i].LastTry.IsZero() {
			findings = append(findings, health.Finding{
				Level: health.Warning, What: "follow " + name, Text: "not looked at yet", Hint: "let cron run vext follow --once, or start vext serve",
			})
			continue
		}
		findings = append(findings, k.followed(states[i]))
	}
	for _, s := range states {
		if s.Clone != "" && !slices.Contains(c.Followed(), s.Name) {
			findings = append(findings, k.clone(s))
		}
	}
	states, untrusted, err := Hooked(state).all()
	critical("hooks", err, "")
	for _, err := range untrusted {
		critical("hooks", err, "if the hook is yours, run vext hook install REPO as root, which rewrites the file; otherwise remove the file, and check who is in the group")
	}
	for _, s := range states {
		findings = append(findings, k.hook(s, broken))
	}
	return findings
}

func (k check) followed(s *State) health.Finding {
	f := k.repository("follow "+s.Name, s)
	if f.Level == health.OK && k.Queue.Now.Sub(s.LastTry) > k.maxFetchAge() {
		f.Level, f.Hint = health.Warning, "is cron, or vext serve, still running?"
	}
	k.addSilence(&f, s)
	return f
}

// clone checks a repository whose commits come by vext remote, which looks at least four
// times a day.
func (k check) clone(s *State) health.Finding {
	f := k.repository("remote "+s.Name, s)
	switch {
	case s.Failures > 0:
		f.Hint = "vext remote retries it; to retry now: vext remote send -C " + s.Clone + " RELOAD"
	case f.Level == health.OK && k.Queue.Now.Sub(s.LastTry) > maxFetchAge:
		f.Level, f.Hint = health.Warning, "does vext remote --requests still run in "+s.Clone+"? otherwise: vext follow remove "+s.Name
	}
	k.addSilence(&f, s)
	return f
}

// maxFetchAge returns how old the last fetch of a followed repository may be: a day, or
// two periods of a slower schedule.
func (k check) maxFetchAge() time.Duration {
	schedule, err := reminder.ParseSchedule(k.Config.Follow.Schedule, k.Queue.Zone)
	if err != nil {
		return maxFetchAge
	}
	next := schedule.Next(k.Queue.Now)
	return max(maxFetchAge, 2*schedule.Next(next).Sub(next))
}

// hook checks a repository with a hook. Commits that a broken hook misses arrive only
// with the next run.
func (k check) hook(s *State, broken func(*State) ([]string, error)) health.Finding {
	f := k.repository("hook "+s.Name, s)
	if s.Failures > 0 {
		f.Hint = "every run retries it"
		return f
	}
	files, err := broken(s)
	switch {
	case err != nil:
		f.Level, f.Text = health.Warning, err.Error()
	case len(files) > 0:
		f.Level, f.Text = health.Warning, strings.Join(files, "; ")
		f.Hint = "install it again: vext hook install " + s.Where + "; or remove it: vext hook remove " + s.Where
	case f.Level == health.OK && s.IsUnreliable(k.Queue.Now):
		f.Level, f.Hint = health.Warning, UnreliableHint
	}
	k.addSilence(&f, s)
	return f
}

// repository reports the last look at a repository.
func (k check) repository(what string, s *State) health.Finding {
	f := health.Finding{What: what, Text: "last looked at " + k.Ago(s.LastOK)}
	switch {
	case s.Failures > 0:
		f.Level = health.Warning
		if k.Queue.Now.Sub(s.Failing) >= alertAfter {
			f.Level = health.Critical
		}
		f.Text = fmt.Sprintf("%s (failing since %s)", s.Error, k.Ago(s.Failing))
		f.Hint = "retried with backoff; to retry now: vext follow --once " + s.Name
	case len(s.Warnings) > 0:
		f.Level, f.Text = health.Warning, strings.Join(s.Warnings, "; ")
	case s.Gap != nil:
		f.Text += fmt.Sprintf("; waiting for r%d, missing since %s", s.Gap.Revision, k.Ago(s.Gap.Since))
	}
	if n := len(s.Notes); n > 0 && f.Level == health.OK {
		f.Text += "; " + s.Notes[n-1].Text + " (" + k.Ago(s.Notes[n-1].Time) + ")"
	}
	return f
}

// addSilence reports a repository that has brought no commits for long.
func (k check) addSilence(f *health.Finding, s *State) {
	var a health.Arrivals
	for _, at := range s.Arrivals {
		if !at.After(k.Queue.Now) {
			a.Days, a.Last = append(a.Days, calendar.Of(at, time.UTC)), at
		}
	}
	var limit *config.Duration
	for i := range k.Config.Repositories {
		r := &k.Config.Repositories[i]
		if commit.RepositoryName(r.Name) == s.Name || !r.URL.IsZero() && commit.RepositoryName(r.URL.String()) == commit.RepositoryName(s.Where) {
			limit = r.MaxSilence
			break
		}
	}
	k.AddSilence(f, a, limit, "[[repository]]")
}
