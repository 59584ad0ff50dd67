package notify

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"vext/internal/target"
)

// Transports is a Transport that chooses one of several by the protocol of a target's URL,
// as target.Protocol returns it. Each gets a Queue with its own recipients only.
type Transports map[string]Transport

// Accept implements Transport. The messages for one recipient stay in their order.
func (all Transports) Accept(messages []Message) (accepted []Message, recipients []Recipient, err error) {
	own := map[string][]Message{}
	for _, m := range messages {
		protocol := target.Protocol(m.Target)
		if all[protocol] == nil {
			if _, err := target.Parse(m.Target); err != nil {
				return nil, nil, err
			}
			return nil, nil, &PermanentError{fmt.Errorf("no transport for %s: targets", protocol)}
		}
		own[protocol] = append(own[protocol], m)
	}
	for _, protocol := range slices.Sorted(maps.Keys(own)) {
		m, r, err := all[protocol].Accept(own[protocol])
		if err != nil {
			return nil, nil, err
		}
		accepted, recipients = append(accepted, m...), append(recipients, r...)
	}
	return accepted, recipients, nil
}

// Wake implements Transport.
func (all Transports) Wake(recipients []Recipient) {
	for protocol, t := range all {
		if own := ownRecipients(protocol, recipients); len(own) > 0 {
			t.Wake(own)
		}
	}
}

// Problem implements Transport.
func (all Transports) Problem(url string) string {
	if t := all[target.Protocol(url)]; t != nil {
		return t.Problem(url)
	}
	return ""
}

// Status implements Transport: it returns the state of each transport, by its protocol.
func (all Transports) Status(q Queue) any {
	status := map[string]any{}
	for protocol, t := range all {
		status[protocol] = t.Status(ownQueue{q, protocol})
	}
	return status
}

// Run implements Transport. It runs all; the error of one ends the others.
func (all Transports) Run(ctx context.Context, q Queue) error {
	group, ctx := errgroup.WithContext(ctx)
	for protocol, t := range all {
		group.Go(func() error { return t.Run(ctx, ownQueue{q, protocol}) })
	}
	return group.Wait()
}

// An ownQueue is a queue as one of several transports sees it.
type ownQueue struct {
	Queue
	protocol string
}

// Recipients implements Queue.
func (q ownQueue) Recipients(all bool) ([]Recipient, error) {
	known, err := q.Queue.Recipients(all)
	return ownRecipients(q.protocol, known), err
}

// ownRecipients returns the recipients of a protocol.
func ownRecipients(protocol string, all []Recipient) (own []Recipient) {
	for _, r := range all {
		if target.Protocol(r.URL) == protocol {
			own = append(own, r)
		}
	}
	return own
}
