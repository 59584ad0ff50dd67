package announce

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/spool"
)

// run runs the Announcer until the test ends.
func (d *fixture) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	d.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			d.t.Error(err)
		}
	})
}

// waits waits for a message, and returns it.
func (d *fixture) waits() string {
	d.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		if said := d.outbox.taken(); said != "" {
			return said
		}
		select {
		case <-d.outbox.more:
		case <-deadline:
			d.t.Fatalf("no message\n%s", d.log)
		}
	}
}

// Stored commits are announced at the start, and later ones by events alone.
func TestRun(t *testing.T) {
	d := newFixture(t)
	d.Rescan = time.Hour
	d.arrive(arrival("r1", "s"))
	d.run()
	for i := range 5 {
		if got, want := d.waits(), fmt.Sprintf("src: jane src main r%d s", i+1); got != want {
			t.Errorf("said %q, want %q", got, want)
		}
		d.arrive(arrival(fmt.Sprintf("r%d", i+2), "s"))
	}
}

// The removed file STATE/announcing is made again.
func TestRunAgain(t *testing.T) {
	d := newFixture(t)
	d.Rescan = 5 * time.Millisecond
	d.run()
	d.arrive(arrival("r1", "s"))
	d.waits()
	if err := os.Remove(filepath.Join(d.state, "announcing")); err != nil {
		t.Fatal(err)
	}
	for announces := false; !announces; announces, _ = d.Spool.Announces() {
		time.Sleep(time.Millisecond)
	}
	d.arrive(arrival("r2", "s"))
	if got := d.waits(); !strings.Contains(got, "r2") {
		t.Errorf("said %q", got)
	}
}

// A failing outbox is retried, without an event.
func TestRunFails(t *testing.T) {
	d := newFixture(t)
	d.Rescan = 5 * time.Millisecond
	d.outbox.fail = errFull
	d.run()
	d.arrive(arrival("r1", "s"))
	for !strings.Contains(d.log.String(), "disk full") {
		time.Sleep(time.Millisecond)
	}
	d.outbox.mu.Lock()
	d.outbox.fail = nil
	d.outbox.mu.Unlock()
	d.waits()
	for !strings.Contains(d.log.String(), "announcements: working again") {
		time.Sleep(time.Millisecond)
	}
}

// From storing a commit to its message.
func BenchmarkArrival(b *testing.B) {
	d := newFixture(b)
	d.Rescan = time.Hour
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	var took []time.Duration
	n := 0
	for b.Loop() {
		n++
		begun := time.Now()
		d.arrive(arrival(fmt.Sprintf("r%d", n), "s"))
		for len(d.outbox.taken()) == 0 {
			<-d.outbox.more
		}
		took = append(took, time.Since(begun))
	}
	cancel()
	<-ended
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// While a file can't be handled, the announcements of others do not say that all is well.
func TestRunBesideUnreadable(t *testing.T) {
	d := newFixture(t)
	d.Rescan = 5 * time.Millisecond
	bad := spool.NewAnnouncement(d.now, []byte("?\n"))
	if err := os.WriteFile(filepath.Join(d.state, "failed"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Spool.Put(bad.Name, bad.Data); err != nil {
		t.Fatal(err)
	}
	d.run()
	for !strings.Contains(d.log.String(), "will retry") {
		time.Sleep(time.Millisecond)
	}
	for i := range 5 {
		d.arrive(arrival(fmt.Sprintf("r%d", i), "s"))
		d.waits()
	}
	time.Sleep(20 * time.Millisecond)
	if n := strings.Count(d.log.String(), "working again"); n > 0 {
		t.Errorf("%d times:\n%s", n, d.log)
	}
}
