// Package autosync keeps a work tree in sync: it commits what changes, pushes it, and takes
// in what the other machines of a person have pushed. Files, and commits, are never lost.
package autosync

import (
	"context"
	"log/slog"
	"os"
	"time"

	"vext/source/autosync/peers"
	"vext/source/autosync/repo"
)

// Options are how a work tree is kept in sync. Each duration must be set, but PushAfter may
// be 0; of the bounds, 0 is none.
type Options struct {
	// Repo opens the repository. It is called by Open, and later to find out whether what
	// is in the place of the tree is the same repository.
	Repo func(ctx context.Context) (repo.Repository, error)

	Quiet     time.Duration // without a change of a file, before it is committed
	Longest   time.Duration // that a file which never rests waits for a commit
	PushAfter time.Duration // without a commit, before a push
	PullEvery time.Duration
	Rescan    time.Duration // between two looks at the whole tree, whatever was reported
	Poll      time.Duration // between two looks where the system reports no changes

	Ignore         []string // patterns, as in .gitignore, of files that are neither watched nor committed
	MaxFile        int64    // bytes of a file
	MaxChangeFiles int      // tracked files that one commit may change or delete without Now
	MaxChangeBytes int64    // that one commit may add without Now

	Message        string   // a template, see MessageData; "" for the default
	MessageCommand []string // a program that writes the message, see message.go
	Host           string   // name of this machine; "" for that of the system

	// DryRun, when not nil, gets what would be committed and run. Nothing is.
	DryRun func(text string)
	// Announce notifies the other machines after a push. It may be nil.
	Announce func(ctx context.Context, p peers.Push)
	// Notify shows a notice to the person, at most once a minute. It may wait for what the
	// person does, until ctx ends. It may be nil.
	Notify func(ctx context.Context, n Notice)

	Log *slog.Logger
	Now func() time.Time
}

// A Notice is for the person in front of the machine.
type Notice struct {
	Title, Body string
	Urgent      bool   // the person has something to do
	Folder      string // to open; "" for none
}

// withDefaults returns the options with the defaults for what is not set.
func (o Options) withDefaults() Options {
	if o.Host == "" {
		o.Host, _ = os.Hostname()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// CheckMessage returns an error if a template of messages cannot be used.
func CheckMessage(source string) error {
	now := func() time.Time { return time.Time{} }
	_, err := newWriter(Options{Message: source, Host: "host", Now: now, Log: slog.New(slog.DiscardHandler)}, "/")
	return err
}
