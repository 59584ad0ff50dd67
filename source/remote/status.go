package remote

import (
	"os"
	"time"
)

// A Status is the state of a daemon.
type Status struct {
	Dir     string         `json:"directory"` // the git directory
	PID     int            `json:"pid"`
	Started time.Time      `json:"started"`
	Remotes []RemoteStatus `json:"remotes"`

	// Warnings are about the configuration: remotes that are left out, and why.
	Warnings []string `json:"warnings,omitempty"`
}

func (c *Control) status() *Status {
	remotes := c.d.Status()
	if remotes == nil {
		remotes = []RemoteStatus{} // [] in JSON
	}
	return &Status{Dir: c.d.CommonDir(), PID: os.Getpid(), Started: c.started, Remotes: remotes, Warnings: c.d.configWarnings()}
}
