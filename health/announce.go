package health

import (
	"cmp"
	"slices"
	"time"

	"vext/announce"
	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/policy"
	"vext/spool"
)

// maxAnnounceDelay is how long an announcement may wait.
const maxAnnounceDelay = 10 * time.Minute

// announcements reports pending announcements, which vext serve sends, and damaged seen
// stores.
func (c *Checker) announcements() []Finding {
	const what = "announcements"
	announces, err := c.Queue.Spool.Announces()
	if !announces && err == nil {
		return nil
	}
	paths, listErr := c.Queue.Spool.Announcements()
	if err = cmp.Or(err, listErr); err != nil {
		return []Finding{{Critical, what, err.Error(), ""}}
	}
	f := Finding{What: what, Text: "none pending"}
	if len(paths) > 0 {
		f.Text = calendar.Plural(len(paths), "announcement") + " pending"
		if t := spool.AnnouncementTime(paths[0]); !t.IsZero() && c.since(t) > maxAnnounceDelay {
			f.Level = Warning
			f.Text += ", the oldest of " + c.Ago(t)
			f.Hint = "is vext serve running? see its log"
		}
	}
	findings := []Finding{f}
	for _, path := range announce.DamagedSeenStores(c.Queue.State) {
		findings = append(findings, Finding{
			Warning, what, "the store of announced commits was unreadable, and a new one was made; the old file is " + path, "check the disk for errors; then: rm " + path,
		})
	}
	return findings
}

const (
	incompleteReport = 30 * 24 * time.Hour // for how long incomplete pushes are reported
	maxRepositories  = 10                  // that are reported for one reason
)

// incompletePushes reports pushes of which a forge did not list every commit, and whose
// repository could not be read.
func (c *Checker) incompletePushes() []Finding {
	var findings []Finding
	reported := map[string]bool{}
	for _, push := range c.Queue.Spool.IncompletePushes() {
		name := c.Queue.Policy.Repository(push.Repository)
		if c.since(push.Time) > incompleteReport || reported[name] || len(reported) == maxRepositories || !policy.MatchBranch(c.Queue.Policy.BranchesOf(name), push.Refname) {
			continue
		}
		reported[name] = true
		f := Finding{
			Warning, "push to " + name, c.Ago(push.Time) + ": not all of its commits were listed, and no repository of that name was followed",
			"import the missing commits: vext import --repository " + name + " --since " + calendar.Of(push.Time, c.Queue.Zone).ISO(),
		}
		if !slices.Contains(c.Followed(), name) {
			f.Hint = "add a [[repository]] of that name with its url; then " + f.Hint
		}
		findings = append(findings, f)
	}
	return findings
}

// Followed returns the names of the repositories that are to be followed.
func (c *Checker) Followed() []string {
	var names []string
	for i := range c.Config.Repositories {
		if r := &c.Config.Repositories[i]; !r.URL.IsZero() {
			names = append(names, commit.RepositoryName(r.Name))
		}
	}
	return names
}
