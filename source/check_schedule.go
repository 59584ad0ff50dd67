package source

import (
	"time"

	"vext/reminder"
)

// maxPeriod is how far away the next time of a schedule may be. A schedule that runs
// more rarely, such as once in four years, is probably a mistake.
const maxPeriod = 35 * 24 * time.Hour

// schedules checks for schedules that run very rarely.
func (k *checker) schedules() []reminder.Finding {
	var findings []reminder.Finding
	for _, s := range []struct{ what, spec string }{{"schedule", k.c.Schedule}, {"follow.schedule", k.c.Follow.Schedule}} {
		schedule, err := reminder.ParseSchedule(s.spec, k.q.Zone)
		if err != nil {
			continue // reading the configuration fails with such a schedule
		}
		if next := schedule.Next(k.q.Now); next.Sub(k.q.Now) > maxPeriod {
			findings = append(findings, reminder.Finding{
				Level: reminder.Warning, What: s.what,
				Text: s.spec + ": the next time is only on " + next.Format("Mon 2 Jan 2006"), Hint: "see schedule in vext.toml(5)",
			})
		}
	}
	return findings
}

// followPatience returns how old the last fetch of a followed repository may be: a
// day, or two periods of a slower schedule.
func (k *checker) followPatience() time.Duration {
	schedule, err := reminder.ParseSchedule(k.c.Follow.Schedule, k.q.Zone)
	if err != nil {
		return maxFetchAge
	}
	next := schedule.Next(k.q.Now)
	return max(maxFetchAge, 2*schedule.Next(next).Sub(next))
}
