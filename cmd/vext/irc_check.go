package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"vext/internal/calendar"
	"vext/internal/config"
	"vext/notify/irc"
	"vext/outbox"
	"vext/reminder"
	"vext/source/follow"
)

// What vext check, and the operator, are told of IRC after how long, and
// rejectedLooks, for how long.
const (
	backlogLooks  = time.Hour      // a line has waited
	backlogBreaks = 24 * time.Hour // a line has waited: a reminder would go by mail now
	networkFails  = 24 * time.Hour // a network, or a person, could not be had
	channelFails  = time.Hour      // a channel does not let us in, or speak
	rejectedLooks = 24 * time.Hour // a line was rejected
)

// checkIRC looks how the connections stand. Where nothing is told on IRC there
// is nothing to say.
func (a *app) checkIRC(ctx context.Context, c *config.Config, state string, now time.Time) []reminder.Finding {
	if _, err := ircSettings(c); err != nil {
		return []reminder.Finding{{Level: reminder.Critical, What: "irc", Text: err.Error(), Hint: "see [irc] and [[network]] in vext.toml(5)"}}
	}
	if !outbox.Exists(state) {
		return nil
	}
	status, err := a.ircStatus(ctx, state)
	if errors.Is(err, outbox.ErrInUse) {
		return []reminder.Finding{{What: "irc", Text: "another vext is just telling something"}}
	}
	if err != nil {
		return []reminder.Finding{{Level: reminder.Critical, What: "irc", Text: err.Error()}}
	}
	var all []reminder.Finding
	for _, path := range outbox.Damaged(state) {
		all = append(all, reminder.Finding{
			Level: reminder.Critical, What: "irc", Text: "the outbox was damaged and set aside, with what waited in it: " + path,
			Hint: "look after the disk; remove the file when nobody needs it any more",
		})
	}
	for i := range status.Networks {
		all = append(all, checkNetwork(status, &status.Networks[i], now))
	}
	return all
}

// checkNetwork looks at one network: the worst of it is said.
func checkNetwork(status *ircStatus, n *irc.NetworkStatus, now time.Time) reminder.Finding {
	f := reminder.Finding{What: "irc", Hint: "vext irc status says more"}
	waiting, oldest := 0, now
	for _, c := range n.Channels {
		if waiting += c.Backlog; c.Backlog > 0 && c.Oldest.Before(oldest) {
			oldest = c.Oldest
		}
	}
	text := fmt.Sprintf("%s: %s", n.Network, calendar.Plural(len(n.Channels), "target"))
	if waiting > 0 {
		text += fmt.Sprintf(", %s waiting, the oldest came %s", calendar.Plural(waiting, "line"), agoWords(oldest, now))
	}
	switch age := now.Sub(oldest); {
	case waiting > 0 && age > backlogBreaks:
		f.Level = reminder.Critical
	case waiting > 0 && age > backlogLooks:
		f.Level = reminder.Warning
	}
	switch {
	case !status.Running:
		if waiting > 0 {
			f.Level = max(f.Level, reminder.Warning)
			f.Hint = "no vext serve keeps connections; start it, or say something with vext notify, which takes along what waits"
		}
	case len(n.Links) > 0 && !n.IsConnected():
		f.Level = max(f.Level, reminder.Warning)
		text += "; not connected: " + cmp.Or(n.Links[0].Error, "it is being tried")
	}
	for _, c := range n.Channels {
		if c.Problem != "" {
			f.Level = max(f.Level, reminder.Warning)
			text += fmt.Sprintf("; %s: %s", c.Name, c.Problem)
		}
		if c.Rejected > 0 && now.Sub(c.RejectedTime) < rejectedLooks {
			f.Level = max(f.Level, reminder.Warning)
			text += fmt.Sprintf("; %s: a line was rejected %s: %s", c.Name, agoWords(c.RejectedTime, now), c.Rejection)
		}
	}
	if f.Text = text; f.Level == reminder.OK {
		f.Hint = ""
	}
	return f
}

// An inflowAndIRC tells the operator of what fails on IRC, too.
type inflowAndIRC struct {
	*follow.Sources
	status func() (*ircStatus, error)
}

// Alerts implements reminder.Inflow.
func (i *inflowAndIRC) Alerts(now time.Time) []reminder.Alert {
	all := i.Sources.Alerts(now)
	status, err := i.status()
	if err != nil {
		return all // vext check says it
	}
	for _, n := range status.Networks {
		for _, l := range n.Links {
			if l.State != "connected" && l.Error != "" && now.Sub(l.Since) >= networkFails {
				all = append(all, reminder.Alert{Subject: n.Network, Location: "IRC", Since: l.Since, Message: l.Error})
				break
			}
		}
		for _, c := range n.Channels {
			patience := channelFails
			if c.State == "person" {
				patience = networkFails
			}
			if c.Problem != "" && now.Sub(c.Failing) >= patience {
				all = append(all, reminder.Alert{Subject: c.Target, Location: "IRC", Since: c.Failing, Message: c.Problem})
			}
		}
	}
	return all
}
