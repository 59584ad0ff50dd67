package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"vext/internal/commit"
	"vext/internal/config"
	"vext/internal/forge"
	"vext/queue"
	"vext/source/follow"
	"vext/source/lmtp"
	"vext/source/webhook"
)

// tasks opens all ways in that are configured and returns what vext serve does.
// What can't be opened is an error now.
//
// done is to be called when all of them have ended: until then they may put
// something into the outbox of IRC.
func (a *app) tasks(ctx context.Context, c *config.Config, q *queue.Queue, log *slog.Logger) (tasks []task, done func() error, err error) {
	client, o, err := a.openIRC(ctx, c, q.State, log)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			o.Close()
		}
	}()
	clock := newWallClock()
	o.Check = q.Spool.Check
	tasks = []task{
		func(ctx context.Context) error { return a.speak(ctx, c, client, o, log) },
		func(ctx context.Context) error { return a.settleAlways(ctx, c, o, log, clock.wake) },
		func(ctx context.Context) error { return a.process(ctx, c, o, clock, log) },
		func(ctx context.Context) error { return a.runUrgent(ctx, c, clock.wake, log) },
	}
	if all := repositories(c); len(all) > 0 {
		tasks = append(tasks, func(ctx context.Context) error { return a.followAlways(ctx, c, all, log) })
	}
	words, err := announceWords(c)
	if err != nil {
		return nil, nil, err
	}
	notices := func(c *config.Config, q *queue.Queue, log *slog.Logger) (task, error) {
		return a.openAnnounce(c, q, words, o, log)
	}
	irkerToo := func(c *config.Config, q *queue.Queue, log *slog.Logger) (task, error) {
		return a.openIrker(c, q, o, log, irkerLine(words))
	}
	for _, open := range []func(*config.Config, *queue.Queue, *slog.Logger) (task, error){notices, a.openLMTP, a.openHTTP, irkerToo, a.openControl} {
		t, err := open(c, q, log)
		if err != nil {
			return nil, nil, err
		}
		if t != nil {
			tasks = append(tasks, t)
		}
	}
	return tasks, o.Close, nil
}

// openLMTP returns what takes mails by LMTP, nil when that is not configured.
func (a *app) openLMTP(c *config.Config, q *queue.Queue, log *slog.Logger) (task, error) {
	network, address, err := c.LMTP.Address()
	if err != nil || address == "" {
		return nil, err
	}
	f, err := filterFor(q, c, commit.FromLMTP)
	if err != nil {
		return nil, err
	}
	l, err := lmtp.Listen(network, address)
	if err != nil {
		return nil, hinted{fmt.Errorf("lmtp: %w", err), "see the key listen under [lmtp] in vext.toml(5)"}
	}
	log.Info("listening for mails by LMTP", "address", address)
	server := &lmtp.Server{Filter: f, Log: log}
	return func(ctx context.Context) error { return server.Serve(ctx, l) }, nil
}

// openHTTP returns what takes webhooks, nil when that is not configured.
func (a *app) openHTTP(c *config.Config, q *queue.Queue, log *slog.Logger) (task, error) {
	address, err := c.HTTP.Address()
	if err != nil || address == "" {
		return nil, err
	}
	f, err := filterFor(q, c, commit.FromWebhook)
	if err != nil {
		return nil, err
	}
	h := &webhook.Handler{
		Filter: f, Policy: &q.Policy, Log: log, Now: time.Now,
		LookUp: func(ctx context.Context, repository string, u forge.Update) error {
			return a.lookUp(ctx, c, repository, u, log)
		},
	}
	for i := range c.Hooks {
		one := &c.Hooks[i]
		secret, err := one.Key()
		if err != nil {
			return nil, hinted{fmt.Errorf("hook %s: %w", one.Name, err), "the user that vext runs as must be able to read the secret"}
		}
		if secret == "" {
			log.Warn("webhook disabled: no secret configured", "hook", one.Name)
		}
		h.Hooks = append(h.Hooks, webhook.Hook{
			Name: one.Name, Secret: secret, Repositories: one.Repositories, Allow: one.Allow, Senders: one.Senders,
		})
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, hinted{fmt.Errorf("http: %w", err), "see the key listen under [http] in vext.toml(5)"}
	}
	log.Info("listening for webhooks", "address", l.Addr().String())
	return func(ctx context.Context) error {
		defer h.Flush()
		return serveHTTP(ctx, webhook.NewServer(h), h.Listener(l))
	}, nil
}

// httpGrace is how long requests in flight have when the service is told to
// end.
const httpGrace = 20 * time.Second

func serveHTTP(ctx context.Context, server *http.Server, l net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), httpGrace)
	defer cancel()
	if server.Shutdown(within) != nil {
		server.Close() // on those who say nothing; a delivery that was not answered comes again
	}
	<-failed
	return nil
}

// lookUp spools the commits of a push that its forge did not list.
func (a *app) lookUp(ctx context.Context, c *config.Config, name string, u forge.Update, log *slog.Logger) error {
	q, err := a.open(c)
	if err != nil {
		return err
	}
	store, r, err := repositoryNamed(q, c, name)
	if errors.Is(err, errNoRepository) {
		return webhook.ErrNotFollowed
	}
	if err != nil {
		return err
	}
	f, err := a.follower(q, c, store, commit.FromFollow, log)
	if err != nil {
		return err
	}
	f.Progress = nil
	report, err := f.CompletePush(ctx, r, follow.Update{Refname: u.Refname, Old: u.Before, New: u.After})
	if err != nil {
		return err
	}
	log.Info("looked up", "repository", name, "branch", commit.BranchName(u.Refname), "commits", report.Commits, "spooled", report.New)
	return nil
}
