// Package outboxtest tests that implementations of notify.Outbox keep its contract. It
// also has an Outbox in memory, for the tests of other packages.
package outboxtest

import (
	"context"
	"slices"
	"testing"

	"vext/notify"
)

// A Case is an Outbox with nothing in it, and what a server does behind it.
type Case struct {
	Outbox notify.Outbox
	Claim  func(key string)         // puts the line on the wire
	Tell   func(key string)         // confirms it
	Reject func(key, reason string) // says that it will never be told
}

// src is the target of the suite's lines.
const src = "irc://irc.example.org/#src"

// Test tests that an Outbox does what notify.Outbox says. open opens a new one
// for each part.
func Test(t *testing.T, open func(t *testing.T) Case) {
	for name, test := range map[string]func(*suite){
		"put": (*suite).put, "told": (*suite).told, "rejected": (*suite).rejected, "withdraw": (*suite).withdraw,
		"forget": (*suite).forget, "without a key": (*suite).withoutKey, "ended": (*suite).ended,
	} {
		t.Run(name, func(t *testing.T) { test(&suite{t, t.Context(), open(t)}) })
	}
}

type suite struct {
	t   *testing.T
	ctx context.Context
	Case
}

func line(key string) notify.Message {
	return notify.Message{Target: src, Text: "text of " + key, Key: key, Reminder: true}
}

func (s *suite) take(keys ...string) {
	s.t.Helper()
	var all []notify.Message
	for _, key := range keys {
		all = append(all, line(key))
	}
	if err := s.Outbox.Put(s.ctx, all...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *suite) wantWaiting(want ...string) {
	s.t.Helper()
	got, err := s.Outbox.Pending(s.ctx)
	if slices.Sort(got); err != nil || !slices.Equal(got, want) {
		s.t.Errorf("waiting %q, %v; want %q", got, err, want)
	}
}

// outcome returns what has become of a line.
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

func (s *suite) wantBack(want []string, keys ...string) {
	s.t.Helper()
	got, err := s.Outbox.Withdraw(s.ctx, keys...)
	if slices.Sort(got); err != nil || !slices.Equal(got, want) {
		s.t.Errorf("withdrawn %q, %v; want %q", got, err, want)
	}
}

// A line that is put is pending; a known line is ignored; a call with an invalid target
// accepts nothing.
func (s *suite) put() {
	s.wantWaiting()
	s.take("a", "b", "a")
	s.take("b")
	s.wantWaiting("a", "b")
	if o, known := s.outcome("a"); !known || o.Accepted.IsZero() || !o.Delivered.IsZero() || o.Rejected != "" {
		s.t.Errorf("what waits: %+v, %v", o, known)
	}
	bad := line("d")
	bad.Target = "irc://"
	if err := s.Outbox.Put(s.ctx, line("c"), bad); err == nil {
		s.t.Error("a target that is none was taken")
	}
	s.wantWaiting("a", "b")
	s.wantUnknown("c", "d")
}

// What was told does not wait, can't be taken back, and is not taken again.
func (s *suite) told() {
	s.take("a", "b")
	s.Claim("a")
	s.wantWaiting("a", "b")
	s.Tell("a")
	s.wantWaiting("b")
	s.wantBack(nil, "a")
	s.take("a")
	s.wantWaiting("b")
	if o, known := s.outcome("a"); !known || o.Delivered.IsZero() || o.Rejected != "" {
		s.t.Errorf("what was told: %+v, %v", o, known)
	}
}

// What was rejected has a reason, does not wait, can't be taken back, and is not
// taken again.
func (s *suite) rejected() {
	s.take("a", "b")
	s.Claim("a")
	s.Reject("a", "the line is too long")
	s.wantWaiting("b")
	s.wantBack(nil, "a")
	s.take("a")
	s.wantWaiting("b")
	if o, known := s.outcome("a"); !known || !o.Delivered.IsZero() || o.Rejected != "the line is too long" {
		s.t.Errorf("what was rejected: %+v, %v", o, known)
	}
}

// What was taken back is forgotten, and can be put again; what is on the wire
// can't be taken back.
func (s *suite) withdraw() {
	s.take("a", "b", "c")
	s.Claim("a")
	s.wantBack([]string{"b"}, "a", "b", "nobody's")
	s.wantBack(nil)
	s.wantUnknown("b")
	s.wantWaiting("a", "c")
	s.take("b")
	s.wantWaiting("a", "b", "c")
}

// What was told or rejected and is forgotten can be put again.
func (s *suite) forget() {
	s.take("a", "b")
	s.Claim("a")
	s.Tell("a")
	s.Claim("b")
	s.Reject("b", "no")
	if err := s.Outbox.Forget(s.ctx, "a", "b", "nobody's"); err != nil {
		s.t.Error(err)
	}
	s.wantUnknown("a", "b")
	s.take("a", "b")
	s.wantWaiting("a", "b")
}

// A line without a key is in no answer.
func (s *suite) withoutKey() {
	if err := s.Outbox.Put(s.ctx, notify.Message{Target: src, Text: "x"}, notify.Message{Target: src, Text: "y"}); err != nil {
		s.t.Fatal(err)
	}
	s.wantWaiting()
	s.wantUnknown("")
	s.wantBack(nil, "")
}

// A call whose context has ended fails, unless it was done before.
func (s *suite) ended() {
	ended, cancel := context.WithCancel(s.ctx)
	cancel()
	if err := s.Outbox.Put(ended, line("a")); err == nil {
		s.wantWaiting("a")
	}
}
