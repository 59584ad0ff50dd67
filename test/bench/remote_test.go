package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/remotedaemon"
)

// A watcher is a daemon that watches remotes, with a kind of remote.
type watcher struct {
	name    string
	command func(testing.TB) []string
	options remotedaemon.Options
}

// watchers are vext with both kinds of far side, and git-annex with its own.
func watchers(b *testing.B) []watcher {
	ours := remotedaemon.Options{SSH: true, Far: []string{program(b, "vext")}}
	annex := remotedaemon.Options{SSH: true, Annex: true}
	return []watcher{{"vext", remotedaemon.Vext, ours}, {"vext-annex-far", remotedaemon.Vext, annex}, {"git-annex", remotedaemon.Annex, annex}}
}

// latency writes main of the server n times, and returns how long until SYNCING and
// DONESYNCING.
func latency(b *testing.B, w *remotedaemon.World, d *remotedaemon.Daemon, n int) (syncing, done []time.Duration) {
	b.Helper()
	for i, commit := range w.Commits(n + 1) {
		time.Sleep(200 * time.Millisecond)
		w.Write("refs/heads/main", commit)
		begun := time.Now()
		at := d.Seek("SYNCING ", remotedaemon.Patience).At
		end := d.Seek("DONESYNCING "+w.URI()+" 1", remotedaemon.Patience).At
		if i > 0 { // warm
			syncing, done = append(syncing, at.Sub(begun)), append(done, end.Sub(begun))
		}
	}
	return syncing, done
}

// Goal: over ssh, from the write of a ref at the server to SYNCING p50 60 ms and p95
// 150 ms, and to DONESYNCING 200 ms, with one commit.
func BenchmarkRemoteSSHGoalSyncing60_150msDone200ms(b *testing.B) {
	defer b.ReportMetric(0, "ns/op")
	for b.Loop() {
		for _, it := range watchers(b) {
			w := remotedaemon.New(b, it.options)
			d := w.Start(it.command(b))
			d.Connected()
			syncing, done := latency(b, w, d, 40)
			d.Kill()
			b.ReportMetric(percentile(syncing, 50), it.name+"-syncing-p50-ms")
			b.ReportMetric(percentile(syncing, 95), it.name+"-syncing-p95-ms")
			b.ReportMetric(percentile(done, 50), it.name+"-done-p50-ms")
			b.ReportMetric(percentile(done, 95), it.name+"-done-p95-ms")
		}
	}
}

// Goal: from the write of a ref in a repository on this machine to DONESYNCING 50 ms.
// git-annex watches no paths.
func BenchmarkRemotePathGoal50ms(b *testing.B) {
	defer b.ReportMetric(0, "ns/op")
	for b.Loop() {
		w := remotedaemon.New(b, remotedaemon.Options{})
		d := w.Start(remotedaemon.Vext(b))
		d.Connected()
		syncing, done := latency(b, w, d, 60)
		d.Kill()
		b.ReportMetric(percentile(syncing, 50), "syncing-p50-ms")
		b.ReportMetric(percentile(done, 50), "done-p50-ms")
		b.ReportMetric(percentile(done, 95), "done-p95-ms")
	}
}

// Goal: of 1,000 random pushes none is missed, and at most 1 % of the fetches is in vain.
// One is missed when the clone is not equal 15 s later. The first half comes as fast as
// git pushes. git-annex gets 60, with 3 s for each, is not cut off, and need not see
// deletions and packed refs.
func BenchmarkRemoteRandom1000Goal0Missed1PercentInVain(b *testing.B) {
	defer b.ReportMetric(0, "ns/op")
	for b.Loop() {
		for _, it := range watchers(b) {
			if it.name == "vext-annex-far" {
				continue
			}
			w := remotedaemon.New(b, it.options)
			w.InLocal("git config remote.origin.prune true")
			w.CountFetches()
			d := w.Start(it.command(b))
			d.Connected()
			seed := uint64(time.Now().UnixNano())
			b.Logf("%s: seed %d", it.name, seed)
			r := w.Random(seed)
			n, fast, patience := 60, 0, 3*time.Second
			r.Pause = func(while func()) { // with time to go and to come
				d.Send("PAUSE")
				d.Seek("DISCONNECTED ", remotedaemon.Patience)
				while()
				d.Send("RESUME")
				d.Seek("CONNECTED ", remotedaemon.Patience)
			}
			if it.name == "vext" {
				r.Pause = d.Paused
				n, fast, patience = 1000, 500, 15*time.Second
				r.Deletes, r.Cut = true, w.SSH.Cut
			}
			missed := 0
			for i := range n {
				step := r.Step()
				if i < fast || testkit.Eventually(patience, func() bool { return w.Difference("origin") == "" }) {
					continue
				}
				missed++
				b.Logf("%s: missed %q", it.name, step)
				w.InLocal("git fetch -q")
			}
			all, vain := w.Fetches()
			d.Kill()
			b.ReportMetric(float64(missed)*1000/float64(n-fast), it.name+"-missed-of-1000")
			if it.name == "vext" { // git-annex starts another git than the one that is counted
				b.ReportMetric(float64(vain)*100/float64(max(all, 1)), "vext-in-vain-%")
			}
		}
	}
}

// Goal: 100 idle remotes, 50 that report changes over ssh and 50 that are polled, take
// 40 MB in our process and 0.5 % of one CPU. The polled ones have the interval that they
// reach when nothing changes, 10 minutes. all-cpu-% is with the programs that have ended.
func BenchmarkRemote100IdleGoal40MBHalfPercent(b *testing.B) {
	defer b.ReportMetric(0, "ns/op")
	for b.Loop() {
		w := remotedaemon.New(b, remotedaemon.Options{SSH: true, Far: []string{program(b, "vext")}})
		http := w.HTTP()
		var config strings.Builder
		for i := range 100 {
			url := fmt.Sprintf("far:%s/r%d.git", w.Dir, i)
			if i >= 50 {
				url = fmt.Sprintf("%s/r%d.git\n\tvextInterval = 600", http.URL, i)
			}
			fmt.Fprintf(&config, "[remote \"r%d\"]\n\turl = %s\n\tfetch = +refs/heads/*:refs/remotes/r%d/*\n", i, url, i)
		}
		w.Sh("for n in $(seq 0 99); do cp -R server.git r$n.git; done")
		if err := os.WriteFile(filepath.Join(w.Dir, "remotes"), []byte(config.String()), 0o600); err != nil {
			b.Fatal(err)
		}
		w.InLocal("git remote remove origin; git config include.path ../../remotes; git fetch -q --multiple $(git remote)")
		begun := time.Now()
		d := w.Start(remotedaemon.Vext(b))
		for range 100 {
			d.Seek("CONNECTED ", time.Minute)
		}
		b.ReportMetric(time.Since(begun).Seconds(), "s-to-connect")
		time.Sleep(65 * time.Second) // connections that were only of use at the start end
		const while = 60 * time.Second
		own, all := cpu(b, d.PID)
		time.Sleep(while)
		ownAfter, allAfter := cpu(b, d.PID)
		b.ReportMetric(float64(ownAfter-own)*100/float64(while), "own-cpu-%")
		b.ReportMetric(float64(allAfter-all)*100/float64(while), "all-cpu-%")
		b.ReportMetric(float64(highWater(d.PID))/1000, "MB-peak")
		b.ReportMetric(float64(w.SSH.Connections()), "ssh-connections")
		b.ReportMetric(float64(len(w.Processes())), "processes")
		d.Kill()
	}
}

// cpu returns the time that a process has computed, and that with the children for which
// it has waited (proc(5)).
func cpu(b *testing.B, pid int) (own, all time.Duration) {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	var ticks [4]int64
	for i, field := range strings.Fields(rest)[11:15] {
		fmt.Sscan(field, &ticks[i])
	}
	const tick = 10 * time.Millisecond
	own = time.Duration(ticks[0]+ticks[1]) * tick
	return own, own + time.Duration(ticks[2]+ticks[3])*tick
}

// Goal: with 10,000 refs of which one has changed the fetch takes at most 1.2 times as long
// as a plain git fetch of that ref. That there is one is tested in test/remote.
func BenchmarkRemote10000RefsGoal1_2TimesGitFetch(b *testing.B) {
	const n = 15
	defer b.ReportMetric(0, "ns/op")
	for b.Loop() {
		for _, it := range watchers(b) {
			if it.name == "vext-annex-far" {
				continue
			}
			w := remotedaemon.New(b, it.options)
			w.Refs(10_000)
			commits := w.Commits(2 * n)
			var plain, ours, whole []time.Duration
			for i := range n {
				ref := fmt.Sprintf("many/%06d", i)
				w.Write("refs/heads/"+ref, commits[i])
				begun := time.Now()
				w.InLocal("git fetch -q --no-tags origin +refs/heads/" + ref + ":refs/remotes/origin/" + ref)
				plain = append(plain, time.Since(begun))
			}
			d := w.Start(it.command(b))
			d.Connected()
			for i := range n {
				time.Sleep(200 * time.Millisecond)
				begun := time.Now()
				w.Write(fmt.Sprintf("refs/heads/many/%06d", i), commits[n+i])
				at := d.Seek("SYNCING ", remotedaemon.Patience).At
				end := d.Seek("DONESYNCING ", remotedaemon.Patience).At
				ours, whole = append(ours, end.Sub(at)), append(whole, end.Sub(begun))
			}
			d.Kill()
			b.ReportMetric(percentile(plain, 50), it.name+"-plain-fetch-ms")
			b.ReportMetric(percentile(ours, 50)/percentile(plain, 50), it.name+"-times-fetch")
			b.ReportMetric(percentile(whole, 50), it.name+"-write-to-done-ms")
		}
	}
}

// Goal: connected within 15 s of the return of a server that was up in the last hour.
func BenchmarkRemoteServerBackGoal15s(b *testing.B) {
	defer b.ReportMetric(0, "ns/op")
	for b.Loop() {
		var worlds []*remotedaemon.World
		var daemons []*remotedaemon.Daemon
		all := watchers(b)
		for _, it := range all {
			w := remotedaemon.New(b, it.options)
			d := w.Start(it.command(b))
			d.Connected()
			worlds, daemons = append(worlds, w), append(daemons, d)
			w.SSH.Stop()
		}
		time.Sleep(40 * time.Second)
		begun := time.Now()
		for _, w := range worlds {
			w.SSH.Restart()
		}
		for i, d := range daemons {
			took := d.Seek("CONNECTED ", 2*time.Minute).At.Sub(begun)
			b.ReportMetric(took.Seconds(), all[i].name+"-s")
			d.Kill()
		}
	}
}
