package xmpp

import (
	"slices"
	"strings"
	"time"

	"vext/internal/target"
	"vext/notify"
)

// A TransportStatus is the state of the connection, and of all recipients that are known.
type TransportStatus struct {
	Status
	Recipients []RecipientStatus `json:"recipients"`
}

// A RecipientStatus is the state of one person or room.
type RecipientStatus struct {
	Target    string    `json:"target"` // URI without secrets
	State     string    `json:"state"`  // joined, joining, waiting, refused, person, idle
	Since     time.Time `json:"since,omitzero"`
	Nick      string    `json:"nick,omitempty"` // ours in the room
	Problem   string    `json:"problem,omitempty"`
	Failing   time.Time `json:"failing,omitzero"` // since when there is a problem
	Retry     time.Time `json:"retry,omitzero"`   // when it is retried
	Pending   int       `json:"pending"`
	Oldest    time.Time `json:"oldest,omitzero"`    // of the pending ones
	Delivered time.Time `json:"delivered,omitzero"` // when the last one was confirmed
	Receipt   time.Time `json:"receipt,omitzero"`   // when the last receipt came (XEP-0184)

	Bounced     int       `json:"bounced,omitempty"` // how many messages have bounced, ever
	LastBounced time.Time `json:"last_bounced,omitzero"`
	LastReason  string    `json:"last_reason,omitempty"`
}

// States returns the states of all persons and rooms.
func (s *TransportStatus) States() (all []notify.RecipientStatus) {
	for _, r := range s.Recipients {
		all = append(all, notify.RecipientStatus{
			Target: r.Target, Name: r.Target, State: r.State, Problem: r.Problem, Failing: r.Failing, Retry: r.Retry, Receipt: r.Receipt,
			Backlog: notify.Backlog{
				Count: r.Pending, Oldest: r.Oldest, Delivered: r.Delivered,
				Bounced: r.Bounced, LastBounced: r.LastBounced, LastReason: r.LastReason,
			},
		})
	}
	return all
}

// Problem implements notify.Transport.
func (t *Transport) Problem(url string) string {
	t.mu.Lock()
	r, isRunning := t.recipients[url], t.ctx != nil
	t.mu.Unlock()
	if r == nil || !isRunning {
		return ""
	}
	if s := t.conn.Status(); !s.Connected && s.Error != "" {
		return s.Error
	}
	return r.status().Problem
}

// Status implements notify.Transport: it returns a *TransportStatus with all recipients that
// the queue knows, nil when there is neither an account nor a recipient.
func (t *Transport) Status(q notify.Queue) any {
	s := &TransportStatus{Status: Status{Account: t.Account}, Recipients: []RecipientStatus{}}
	if t.conn != nil {
		s.Status = t.conn.Status()
	}
	known, _ := q.Recipients(true)
	for _, one := range known {
		s.Recipients = append(s.Recipients, t.recipientStatus(q, one.URL))
	}
	for _, r := range t.all() { // kept, and nothing was ever said
		if !slices.ContainsFunc(known, func(one notify.Recipient) bool { return one.URL == r.url }) {
			s.Recipients = append(s.Recipients, r.status())
		}
	}
	if s.Account == "" && len(s.Recipients) == 0 {
		return (*TransportStatus)(nil)
	}
	slices.SortFunc(s.Recipients, func(a, b RecipientStatus) int { return strings.Compare(a.Target, b.Target) })
	return s
}

func (t *Transport) recipientStatus(q notify.Queue, url string) RecipientStatus {
	t.mu.Lock()
	r := t.recipients[url]
	t.mu.Unlock()
	s := RecipientStatus{Target: url, State: "idle"}
	if to, err := target.Parse(url); err == nil {
		s.Target = to.String()
	}
	if r != nil {
		s = r.status()
	}
	b, _ := q.Backlog(url)
	if s.Pending = b.Count; s.Pending > 0 && s.State == "idle" {
		s.State = "waiting"
	}
	s.Oldest, s.Delivered = b.Oldest, b.Delivered
	s.Bounced, s.LastBounced, s.LastReason = b.Bounced, b.LastBounced, b.LastReason
	return s
}

func (r *recipient) status() RecipientStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := RecipientStatus{Target: r.target.String(), Since: r.since, Problem: r.problem, Failing: r.failing, Retry: r.retry, Receipt: r.receipt}
	switch {
	case r.target.IsPerson:
		s.State = "person"
	case r.state == inside:
		s.State, s.Nick = "joined", r.nick
	case r.state == entering:
		s.State = "joining"
	case r.problem != "":
		s.State = "refused"
	case r.keep[r.url]:
		s.State = "waiting"
	default:
		s.State = "idle"
	}
	return s
}
