package health

import (
	"strings"
	"testing"
	"time"

	"vext/internal/config"
	"vext/spool"
)

// Rejected requests are a warning when none with the right secret came, when there
// were many, and when they name a repository of which no others came. A single one is
// not.
func TestCheckSignatures(t *testing.T) {
	c := newChecked(t)
	c.c.Hooks = []config.Hook{{Name: "a", Secret: "x"}}
	ago := func(d time.Duration) time.Time { return c.now.Add(-d) }
	for _, test := range []struct {
		name  string
		past  func(g *spool.Signatures)
		level Level
		text  string // of one of the findings
		n     int
	}{
		{"nothing", func(*spool.Signatures) {}, OK, "", 1},
		{"never a good one", func(g *spool.Signatures) { g.Reject("", ago(time.Hour)) }, Warning, "no request with the right signature has come yet", 1},
		{"never a good one, of a repository", func(g *spool.Signatures) { g.Reject("src", ago(time.Hour)) }, Warning, "no request with the right signature has come yet", 1},
		{"never a good one, long ago", func(g *spool.Signatures) { g.Reject("", ago(8*24*time.Hour)) }, OK, "", 1},
		{"a stray one", func(g *spool.Signatures) {
			g.Accept("src", ago(2*time.Hour))
			g.Reject("src", ago(time.Hour))
		}, OK, "", 1},
		{"a stray one of nobody", func(g *spool.Signatures) {
			g.Accept("src", ago(2*time.Hour))
			g.Reject("", ago(time.Hour))
		}, OK, "", 1},
		{"five in an hour", func(g *spool.Signatures) {
			for range 5 {
				g.Reject("", ago(time.Hour))
			}
			g.Accept("src", ago(time.Minute))
		}, Warning, "many requests", 1},
		{"five in an hour, two days ago", func(g *spool.Signatures) {
			for range 5 {
				g.Reject("", ago(48*time.Hour))
			}
			g.Accept("src", ago(time.Minute))
		}, OK, "", 1},
		{"five in an hour, two days ago, and no good one since", func(g *spool.Signatures) {
			g.Accept("src", ago(72*time.Hour))
			for range 5 {
				g.Reject("", ago(48*time.Hour))
			}
		}, Warning, "many requests", 1},
		{"one of two repositories has the wrong secret", func(g *spool.Signatures) {
			g.Accept("src", ago(3*time.Hour))
			g.Reject("doc", ago(2*time.Hour))
			g.Accept("src", ago(time.Hour))
		}, Warning, `1 request that named the repository "doc" had a wrong signature or none`, 2},
		{"one of two repositories lost the right secret", func(g *spool.Signatures) {
			g.Accept("doc", ago(100*time.Hour))
			for i := range 3 {
				g.Reject("doc", ago(time.Duration(80-10*i)*time.Hour))
				g.Accept("src", ago(time.Hour))
			}
		}, Warning, `3 requests that named the repository "doc"`, 2},
		{"and has it again", func(g *spool.Signatures) {
			g.Reject("doc", ago(4*time.Hour))
			g.Accept("doc", ago(time.Hour))
		}, OK, "", 1},
		{"strangers name many", func(g *spool.Signatures) {
			g.Accept("src", ago(3*time.Hour))
			for _, name := range strings.Split("a b c d e f g h i j k l m", " ") {
				g.Reject(name, ago(48*time.Hour))
			}
			g.Accept("src", ago(time.Hour))
		}, Warning, `the repository "j"`, 1 + maxRepositories},
	} {
		g := new(spool.Signatures)
		test.past(g)
		c.queue().Spool.NoteSignatures("webhook-a", g)
		worst, said, n := OK, "", 0
		for _, f := range c.check() {
			if f.What == "webhook a" {
				worst, said, n = max(worst, f.Level), said+f.Text+"\n", n+1
			}
		}
		if worst != test.level || n != test.n || !strings.Contains(said, test.text) {
			t.Errorf("%s: %v, %d findings, %s", test.name, worst, n, said)
		}
	}
}
