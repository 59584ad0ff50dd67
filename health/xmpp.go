package health

import (
	"cmp"

	"vext/notify/xmpp"
)

// XMPP returns the findings about XMPP, none when it is not used. running says whether a
// vext serve keeps the connection.
func (c *Checker) XMPP(running bool, s *xmpp.TransportStatus) []Finding {
	if s == nil {
		return nil
	}
	f := newTransportFinding("xmpp", cmp.Or(s.Account, "no account"), "message", s.States(), c.Queue.Now)
	switch {
	case s.Account == "" && f.pending > 0:
		f.report(Warning, "")
		f.Hint = "set jid and password under [xmpp], or drop the messages: vext xmpp drop"
	case !running && f.pending > 0:
		f.report(Warning, "")
		f.Hint = "no vext serve keeps the connection: start it, or run vext notify, which also sends what is pending"
	case running && !s.Connected && s.Error != "":
		f.report(Warning, "; not connected: %s", s.Error)
	}
	return []Finding{f.finish()}
}
