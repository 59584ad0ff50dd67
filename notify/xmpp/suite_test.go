package xmpp

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"vext/internal/target"
	"vext/internal/testkit/outboxtest"
	"vext/notify"
	"vext/outbox"
)

// An outbox with this transport keeps the contract of every outbox.
func TestOutbox(t *testing.T) {
	for _, to := range []string{jane, room} {
		t.Run(to, func(t *testing.T) {
			outboxtest.Test(t, func(t *testing.T) outboxtest.Case {
				tr := NewTransport(nil)
				tr.Account, tr.Log, tr.Now = account, slog.New(slog.DiscardHandler), time.Now
				o, err := outbox.Open(t.TempDir(), notify.Transports{target.XMPP: tr}, time.Now)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { o.Close() })
				claims := map[string]*notify.Claim{}
				return outboxtest.Case{
					Outbox: o, Target: to,
					Claim:   func(key string) { claims[key] = claimOf(t, o, to, key) },
					Deliver: func(key string) { o.Done(claims[key], nil); flush(t, o) },
					Reject: func(key, why string) {
						o.Done(claims[key], &notify.PermanentError{Err: errors.New(why)})
						<-o.Bounced()
					},
				}
			})
		})
	}
}

// claimOf claims the message of a key.
func claimOf(t *testing.T, o *outbox.Outbox, url, key string) *notify.Claim {
	for after := uint64(0); ; {
		c, err := o.Next(url, after)
		if err != nil || c == nil {
			t.Fatalf("no message %s: %v", key, err)
		}
		if c.Text == "text of "+key {
			return c
		}
		o.Done(c, notify.ErrNotSent)
		after = c.Number
	}
}

// flush waits until all results are written: a change goes into the transaction with them,
// or into a later one.
func flush(t *testing.T, o *outbox.Outbox) {
	if err := o.Forget(t.Context(), "nobody's"); err != nil {
		t.Fatal(err)
	}
}
