package queue

import (
	"fmt"
	"testing"
	"time"
)

// A message that is due today, or not understood, is urgent once.
func TestUrgent(t *testing.T) {
	q := newQueue(t)
	var seen map[string]bool
	check := func(want bool, m mail) {
		t.Helper()
		if m.id != "" {
			m.hash = fmt.Sprintf("%040x", 1000+int(m.id[0]))
			put(t, q, m)
		}
		urgent, names, err := q.Urgent(seen)
		if seen = names; urgent != want || err != nil {
			t.Errorf("%+v: %t, %v", m, urgent, err)
		}
	}
	check(false, mail{})
	check(false, mail{id: "a"})
	check(true, mail{id: "b", asks: "MFC after: now"})
	check(false, mail{})
	check(true, mail{id: "c", asks: "MFC after: soon"})
	check(false, mail{id: "d", asks: "MFC after: now", branch: "refs/heads/topic"})
	check(false, mail{id: "e", asks: "MFC after: now", from: "x@elsewhere.example"})
	check(true, mail{id: "f", asks: "MFC after: 1 week", date: "2026-11-01 09:00:00 +0000"})
	schedule(t, q)
	check(false, mail{})
}

// A mail that is held is urgent when its time is over.
func TestUrgentHeld(t *testing.T) {
	q := newQueue(t)
	q.Policy.Hold = 15 * time.Minute
	came(t, q, "a@x", "", "src", hash, 0, "MFC after: now")
	urgent, names, err := q.Urgent(nil)
	if urgent || names["a@x"] || err != nil {
		t.Errorf("young: %t, %v, %v", urgent, names, err)
	}
	q.Now = q.Now.Add(15 * time.Minute)
	if urgent, _, err = q.Urgent(names); !urgent || err != nil {
		t.Errorf("ripe: %t, %v", urgent, err)
	}
}
