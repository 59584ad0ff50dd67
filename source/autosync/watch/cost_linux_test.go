package watch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// makeTree makes 10 files in each of n directories, 100 of these in each directory above.
func makeTree(t testing.TB, n int) string {
	t.Helper()
	root := t.TempDir()
	for i := range n {
		dir := filepath.Join(root, fmt.Sprint(i/100), fmt.Sprint(i%100))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for f := range 10 {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(f)), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

// A tree at rest does not wake the process, and a file that changes costs little.
func TestAtRest(t *testing.T) {
	c := startChild(t, makeTree(t, 300), 10*time.Millisecond, nil)
	c.write("0/1/2")
	c.reports("a file", "0/1/2")
	time.Sleep(2 * minCooling) // the pause after a scan is over
	// Go's runtime wakes by itself now and then: one second in ten without that will do.
	least := -1
	for range 10 {
		before := c.wakeUps()
		time.Sleep(time.Second)
		if n := c.wakeUps() - before; least < 0 || n < least {
			least = n
		}
		if least <= 5 {
			break
		}
	}
	if least > 5 {
		t.Errorf("%d wake-ups in a second", least)
	}
	c.write("2/99/9")
	c.reports("a file", "2/99/9")
}

// A build that writes ignored files costs nothing.
func TestIgnoredCost(t *testing.T) {
	root := t.TempDir()
	o := options(root)
	o.Ignored = byName("target")
	tr := watchTree(t, o)
	for i := range 5_000 {
		if i%50 == 0 {
			tr.must(os.MkdirAll(tr.abs(fmt.Sprintf("target/%d/x", i/50)), 0o755))
		}
		tr.must(os.WriteFile(tr.abs(fmt.Sprintf("target/%d/x/%d", i/50, i)), nil, 0o644))
	}
	tr.quiet("ignored files")
	if got := tr.w.Watched(); got != 1 {
		t.Errorf("%d directories are watched", got)
	}
}

// More events than the reader can take are one that says so.
func TestSlowReader(t *testing.T) {
	o := options(t.TempDir())
	w := New(o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	<-w.Events()
	for i := range maxPending * 11 / 10 {
		if err := os.WriteFile(filepath.Join(o.Root, fmt.Sprint(i)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	<-w.Events() // the first batch, which has waited
	if batch := <-w.Events(); len(batch) == 1 && batch[0].All {
		return
	} else if len(batch) > maxPending {
		t.Errorf("a batch of %d events", len(batch))
	}
}

// From the start to the first event: 100,000 files in 10,000 directories.
func BenchmarkStart(b *testing.B) {
	root := makeTree(b, 10_000)
	for b.Loop() {
		c := startChild(b, root, time.Hour, nil)
		b.ReportMetric(float64(c.rss())/1e6, "MB")
	}
}

// The same, in a process that runs already.
func BenchmarkWatch(b *testing.B) {
	o := options(makeTree(b, 10_000))
	for b.Loop() {
		w := New(o)
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		<-w.Events()
		cancel()
		<-done
	}
}

// From the write of a file to its event.
func BenchmarkEvent(b *testing.B) {
	o := options(makeTree(b, 1_000))
	w := New(o)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	b.Cleanup(func() { cancel(); <-done })
	<-w.Events()
	path := filepath.Join(o.Root, "3/4/5")
	for b.Loop() {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			b.Fatal(err)
		}
		<-w.Events()
	}
}
