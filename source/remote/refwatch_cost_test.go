package remote

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// What 10,000 refs in 500 directories cost.
func TestRefWatchSize(t *testing.T) {
	var names []string
	for i := range 10_000 {
		names = append(names, fmt.Sprintf("refs/heads/%03d/%05d", i%500, i))
	}
	d := gitFiles(t, names...)
	w := watching(t, d)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	r := run(t, w)
	t.Logf("start: %s", time.Since(start))
	runtime.GC()
	runtime.ReadMemStats(&after)
	if kept := int64(after.HeapAlloc) - int64(before.HeapAlloc); kept > 2<<20 {
		t.Errorf("%d bytes are kept", kept)
	} else {
		t.Logf("memory: %d KiB", kept>>10)
	}
	start = time.Now()
	if _, err := w.sign(); err != nil {
		t.Error(err)
	}
	t.Logf("one signature: %s", time.Since(start))
	write(t, filepath.Join(d.common, names[9999]))
	r.look("one of them")
}

// From the write of a ref to the look, with and without other work for the processors.
func TestRefWatchLatency(t *testing.T) {
	for _, name := range []string{"idle", "busy"} {
		t.Run(name, func(t *testing.T) {
			d := gitFiles(t)
			r := run(t, watching(t, d))
			var stop atomic.Bool
			defer stop.Store(true)
			for range map[string]int{"idle": 0, "busy": 2 * runtime.NumCPU()}[name] {
				go func() {
					for !stop.Load() {
					}
				}()
			}
			var took []time.Duration
			for range 50 {
				start := time.Now()
				write(t, filepath.Join(d.common, "refs/heads/main"))
				r.look("a ref")
				took = append(took, time.Since(start))
				for len(r.looks) > 0 {
					<-r.looks
				}
			}
			slices.Sort(took)
			t.Logf("median %s, 95%% %s", took[25], took[47])
			if took[25] > time.Second {
				t.Errorf("median %s", took[25])
			}
		})
	}
}
