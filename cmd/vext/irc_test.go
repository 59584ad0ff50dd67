package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/notify/irc"
	"vext/server"
)

var ircNow = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// ago returns a time before that of these tests.
func ago(d time.Duration) time.Time { return ircNow.Add(-d) }

// A status with all that can be said of networks and channels.
var fullStatus = &server.OutboxStatus{Running: true, Networks: []irc.NetworkStatus{
	{
		Network: "ircs://irc.example.org",
		Links: []irc.LinkStatus{
			{State: "connected", Since: ago(50 * time.Hour), Nick: "vext", ConfirmedBy: "labels", Confirmed: ago(time.Minute), Lost: "EOF", LostTime: ago(51 * time.Hour)},
			{Number: 2, State: "connecting", Since: ago(time.Second)},
		},
		Channels: []irc.ChannelStatus{
			{Target: "ircs://irc.example.org/#src", Name: "#src", State: "joined", Delivered: ago(time.Minute), Bounced: 2, LastBounced: ago(time.Hour), LastReason: "the line is too long for the server (417 No\x1b[31m)"},
			{Target: "ircs://irc.example.org/#doc", Name: "#doc", State: "refused", Problem: "banned from the channel (474 No\x1b[31m)", Failing: ago(time.Hour), Retry: ircNow.Add(time.Minute), Backlog: 1234, Oldest: ago(3 * time.Hour)},
			{Target: "ircs://irc.example.org/jane,isnick", Name: "jane", State: "person", Backlog: 1, Oldest: ago(time.Second), Delivered: ago(72 * time.Hour)},
		},
	},
	{
		Network:  "irc://127.0.0.1:6668",
		Links:    []irc.LinkStatus{{State: "away", Since: ago(26 * time.Hour), Error: "connection refused"}},
		Channels: []irc.ChannelStatus{{Target: "irc://127.0.0.1:6668/#ops", Name: "#ops", State: "waiting", Backlog: 2, Oldest: ago(25 * time.Hour)}},
	},
}}

func TestPrintIRC(t *testing.T) {
	var b strings.Builder
	for _, s := range []*server.OutboxStatus{fullStatus, {}, {Networks: []irc.NetworkStatus{{
		Network: "irc://a", Channels: []irc.ChannelStatus{{Name: "#b", State: "waiting", Backlog: 3, Oldest: ago(time.Hour)}},
	}}}} {
		printIRC(&b, style{}, s, ircNow, time.UTC)
		b.WriteString("--\n")
	}
	path := filepath.Join("testdata", "irc-status.golden")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || b.String() != string(want) {
		t.Errorf("%v; UPDATE=1 accepts:\n%s", err, b.String())
	}
}
