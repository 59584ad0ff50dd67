package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"vext/announce"
	"vext/internal/commit"
	"vext/internal/config"
	"vext/notify"
	"vext/queue"
	"vext/source/irker"
	"vext/templates"
)

// announceRules returns the rules of the configuration.
func announceRules(c *config.Config) []announce.Rule {
	rules := make([]announce.Rule, len(c.Announce))
	for i, n := range c.Announce {
		rules[i] = announce.Rule{
			Repositories: n.Repositories, Branches: n.Branches, To: n.To,
			Template: n.Template, Colors: n.Colors, Max: announce.DefaultMax,
		}
		if n.MaxCommits != nil {
			rules[i].Max = *n.MaxCommits
		}
	}
	return rules
}

// tells returns what reports whether commits on a branch are announced, nil when
// none are.
func tells(c *config.Config, q *queue.Queue) func(repository, refname string) bool {
	if len(c.Announce) == 0 {
		return nil
	}
	return announce.Matcher(&q.Policy, announceRules(c))
}

// announceWords returns the words of notices, which are tried.
func announceWords(c *config.Config) (*announce.Words, error) {
	set, err := templates.Load(c.Templates)
	if err != nil {
		return nil, hinted{err, "see the key templates in vext.toml(5)"}
	}
	words, err := announce.NewWords(set, announceRules(c))
	if err != nil {
		return nil, hinted{err, "see [[announce]] and the key templates in vext.toml(5)"}
	}
	return words, nil
}

// openAnnounce returns what announces commits as they arrive, nil when no notice
// is configured: then nobody hands any over.
func (a *app) openAnnounce(c *config.Config, q *queue.Queue, words *announce.Words, outlet notify.Outbox, log *slog.Logger) (task, error) {
	if len(c.Announce) == 0 {
		return nil, q.Spool.StopAnnouncing()
	}
	if err := q.Spool.StartAnnouncing(); err != nil {
		return nil, err
	}
	seen, err := announce.OpenSeenStore(q.State, time.Now(), log)
	if err != nil {
		return nil, err
	}
	t := &announce.Announcer{
		Spool: q.Spool, Policy: &q.Policy, Rules: announceRules(c), Words: words,
		Seen: seen, Outlet: outlet, Log: log, Now: time.Now,
	}
	log.Info("announcing commits", "tables", len(c.Announce))
	return func(ctx context.Context) error {
		defer seen.Close()
		return t.Run(ctx)
	}, nil
}

// irkerLine returns what makes the line of a commit that irker's clients
// describe.
func irkerLine(words *announce.Words) func(irker.Fields) (string, error) {
	return func(f irker.Fields) (string, error) {
		return words.Line(announce.Fields{
			Project: f.Project, Repo: f.Repository, Branch: f.Branch, Rev: commit.ShortRevision(f.Commit), Author: f.Author, Name: f.Author, Committer: f.Author,
			Files: announce.FilesText(strings.Fields(f.Files)...), Logmsg: f.Message, URL: f.URL,
		}, f.Colors)
	}
}
