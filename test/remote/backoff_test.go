package remote

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"vext/internal/testkit/remotedaemon"
)

// A listener in the place of sshd accepts connections and closes them.
type listener struct {
	net.Listener
	attempts atomic.Int64
}

func closing(t *testing.T, port int) *listener {
	t.Helper()
	l := new(listener)
	var err error
	l.Listener, err = net.Listen("tcp", fmt.Sprint("127.0.0.1:", port))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			l.attempts.Add(1)
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close() })
	return l
}

// While a server is down there are few attempts, none during a pause, and it is
// connected again soon after its return.
func TestBackoff(t *testing.T) {
	t.Parallel()
	w := remotedaemon.New(t, remotedaemon.Options{SSH: true, Far: fars[2].options(t).Far})
	d := w.Start(remotedaemon.Vext(t))
	d.Connected()
	w.SSH.Stop()
	l := closing(t, w.SSH.Port)
	d.Expect("DISCONNECTED " + w.URI())
	down := long(15*time.Second, time.Minute)
	time.Sleep(down)
	if n := l.attempts.Load(); n < 3 || n > 10 {
		t.Errorf("%d attempts in %s", n, down)
	}
	d.Send("PAUSE")
	time.Sleep(still)
	before := l.attempts.Load()
	time.Sleep(long(5*time.Second, 70*time.Second))
	if n := l.attempts.Load() - before; n > 0 {
		t.Errorf("%d attempts during a pause", n)
	}
	l.Close()
	w.SSH.Restart()
	d.Send("RESUME", "RESUME")
	d.Connected()
	d.Quiet(still)
	if n := w.SSH.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
	w.Commit("main")
	w.SSH.Cut() // and sshd is up
	begun := time.Now()
	d.Seek("DISCONNECTED ", remotedaemon.Patience)
	d.Seek("CONNECTED ", remotedaemon.Patience)
	if took := time.Since(begun); took > 15*time.Second {
		t.Errorf("connected again after %s", took)
	}
	w.Equal()
	d.Stop()
}

// A connection whose far side has stopped, as that to a machine that sleeps, is lost
// within a minute, and LOSTNET ends it at once.
func TestFrozen(t *testing.T) {
	t.Parallel()
	w := remotedaemon.New(t, remotedaemon.Options{SSH: true, Far: fars[2].options(t).Far})
	d := w.Start(remotedaemon.Vext(t))
	d.Connected()
	w.SSH.Freeze()
	begun := time.Now()
	d.Send("LOSTNET")
	d.Expect("DISCONNECTED " + w.URI())
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("LOSTNET took %s", took)
	}
	w.Commit("main")
	d.Send("RESUME")
	d.Connected()
	d.Synced()
	if long(0, 1) == 1 {
		w.SSH.Freeze()
		begun := time.Now()
		d.Seek("DISCONNECTED ", time.Minute)
		t.Logf("noticed after %s", time.Since(begun))
	}
	w.SSH.Cut()
	d.Stop()
}
