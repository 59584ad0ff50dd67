// Package peers is how the machines of one person, which keep the same work trees, notify
// each other of a push.
package peers

import (
	"context"
	"time"
)

// A Push says that a machine has pushed.
type Push struct {
	Repository string   `json:"repository,omitempty"` // its identity, as repo.Repository returns it; "" where only Remote is known
	Remote     string   `json:"remote,omitempty"`     // the URL that was pushed to, without a password
	Branch     string   `json:"branch,omitempty"`
	Old        string   `json:"old,omitempty"`
	New        string   `json:"new,omitempty"`
	Host       string   `json:"host,omitempty"`
	URLs       []string `json:"urls,omitempty"` // where the machine itself can be fetched from

	Fetched bool `json:"-"` // the clone here has it already; nothing else is known
}

// A Link notifies the other machines of a push, and reports theirs.
type Link interface {
	// String returns what a person calls it: "xmpp jane@example.org".
	String() string
	// Announce notifies the other machines. It returns an error when it could not; it is
	// not retried, because the other machines also poll.
	Announce(ctx context.Context, p Push) error
	// Run keeps the link until ctx ends, and calls pushed for each push of another
	// machine, and with an empty Push when some may have been missed. It retries by itself.
	Run(ctx context.Context, pushed func(Push)) error
	// Status returns the state of the link.
	Status() Status
}

// A Status is the state of a link.
type Status struct {
	Link      string    `json:"link"`
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since,omitzero"`
	Error     string    `json:"error,omitempty"`
	Peers     []Peer    `json:"peers"`
}

// A Peer is another machine that was seen on a link.
type Peer struct {
	Name     string    `json:"name"` // of its host, or its resource
	Online   bool      `json:"online"`
	Seen     time.Time `json:"seen"`
	LastPush time.Time `json:"last_push,omitzero"`
}
