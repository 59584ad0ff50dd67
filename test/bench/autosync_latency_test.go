package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/machines"
	"vext/internal/testkit/prosody"
)

// latencyTable has no poll that could help.
const latencyTable = "quiet = \"200ms\"\npush_after = \"200ms\"\npull_every = \"10m\"\n"

// A medium is how the machines notify each other.
type medium struct {
	name    string
	options func(*testing.B) machines.Options
}

// media are those of vext. The hub, and the remote of the last one, are on this machine.
func media() []medium {
	return []medium{
		{"xmpp", byXMPP},
		{"hub", byHub},
		{"remote", func(*testing.B) machines.Options {
			return machines.Options{Table: latencyTable + "peers = [\"remote\"]\n"}
		}},
	}
}

func byXMPP(b *testing.B) machines.Options {
	s := prosody.Start(b, prosody.Options{Users: []string{"jane"}})
	return machines.Options{Table: latencyTable, Config: fmt.Sprintf("[xmpp]\njid = %q\npassword = %q\nserver = %q\nca = %q\n",
		prosody.JID("jane"), prosody.Password, s.Addr, s.CA.File())}
}

// byHub starts a vext serve with a hub.
func byHub(b *testing.B) machines.Options {
	addr := testkit.FreeAddr(b, "127.0.0.1")
	dir := b.TempDir()
	path := filepath.Join(dir, "vext.toml")
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o750); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("state = \""+dir+"/state\"\n[http]\nlisten = \""+addr+"\"\n[autosync-hub]\ntoken = \"secret\"\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	serve := exec.Command(program(b, "vext"), "--config", path, "serve")
	serve.Stderr = os.Stderr
	if err := serve.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { serve.Process.Kill(); serve.Wait() })
	return machines.Options{Table: latencyTable + "peers = [\"http://" + addr + "\"]\ntoken = \"secret\"\n"}
}

// linked waits until both machines are linked, and what they do at their start is over.
func linked(b *testing.B, w *machines.World) {
	b.Helper()
	for _, m := range []*machines.Machine{w.A, w.B} {
		if !testkit.Eventually(machines.Patience, func() bool {
			out, err := m.Vext("autosync", "status", "--json").Output()
			return err == nil && strings.Contains(string(out), `"connected": true`) || strings.Contains(string(out), `"connected":true`)
		}) {
			b.Fatalf("%s is not linked: %s", m.Name, m.Log())
		}
	}
	time.Sleep(3 * time.Second)
}

// appears polls for what a change causes, and returns since when it took.
func appears(b *testing.B, what string, begun time.Time, is func() bool) time.Duration {
	b.Helper()
	for !is() {
		if time.Since(begun) > machines.Patience {
			b.Fatalf("%s does not come", what)
		}
		time.Sleep(3 * time.Millisecond)
	}
	return time.Since(begun)
}

// Goal: with quiet and push_after of 0.2 s, a file written on one machine is on the disk of
// the other one after 1.0 s, p95, over XMPP. gitwatch pulls only before it pushes, so that
// only its way to the server can be measured.
func BenchmarkAutosyncLatencyGoal1000msP95(b *testing.B) {
	for _, m := range media() {
		b.Run(m.name, func(b *testing.B) {
			for b.Loop() {
				w := machines.New(b, m.options(b))
				w.Start()
				linked(b, w)
				pushed, seen := latencies(b, w, true)
				b.ReportMetric(percentile(pushed, 50), "pushed-p50-ms")
				b.ReportMetric(percentile(seen, 50), "seen-p50-ms")
				b.ReportMetric(percentile(seen, 95), "seen-p95-ms")
				w.A.Kill()
				w.B.Kill()
			}
			b.ReportMetric(0, "ns/op")
		})
	}
	path := gitwatch()
	if path == "" {
		return
	}
	b.Run("gitwatch", func(b *testing.B) {
		for b.Loop() {
			w := machines.New(b, machines.Options{})
			w.A.Other(path, "-s", "0.2", "-R", "-r", "origin", "-b", "main")
			pushed, _ := latencies(b, w, false)
			b.ReportMetric(percentile(pushed, 50), "pushed-p50-ms")
			b.ReportMetric(percentile(pushed, 95), "pushed-p95-ms")
			w.A.Kill()
		}
		b.ReportMetric(0, "ns/op")
	})
}

// latencies writes files on A, and returns how long until each is at the server, and with
// both on B's disk.
func latencies(b *testing.B, w *machines.World, both bool) (pushed, seen []time.Duration) {
	b.Helper()
	ref := filepath.Join(w.Server, "refs", "heads", "main")
	for n := range 41 {
		name, content := fmt.Sprintf("notes/%d.md", n%7), fmt.Sprintln("line", n)
		before, _ := os.ReadFile(ref)
		begun := time.Now()
		w.A.Write(name, content)
		toServer := appears(b, "the push of "+name, begun, func() bool {
			now, err := os.ReadFile(ref)
			return err == nil && string(now) != string(before)
		})
		var toDisk time.Duration
		if both {
			toDisk = appears(b, name, begun, func() bool { return w.B.Read(name) == content })
		}
		if n > 0 { // warm
			pushed, seen = append(pushed, toServer), append(seen, toDisk)
		}
		time.Sleep(700*time.Millisecond + time.Duration(n*17%300)*time.Millisecond)
	}
	return pushed, seen
}
