// Package reminder processes the due date: it composes reminders, sends and records
// them. A run schedules the spool, and then sends what is due.
package reminder

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/emersion/go-message/mail"

	"vext/internal/history"
	"vext/notify"
	"vext/queue"
	"vext/templates"
)

// A Service is what a run needs. It belongs to one goroutine.
type Service struct {
	Queue       *queue.Queue
	Mail        notify.Sender
	WithoutMail bool // no mail is configured, on purpose
	Templates   *templates.Set
	From        *mail.Address
	Envelope    string                    // the envelope sender
	Operator    string                    // address, may be empty
	Vext        string                    // the beginning of the commands in mails, for sh(1); "" for vext
	Host        string                    // the name of this machine
	OnHost      func(address string) bool // whether the commands work there for a recipient; nil for nobody
	Digest      bool
	Repeat      Repeat
	Quiet       Quiet
	Early       int       // for how many days before its day a conflict is looked for; 0 for none
	Explain     bool      // mail committers whose trailer is not understood
	MaxPerDay   int       // mails to one recipient a day for commits that can be forged; 0 for no limit
	Sources     Sources   // may be nil
	Backports   Backports // nil when no repository can be looked at
	// Links returns the templates of URLs of a repository, see config.Repository; nil for none.
	Links    func(repository string) map[string]string
	Log      *slog.Logger
	Progress func(what string) queue.Progress // may return nil

	// Outbox is for the targets of routes; nil when no route has one. While it returns
	// errors, reminders for targets stay in the queue, for a day.
	Outbox notify.Outbox
	// Await, unless nil, is called once a run when messages are pending, without the
	// lock. It returns when the outcomes of those with the keys are known, or after
	// a timeout.
	Await func(ctx context.Context, keys []string)
}

// Sources are the sources that look for commits themselves, as a run uses them.
type Sources interface {
	// CatchUp spools the commits that a source has missed. Its failures are in
	// Alerts.
	CatchUp(ctx context.Context) error
	// Vanished calls record with the commits that are no longer where they
	// were. Those that record returns are passed to it again by the next run.
	Vanished(ctx context.Context, record func([]history.Event) ([]history.Event, error)) error
	// Alerts returns the sources, and the targets, that have failed for so
	// long that the operator is to be notified.
	Alerts(now time.Time) []Alert
}

// An Alert is a source, or a target, that fails.
type Alert struct {
	Subject  string    // the repository, the channel
	Location string    // its URL or path; IRC or XMPP
	Since    time.Time // when it first failed
	Message  string    // how it fails
}

// A Summary counts what a run did.
type Summary struct {
	Queued, Ignored, Duplicates int
	Sent, Deferred, Quarantined int
	Merged                      int // due, and merged already
	MergedSince                 int // after their reminder
	Needless                    int // due, and there is nothing to do for another reason
	Unclear                     int // of the quarantined: the trailer is not understood
	InBackoff                   int // due, but failed before
	Quiet                       int // due, and held because the day is quiet
	Held                        int // the recipient's daily maximum is reached
	HeldBefore                  int // the same, by an earlier run
	Waiting                     int // for a tag, although their day has come
	Notices                     int // mails about conflicts to come, and merges that were not found
	Explained                   int // mails to committers whose trailer is not understood
	Fallbacks                   int // sent another way, because a message to a target has bounced
}

// Empty reports whether the run had nothing to do.
func (s Summary) Empty() bool {
	return s == Summary{InBackoff: s.InBackoff, HeldBefore: s.HeldBefore, Quiet: s.Quiet, Waiting: s.Waiting}
}

// String returns the summary for a person: "2 queued, 1 sent".
func (s Summary) String() string {
	said := ""
	for _, part := range []struct {
		n    int
		what string
	}{
		{s.Queued, "queued"}, {s.Ignored, "ignored"}, {s.Duplicates, "known already"},
		{s.Sent, "sent"}, {s.Merged, "merged already"}, {s.Needless, "not needed"}, {s.MergedSince, "merged since"}, {s.Deferred, "to be retried"}, {s.Quarantined, "quarantined"}, {s.InBackoff, "in backoff"},
		{s.Explained, "explained"}, {s.Notices, "warned of"}, {s.Held + s.HeldBefore, "held for tomorrow"}, {s.Quiet, "held on a quiet day"}, {s.Waiting, "waiting for a tag"}, {s.Fallbacks, "sent another way"},
	} {
		if part.n > 0 {
			said += fmt.Sprintf(", %d %s", part.n, part.what)
		}
	}
	if said == "" {
		return "nothing to do"
	}
	return said[2:]
}
