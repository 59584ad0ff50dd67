// Package outboxtest tests that implementations of notify.Outbox keep its contract. It
// also has an Outbox in memory, for the tests of other packages.
package outboxtest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"vext/notify"
)

// A Case is an Outbox with nothing in it, and what its transport does.
type Case struct {
	Outbox  notify.Outbox
	Target  string                   // of the suite's messages; "" for a channel of IRC
	Claim   func(key string)         // puts the message in flight
	Deliver func(key string)         // confirms it
	Reject  func(key, reason string) // rejects it permanently
}

// src is the usual target.
const src = "irc://irc.example.org/#src"

// Test tests that an Outbox does what notify.Outbox says. open opens a new one for each
// part.
func Test(t *testing.T, open func(t *testing.T) Case) {
	for name, test := range map[string]func(*suite){
		"put": (*suite).put, "delivered": (*suite).delivered, "rejected": (*suite).rejected, "deadline": (*suite).deadline,
		"bounce": (*suite).bounce, "forget": (*suite).forget, "without a key": (*suite).withoutKey, "ended": (*suite).ended,
	} {
		t.Run(name, func(t *testing.T) {
			s := &suite{t, t.Context(), open(t)}
			s.Target = cmp.Or(s.Target, src)
			test(s)
		})
	}
}

type suite struct {
	t   *testing.T
	ctx context.Context
	Case
}

func (s *suite) message(key string) notify.Message {
	return notify.Message{Target: s.Target, Text: "text of " + key, Key: key, Reminder: true}
}

func (s *suite) mustPut(keys ...string) {
	s.t.Helper()
	var all []notify.Message
	for _, key := range keys {
		all = append(all, s.message(key))
	}
	if err := s.Outbox.Put(s.ctx, all...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *suite) wantPending(want ...string) {
	s.t.Helper()
	got, err := s.Outbox.Pending(s.ctx)
	if slices.Sort(got); err != nil || !slices.Equal(got, want) {
		s.t.Errorf("pending %q, %v; want %q", got, err, want)
	}
}

// wantBounces checks the bounces, each KEY: REASON.
func (s *suite) wantBounces(now time.Time, want ...string) {
	s.t.Helper()
	all, err := s.Outbox.Bounces(s.ctx, now)
	var got []string
	for _, b := range all {
		got = append(got, fmt.Sprintf("%s: %s", b.Key, b.Reason))
		if b.Target != s.Target {
			s.t.Errorf("a bounce from %q", b.Target)
		}
	}
	if slices.Sort(got); err != nil || !slices.Equal(got, want) {
		s.t.Errorf("bounces %q, %v; want %q", got, err, want)
	}
}

// outcome returns what has become of a message.
func (s *suite) outcome(key string) (o notify.Outcome, known bool) {
	s.t.Helper()
	all, err := s.Outbox.Outcomes(s.ctx, key, "nobody's")
	if _, more := all["nobody's"]; err != nil || more {
		s.t.Errorf("outcomes %+v, %v", all, err)
	}
	o, known = all[key]
	return o, known
}

func (s *suite) wantUnknown(keys ...string) {
	s.t.Helper()
	for _, key := range keys {
		if o, known := s.outcome(key); known {
			s.t.Errorf("%s is known: %+v", key, o)
		}
	}
}

func (s *suite) mustBounce(reason string, keys ...string) {
	s.t.Helper()
	if err := s.Outbox.Bounce(s.ctx, reason, keys...); err != nil {
		s.t.Error(err)
	}
}

// A message that is put is pending; a known one is ignored; a call with an invalid target
// accepts nothing.
func (s *suite) put() {
	s.wantPending()
	s.mustPut("a", "b", "a")
	s.mustPut("b")
	s.wantPending("a", "b")
	if o, known := s.outcome("a"); !known || o.Accepted.IsZero() || !o.Delivered.IsZero() || o.Rejected != "" {
		s.t.Errorf("pending: %+v, %v", o, known)
	}
	bad := s.message("d")
	bad.Target = "irc://"
	if err := s.Outbox.Put(s.ctx, s.message("c"), bad); err == nil {
		s.t.Error("an invalid target was accepted")
	}
	s.wantPending("a", "b")
	s.wantUnknown("c", "d")
}

// A delivered message is not pending, can't bounce, and is ignored when it is put again.
func (s *suite) delivered() {
	s.mustPut("a", "b")
	s.Claim("a")
	s.wantPending("a", "b")
	s.Deliver("a")
	s.wantPending("b")
	s.mustBounce("late", "a")
	s.mustPut("a")
	s.wantPending("b")
	s.wantBounces(time.Time{})
	if o, known := s.outcome("a"); !known || o.Delivered.IsZero() || o.Rejected != "" {
		s.t.Errorf("delivered: %+v, %v", o, known)
	}
}

// A message that was rejected has bounced, is not pending, keeps its reason, and is ignored
// when it is put again, until it is forgotten.
func (s *suite) rejected() {
	s.mustPut("a", "b")
	s.Claim("a")
	s.Reject("a", "the line is too long")
	s.wantPending("b")
	s.mustBounce("late", "a")
	s.mustPut("a")
	s.wantPending("b")
	s.wantBounces(time.Time{}, "a: the line is too long")
	if o, known := s.outcome("a"); !known || !o.Delivered.IsZero() || o.Rejected != "the line is too long" {
		s.t.Errorf("bounced: %+v, %v", o, known)
	}
	if err := s.Outbox.Forget(s.ctx, "a"); err != nil {
		s.t.Error(err)
	}
	s.wantBounces(time.Time{})
	s.mustPut("a")
	s.wantPending("a", "b")
}

// A message bounces when its deadline is over, or was set with a clock that was far
// ahead. One without a deadline does not, nor one in flight.
func (s *suite) deadline() {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	put := func(key string, deadline time.Time) {
		s.t.Helper()
		m := s.message(key)
		m.Deadline = deadline
		if err := s.Outbox.Put(s.ctx, m); err != nil {
			s.t.Fatal(err)
		}
	}
	put("a", now)
	put("b", now.Add(time.Second))
	put("c", time.Time{})
	put("d", now.AddDate(20, 0, 0))
	put("e", now)
	s.Claim("e")
	const late = ": it could not be delivered in time"
	s.wantBounces(now.Add(-time.Second), "d"+late)
	s.wantBounces(now, "a"+late, "d"+late)
	s.wantPending("b", "c", "e")
	s.wantBounces(now.Add(time.Second), "a"+late, "b"+late, "d"+late)
	s.wantPending("c", "e")
}

// A pending message can be bounced, unless it is in flight.
func (s *suite) bounce() {
	s.mustPut("a", "b", "c")
	s.Claim("a")
	s.mustBounce("unwanted", "a", "b", "nobody's")
	s.mustBounce("nothing")
	s.wantPending("a", "c")
	s.wantBounces(time.Time{}, "b: unwanted")
}

// A message that has ended and is forgotten can be put again.
func (s *suite) forget() {
	s.mustPut("a", "b")
	s.Claim("a")
	s.Deliver("a")
	s.Claim("b")
	s.Reject("b", "no")
	if err := s.Outbox.Forget(s.ctx, "a", "b", "nobody's"); err != nil {
		s.t.Error(err)
	}
	s.wantUnknown("a", "b")
	s.mustPut("a", "b")
	s.wantPending("a", "b")
}

// A message without a key is in no answer.
func (s *suite) withoutKey() {
	if err := s.Outbox.Put(s.ctx, notify.Message{Target: s.Target, Text: "x"}, notify.Message{Target: s.Target, Text: "y"}); err != nil {
		s.t.Fatal(err)
	}
	s.wantPending()
	s.wantUnknown("")
	s.mustBounce("no", "")
	s.wantBounces(time.Time{})
}

// A call whose context has ended fails, unless it was done before.
func (s *suite) ended() {
	ended, cancel := context.WithCancel(s.ctx)
	cancel()
	if err := s.Outbox.Put(ended, s.message("a")); err == nil {
		s.wantPending("a")
	}
}
