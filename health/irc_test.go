package health

import (
	"strings"
	"testing"
	"time"

	"vext/notify/irc"
)

func TestNetwork(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for _, test := range []struct {
		name   string
		away   bool // no process keeps connections
		change func(*irc.LinkStatus, *irc.ChannelStatus)
		level  Level
		text   string
	}{
		{"connected", false, func(*irc.LinkStatus, *irc.ChannelStatus) {}, OK, "irc://a: 1 target"},
		{"rejected", false, func(_ *irc.LinkStatus, c *irc.ChannelStatus) {
			c.Bounced, c.LastBounced, c.LastReason = 1, ago(time.Hour), "too long (417)"
		}, Warning, "#b: a line was rejected 1 hour ago: too long (417)"},
		{"rejected long ago", false, func(_ *irc.LinkStatus, c *irc.ChannelStatus) {
			c.Bounced, c.LastBounced = 1, ago(25*time.Hour)
		}, OK, "irc://a: 1 target"},
		{"pending", false, func(_ *irc.LinkStatus, c *irc.ChannelStatus) {
			c.Backlog, c.Oldest = 2, ago(time.Minute)
		}, OK, "2 lines pending, the oldest came 1 minute ago"},
		{"pending for hours", false, func(_ *irc.LinkStatus, c *irc.ChannelStatus) {
			c.Backlog, c.Oldest = 2, ago(2*time.Hour)
		}, Warning, "2 hours ago"},
		{"pending for more than a day", false, func(_ *irc.LinkStatus, c *irc.ChannelStatus) {
			c.Backlog, c.Oldest = 1, ago(25*time.Hour)
		}, Critical, "1 day ago"},
		{"banned", false, func(_ *irc.LinkStatus, c *irc.ChannelStatus) { c.Problem = "banned" }, Warning, "#b: banned"},
		{"not connected", false, func(l *irc.LinkStatus, _ *irc.ChannelStatus) {
			l.State, l.Error = "away", "refused"
		}, Warning, "not connected: refused"},
		{"no process, nothing pending", true, func(*irc.LinkStatus, *irc.ChannelStatus) {}, OK, "irc://a: 1 target"},
		{"no process, and a line pending", true, func(_ *irc.LinkStatus, c *irc.ChannelStatus) {
			c.Backlog, c.Oldest = 1, ago(time.Minute)
		}, Warning, "1 line pending"},
	} {
		n := &irc.NetworkStatus{
			Network: "irc://a", Links: []irc.LinkStatus{{State: "connected"}}, Channels: []irc.ChannelStatus{{Name: "#b", State: "joined"}},
		}
		test.change(&n.Links[0], &n.Channels[0])
		if test.away {
			n.Links = nil
		}
		f := network(!test.away, n, now)
		if f.Level != test.level || !strings.Contains(f.Text, test.text) || (f.Hint == "") != (f.Level == OK) {
			t.Errorf("%s: %+v", test.name, f)
		}
	}
}
