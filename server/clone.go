package server

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"vext/notify/desktop"
	"vext/source/remote"
)

// CloneOptions are what a Clone needs.
type CloneOptions struct {
	remote.Options
	SeedOrder bool      // the order of DONESYNCING in the design of git-remote-daemon
	Requests  *Requests // stores the requests of new commits; nil for none
	Notify    bool      // shows new commits on the desktop
}

// A Clone is what vext remote runs: a daemon that watches the remotes of a clone, what
// other processes reach it by, and what is done with new commits.
type Clone struct {
	*remote.Daemon
	*remote.Control
	requests *Requests
	notices  *remote.Notices // nil for none
}

// OpenClone finds the clone and takes its lock. The caller calls Run, and then Close.
func OpenClone(ctx context.Context, o CloneOptions) (*Clone, error) {
	c := &Clone{requests: o.Requests}
	if o.Notify {
		c.notices = notices(o.Log)
	}
	if c.requests != nil || c.notices != nil {
		o.Fetched = c.fetched
	}
	var err error
	if c.Daemon, err = remote.Open(ctx, o.Options); err != nil {
		return nil, err
	}
	c.Control, err = remote.OpenControl(ctx, c.Daemon, o.SeedOrder, func(err error) { o.Log.Warn("control", "error", err) })
	return c, err
}

// noticePause is the time between two notifications about one remote.
const noticePause = 5 * time.Second

func notices(log *slog.Logger) *remote.Notices {
	return remote.NewNotices(func(ctx context.Context, title, body string) {
		if err := desktop.Show(ctx, title, body); err != nil {
			log.Info("not shown on the desktop", "title", title, "error", err)
		}
	}, noticePause)
}

// fetched is called by the daemon after a fetch.
func (c *Clone) fetched(ctx context.Context, r remote.Remote, changes []remote.RefChange) error {
	if c.notices != nil {
		c.notices.Add(ctx, c.Daemon, r, changes)
	}
	if c.requests != nil {
		return c.requests.Fetched(ctx, c.CommonDir(), r)
	}
	return nil
}

// Run watches the remotes until STOP, or until ctx ends.
func (c *Clone) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer cancel()
	tasks.Go(func() { c.ServeLooks(ctx) })
	if c.requests != nil {
		tasks.Go(func() { c.requests.Run(ctx) })
	}
	if c.notices != nil {
		tasks.Go(func() { c.notices.Run(ctx, c.Repository()) })
	}
	return c.Daemon.Run(ctx)
}
