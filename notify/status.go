package notify

import "time"

// A RecipientStatus is the state of a recipient, as the transports of all protocols have it.
type RecipientStatus struct {
	Target  string // URL without secrets
	Name    string // by which a person knows it on that network
	State   string // joined, joining, waiting, refused, person, idle
	Problem string
	Failing time.Time // since when there is a problem
	Retry   time.Time // when it is retried
	Receipt time.Time // when the last receipt came; zero on IRC
	Backlog
}
