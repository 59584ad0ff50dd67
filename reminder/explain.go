package reminder

import (
	"errors"
	"strings"

	"vext/internal/commit"
	"vext/internal/history"
	"vext/internal/text"
	"vext/notify"
	"vext/queue"
	"vext/templates"
)

// A commit whose trailer is not understood gets no day. Its message is quarantined,
// and its committer gets a mail at once that explains why. This mail follows the
// rules of a reminder: it goes only to an address that a reminder may go to, is
// sent once, is recorded, and is retried when it can't be sent.

// errUnclear stands for the reason why a trailer is not understood, until its
// message is read.
var errUnclear = errors.New("not understood")

// unexplained returns the messages that are quarantined because their trailer is
// not understood, and whose committers did not get a mail about it yet.
func (r *run) unexplained() ([]*dueItem, error) {
	if !r.Explain {
		return nil, nil
	}
	entries, err := r.Queue.QuarantinedEntries()
	if len(entries) == 0 {
		return nil, err
	}
	failed := make(map[string]*history.Event, len(entries)) // by name; the last time
	for _, e := range entries {
		failed[e.Name] = nil
	}
	var explained []history.Event
	r.today = r.newDayCount() // as due does, which has not read the history when nothing is due
	_, scanErr := r.Queue.History.Scan(func(e *history.Event) {
		r.today.take(e)
		if _, isThere := failed[e.Name]; isThere && e.Kind == history.Failed {
			event := *e
			failed[e.Name] = &event
		}
		if e.Kind == history.Explained {
			explained = append(explained, *e)
		}
	})
	if scanErr != nil {
		return nil, errors.Join(err, scanErr)
	}
	var items []*dueItem
	var names, keys []string
	for _, entry := range entries {
		e := failed[entry.Name]
		if e == nil || !r.explains(e) || r.isExplained(e, explained) {
			continue
		}
		explained = append(explained, *e) // the same commit may have come twice
		items = append(items, &dueItem{entry: entry, event: *e, why: errUnclear})
		names, keys = append(names, entry.Name), append(keys, e.Key)
	}
	if len(items) == 0 {
		return nil, err
	}
	known, knowErr := r.Queue.History.Lookup(names, keys)
	if knowErr != nil {
		return nil, errors.Join(err, knowErr)
	}
	for _, item := range items {
		item.byName, item.commit = known.Name(item.entry.Name), known.Commit(item.event.Key)
	}
	return items, err
}

// explains reports whether the recipient may get a mail about a message that is not
// understood. Imported commits are too old for one.
func (s *Service) explains(e *history.Event) bool {
	return e.Cause == history.CausePeriod && e.Source != commit.FromImport && s.Queue.Policy.DeniesRecipient(commit.Person{Email: e.Address}, e.Source) == ""
}

// isExplained reports whether the person got a mail about the message, or about the
// same line of the same commit from another source. A mail about another line, or
// to another person, does not count, so that a forged message does not suppress
// the mail about the true commit.
func (s *Service) isExplained(e *history.Event, explained []history.Event) bool {
	for i := range explained {
		t := &explained[i]
		if t.Name == e.Name {
			return true
		}
		if t.Asked == e.Asked && strings.EqualFold(t.Address, e.Address) && e.Key != "" &&
			commit.SameCommit(s.Queue.History.CanonicalKey(t.Key), s.Queue.History.CanonicalKey(e.Key)) {
			return true
		}
	}
	return false
}

// prepareExplanation reads the message of an item and decides whether to explain it.
// The operator decides when this version understands it, or when allow no longer
// lists the recipient.
func (s *Service) prepareExplanation(item *dueItem) (Words, bool, error) {
	m, err := s.Queue.Read(item.entry)
	if queue.IsNotUnderstood(err) {
		return Words{}, false, nil
	}
	if err != nil {
		return Words{}, false, err
	}
	_, why := s.Queue.DayOf(m)
	if why == nil || s.Queue.Policy.Distrusts(&m.Commit) != "" || s.Queue.Policy.DeniesRecipient(s.Queue.Policy.Recipient(&m.Commit), m.Source) != "" {
		return Words{}, false, nil
	}
	item.message, item.why = m, why
	return s.words(m, item.entry.Name, &item.commit.All, s.Queue.Today()), true, nil
}

// notUnderstoodData is the data of not-understood.txt.
type notUnderstoodData struct {
	Words
	Why string // what is wrong with the line: not a period such as "2 weeks"
}

// explanation composes the mail to a committer whose trailer is not understood, with
// the operator in Reply-To.
func (s *Service) explanation(item *dueItem, w Words) (*notify.Mail, error) {
	w.Asked = text.Shorten(w.Asked, maxText)
	words, err := s.Templates.Text(templates.NotUnderstood, notUnderstoodData{w, item.why.Error()})
	if err != nil {
		return nil, err
	}
	return s.write(&draft{
		kind:    kindExplains,
		to:      s.Queue.Policy.Recipient(&item.message.Commit),
		subject: "[Not understood] " + w.Subject,
		text:    words,
		key:     kindExplains + "\n" + item.key(),
		replyTo: []string{item.message.ID},
		answers: s.Operator,
	})
}

// notExplained records that the mail to a committer can't be sent, so that it is not
// retried for ever. The message stays in failed/.
func (r *run) notExplained(item *dueItem, reason string) error {
	e := item.event
	e.Time, e.Kind, e.Cause, e.Reason = history.Stamp(r.Queue.Now), history.Explained, "", "not sent: "+reason
	r.Log.Warn("not explained", "name", e.Name, "to", e.Address, "reason", text.JoinLines(reason))
	return r.Queue.History.Append(e)
}
