package health

import (
	"strings"
	"testing"
	"time"

	"vext/notify/xmpp"
	"vext/queue"
)

func TestXMPP(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	c := &Checker{Queue: &queue.Queue{Now: now}}
	const account, room = "vext@example.org", "xmpp:dev@conference.example.org?join"
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	up := xmpp.Status{Account: account, Connected: true}
	for _, test := range []struct {
		name    string
		running bool
		status  xmpp.Status
		room    xmpp.RecipientStatus
		level   Level
		want    string
	}{
		{"fine", true, up, xmpp.RecipientStatus{Target: room, State: "joined"}, OK, account + ": 1 target"},
		{"pending", true, up, xmpp.RecipientStatus{Target: room, Pending: 1, Oldest: ago(time.Minute)}, OK, "1 message pending"},
		{"pending for long", true, up, xmpp.RecipientStatus{Target: room, Pending: 2, Oldest: ago(2 * time.Hour)}, Warning, "2 messages pending"},
		{"pending for a day", true, up, xmpp.RecipientStatus{Target: room, Pending: 2, Oldest: ago(25 * time.Hour)}, Critical, "2 messages pending"},
		{"not served", false, xmpp.Status{Account: account}, xmpp.RecipientStatus{Target: room, Pending: 1, Oldest: now}, Warning, "pending"},
		{"no account", true, xmpp.Status{}, xmpp.RecipientStatus{Target: room, Pending: 1, Oldest: now}, Warning, "no account"},
		{"away", true, xmpp.Status{Account: account, Error: "no route to host"}, xmpp.RecipientStatus{Target: room}, Warning, "not connected: no route to host"},
		{"refused", true, up, xmpp.RecipientStatus{Target: room, Problem: "banned"}, Warning, room + ": banned"},
		{"bounced", true, up, xmpp.RecipientStatus{Target: room, Bounced: 1, LastBounced: ago(time.Hour), LastReason: "gone"}, Warning, "a message was rejected 1 hour ago: gone"},
		{"bounced long ago", true, up, xmpp.RecipientStatus{Target: room, Bounced: 1, LastBounced: ago(48 * time.Hour), LastReason: "gone"}, OK, "1 target"},
	} {
		got := c.XMPP(test.running, &xmpp.TransportStatus{Status: test.status, Recipients: []xmpp.RecipientStatus{test.room}})
		if len(got) != 1 || got[0].Level != test.level || !strings.Contains(got[0].Text, test.want) || (got[0].Hint == "") != (test.level == OK) {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
	if got := c.XMPP(true, nil); got != nil {
		t.Errorf("not used: %+v", got)
	}
}
