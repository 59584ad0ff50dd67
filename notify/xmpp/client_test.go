package xmpp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vext/internal/testkit"
	"vext/notify"
)

// A frozen server is noticed within a minute. It is reached within 15 seconds after it is
// back, however long that took, and by the connection that waits, if there is one.
func TestFrozen(t *testing.T) {
	for _, frozen := range []time.Duration{time.Minute, 5*time.Minute + 7*time.Second, 40 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			thawed := make(chan chan struct{}, 1) // has one channel, which is closed while the server is not frozen
			running := make(chan struct{})
			close(running)
			thawed <- running
			o, _ := play(t, func(s *server) {
				thaw := <-thawed
				thawed <- thaw
				<-thaw
				if s.login() == nil {
					s.serve(nil)
				}
			})
			pipe := o.Dial
			var conn *stoppable
			o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				c, err := pipe(ctx, network, addr)
				conn = &stoppable{Conn: c}
				return conn, err
			}
			_, r, stop := start(t, o, nil)
			<-r.connected
			time.Sleep(10 * time.Minute)
			none(t, r.disconnected)
			<-thawed
			thaw := make(chan struct{})
			thawed <- thaw
			conn.stop.Store(true)
			began := time.Now()
			if err := <-r.disconnected; !errors.Is(err, errSilent) || time.Since(began) > time.Minute {
				t.Errorf("%v after %s", err, time.Since(began))
			}
			time.Sleep(frozen)
			close(thaw)
			began = time.Now()
			if <-r.connected; time.Since(began) > 15*time.Second {
				t.Errorf("connected after %s", time.Since(began))
			}
			stop()
		})
	}
}

// Messages in flight share a ping.
func TestConfirm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := make(chan *element, 1000)
		pings := 0
		o, _ := play(t, func(s *server) {
			if s.login() != nil {
				return
			}
			for e, err := s.read(); err == nil; e, err = s.read() {
				if e.child(nsPing, "ping") == nil {
					got <- e
					continue
				}
				time.Sleep(time.Second)
				pings++
				s.write("<iq type='error' id='" + e.attr("id") + "'><error type='cancel'><service-unavailable xmlns='" + nsStanzas + "'/></error></iq>")
			}
		})
		c, r, stop := start(t, o, nil)
		<-r.connected
		began := time.Now()
		var sends sync.WaitGroup
		for i := range 100 {
			sends.Go(func() {
				ok(t, c.Send(t.Context(), Message{ID: fmt.Sprint(i), To: "romeo@localhost", Type: "chat", Body: "x"}))
			})
		}
		sends.Wait()
		if len(got) != 100 || pings > 2 || time.Since(began) > 2*time.Second {
			t.Errorf("%d messages, %d pings, %s", len(got), pings, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := c.Send(ctx, Message{To: "romeo@localhost"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := c.Send(t.Context(), Message{Payload: []byte("<a><b></a>")}); !notify.IsPermanent(err) {
			t.Error(err)
		}
		go func() { time.Sleep(time.Millisecond); stop() }()
		if err := c.Send(t.Context(), Message{To: "romeo@localhost"}); !notify.IsUnavailable(err) {
			t.Error(err)
		}
		stop()
		time.Sleep(time.Minute) // until the server ends
	})
}

// A rejected login is retried at most 10 times in 10 minutes, and reported once.
func TestRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, attempts := play(t, func(s *server) {
			if s.secure(mechanismsOf("SCRAM-SHA-1", "PLAIN")) == nil {
				s.read()
				s.write("<failure xmlns='" + nsSASL + "'><not-authorized/><text>no\nsuch user</text></failure>")
				s.read()
			}
		})
		log := new(testkit.Log)
		o.Log = slog.New(slog.NewTextHandler(log, nil))
		c, _, stop := start(t, o, nil)
		for range 60 {
			c.Wake() // which does not make it log in more often
			time.Sleep(10 * time.Second)
		}
		if n := attempts.Load(); n < 2 || n > 10 {
			t.Errorf("%d logins in 10 minutes", n)
		}
		if got := c.Status(); got.Error != "the server rejected the login of romeo@localhost: wrong password, or no such account: not-authorized (no such user)" || got.Retry.IsZero() {
			t.Errorf("%+v", got)
		}
		if err := c.Send(t.Context(), Message{}); !notify.IsUnavailable(err) || !strings.Contains(err.Error(), "not-authorized") {
			t.Error(err)
		}
		if text := log.String(); strings.Count(text, "not connected") != 1 || !strings.Contains(text, "jid and password") {
			t.Error(text)
		}
		stop()
	})
}

// Pauses grow, but not far while there was a connection lately. Wake ends one.
func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := play(t, nil)
		var attempts atomic.Int32
		o.Dial = func(context.Context, string, string) (net.Conn, error) {
			attempts.Add(1)
			return nil, errors.New("connection refused")
		}
		c, _, stop := start(t, o, nil)
		count := func(d time.Duration) int {
			before := attempts.Load()
			time.Sleep(d)
			synctest.Wait()
			return int(attempts.Load() - before)
		}
		if n := count(time.Minute); n < 5 || n > 12 {
			t.Errorf("%d attempts in the first minute", n)
		}
		count(time.Hour)
		if n := count(time.Hour); n < 24 || n > 42 {
			t.Errorf("%d attempts in an hour", n)
		}
		c.Wake()
		if n := count(time.Nanosecond); n != 1 {
			t.Errorf("%d attempts", n)
		}
		stop()
	})
}

// Who takes the resource gets it; the client takes another one.
func TestConflict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		resources := map[string]bool{}
		o, _ := play(t, func(s *server) {
			if s.login() == nil {
				if s.attempt < 4 {
					time.Sleep(time.Second)
					s.write("<stream:error><conflict xmlns='" + nsStreams + "'/><text xmlns='" + nsStreams + "'>Replaced</text></stream:error></stream:stream>")
					return
				}
				s.serve(nil)
			}
		})
		_, r, stop := start(t, o, nil)
		for range 3 {
			resources[<-r.connected] = true
			if err := <-r.disconnected; err.Error() != "another connection has taken the resource" {
				t.Error(err)
			}
		}
		if resources[<-r.connected] = true; len(resources) != 4 {
			t.Errorf("%v", resources)
		}
		stop()
	})
}

// A connection that is cut is made again with the same resource.
func TestCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		resources := map[string]bool{}
		o, _ := play(t, func(s *server) {
			if s.login() == nil {
				time.Sleep(10 * time.Second)
			}
		})
		_, r, stop := start(t, o, nil)
		for range 5 {
			resources[<-r.connected] = true
			began := time.Now()
			if err := <-r.disconnected; err.Error() != "the server closed the connection" || time.Since(began) > time.Minute {
				t.Error(err, time.Since(began))
			}
		}
		if resources[<-r.connected] = true; len(resources) != 1 {
			t.Errorf("%v", resources)
		}
		stop()
		time.Sleep(time.Minute) // until the server ends
	})
}

func TestNew(t *testing.T) {
	good := Options{JID: "Romeo@Example.org", Password: "x", Now: time.Now}
	c, err := New(good)
	if err != nil || c.Status().Account != "romeo@example.org" {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Options){
		`jid ""`:                   func(o *Options) { o.JID = "" },
		`jid "a@b/c" is no`:        func(o *Options) { o.JID = "a@b/c" },
		`jid "example.org" is no`:  func(o *Options) { o.JID = "example.org" },
		"there is no password for": func(o *Options) { o.Password = "" },
		`server "host" is no`:      func(o *Options) { o.Server = "host" },
		`resource `:                func(o *Options) { o.Resource = "\xff" },
		"Now is missing":           func(o *Options) { o.Now = nil },
	} {
		o := good
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %q", err, want)
		}
	}
}
