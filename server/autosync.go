package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"vext/internal/backoff"
	"vext/internal/config"
	"vext/internal/wake"
	"vext/source/autosync"
	"vext/source/autosync/control"
	"vext/source/autosync/repo"
)

// AutosyncOptions are what vext autosync needs beside its server, of which it uses no state.
type AutosyncOptions struct {
	Tables  []config.Autosync // complete, see config.Autosync.Complete
	Chatter io.Writer         // gets what git prints, nil for none
	Log     *slog.Logger
	Now     func() time.Time
	// Serving is set by vext serve, which runs the account of XMPP as a task of its own, and
	// goes on when no tree can be opened yet.
	Serving bool
	// DryRun, when not nil, gets what would be committed and run. Nothing is, and nobody
	// is notified.
	DryRun func(text string)
}

// An Autosync is the trees that this process keeps in sync, with their links to the other
// machines, and the control socket.
type Autosync struct {
	trees   []*keptTree
	links   []*sharedLink
	account *account        // that this process must run, nil for none
	control *control.Server // nil if it could not be opened
	log     *slog.Logger
	dryRun  bool
}

// showPause is the time between two looks whether a dry run has shown everything.
const showPause = 100 * time.Millisecond

// OpenAutosync opens the trees. One that cannot be opened is retried by Run; the error says
// why none could be.
func (s *Server) OpenAutosync(ctx context.Context, o AutosyncOptions) (*Autosync, error) {
	a := &Autosync{log: o.Log, dryRun: o.DryRun != nil}
	for _, table := range o.Tables {
		a.trees = append(a.trees, &keptTree{table: table, o: &o, again: make(chan struct{}, 1)})
	}
	errs := a.open(ctx)
	if len(errs) == len(a.trees) && !o.Serving {
		return nil, errors.Join(errs...)
	}
	if o.DryRun != nil {
		return a, nil
	}
	s.openLinks(a, &o)
	if !o.Serving {
		a.account = s.account
	}
	var err error
	if a.control, err = control.Open(a.kept, o.Now(), o.Log); err != nil {
		o.Log.Warn("vext autosync status, pause, resume and now do not reach this process", "error", err)
	}
	return a, nil
}

// Bounds of the opening of all trees.
const (
	openTime = 5 * time.Second // after which a tree is not waited for
	maxOpen  = 32              // at the same time
)

// open opens the trees, and returns why some could not be. It does not wait for one whose file
// system does not answer.
func (a *Autosync) open(ctx context.Context) (errs []error) {
	late := make(chan struct{})
	defer time.AfterFunc(openTime, func() { close(late) }).Stop()
	places := make(chan struct{}, maxOpen)
	for _, t := range a.trees {
		t.opening = make(chan error, 1)
		go func() {
			places <- struct{}{}
			defer func() { <-places }()
			t.opening <- t.open(ctx)
		}()
	}
	for _, t := range a.trees {
		select {
		case err := <-t.opening:
			t.opening = nil
			if err != nil {
				errs = append(errs, err)
			}
		case <-late:
			t.slow()
		}
	}
	return errs
}

// autosync returns the task that keeps the trees of the configuration in sync. No failure of
// one ends vext serve.
func (s *Server) autosync(ctx context.Context) (task, error) {
	if len(s.Config.Autosync) == 0 {
		return nil, nil
	}
	a, err := s.OpenAutosync(ctx, AutosyncOptions{Tables: s.Config.Autosync, Log: s.Log, Now: time.Now, Serving: true})
	if err != nil {
		return nil, err
	}
	return a.Run, nil
}

func (a *Autosync) kept() []control.Tree {
	all := make([]control.Tree, len(a.trees))
	for i, t := range a.trees {
		all[i] = t
	}
	return all
}

// endTime is how long Run waits for its tasks at the end. One may wait for a file system that
// does not answer.
const endTime = 1900 * time.Millisecond

// Run keeps the trees in sync until ctx ends. A tree that fails does not end the others.
func (a *Autosync) Run(ctx context.Context) error {
	var tasks sync.WaitGroup
	defer a.await(&tasks)
	if a.dryRun {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		tasks.Go(func() { a.showOnce(ctx); cancel() })
	}
	for _, t := range a.trees {
		tasks.Go(func() { a.guard(ctx, t.Root(), t.run) })
	}
	linked, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, l := range a.links {
		tasks.Go(func() { a.guard(linked, l.link.String(), l.run) })
	}
	tasks.Go(func() { a.watchWake(ctx) })
	if a.account != nil {
		tasks.Go(func() { a.guard(linked, "xmpp", a.account.run) })
	}
	if a.control != nil {
		tasks.Go(func() { a.control.Serve(ctx) })
	}
	<-ctx.Done()
	return nil
}

// await waits for tasks that are to end.
func (a *Autosync) await(tasks *sync.WaitGroup) {
	done := make(chan struct{})
	go func() { tasks.Wait(); close(done) }()
	timer := time.NewTimer(endTime)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		a.log.Warn("ended without waiting any longer for what does not end")
	}
}

// watchWake has the trees, and the account, try again at once after a suspend.
func (a *Autosync) watchWake(ctx context.Context) {
	wake.Watch(ctx, time.Now, func() {
		if a.account != nil {
			a.account.Wake()
		}
		for _, t := range a.trees {
			if tree := t.opened(); tree != nil {
				tree.Woke()
			}
		}
	})
}

// showOnce waits until each tree has shown what it would do now.
func (a *Autosync) showOnce(ctx context.Context) {
	for _, t := range a.trees {
		for backoff.Sleep(ctx, showPause) == nil {
			s := t.Status()
			if s.State != autosync.Starting && (s.State != autosync.Watching && s.State != autosync.Offline || s.Waiting.Number == 0) {
				break
			}
		}
	}
}

// guard runs a task until ctx ends, again after a panic.
func (a *Autosync) guard(ctx context.Context, name string, run task) {
	for ctx.Err() == nil {
		if err := guarded(ctx, run); err != nil && ctx.Err() == nil {
			a.log.Error("ended, and is started again", "of", name, "error", err)
			autosyncRetry.sleep(ctx, 3)
		}
	}
}

// repoOptions are how the repository of a table is opened.
func repoOptions(t *config.Autosync, o *AutosyncOptions) repo.Options {
	host, _ := os.Hostname()
	c := t.Commands
	return repo.Options{
		Path: t.Path, Remote: t.Remote, Branch: t.Branch, Merge: t.Integrate == "merge", Conflict: t.Conflict, Host: host,
		Commands: repo.Commands{
			Status: c.Status, Add: c.Add, Remove: c.Remove, Commit: c.Commit, Push: c.Push, Pull: c.Pull, RemoteURL: c.RemoteURL,
		},
		Chatter: o.Chatter, Log: o.Log.With("tree", t.Path), Now: o.Now,
	}
}

// treeOptions are how a table's tree is kept in sync. config has checked its values.
func treeOptions(t *config.Autosync, o *AutosyncOptions) autosync.Options {
	maxFile, _ := config.ParseSize(t.MaxFile)
	files, bytes, _ := config.ParseChange(t.MaxChange)
	return autosync.Options{
		Repo: func(ctx context.Context) (repo.Repository, error) {
			return repo.Open(ctx, t.VCS, repoOptions(t, o))
		},
		Quiet: t.Quiet.Duration, Longest: t.Longest.Duration, PushAfter: t.PushAfter.Duration,
		PullEvery: t.PullEvery.Duration, Rescan: t.Rescan.Duration, Poll: t.Poll.Duration,
		Ignore: t.Ignore, MaxFile: maxFile, MaxChangeFiles: files, MaxChangeBytes: bytes,
		Message: t.Message, MessageCommand: t.MessageCommand,
		DryRun: o.DryRun, Log: o.Log, Now: o.Now,
	}
}
