package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"vext/health"
	"vext/internal/config"
	"vext/notify"
	"vext/queue"
	"vext/source/irker"
)

// openIrker returns what takes notices from irker's clients, nil when that is
// not configured. line makes the text of those that have none.
func (a *app) openIrker(c *config.Config, q *queue.Queue, outlet notify.Outbox, log *slog.Logger, line func(irker.Fields) (string, error)) (task, error) {
	address, err := c.Irker.Address()
	if err != nil || address == "" {
		return nil, err
	}
	clients, targets, err := c.Irker.Allowed()
	if err != nil {
		return nil, err
	}
	l, p, err := irker.Listen(address)
	if err != nil {
		return nil, hinted{fmt.Errorf("irker: %w", err), "see the key listen under [irker] in vext.toml(5); does irkerd still run? it uses the same port"}
	}
	log.Info("listening for irker's clients", "address", l.Addr().String())
	server := &irker.Server{
		Outbox: outlet, Format: line, Clients: clients, Targets: targets, Log: log, Now: time.Now,
		OnLoss: func() { q.Spool.Lost(health.Irker) },
	}
	return func(ctx context.Context) error { return server.Serve(ctx, l, p) }, nil
}
