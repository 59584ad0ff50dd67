package health

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"vext/internal/disk"
	"vext/queue"
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

// state checks that the state directory exists, can be written to, and is on one file
// system, because messages are renamed within it.
func (c *Checker) state() Finding {
	const what = "state directory"
	state := c.Queue.State
	info, err := os.Stat(state)
	switch {
	case err != nil:
		return Finding{Critical, what, err.Error(), "make it: mkdir -p -m 750 " + state}
	case !info.IsDir():
		return Finding{Critical, what, state + " is not a directory", ""}
	}
	for _, dir := range []string{"", "tmp", "spool", "queue", "failed", "history", "history/done"} {
		path := filepath.Join(state, dir)
		_, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist): // it will be made
		case err != nil:
			return Finding{Critical, what, err.Error(), ""}
		case unix.Access(path, unix.W_OK|unix.X_OK) != nil:
			return Finding{Critical, what, path + " can't be written to", "run vext as the user that owns it"}
		case !disk.SameFileSystem(state, path):
			return Finding{Critical, what, path + " is on another file system than " + state, "files can't be renamed between file systems: keep all of it on one"}
		}
	}
	if err := c.Queue.Spool.CanWrite(); err != nil {
		return Finding{Critical, what, err.Error(), "nothing can be received or recorded until there is space on the disk"}
	}
	return Finding{OK, what, state, ""}
}

func (c *Checker) mail(ctx context.Context) Finding {
	const what = "mail"
	switch {
	case c.Mail == nil:
		return Finding{Critical, what, "no transport is configured", "see the key via in vext.toml(5)"}
	case c.WithoutMail:
		return Finding{OK, what, "off: nobody may be written to, and IRC is configured", ""}
	}
	if err := c.Mail.Check(ctx); err != nil {
		return Finding{Critical, what, err.Error(), "see the key via in vext.toml(5)"}
	}
	if len(c.Queue.Policy.Allow) == 0 {
		return Finding{Warning, what, c.Mail.String() + " can be reached, but allow is empty: nobody may be written to", `list who may be written to: allow = ["*@example.org"] under [reminders]`}
	}
	return Finding{OK, what, c.Mail.String() + " can be reached", ""}
}

func (c *Checker) lastRun() Finding {
	const what = "last run"
	if holder, held := queue.HeldBy(c.Queue.State); held && c.since(holder.Since) > 2*reminder.MaxRun {
		return Finding{Critical, what, "still running: " + holder.String(), "see what that process waits for; if it hangs, end it"}
	}
	last, _ := queue.Runs(c.Queue.State)
	text := c.Ago(last)
	switch {
	case last.IsZero():
		return Finding{Warning, what, "never", "run \"vext run\" from cron, or \"vext serve\""}
	case last.Sub(c.Queue.Now) > time.Hour:
		return Finding{Warning, what, text, "was the clock wrong, or vext run with --now?"}
	case c.since(last) > c.MaxAge:
		return Finding{Warning, what, text, "is cron, or vext serve, still running?"}
	}
	return Finding{OK, what, text, ""}
}
