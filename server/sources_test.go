package server

import (
	"errors"
	"testing"
	"time"

	"vext/notify/irc"
	"vext/source/follow"
)

// The operator gets an alert of a channel that rejects us for an hour, and of a
// network that is unreachable for a day.
func TestIRCAlerts(t *testing.T) {
	state := t.TempDir()
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	status := &OutboxStatus{Running: true, Networks: []irc.NetworkStatus{
		{
			Network: "ircs://irc.example.org",
			Links:   []irc.LinkStatus{{State: "connected", Since: ago(50 * time.Hour)}},
			Channels: []irc.ChannelStatus{
				{Target: "ircs://irc.example.org/#src", State: "joined"},
				{Target: "ircs://irc.example.org/#doc", State: "refused", Problem: "banned", Failing: ago(time.Hour)},
			},
		},
		{Network: "irc://127.0.0.1:6668", Links: []irc.LinkStatus{{State: "away", Since: ago(26 * time.Hour), Error: "connection refused"}}},
	}}
	i := &sources{
		Sources: &follow.Sources{Hooked: &follow.Follower{Store: follow.Hooked(state)}, Followed: &follow.Follower{Store: follow.Followed(state)}},
		status:  func() (*OutboxStatus, error) { return status, nil },
	}
	got := i.Alerts(now)
	if len(got) != 2 || got[0].Subject != "ircs://irc.example.org/#doc" || !got[0].Since.Equal(ago(time.Hour)) || got[1].Subject != "irc://127.0.0.1:6668" || got[1].Message != "connection refused" {
		t.Errorf("%+v", got)
	}
	if got := i.Alerts(ago(3 * time.Hour)); len(got) != 0 {
		t.Errorf("before it was unreachable for a day: %+v", got)
	}
	i.status = func() (*OutboxStatus, error) { return nil, errors.New("no") }
	if got := i.Alerts(now); len(got) != 0 {
		t.Errorf("without a status: %+v", got)
	}
}
