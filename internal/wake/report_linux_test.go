package wake

import (
	"context"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vext/internal/testkit"
)

// A new address is reported, and nothing else is.
func TestReportAddress(t *testing.T) {
	testkit.Root(t)
	ip := testkit.Program(t, "ip")
	runtime.LockOSThread() // and never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("a network of its own: %v", err)
	}
	reports, stop, err := report()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	select {
	case <-reports:
		t.Error("reported before anything has changed")
	case <-time.After(50 * time.Millisecond):
	}
	if out, err := exec.Command(ip, "address", "add", "192.0.2.1/32", "dev", "lo").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	select {
	case <-reports:
	case <-time.After(5 * time.Second):
		t.Error("not reported")
	}
}

func TestWatchEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		Watch(ctx, time.Now, func() { t.Error("woke") })
	}()
	time.Sleep(20 * time.Millisecond)
	cancel()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Error("it goes on")
	}
}
