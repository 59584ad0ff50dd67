package reminder

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/internal/target"
	"vext/internal/testkit/outboxtest"
	"vext/notify"
	"vext/policy"
)

// A fakeOutbox is an outbox for IRC in memory. It outlives every crash of the
// service, as one on disk does.
type fakeOutbox struct {
	t       testing.TB
	lines   []*outLine
	said    []string // target and text of all that was delivered
	err     error    // of every call
	onCall  func()   // before and after every call
	isPlain bool     // it says nothing of somebody else's lines, and takes all
}

// TestFakeOutbox checks that the fake keeps the promises of an outbox.
func TestFakeOutbox(t *testing.T) {
	outboxtest.Test(t, func(*testing.T) outboxtest.Case {
		o := &fakeOutbox{t: t, isPlain: true}
		return outboxtest.Case{
			Outbox:  o,
			Claim:   func(key string) { o.find(key).onWire = true },
			Deliver: func(key string) { o.find(key).Delivered = now },
			Reject:  func(key, reason string) { o.find(key).Rejected = reason },
		}
	})
}

type outLine struct {
	notify.Message
	notify.Outcome
	onWire bool
}

func (o *fakeOutbox) call() func() {
	if o.onCall == nil {
		return func() {}
	}
	o.onCall()
	return o.onCall
}

func (o *fakeOutbox) find(key string) *outLine {
	for _, l := range o.lines {
		if l.Key == key && key != "" {
			return l
		}
	}
	return nil
}

func (o *fakeOutbox) Put(ctx context.Context, lines ...notify.Message) error {
	defer o.call()()
	if err := cmp.Or(o.err, ctx.Err()); err != nil {
		return err
	}
	for _, l := range lines {
		if !o.isPlain && (!l.Reminder || l.Key == "") {
			o.t.Errorf("not a reminder: %+v", l)
		}
		if _, err := target.Parse(l.Target); err != nil {
			return err
		}
	}
	for _, l := range lines {
		if o.find(l.Key) == nil {
			o.lines = append(o.lines, &outLine{Message: l, Outcome: notify.Outcome{Accepted: now}})
		}
	}
	return nil
}

func (o *fakeOutbox) Outcomes(_ context.Context, keys ...string) (map[string]notify.Outcome, error) {
	defer o.call()()
	outcomes := map[string]notify.Outcome{}
	for _, key := range keys {
		if l := o.find(key); l != nil {
			outcomes[key] = l.Outcome
		}
	}
	return outcomes, o.err
}

func (l *outLine) isWaiting() bool { return l.Delivered.IsZero() && l.Rejected == "" }

func (o *fakeOutbox) Pending(context.Context) ([]string, error) {
	defer o.call()()
	keys := []string{"somebody else's"}
	if o.isPlain {
		keys = nil
	}
	for _, l := range o.lines {
		if l.isWaiting() && l.Key != "" {
			keys = append(keys, l.Key)
		}
	}
	return keys, o.err
}

func (o *fakeOutbox) Bounce(_ context.Context, reason string, keys ...string) error {
	defer o.call()()
	if o.err != nil {
		return o.err
	}
	for _, key := range keys {
		if key == "somebody else's" {
			o.t.Error("bounced what is not a reminder")
		}
		if l := o.find(key); l != nil && l.isWaiting() && !l.onWire {
			l.Rejected = reason
		}
	}
	return nil
}

func (o *fakeOutbox) Forget(_ context.Context, keys ...string) error {
	defer o.call()()
	for _, key := range keys {
		l := o.find(key)
		if l == nil {
			continue
		}
		if l.isWaiting() && !o.isPlain {
			o.t.Errorf("forgot a message that is pending: %s", key)
		}
		o.lines = slices.DeleteFunc(o.lines, func(other *outLine) bool { return other == l })
	}
	return o.err
}

// tell delivers what is pending for targets with this in their names.
func (o *fakeOutbox) deliver(part string) {
	for _, l := range o.lines {
		if l.isWaiting() && strings.Contains(l.Target, part) {
			l.Delivered, l.onWire = now, false
			o.said = append(o.said, l.Target+" "+l.Text)
		}
	}
}

func (o *fakeOutbox) reject(part, why string) {
	for _, l := range o.lines {
		if l.isWaiting() && strings.Contains(l.Target, part) {
			l.Rejected = why
		}
	}
}

// send puts all that is pending in flight.
func (o *fakeOutbox) send() {
	for _, l := range o.lines {
		l.onWire = l.isWaiting()
	}
}

// newIRC returns a service whose reminders go these ways: "mail" and URLs.
func newIRC(t testing.TB, to ...string) (*Service, *sender, *fakeOutbox) {
	t.Helper()
	s, out := newService(t)
	irc := &fakeOutbox{t: t}
	s.Outbox = irc
	s.Queue.Policy.Routes = []policy.Route{way(t, to...)}
	return s, out, irc
}

func way(t testing.TB, to ...string) policy.Route {
	t.Helper()
	var w policy.Route
	for _, one := range to {
		if one == "mail" {
			w.Mail = true
			continue
		}
		to, err := target.Parse(one)
		if err != nil {
			t.Fatal(err)
		}
		w.Targets = append(w.Targets, to)
	}
	return w
}

func (o *fakeOutbox) Bounces(_ context.Context, at time.Time) (all []notify.Bounce, err error) {
	defer o.call()()
	for _, l := range o.lines {
		if left := l.Deadline.Sub(at); l.isWaiting() && !l.onWire && !l.Deadline.IsZero() && (left <= 0 || left > 7*24*time.Hour) {
			l.Rejected = "it could not be delivered in time"
		}
		if l.Rejected != "" && l.Key != "" {
			all = append(all, notify.Bounce{Key: l.Key, Target: l.Target, Reason: l.Rejected})
		}
	}
	return all, o.err
}
