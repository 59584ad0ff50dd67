package autosync

import (
	"context"
	"maps"
	"slices"
	"time"

	"vext/source/autosync/peers"
	"vext/source/autosync/repo"
)

// A State is what a tree does.
type State string

// The states of a tree.
const (
	Starting State = "starting" // it looks for the first time
	Watching State = "watching" // all is well
	Paused   State = "paused"   // until Resume
	Busy     State = "busy"     // a person, or another process, is in the middle of something
	Held     State = "held"     // more has changed than is committed without Now
	Stopped  State = "stopped"  // a person must decide; nothing is touched
	Offline  State = "offline"  // the remote cannot be reached; commits go on
	Failing  State = "failing"  // something failed, and is retried
)

// A Status is the state of a tree.
type Status struct {
	Path   string `json:"path"`
	VCS    string `json:"vcs"`
	Branch string `json:"branch,omitempty"`
	Remote string `json:"remote,omitempty"` // the URL, without a password

	State     State     `json:"state"`
	Reason    string    `json:"reason,omitempty"`
	NextRetry time.Time `json:"next_retry,omitzero"`
	Errors    []string  `json:"errors"` // those that still count

	Waiting    Waiting       `json:"waiting"` // to be committed
	Unpushed   int           `json:"unpushed"`
	LastCommit *CommitStatus `json:"last_commit,omitempty"`
	LastPush   time.Time     `json:"last_push,omitzero"`
	LastPull   time.Time     `json:"last_pull,omitzero"`

	Conflicts []string      `json:"conflicts"` // copies that still exist
	TooLarge  []RefusedFile `json:"too_large"`
	Refused   []RefusedFile `json:"refused"`
	Staged    []string      `json:"staged"` // by a person, who commits them

	Watch WatchStatus    `json:"watch"`
	Links []peers.Status `json:"links"` // whoever has the links fills this in
}

// Waiting is what will be committed.
type Waiting struct {
	Number int      `json:"number"`
	Files  []string `json:"files"` // the first ones
}

// A CommitStatus is the last commit of a tree.
type CommitStatus struct {
	Hash    string    `json:"hash"`
	Time    time.Time `json:"time"`
	Subject string    `json:"subject"`
}

// A RefusedFile is a file that is not committed, and why.
type RefusedFile struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// A WatchStatus is how a tree is watched.
type WatchStatus struct {
	Mode        string `json:"mode"` // "inotify", "polling", ...
	Directories int    `json:"directories"`
	Reason      string `json:"reason,omitempty"` // why it polls
}

// NewStatus returns the status of a tree of which no more is known than this. Its lists are
// empty, and not null in JSON.
func NewStatus(path string, state State, reason string) Status {
	return Status{
		Path: path, State: state, Reason: reason, Errors: []string{}, Waiting: Waiting{Files: []string{}}, Conflicts: []string{},
		TooLarge: []RefusedFile{}, Refused: []RefusedFile{}, Staged: []string{}, Links: []peers.Status{},
	}
}

// maxListed bounds the waiting files that a status names.
const maxListed = 10

// Status returns the state of the tree. It does not wait for the loop, but for the file system,
// which may not answer: it asks which copies of conflicts still exist.
func (t *Tree) Status() Status {
	t.mu.Lock()
	state, reason, retry := t.state()
	s := NewStatus(t.Root(), state, reason)
	s.NextRetry = retry
	s.VCS, s.Branch, s.Remote = t.repo.Kind(), t.remote.branch, t.remote.url
	s.Unpushed, s.LastPush, s.LastPull = t.remote.unpushed, t.remote.lastPush, t.remote.lastPull
	s.LastCommit = t.lastCommit
	s.Conflicts = append(s.Conflicts, t.conflicts...)
	for _, back := range []setback{t.watches, t.commits, t.syncs} {
		if back.state != "" && !slices.Contains(s.Errors, back.reason) {
			s.Errors = append(s.Errors, back.reason)
		}
	}
	s.Waiting = t.waiting()
	for _, path := range slices.Sorted(maps.Keys(t.skipped)) {
		switch skipped := t.skipped[path]; skipped.kind {
		case skipStaged:
			s.Staged = append(s.Staged, path)
		case skipTooLarge:
			s.TooLarge = append(s.TooLarge, RefusedFile{path, skipped.reason})
		case skipRefused:
			s.Refused = append(s.Refused, RefusedFile{path, skipped.reason})
		}
	}
	w := t.watcher
	t.mu.Unlock()
	if w != nil {
		s.Watch.Mode, s.Watch.Directories = w.Mode(), w.Watched()
	}
	s.Conflicts = slices.DeleteFunc(s.Conflicts, func(path string) bool {
		_, exists := lookAt(t.Root(), path)
		return !exists
	})
	return s
}

// state returns what the tree does, why, and when it tries again. The caller has the lock.
func (t *Tree) state() (State, string, time.Time) {
	if t.paused {
		return Paused, "", time.Time{}
	}
	for _, state := range []State{Stopped, Held, Busy, Failing, Offline} {
		for _, back := range []*setback{&t.watches, &t.commits, &t.syncs} {
			if back.state == state {
				return state, back.reason, back.until
			}
		}
	}
	if !t.looked {
		return Starting, "", time.Time{}
	}
	return Watching, "", time.Time{}
}

// describe finds out what the last commit is, if it is not the one that was made here last:
// it was made by a person or on another machine, or made again by a rebase.
func (t *Tree) describe(ctx context.Context) {
	t.mu.Lock()
	head, last := t.remote.head, t.lastCommit
	t.mu.Unlock()
	d, ok := t.repo.(repo.Describer)
	if !ok || head == "" || last != nil && last.Hash == head {
		return
	}
	subject, made, err := d.Describe(ctx, head)
	if err != nil {
		t.o.Log.Debug("the last commit is unknown", "tree", t.Root(), "error", err)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lastCommit = &CommitStatus{Hash: head, Time: made, Subject: subject}
}

// waiting returns what will be committed. The caller has the lock.
func (t *Tree) waiting() Waiting {
	w := Waiting{Files: []string{}}
	for path := range t.pending.waiting {
		if path != whole && !IsTemporary(path) {
			w.Files = append(w.Files, path)
		}
	}
	w.Number = len(w.Files)
	slices.Sort(w.Files)
	w.Files = w.Files[:min(len(w.Files), maxListed)]
	return w
}
