package notify

import (
	"maps"
	"slices"

	"vext/internal/target"
)

// RecipientOf returns a target as the outbox knows it: with or without its key, or the
// password of the room, it is one recipient.
func RecipientOf(t *target.Target) Recipient {
	bare := *t
	bare.Key = ""
	return Recipient{URL: bare.URL(), Secret: t.Key}
}

// Addressed returns messages with the URLs of their recipients for targets, and these
// recipients, each once.
func Addressed(messages []Message) (addressed []Message, recipients []Recipient, err error) {
	known := map[string]Recipient{}
	for _, m := range messages {
		t, err := target.Parse(m.Target)
		if err != nil {
			return nil, nil, err
		}
		r := RecipientOf(&t)
		if known[r.URL].Secret == "" {
			known[r.URL] = r
		}
		m.Target = r.URL
		addressed = append(addressed, m)
	}
	return addressed, slices.Collect(maps.Values(known)), nil
}
