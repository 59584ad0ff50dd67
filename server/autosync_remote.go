package server

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"vext/source/autosync/peers"
	"vext/source/remote"
)

// A remoteLink reports what vext remote finds at the remotes of a clone. It is that vext
// remote, or else follows the one that watches the clone already.
type remoteLink struct {
	dir string
	o   *AutosyncOptions

	mu    sync.Mutex
	clone *Clone // while this process watches the remotes
	other bool   // another process does
	since time.Time
	err   error
}

func newRemoteLink(dir string, o *AutosyncOptions) *remoteLink {
	return &remoteLink{dir: dir, o: o, err: errors.New("not connected yet")}
}

// String implements peers.Link.
func (l *remoteLink) String() string { return "remote " + l.dir }

// Announce implements peers.Link. The others see the push at the remote itself.
func (l *remoteLink) Announce(context.Context, peers.Push) error { return nil }

// Run implements peers.Link.
func (l *remoteLink) Run(ctx context.Context, pushed func(peers.Push)) error {
	for failures := 1; ctx.Err() == nil; failures++ {
		begun := l.o.Now()
		err := l.watch(ctx, pushed)
		if errors.As(err, new(*remote.HeldError)) {
			err = l.follow(ctx, pushed)
		}
		if l.o.Now().Sub(begun) > autosyncRetry.Max {
			failures = 1
		}
		l.set(nil, false, err)
		autosyncRetry.sleep(ctx, failures)
	}
	return nil
}

// set changes what Status returns.
func (l *remoteLink) set(clone *Clone, other bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clone, l.other, l.err, l.since = clone, other, err, l.o.Now()
	if clone == nil && !other && err == nil {
		l.err = errors.New("it has ended, and is started again")
	}
}

// watch watches the remotes. The tree takes in what was fetched.
func (l *remoteLink) watch(ctx context.Context, pushed func(peers.Push)) error {
	clone, err := OpenClone(ctx, CloneOptions{Options: remote.Options{
		Dir: l.dir, Emit: func(remote.Event) {}, Log: l.o.Log, Chatter: l.chatter(), Now: l.o.Now,
		Fetched: func(context.Context, remote.Remote, []remote.RefChange) error {
			pushed(peers.Push{Fetched: true})
			return nil
		},
	}})
	if err != nil {
		return err
	}
	l.set(clone, false, nil)
	return errors.Join(clone.Run(ctx), clone.Close())
}

func (l *remoteLink) chatter() io.Writer {
	if l.o.Chatter == nil {
		return io.Discard
	}
	return l.o.Chatter
}

// follow reads the events of the vext remote that watches the clone.
func (l *remoteLink) follow(ctx context.Context, pushed func(peers.Push)) error {
	client, err := remote.Find(ctx, l.dir)
	if err != nil {
		return err
	}
	l.set(nil, true, nil)
	return client.Watch(ctx, eventLines(func(line string) {
		if strings.HasPrefix(line, "DONESYNCING ") {
			pushed(peers.Push{Fetched: true})
		}
	}))
}

// eventLines is a writer of which each call has one line.
type eventLines func(line string)

func (f eventLines) Write(p []byte) (int, error) {
	f(string(p))
	return len(p), nil
}

// Status implements peers.Link.
func (l *remoteLink) Status() peers.Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := peers.Status{Link: "remote", Peers: []peers.Peer{}, Connected: l.other}
	if l.err != nil {
		s.Error = l.err.Error()
	}
	if l.clone == nil {
		if l.other {
			s.Since = l.since
		}
		return s
	}
	for _, r := range l.clone.Status() {
		if r.State == "connected" || r.State == "syncing" {
			s.Connected, s.Since = true, r.Since
		} else if r.Error != "" {
			s.Error = r.Name + ": " + r.Error
		}
	}
	if s.Connected {
		s.Error = ""
	} else if s.Error == "" {
		s.Error = "no remote is connected"
	}
	return s
}
