package reminder

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"vext/internal/history"
	"vext/notify"
)

// everyHour runs the service every hour for so many days, and returns when the
// mail server was given something.
func everyHour(t *testing.T, s *Service, out *sender, days int, fail func(try int) error) (tries []time.Duration) {
	t.Helper()
	start := s.Queue.Now
	out.fail = func(*notify.Mail) error {
		tries = append(tries, s.Queue.Now.Sub(start))
		return fail(len(tries))
	}
	for end := start.AddDate(0, 0, days); s.Queue.Now.Before(end); s.Queue.Now = s.Queue.Now.Add(time.Hour) {
		if _, err := s.Run(context.Background()); err != nil && !notify.IsUnconfirmed(err) && !strings.Contains(err.Error(), "later") {
			t.Fatalf("%s: %v", s.Queue.Now, err)
		}
	}
	return tries
}

func eventsOf(t *testing.T, s *Service, kinds ...string) (events []history.Event) {
	t.Helper()
	_, err := s.Queue.History.Scan(func(e *history.Event) {
		for _, kind := range kinds {
			if e.Kind == kind {
				events = append(events, *e)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// A server that takes the mail and never says so gets it three times, with
// backoff; then it is taken for sent.
func TestNeverConfirmed(t *testing.T) {
	for _, closed := range []bool{false, true} {
		s, out := newService(t)
		put(t, s, "a", "ida@example.org", "MFC after: 0 days")
		tries := everyHour(t, s, out, 25, func(int) error {
			err := errors.New("EOF")
			if closed {
				err = &notify.UnavailableError{Err: err}
			}
			return &notify.UnconfirmedError{Err: err}
		})
		if len(tries) != 3 || tries[2]-tries[1] <= tries[1]-tries[0] {
			t.Errorf("closed %v: sent after %v", closed, tries)
		}
		sent := eventsOf(t, s, history.Sent)
		if len(sent) != 1 || !strings.Contains(sent[0].Reason, "counts as sent") || sent[0].Address != "ida@example.org" {
			t.Errorf("closed %v: sent %+v", closed, sent)
		}
		if entries, _ := s.Queue.Entries(s.Queue.Today()); len(entries) > 0 {
			t.Errorf("closed %v: waits: %v", closed, entries)
		}
	}
}

// What is not known is counted for all tries together, whatever comes between.
func TestSometimesConfirmed(t *testing.T) {
	unknown := &notify.UnconfirmedError{Err: errors.New("EOF")}
	for _, test := range []struct {
		name    string
		answers []error
		unknown int
		sent    string // the reason, "-" for none that was sent
	}{
		{"confirmed at the second try", []error{unknown, nil}, 1, ""},
		{"busy in between", []error{unknown, errors.New("later"), errors.New("later"), unknown, errors.New("later"), unknown}, 2, "counts as sent"},
		{"rejected at last", []error{unknown, &notify.PermanentError{Err: errors.New("550")}}, 1, "-"},
	} {
		s, out := newService(t)
		put(t, s, "a", "ida@example.org", "MFC after: 0 days")
		tries := everyHour(t, s, out, 15, func(try int) error { return test.answers[min(try, len(test.answers))-1] })
		sent := eventsOf(t, s, history.Sent)
		if len(tries) != len(test.answers) || len(eventsOf(t, s, history.Unconfirmed)) != test.unknown || len(sent) != 1 && test.sent != "-" {
			t.Errorf("%s: %d tries, %d unconfirmed, sent %+v", test.name, len(tries), len(eventsOf(t, s, history.Unconfirmed)), sent)
		}
		if len(sent) == 1 && !strings.HasPrefix(sent[0].Reason, test.sent) {
			t.Errorf("%s: %q", test.name, sent[0].Reason)
		}
	}
}

// A digest, and a service that is ended meanwhile, know as little.
func TestUnconfirmedDigest(t *testing.T) {
	s, out := newService(t)
	s.Digest = true
	put(t, s, "a", "ida@example.org", "MFC after: 0 days")
	put(t, s, "b", "ida@example.org", "MFC after: 0 days")
	ctx, cancel := context.WithCancel(context.Background())
	out.fail = func(*notify.Mail) error { cancel(); return &notify.UnconfirmedError{Err: errors.New("EOF")} }
	if _, err := s.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if n := len(eventsOf(t, s, history.Unconfirmed)); n != 2 {
		t.Errorf("%d recorded", n)
	}
}

// The operator does not get a mail at every run from a server that never answers.
func TestOperatorUnconfirmed(t *testing.T) {
	s, out := newService(t)
	s.Operator = "ops@example.org"
	put(t, s, "a", "ida@example.org", "MFC after: soon")
	if tries := everyHour(t, s, out, 2, func(int) error { return &notify.UnconfirmedError{Err: errors.New("EOF")} }); len(tries) != 1 {
		t.Errorf("%d mails", len(tries))
	}
}

// A person who wants it once more gets it: the count begins anew.
func TestUnconfirmedRetried(t *testing.T) {
	s, out := newService(t)
	put(t, s, "a", "ida@example.org", "MFC after: 0 days")
	unknown := func(int) error { return &notify.UnconfirmedError{Err: errors.New("EOF")} }
	everyHour(t, s, out, 1, unknown)
	if err := s.Queue.Retry(find(t, s, "a"), "ops"); err != nil {
		t.Fatal(err)
	}
	if tries := everyHour(t, s, out, 10, unknown); len(tries) != 3 {
		t.Errorf("%d tries", len(tries))
	}
}

// A run ends in time, and leaves the rest to the next.
func TestMaxRun(t *testing.T) {
	s, out := newService(t)
	for _, id := range []string{"a", "b", "c"} {
		put(t, s, id, id+"@example.org", "MFC after: 0 days")
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	out.fail = func(*notify.Mail) error {
		if len(out.mails) == 1 {
			cancel(errMaxRun)
		}
		return nil
	}
	if _, err := s.Run(ctx); !errors.Is(err, errMaxRun) || strings.Contains(err.Error(), "interrupted") {
		t.Errorf("%v", err)
	}
	out.fail = nil
	mustRun(t, s, 0, "1 sent")
}

// The event of a failed attempt names the commit, so that vext log shows and filters it.
func TestDeferralNamesCommit(t *testing.T) {
	s, out := newService(t)
	out.fail = func(*notify.Mail) error { return &notify.UnavailableError{Err: errors.New("connection refused")} }
	put(t, s, "a", "a@example.org", "MFC after: 0 days")
	at(t, s, 0)
	var got, queued history.Event
	if _, err := s.Queue.History.Scan(func(e *history.Event) {
		switch e.Kind {
		case history.Queued:
			queued = *e
		case history.Deferred:
			got = *e
		}
	}); err != nil {
		t.Fatal(err)
	}
	if queued.Revision == "" || got.Revision != queued.Revision || got.Subject != queued.Subject || got.Repository != queued.Repository {
		t.Errorf("deferred: %+v, queued: %+v", got, queued)
	}
}
