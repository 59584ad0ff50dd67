package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit/ircd"
)

// memory returns a line of /proc/PID/status in MiB.
func memory(b *testing.B, pid int, what string) float64 {
	b.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), "status"))
	if err != nil {
		b.Skip("there is no /proc")
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, what+":"); ok {
			var kib float64
			fmt.Sscan(rest, &kib)
			return kib / 1024
		}
	}
	b.Fatalf("no %s of %d", what, pid)
	return 0
}

// Goal: 25 MB idle, 40 MB with 100 channels on 5 networks. irkerd is given 18
// channels on each: it does not survive 19.
func BenchmarkIRCMemoryGoal25MBIdle40MBWith100Channels(b *testing.B) {
	for b.Loop() {
		vext, peer := ircd.NewBot(b, quick), newIrkerd(b)
		b.ReportMetric(memory(b, vext.PID(), "VmRSS"), "vext-idle-MiB")
		b.ReportMetric(memory(b, peer.PID(), "VmRSS"), "irker-idle-MiB")
		for n := range 5 {
			s := ircd.Start(b, ircd.Options{Kind: ircd.Ngircd})
			ear := ircd.Record(b, s.Addr, nil, "", "ear")
			for i := range 20 {
				name := fmt.Sprintf("c%d", i)
				ear.Join("#v"+name, "#i"+name)
				vext.Say(channel(s.Addr, "v"+name), numbered(5)...)
				if i < 18 {
					peer.say(channel(s.Addr, "i"+name), "x")
				}
			}
			if received := ear.WaitReceived("", 118, 30*time.Second); len(received) != 118 {
				b.Logf("network %d: %d received of 118", n, len(received))
			}
		}
		b.ReportMetric(memory(b, vext.PID(), "VmRSS"), "vext-MiB")
		b.ReportMetric(memory(b, vext.PID(), "VmHWM"), "vext-peak-MiB")
		b.ReportMetric(memory(b, peer.PID(), "VmRSS"), "irker-MiB")
		peer.Kill()
	}
}

// Goal: 64 MB at most while 100,000 notices come for a server that is away, and
// while it is sent when it is back: one line for each of the ten channels.
func BenchmarkIRCWeekAway100000Goal64MB(b *testing.B) {
	const targets, each = 10, 10_000
	for b.Loop() {
		s := ircd.Start(b, ircd.Options{Kind: ircd.Ngircd})
		way := ircd.NewRelay(b, s.Addr)
		way.Close()
		ear := ircd.Record(b, s.Addr, nil, "", "ear")
		for i := range targets {
			ear.Join(fmt.Sprint("#c", i))
		}
		vext := ircd.NewBot(b, "")
		conns := make([]*ircd.Client, targets)
		for i := range conns {
			conns[i] = ircd.Dial(b, vext.Irker)
			defer conns[i].Close()
		}
		const atOnce = 100
		accepted := rate(targets, targets*each/atOnce, func(worker int) {
			for i := range atOnce {
				conns[worker].Send(channel(way.Addr, fmt.Sprint("c", worker)), fmt.Sprint("a line of a usual length about a commit ", i), true)
			}
			for range atOnce {
				conns[worker].Ack()
			}
		}) * atOnce
		b.ReportMetric(accepted, "accepted/s")
		b.ReportMetric(memory(b, vext.PID(), "VmHWM"), "peak-MiB-while-away")
		opened := time.Now()
		way.Open(b)
		received := ear.WaitReceived("", targets, 5*time.Minute)
		if len(received) > 0 {
			b.ReportMetric(received[len(received)-1].At.Sub(opened).Seconds(), "s-until-delivered")
		}
		received = ear.WaitReceived("", targets+1, 5*time.Second)
		summed := map[string]bool{}
		for _, h := range received {
			summed[h.To] = strings.HasPrefix(h.Text, fmt.Sprintf("%d messages", each))
		}
		if len(received) != targets || len(summed) != targets {
			b.Errorf("it sent %d lines to %d channels: %q", len(received), len(summed), ircd.Texts(received[:min(len(received), 20)]))
		}
		for to, ok := range summed {
			if !ok {
				b.Errorf("%s has no summary of all", to)
			}
		}
		b.ReportMetric(memory(b, vext.PID(), "VmHWM"), "peak-MiB")
	}
}
