package autosync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"vext/internal/backoff"
	"vext/source/autosync/peers"
	"vext/source/autosync/repo"
)

const (
	// pullPause is between two pulls for messages that say which commit was pushed.
	pullPause = 100 * time.Millisecond
	// blindPause is for the rest of a burst of messages that do not say that.
	blindPause = 500 * time.Millisecond
	// maxBehind is how often a push that came too late is retried at once.
	maxBehind = 4
	// behindPause is the pause between these retries, before its jitter.
	behindPause = 400 * time.Millisecond
	// announceTime bounds an announcement.
	announceTime = 30 * time.Second
)

// sync pulls, and pushes if that is due. An error is noted as a setback, too.
func (t *Tree) sync(ctx context.Context, push bool) error {
	t.mu.Lock()
	now := t.o.Now()
	if !t.remote.pushAt.IsZero() && !now.Before(t.remote.pushAt) {
		push = true
	}
	isFetched := !push && t.onlyFetched(now)
	if t.remote.fetchedAt = (time.Time{}); !isFetched {
		t.remote.pullAt = time.Time{} // whoever sets it meanwhile wants another pull
	}
	t.mu.Unlock()
	err := t.doing(func() error { return t.exchange(ctx, isFetched, push) })
	t.describe(ctx)
	again := t.o.PullEvery
	if err != nil && t.checkRoot() != nil { // without the lock: the file system may not answer
		again = t.o.Poll // the tree may be back at any time
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now = t.o.Now()
	switch {
	case err != nil && ctx.Err() != nil:
		t.remote.pullAt = now
		return err
	case errors.Is(err, errUnmounted):
		t.pending.touch(whole, now, look{}, true, true)
		t.remote.pullAt = now.Add(t.o.Quiet + pullPause)
		if t.syncs.state == Stopped { // then nothing is committed, either
			t.syncs.until = now.Add(again)
		}
		return err
	case errors.Is(err, repo.ErrChanged): // the change is reported, or found
		if t.syncs.state == Stopped {
			t.wentWell(&t.syncs)
		}
		t.pending.touch(whole, now, look{}, true, true)
		t.remote.pullAt = now.Add(t.o.Quiet + pullPause)
		t.remote.changed++
		if t.remote.changed > maxChanged { // a file that never rests
			t.setBack(&t.syncs, err, now, again)
		}
		return err
	case err != nil:
		t.setBack(&t.syncs, err, now, again)
		t.remote.pullAt = earlier(t.remote.pullAt, now)
		return err
	}
	t.wentWell(&t.syncs)
	t.remote.changed = 0
	if p := t.remote.peer; p.New != "" && p.New == t.remote.upstream { // it came with this pull
		t.remote.peer, t.remote.pullAt = peers.Push{}, time.Time{}
	}
	t.remote.pullAt = earlier(t.remote.pullAt, now.Add(t.o.PullEvery))
	return nil
}

// onlyFetched reports whether something else has fetched, and nothing asks for another fetch.
// The caller has the lock.
func (t *Tree) onlyFetched(now time.Time) bool {
	r := &t.remote
	return !r.fetchedAt.IsZero() && (r.pullAt.IsZero() || now.Before(r.pullAt))
}

// maxChanged is how often a pull is retried at once because a file has changed.
const maxChanged = 5

// exchange pulls, if something else has fetched only that, and pushes, until both sides have
// the same.
func (t *Tree) exchange(ctx context.Context, isFetched, push bool) error {
	if known, err := t.findRemote(ctx); err != nil || !known {
		return err
	}
	if t.o.DryRun != nil {
		t.o.DryRun(fmt.Sprintf("%s: would run %s pull and push", t.Root(), t.repo.Kind()))
		return nil
	}
	if err := t.checkMounted(); err != nil {
		return err
	}
	for try := 0; ; try++ {
		if err := t.pull(ctx, isFetched); err != nil {
			t.look(ctx) // a person may have committed meanwhile
			return err
		}
		if err := t.look(ctx); err != nil || !push {
			return err
		}
		err := t.push(ctx)
		if !errors.Is(err, repo.ErrBehind) || try == maxBehind {
			return err
		}
		if err := backoff.Sleep(ctx, backoff.Jitter(behindPause, rand.Float64)); err != nil {
			return err
		}
	}
}

// findRemote asks where the remote is, and reports whether there is one.
func (t *Tree) findRemote(ctx context.Context) (bool, error) {
	url, branch, err := t.repo.RemoteURL(ctx)
	if err != nil {
		return false, err
	}
	identity, err := t.repo.Identity(ctx)
	if err != nil {
		t.o.Log.Debug("the repository has no identity yet", "tree", t.Root(), "error", err)
	}
	t.mu.Lock()
	r := &t.remote
	r.url, r.branch, r.identity = url, branch, cmp.Or(identity, r.identity)
	isKnown := r.head != "" && url != "" && t.o.DryRun == nil // more is known after the pull
	t.mu.Unlock()
	if isKnown {
		return true, nil
	}
	return url != "", t.look(ctx)
}

// look asks which commit is the last one, and how many the remote lacks.
func (t *Tree) look(ctx context.Context) error {
	head, err := t.repo.Head(ctx)
	if err != nil {
		return err
	}
	n, err := t.repo.Unpushed(ctx)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if head != t.remote.head || n != t.remote.unpushed {
		t.checks = 0
	}
	t.remote.head = head
	t.setUnpushed(n, t.o.Now())
	return nil
}

// pull takes in what others have pushed.
func (t *Tree) pull(ctx context.Context, isFetched bool) error {
	t.mu.Lock()
	o := repo.PullOptions{Fetched: isFetched}
	if !isFetched {
		o.Want, o.URLs = t.remote.peer.New, t.remote.peer.URLs
		t.remote.peer = peers.Push{}
	}
	t.remote.pulling, t.remote.wanted = t.o.Now(), o.Want
	t.mu.Unlock()
	pulled, err := t.repo.Pull(ctx, o)
	if err != nil {
		return err
	}
	if pulled.Before != pulled.After {
		t.findConflicts(ctx)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remote.lastPull = t.o.Now()
	t.remote.head, t.remote.upstream = pulled.After, pulled.Upstream
	if last := t.lastCommit; last != nil && last.Hash == pulled.Before && pulled.Rebased > 0 {
		t.lastCommit = &CommitStatus{pulled.After, last.Time, last.Subject} // it was made again
	}
	t.pulled(pulled)
	return nil
}

// push pushes, and notifies the other machines.
func (t *Tree) push(ctx context.Context) error {
	pushed, err := t.repo.Push(ctx)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.setUnpushed(0, t.o.Now())
	if pushed == nil {
		return nil
	}
	r := &t.remote
	r.lastPush, r.upstream = t.o.Now(), pushed.New
	t.o.Log.Info("pushed", "tree", t.Root(), "commit", pushed.New)
	t.announce(peers.Push{Repository: r.identity, Remote: r.url, Branch: r.branch, Old: pushed.Old, New: pushed.New, Host: t.o.Host})
	return nil
}

// announce notifies the other machines, without waiting for that. The caller has the lock.
func (t *Tree) announce(p peers.Push) {
	if t.o.Announce == nil {
		return
	}
	job := func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, announceTime)
		defer cancel()
		t.o.Announce(ctx, p)
	}
	select {
	case t.jobs <- job:
	default: // the others poll
		t.o.Log.Warn("a push is not announced, because earlier announcements take too long", "tree", t.Root())
	}
}

// setUnpushed notes how many commits the remote lacks: a push is due when there are any.
// The caller has the lock.
func (t *Tree) setUnpushed(n int, now time.Time) {
	t.remote.unpushed = n
	switch {
	case n == 0:
		t.remote.pushAt = time.Time{}
	case t.remote.pushAt.IsZero():
		t.remote.pushAt = now.Add(t.o.PushAfter)
	}
}

// Pushed says that a peer has pushed, and pulls if that was to the repository of this tree.
func (t *Tree) Pushed(p peers.Push) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &t.remote
	if !t.concerns(p) || p.New != "" && (p.New == r.upstream || p.New == r.head) {
		return
	}
	now := t.o.Now()
	at := now
	switch {
	case p.New != "" && p.New == r.wanted && now.Sub(r.pulling) < 2*blindPause: // over another link
		return
	case p.Fetched:
		r.fetchedAt = earlier(r.fetchedAt, now)
	case p.New == "":
		at = later(now.Add(blindPause), r.pulling.Add(2*blindPause))
		r.pullAt = earlier(r.pullAt, at)
	default:
		at = later(now, r.pulling.Add(pullPause))
		r.peer, r.pullAt = p, earlier(r.pullAt, at)
	}
	t.syncs.wake(at, Offline) // the peer has reached it
	t.wake()
}

// concerns reports whether a push was to the repository of this tree, as far as that can be
// known. dvcs-autosync says only under which URL it reaches the repository, and another
// machine may reach it under another: a pull in vain costs little. The caller has the lock.
func (t *Tree) concerns(p peers.Push) bool {
	r := &t.remote
	switch {
	case p.New == "":
		return true
	case p.Branch != "" && r.branch != "" && p.Branch != r.branch:
		return false
	case p.Repository != "" && r.identity != "":
		return p.Repository == r.identity
	}
	return true
}
