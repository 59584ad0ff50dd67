package reminder

import (
	"errors"
	"slices"
	"strings"

	"vext/internal/commit"
	"vext/internal/history"
	"vext/internal/text"
)

// A commit whose trailer is not understood gets no day. Its message is quarantined,
// and its committer gets a mail at once that explains why. This mail follows the
// rules of a reminder: it goes only to an address that a reminder may go to, is
// sent once, is recorded, and is retried when it can't be sent.

// errUnclear stands for the reason why a trailer is not understood, until its
// message is read.
var errUnclear = errors.New("not understood")

// unclear returns the quarantined messages whose trailer is not understood, and which may
// have to be explained.
func (r *run) unclear() (items []*dueItem, err error) {
	if !r.Explain || r.tally == nil || len(r.tally.Unclear) == 0 {
		return nil, nil
	}
	entries, err := r.Queue.QuarantinedEntries()
	for _, entry := range entries {
		if e, is := r.tally.Unclear[entry.Name]; is && r.explains(&e) {
			items = append(items, &dueItem{entry: entry, event: e, why: errUnclear})
		}
	}
	return items, err
}

// unexplained returns the messages whose committers are to get a mail that the trailer is
// not understood.
func (r *run) unexplained() (items []*dueItem, err error) {
	if err := r.tally.update(r.Queue.History); err != nil {
		return nil, err
	}
	unclear, err := r.unclear()
	if len(unclear) == 0 {
		return nil, err
	}
	if err := r.lookUp(r.pending()); err != nil {
		return nil, err
	}
	for _, item := range unclear {
		item.byName, item.commit = r.index.Name(item.entry.Name), r.index.Commit(item.event.Key)
		if !r.isExplained(item, items) {
			items = append(items, item)
		}
	}
	return items, err
}

// explains reports whether the recipient may get a mail about a message that is not
// understood. Imported commits are too old for one.
func (s *Service) explains(e *history.Event) bool {
	return e.Cause == history.CausePeriod && e.Source != commit.FromImport && s.Queue.Policy.DeniesRecipient(commit.Person{Email: e.Address}, e.Source) == ""
}

// isExplained reports whether the committer got a mail about the message, or about the
// same line of the same commit from another source, or will get one with the items before.
// A mail about another line, or to another recipient, does not count, so that a forged
// message does not suppress the mail about the true commit.
func (s *Service) isExplained(item *dueItem, before []*dueItem) bool {
	isSame := func(e *history.Event) bool {
		return e.Asked == item.event.Asked && strings.EqualFold(e.Address, item.event.Address)
	}
	return len(item.byName.Explained) > 0 || slices.ContainsFunc(item.commit.All.Explained, isSame) ||
		slices.ContainsFunc(before, func(b *dueItem) bool {
			return isSame(&b.event) && commit.SameCommit(s.Queue.History.CanonicalKey(b.event.Key), s.Queue.History.CanonicalKey(item.event.Key))
		})
}

// prepareExplanation reads the message of an item and decides whether to explain it.
// The operator decides when this version understands it, or when allow no longer
// lists the recipient.
func (s *Service) prepareExplanation(item *dueItem) (Words, bool, error) {
	m, denied, err := s.readDue(item)
	if err != nil || denied != "" {
		return Words{}, false, err
	}
	_, why := s.Queue.DayOf(m)
	if why == nil || s.Queue.Policy.Distrusts(&m.Commit) != "" {
		return Words{}, false, nil
	}
	item.why = why
	return s.words(m, item.entry.Name, &item.commit.All, s.Queue.Today()), true, nil
}

// notExplained records that the mail to a committer can't be sent, so that it is not
// retried for ever. The message stays in failed/.
func (r *run) notExplained(item *dueItem, reason string) error {
	e := item.event
	e.Time, e.Kind, e.Cause, e.Reason = history.Stamp(r.Queue.Now), history.Explained, "", "not sent: "+reason
	r.Log.Warn("not explained", "name", e.Name, "to", e.Address, "reason", text.JoinLines(reason))
	return r.Queue.History.Append(e)
}
