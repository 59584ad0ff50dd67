package follow

import (
	"fmt"
	"slices"
	"time"

	"vext/internal/vcs"
)

// A State is what is stored about one repository.
type State struct {
	Name      string              `json:"name"`
	Kind      vcs.Kind            `json:"vcs"`
	Where     string              `json:"where"` // the URL, or the path of a hook's repository
	Options   *Options            `json:"options,omitempty"`
	Begun     bool                `json:"begun"`
	Positions map[string]string   `json:"positions"`          // up to which the commits of each branch are stored
	Base      []string            `json:"base,omitempty"`     // the tips at the first look
	Uncounted map[string]bool     `json:"uncounted,omitzero"` // branches whose requests are not stored, see positions.go
	Told      map[string]string   `json:"told,omitempty"`     // their positions, as earlier versions kept them
	Past      map[string][]string `json:"past,omitempty"`     // earlier positions
	Start     time.Time           `json:"start,omitzero"`     // when it was added; later commits count
	ID        string              `json:"id,omitempty"`       // of a Subversion repository
	LastTry   time.Time           `json:"last_try,omitzero"`
	LastOK    time.Time           `json:"last_ok,omitzero"`
	Failures  int                 `json:"failures,omitempty"` // since LastOK
	Failing   time.Time           `json:"failing_since,omitzero"`
	Next      time.Time           `json:"next_try,omitzero"` // the end of the backoff
	Error     string              `json:"error,omitempty"`
	Warnings  []string            `json:"warnings,omitempty"`
	Notes     []Note              `json:"notes,omitempty"` // the last few
	Gap       *Gap                `json:"gap,omitempty"`
	Vanished  []VanishedCommit    `json:"vanished,omitempty"` // not yet in the history
	HookRan   time.Time           `json:"brought,omitzero"`   // when the hook last ran
	Missed    []time.Time         `json:"missed,omitempty"`   // when runs found commits that the hook had missed, oldest first
	Arrivals  []time.Time         `json:"arrivals,omitempty"` // the last time of each day at which commits arrived, oldest first
}

// Options are the options of a repository with a hook.
type Options struct {
	Branches []string `json:"branches,omitempty"`
	Domain   string   `json:"domain,omitempty"`
	Command  []string `json:"command,omitempty"` // that the hook runs
	Made     bool     `json:"made,omitempty"`    // vext made the directory of the hooks
}

// A Note is a message about a repository that vext follow list shows later.
type Note struct {
	Time time.Time `json:"time"`
	Text string    `json:"text"`
}

// A Gap is a missing revision that may still arrive.
type Gap struct {
	Revision int       `json:"revision"`
	Since    time.Time `json:"since"`
}

// A VanishedCommit is a commit with a request that a forced update removed from its
// branch.
type VanishedCommit struct {
	Time      time.Time `json:"time"`
	Revision  string    `json:"revision"`
	Branch    string    `json:"branch"`
	Successor string    `json:"successor,omitempty"` // the revision after an amend or a rebase
}

// maxNotes bounds the notes that are kept.
const maxNotes = 20

func (s *State) note(now time.Time, format string, args ...any) string {
	text := fmt.Sprintf(format, args...)
	s.Notes = append(s.Notes, Note{now, text})
	s.Notes = s.Notes[max(0, len(s.Notes)-maxNotes):]
	return text
}

// maxArrivals bounds the number of days that are kept.
const maxArrivals = 100

// arrived records that commits have arrived.
func (s *State) arrived(now time.Time) {
	now = now.UTC().Truncate(time.Second)
	isLater := func(t time.Time) bool { return !t.Before(now.Truncate(24 * time.Hour)) } // or the clock was wrong
	s.Arrivals = append(slices.DeleteFunc(s.Arrivals, isLater), now)
	s.Arrivals = s.Arrivals[max(0, len(s.Arrivals)-maxArrivals):]
}
