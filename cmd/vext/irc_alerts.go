package main

import (
	"time"

	"vext/reminder"
	"vext/source/follow"
)

// How long a failure lasts until the operator is told.
const (
	networkFails = 24 * time.Hour // of a network, or of a person
	channelFails = time.Hour      // of a channel
)

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
