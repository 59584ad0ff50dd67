package irc

import "time"

// A NetworkStatus is the state of one network.
type NetworkStatus struct {
	Network  string          `json:"network"` // its URL
	Links    []LinkStatus    `json:"connections"`
	Channels []ChannelStatus `json:"channels"` // and persons
}

// A LinkStatus is the state of one connection.
type LinkStatus struct {
	Number      int       `json:"number,omitempty"` // of a further connection, from 2
	State       string    `json:"state"`            // connected, connecting, away
	Since       time.Time `json:"since,omitzero"`   // when it was made, or lost
	Nick        string    `json:"nick,omitempty"`
	ConfirmedBy string    `json:"confirmed_by,omitempty"` // labels or PING
	Confirmed   time.Time `json:"confirmed,omitzero"`     // when the last line was
	Error       string    `json:"error,omitempty"`        // why there is no connection
	Lost        string    `json:"lost,omitempty"`         // why the last one ended
	LostTime    time.Time `json:"lost_time,omitzero"`
}

// A ChannelStatus is the state of one channel or person.
type ChannelStatus struct {
	Target    string    `json:"target"` // URL without secrets
	Name      string    `json:"name"`
	State     string    `json:"state"` // joined, joining, waiting, refused, person, idle
	Since     time.Time `json:"since,omitzero"`
	Problem   string    `json:"problem,omitempty"`
	Failing   time.Time `json:"failing,omitzero"` // since when there is a problem
	Retry     time.Time `json:"retry,omitzero"`   // when it is retried
	Backlog   int       `json:"backlog"`
	Oldest    time.Time `json:"oldest,omitzero"` // of the backlog
	Delivered time.Time `json:"told,omitzero"`   // when the last line was confirmed

	Bounced     int       `json:"rejected,omitempty"` // how many lines have bounced, ever
	LastBounced time.Time `json:"rejected_time,omitzero"`
	LastReason  string    `json:"rejection,omitempty"` // of the last of them
}

// IsConnected reports whether one of the connections is up.
func (n *NetworkStatus) IsConnected() bool {
	for _, l := range n.Links {
		if l.State == "connected" {
			return true
		}
	}
	return false
}
