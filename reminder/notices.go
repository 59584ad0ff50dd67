package reminder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"vext/internal/backport"
	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
	"vext/internal/text"
	"vext/notify"
	"vext/queue"
	"vext/templates"
)

// A notice is a mail to a committer beside the reminder, sent once.
type notice struct {
	entry    queue.Entry
	cause    string   // history.CauseEarly or history.CauseNotFound
	branches []string // that it is about
	by       string   // of CauseNotFound: who has said that it is merged there
}

// noticeData is the data of early.txt and not-found.txt.
type noticeData struct {
	Words
	Due      string   // the day of the reminder: Fri 4 Dec 2026; empty in not-found.txt
	About    []string // the branches that it is about
	MarkedBy string   // in not-found.txt: who has said that it is merged there
}

// ParseEarly reads for how many days before its day a reminder is looked at: "3 days".
func ParseEarly(s string) (days int, err error) {
	if strings.TrimSpace(s) == "" {
		return 0, nil
	}
	p, err := commit.ParsePeriod(s)
	if err != nil {
		return 0, fmt.Errorf("early: %q is %w", s, err)
	}
	day := calendar.Date(2026, 1, 1)
	due, err := p.Due(day)
	if days = due.Sub(day); err != nil || !p.Date.IsZero() || days < 1 {
		return 0, fmt.Errorf("early: %q: needs a period of a day or more", s)
	}
	return days, nil
}

// findConflicts looks for reminders of the next days whose commits do not apply.
func (r *run) findConflicts(ctx context.Context) {
	if r.Early == 0 {
		return
	}
	entries, _ := r.Queue.Entries(r.Queue.Today().AddDays(r.Early))
	entries = slices.DeleteFunc(entries, func(e queue.Entry) bool { return !r.Queue.Today().Before(e.Day) })
	for _, e := range entries {
		if m, err := r.Queue.Read(e); err == nil {
			r.read[e] = m
		}
	}
	r.look(ctx, entries, maxLook, true)
	for _, e := range entries {
		if branches := r.found[e].branches(isConflict); len(branches) > 0 && r.found[e].Reverted == nil {
			r.notices = append(r.notices, notice{e, history.CauseEarly, branches, ""})
		}
	}
}

func isConflict(t *backport.Target) bool { return t.State == backport.Conflict }

// branches returns the targets for which is holds.
func (b *Backport) branches(is func(*backport.Target) bool) (branches []string) {
	if b == nil || b.Why != "" {
		return nil
	}
	for i := range b.Targets {
		if is(&b.Targets[i]) {
			branches = append(branches, text.OneLine(b.Targets[i].Branch))
		}
	}
	return branches
}

// doneAfter is for how many days what a person has called merged may be missing.
const doneAfter = 7

// findMissing looks for commits that a person has called merged some time ago, and that
// are not on the branch.
func (r *run) findMissing(ctx context.Context) {
	marks, err := r.Queue.History.Marks()
	if err != nil {
		return // the run meets the error again
	}
	said := map[string][]history.Event{}
	for _, m := range marks {
		days := r.Queue.Today().Sub(calendar.Of(m.Time, r.Queue.Zone))
		if m.Mark == history.MarkDone && m.Name != "" && days >= doneAfter && days <= maxFollowed {
			said[m.Name] = append(said[m.Name], m)
		}
	}
	if len(said) == 0 {
		return
	}
	kept, _ := r.Queue.Kept(func(name string) bool { return said[name] != nil })
	for _, e := range kept {
		if m, err := r.Queue.Read(e); err == nil {
			r.read[e] = m
		}
	}
	r.look(ctx, kept, maxLook, false)
	for _, e := range kept {
		isMissing := func(t *backport.Target) bool { // merged by nothing but the mark
			return t.State == backport.Merged && t.By == "" && slices.ContainsFunc(said[e.Name], func(m history.Event) bool {
				return m.Target == "" || m.Target == t.Branch
			})
		}
		if branches := r.found[e].branches(isMissing); len(branches) > 0 {
			r.notices = append(r.notices, notice{e, history.CauseNotFound, branches, said[e.Name][0].By})
		}
	}
}

// sendNotices sends the notices that were not sent before. One that fails is sent by a run
// of another day.
func (r *run) sendNotices(ctx context.Context) error {
	if len(r.notices) == 0 || r.Mail == nil {
		return nil
	}
	about := r.pending()
	for _, n := range r.notices {
		about.AddWithCommit(n.entry.Name)
	}
	if err := r.lookUp(about); err != nil {
		return err
	}
	for _, n := range r.notices {
		err := r.sendNotice(ctx, n)
		if isHistoryError(err) || ctx.Err() != nil {
			return err
		}
		if err != nil {
			r.Log.Warn("a notice was not sent", "name", n.entry.Name, "err", err)
			if notify.IsUnavailable(err) {
				return nil
			}
		}
	}
	return nil
}

// sendNotice sends a notice, and records it.
func (r *run) sendNotice(ctx context.Context, n notice) error {
	m, state := r.read[n.entry], r.index.Name(n.entry.Name)
	if state.Queued == nil || state.HasWarned(n.cause) || n.cause == history.CauseEarly && state.Done || r.isQuiet(m) ||
		r.Queue.Policy.DeniesRecipient(r.Queue.Policy.Recipient(&m.Commit), m.Source) != "" {
		return nil
	}
	item := &dueItem{
		entry: n.entry, message: m, event: *state.Queued, byName: state,
		commit: r.index.Commit(state.Queued.Key), found: r.found[n.entry],
	}
	if r.isOverLimit(item) {
		return nil
	}
	w := r.wordsOf(item, m)
	data := noticeData{Words: w, About: n.branches, MarkedBy: text.OneLine(n.by)}
	d := draft{
		kind: n.cause, to: r.Queue.Policy.Recipient(&m.Commit), key: n.cause + "\n" + item.key(), replyTo: []string{m.ID},
		subject: "[Not found] " + w.Subject,
	}
	template := templates.NotFound
	if n.cause == history.CauseEarly {
		template, data.Due, d.subject = templates.Early, n.entry.Day.Long(), "[Conflict] "+w.Subject
	}
	var err error
	if d.text, err = r.Templates.Text(template, data); err != nil {
		return err
	}
	mail, err := r.write(&d)
	if err != nil {
		return err
	}
	sending, cancel := finishing(ctx)
	defer cancel()
	if err := r.Mail.Send(sending, mail); err != nil && !notify.IsUnconfirmed(err) {
		return err
	}
	r.count([]*dueItem{item})
	r.sum.Notices++
	e := item.event
	e.Time, e.Kind, e.Cause, e.Address = history.Stamp(r.Queue.Now), history.Warned, n.cause, d.to.Email
	e.Via, e.By, e.Asked, e.Due = r.Mail.String(), "", "", ""
	e.Reason = "conflicts on " + strings.Join(n.branches, ", ")
	if n.cause == history.CauseNotFound {
		e.Reason = "called done, and not found on " + strings.Join(n.branches, ", ")
	}
	return errors.Join(r.record(e))
}
