// Package irc runs vext serve against real IRC servers, and against a scripted
// one for what those cannot be made to do. Whatever fails, no line is lost.
package irc

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/ircd"
)

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "12") // the tests wait for servers, not for the processor
	testkit.Main(m)
}

// quick sends lines without a limit.
const quick = "[irc]\nrate = 0.0\nbacklog_lines = 0\n"

// soon is how long a line may take that nothing holds up, later how long one
// that was refused or could not be sent.
const (
	soon  = 10 * time.Second
	later = 90 * time.Second
)

// eachServer runs a test against both real servers, and against inspircd as a
// server that confirms nothing by itself.
func eachServer(t *testing.T, o ircd.Options, test func(t *testing.T, o ircd.Options)) {
	for _, server := range []struct {
		name  string
		kind  ircd.Kind
		plain bool
	}{{"ngircd", ircd.Ngircd, true}, {"inspircd", ircd.Inspircd, false}, {"inspircd without labels", ircd.Inspircd, true}} {
		t.Run(server.name, func(t *testing.T) {
			t.Parallel()
			o := o
			o.Kind, o.Plain = server.kind, server.plain
			test(t, o)
		})
	}
}

// url returns the URL of a channel, or with ,isnick a person, on a server.
func url(addr, name string) string { return "irc://" + addr + "/" + name }

// numbered returns n texts that are different.
func numbered(what string, n int) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprintf("%s %04d", what, i)
	}
	return texts
}

// wantAll checks that all texts were received, in their order. At most again may
// have been received twice.
func wantAll(t *testing.T, received []ircd.Received, texts []string, again int) {
	t.Helper()
	first := map[string]int{} // where it was received first
	twice := 0
	for i, h := range received {
		if _, known := first[h.Text]; known {
			twice++
			continue
		}
		first[h.Text] = i
	}
	var lost, disordered []string
	last := -1
	for _, text := range texts {
		at, known := first[text]
		switch {
		case !known:
			lost = append(lost, text)
		case at < last:
			disordered = append(disordered, text)
		default:
			last = at
		}
	}
	if len(lost) > 0 {
		t.Errorf("%d of %d lost: %q", len(lost), len(texts), lost[:min(10, len(lost))])
	}
	if len(disordered) > 0 {
		t.Errorf("%d of %d out of order: %q", len(disordered), len(texts), disordered[:min(10, len(disordered))])
	}
	if twice > again {
		t.Errorf("%d received twice, of which %d may have been", twice, again)
	}
	if extra := len(first) - (len(texts) - len(lost)); extra > 0 {
		t.Errorf("%d received that nobody said: %q", extra, ircd.Texts(received))
	}
}
