package bench

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit/ircd"
)

// commitMail is a mail of git's hook, of the n-th commit, that asks for nothing.
func commitMail(n int) string {
	return fmt.Sprintf(`From: Jane <jane@example.org>
Message-ID: <notice-%[1]d@example.org>
Date: Fri, 20 Nov 2026 12:00:00 +0000
Subject: git: %012[1]x - main - foo: fix %[1]d
X-Git-Repository: src
X-Git-Refname: refs/heads/main
X-Git-Commit: %040[1]x
X-Git-Committer: jane

foo: fix %[1]d
`, n)
}

// Goal: a commit is announced within 100 ms of its arrival, here counted from
// the start of vext-filter until it is received in the channel.
func BenchmarkIRCNoticeGoal100ms(b *testing.B) {
	const warm, n = 5, 200
	s := ircd.Start(b, ircd.Options{Kind: ircd.Inspircd})
	ear := ircd.Record(b, s.Addr, nil, "", "ear", "#src")
	bot := ircd.NewBot(b, quick+fmt.Sprintf("[[announce]]\nrepositories = [\"src\"]\nto = [%q]\n", channel(s.Addr, "src")))
	for b.Loop() {
		var took []time.Duration
		for i := range warm + n {
			filter := exec.Command(filepath.Join(filepath.Dir(bot.Vext), "vext-filter"), "-state", bot.State)
			filter.Stdin = strings.NewReader(commitMail(i + 1))
			begun := time.Now()
			if out, err := filter.CombinedOutput(); err != nil {
				b.Fatalf("vext-filter: %v\n%s", err, out)
			}
			received := ear.WaitReceived("#src", i+1, 10*time.Second)
			if len(received) != i+1 {
				b.Fatalf("commit %d is not received", i+1)
			}
			if i >= warm {
				took = append(took, received[i].At.Sub(begun))
			}
		}
		b.ReportMetric(percentile(took, 50), "p50-ms")
		b.ReportMetric(percentile(took, 99), "p99-ms")
		b.ReportMetric(percentile(took, 100), "max-ms")
	}
}
