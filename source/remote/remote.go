// Package remote watches the remotes of one clone of git, and fetches what is new.
//
// A Daemon has one session for each remote. A session keeps one transport connected, which
// only says "look now": what is new is found out by comparing the refs that the remote's
// refspecs want with those of the clone, never from what a transport has reported. So no
// update is missed that came while nobody was connected.
//
// Whoever runs the daemon owns the clone, so git runs with the user's configuration, ssh
// and credentials. It never asks for a password.
package remote

import (
	"context"
	"errors"
	"time"
)

// A Remote is a remote of the clone, as git's configuration has it.
type Remote struct {
	Name string
	URL  string // from which git fetches, after url.*.insteadOf; it may have a password
	// URI identifies the remote in the protocol: the URL as a URI, without a password,
	// percent-encoded. Two remotes may have one URI.
	URI      string
	Fetch    []string      // refspecs
	Push     []string      // refspecs for CHANGED; empty for none
	Upstream bool          // CHANGED pushes the branches whose upstream this remote has
	Pull     bool          // fetch; else only connect (annex-pull)
	Interval time.Duration // between polls; 0 to adapt it

	tags    tagMode // remote.<name>.tagOpt
	prune   bool    // deleted refs count
	away    bool    // it is pushed to another URL
	written string  // the URL as the configuration has it
}

// A transport says when a remote may have changed. It is for one connection.
type transport interface {
	// String describes the transport for a person: "ssh, git-annex".
	String() string
	// watch connects, calls ready once when every later change will be reported, and then
	// changed after each change, or several. It returns when ctx ends or the connection is
	// lost, and leaves no process behind. The error is an *unsupportedError when the far
	// side can never report changes; then the next transport is tried.
	watch(ctx context.Context, ready, changed func()) error
}

// An unsupportedError says that a remote cannot report changes by a transport.
type unsupportedError struct{ why string }

func (e *unsupportedError) Error() string { return e.why }

func isUnsupported(err error) bool { return errors.As(err, new(*unsupportedError)) }
