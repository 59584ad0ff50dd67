package main

import (
	"context"
	"log/slog"
	"time"

	"vext/internal/config"
)

// urgentPause is how often the spool is looked at, and so the time between two
// runs that begin before theirs.
const urgentPause = time.Minute

// runUrgent begins a run soon after something came into the spool, whichever way,
// that is due today or is not understood: who asks to be reminded now is not to
// wait for midnight.
func (a *app) runUrgent(ctx context.Context, c *config.Config, runSoon func(), log *slog.Logger) error {
	ticker := time.NewTicker(urgentPause)
	defer ticker.Stop()
	var before map[string]bool
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		q, err := a.open(c)
		if err != nil {
			continue // the run says so
		}
		urgent, names, err := q.Urgent(before)
		if before = names; err != nil {
			log.Debug("cannot list the spool", "err", err)
		}
		if urgent {
			log.Info("starting a run early: a new reminder is due today or not understood")
			runSoon()
		}
	}
}
