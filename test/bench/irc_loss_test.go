package bench

import (
	"testing"
	"time"

	"vext/internal/testkit/ircd"
)

// count returns how many of the texts were not received, how many were received
// behind a later one, and how many of what was received had been received before.
func count(received []ircd.Received, texts []string) (lost, disordered, twice int) {
	first := map[string]int{}
	for i, h := range received {
		if _, known := first[h.Text]; known {
			twice++
			continue
		}
		first[h.Text] = i
	}
	last := -1
	for _, text := range texts {
		at, known := first[text]
		switch {
		case !known:
			lost++
		case at < last:
			disordered++
		default:
			last = at
		}
	}
	return lost, disordered, twice
}

// Goal: nothing lost and nothing out of order, one message a second for 100
// seconds, of which the server is away for 30.
func BenchmarkIRCServerAway30sGoal0Lost(b *testing.B) {
	for b.Loop() {
		s := ircd.Start(b, ircd.Options{Kind: ircd.Ngircd})
		way := ircd.NewRelay(b, s.Addr)
		ear := ircd.Record(b, s.Addr, nil, "", "ear", "#vext", "#irker")
		vext, peer := ircd.NewBot(b, "[irc]\nbacklog_lines = 0\n"), newIrkerd(b)
		var ours, theirs []ircd.Received
		keep := func() {
			ours, theirs = append(ours, ear.Received("#vext")...), append(theirs, ear.Received("#irker")...)
		}
		texts := numbered(100)
		tick := time.NewTicker(time.Second)
		for i, text := range texts {
			switch i {
			case 30:
				way.Close()
				s.Kill()
				keep()
			case 60:
				s.Again()
				ear = ircd.Record(b, s.Addr, nil, "", "ear", "#vext", "#irker")
				way.Open(b)
			}
			vext.Say(channel(way.Addr, "vext"), text)
			peer.say(channel(way.Addr, "irker"), text)
			<-tick.C
		}
		tick.Stop()
		ear.WaitReceived("#vext", len(texts)-len(ours), 90*time.Second)
		ear.WaitReceived("#irker", len(texts), 30*time.Second)
		keep()
		lost, disordered, twice := count(ours, texts)
		b.ReportMetric(float64(lost), "vext-lost")
		b.ReportMetric(float64(disordered), "vext-disordered")
		b.ReportMetric(float64(twice), "vext-twice")
		lost, _, _ = count(theirs, texts)
		b.ReportMetric(float64(lost), "irker-lost")
		peer.Kill()
	}
}

// ended sends n messages, ends the notifier after some were received, starts it
// again and returns how many were lost.
func ended(b *testing.B, n int, end func(notifier)) {
	s := ircd.Start(b, ircd.Options{Kind: ircd.Ngircd})
	for _, who := range []string{"vext", "irker"} {
		ear := ircd.Record(b, s.Addr, nil, "", "ear"+who, "#"+who)
		texts := numbered(n)
		var it notifier
		if who == "vext" {
			vext := ircd.NewBot(b, "[irc]\nbacklog_lines = 0\n")
			vext.Say(channel(s.Addr, who), texts...)
			it = vext
		} else {
			peer := newIrkerd(b)
			peer.say(channel(s.Addr, who), texts...)
			it = peer
		}
		ear.WaitReceived("#"+who, 5, 10*time.Second)
		end(it)
		it.Start()
		received := ear.WaitAll("#"+who, texts, 15*time.Second)
		for received[len(received)-1].Text != texts[n-1] { // some came twice
			more := ear.WaitReceived("#"+who, len(received)+1, 15*time.Second)
			if len(more) == len(received) {
				break
			}
			received = more
		}
		lost, disordered, twice := count(received, texts)
		b.ReportMetric(float64(lost), who+"-lost")
		if who == "vext" {
			b.ReportMetric(float64(disordered), "vext-disordered")
			b.ReportMetric(float64(twice), "vext-twice")
		}
		it.Kill()
	}
}

// Goal: nothing lost of 100 that wait when it is killed.
func BenchmarkIRCKilledWith100Goal0Lost(b *testing.B) {
	for b.Loop() {
		ended(b, 100, notifier.Kill)
	}
}

// Goal: nothing lost of 20 that are pending when it ends.
func BenchmarkIRCTermWith20Goal0Lost(b *testing.B) {
	for b.Loop() {
		ended(b, 20, notifier.Stop)
	}
}
