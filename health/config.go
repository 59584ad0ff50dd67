package health

import (
	"cmp"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"time"

	"vext/reminder"
)

// configFile checks that the current user can read the configuration. When root runs
// the check, root has read it, and the current user is that of the service.
func (c *Checker) configFile() Finding {
	path := c.Config.Path
	f := Finding{What: "configuration", Text: cmp.Or(path, "the defaults; there is no file")}
	if path == "" {
		return f
	}
	file, err := os.Open(path)
	if err != nil {
		f.Level, f.Text = Critical, fmt.Sprintf("%v for user %s, which owns the state directory and runs the service", err, c.User)
		f.Hint = fmt.Sprintf("give it to the group of that user: chgrp %s %s && chmod 640 %[2]s", currentGroup(), path)
		return f
	}
	file.Close()
	return f
}

func currentGroup() string {
	id := strconv.Itoa(os.Getegid())
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return id
}

// secrets reports secrets that every user of the machine can read. A missing file is
// reported by the probe that needs it.
func (c *Checker) secrets() []Finding {
	var findings []Finding
	for _, f := range c.Config.SecretFiles() {
		path, open, err := f.ForOthers()
		if err != nil || !open {
			continue
		}
		findings = append(findings, Finding{
			Warning, "secrets", fmt.Sprintf("every user of this machine can read or change %s (%s)", path, f.String()),
			"chmod o-rwx " + path + "; the user that vext runs as must be able to read it: chgrp",
		})
	}
	return findings
}

// maxPeriod is the longest time until a schedule that is not reported. A longer one is
// probably a mistake.
const maxPeriod = 35 * 24 * time.Hour

// schedules reports schedules that hardly ever run.
func (c *Checker) schedules() []Finding {
	var findings []Finding
	for _, s := range []struct{ what, spec string }{{"schedule", c.Config.Schedule}, {"follow.schedule", c.Config.Follow.Schedule}} {
		schedule, err := reminder.ParseSchedule(s.spec, c.Queue.Zone)
		if err != nil {
			continue // the configuration would not have been read
		}
		if next := schedule.Next(c.Queue.Now); next.Sub(c.Queue.Now) > maxPeriod {
			findings = append(findings, Finding{
				Warning, s.what, s.spec + ": the next time is only on " + next.Format("Mon 2 Jan 2006"), "see schedule in vext.toml(5)",
			})
		}
	}
	return findings
}
