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

// noticeRules returns the rules of the configuration.
func noticeRules(c *config.Config) []announce.Rule {
	rules := make([]announce.Rule, len(c.Notices))
	for i, n := range c.Notices {
		rules[i] = announce.Rule{
			Repositories: n.Repositories, Branches: n.Branches, To: n.To,
			Template: n.Template, Colors: n.Colors, Max: announce.DefaultMax,
		}
		if n.Most != nil {
			rules[i].Max = *n.Most
		}
	}
	return rules
}

// tells returns what reports whether commits on a branch are announced, nil when
// none are.
func tells(c *config.Config, q *queue.Queue) func(repository, refname string) bool {
	if len(c.Notices) == 0 {
		return nil
	}
	return announce.Matcher(&q.Policy, noticeRules(c))
}

// noticeWords returns the words of notices, which are tried.
func noticeWords(c *config.Config) (*announce.Words, error) {
	set, err := templates.Load(c.Templates)
	if err != nil {
		return nil, hinted{err, "see the key templates in vext.toml(5)"}
	}
	words, err := announce.NewWords(set, noticeRules(c))
	if err != nil {
		return nil, hinted{err, "see [[notice]] and the key templates in vext.toml(5)"}
	}
	return words, nil
}

// openNotices returns what announces commits as they arrive, nil when no notice
// is configured: then nobody hands any over.
func (a *app) openNotices(c *config.Config, q *queue.Queue, words *announce.Words, outlet notify.Outbox, log *slog.Logger) (task, error) {
	if len(c.Notices) == 0 {
		return nil, q.Spool.StopAnnouncements()
	}
	if _, err := q.Spool.StartAnnouncements(); err != nil {
		return nil, err
	}
	seen, err := announce.OpenSeenStore(q.State, time.Now(), log)
	if err != nil {
		return nil, err
	}
	t := &announce.Announcer{
		Spool: q.Spool, Policy: &q.Policy, Rules: noticeRules(c), Words: words,
		Seen: seen, Outlet: outlet, Log: log, Now: time.Now,
	}
	log.Info("announcing commits", "notices", len(c.Notices))
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
