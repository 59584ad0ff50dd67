package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"vext/internal/commit"
	"vext/internal/config"
	"vext/notice"
	"vext/notify"
	"vext/queue"
	"vext/source/irker"
	"vext/templates"
)

// noticeRules returns the rules of the configuration.
func noticeRules(c *config.Config) []notice.Rule {
	rules := make([]notice.Rule, len(c.Notices))
	for i, n := range c.Notices {
		rules[i] = notice.Rule{
			Repositories: n.Repositories, Branches: n.Branches, To: n.To,
			Template: n.Template, Colors: n.Colors, Most: notice.DefaultMost,
		}
		if n.Most != nil {
			rules[i].Most = *n.Most
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
	return notice.Tells(&q.Policy, noticeRules(c))
}

// noticeWords returns the words of notices, which are tried.
func noticeWords(c *config.Config) (*notice.Words, error) {
	set, err := templates.Load(c.Templates)
	if err != nil {
		return nil, hinted{err, "see the key templates in vext.toml(5)"}
	}
	words, err := notice.NewWords(set, noticeRules(c))
	if err != nil {
		return nil, hinted{err, "see [[notice]] and the key templates in vext.toml(5)"}
	}
	return words, nil
}

// openNotices returns what announces commits as they arrive, nil when no notice
// is configured: then nobody hands any over.
func (a *app) openNotices(c *config.Config, q *queue.Queue, words *notice.Words, outlet notify.Outlet, log *slog.Logger) (task, error) {
	if len(c.Notices) == 0 {
		return nil, q.Spool.StopNotices()
	}
	if _, err := q.Spool.StartNotices(); err != nil {
		return nil, err
	}
	memory, err := notice.OpenMemory(q.State, time.Now(), log)
	if err != nil {
		return nil, err
	}
	t := &notice.Teller{
		Spool: q.Spool, Policy: &q.Policy, Rules: noticeRules(c), Words: words,
		Memory: memory, Outlet: outlet, Log: log, Now: time.Now,
	}
	log.Info("announcing commits", "notices", len(c.Notices))
	return func(ctx context.Context) error {
		defer memory.Close()
		return t.Run(ctx)
	}, nil
}

// irkerLine returns what makes the line of a commit that irker's clients
// describe.
func irkerLine(words *notice.Words) func(irker.Fields) (string, error) {
	return func(f irker.Fields) (string, error) {
		return words.Line(notice.Fields{
			Project: f.Project, Repo: f.Repository, Branch: f.Branch, Rev: commit.ShortRevision(f.Commit), Author: f.Author, Name: f.Author, Committer: f.Author,
			Files: notice.FilesText(strings.Fields(f.Files)...), Logmsg: f.Message, URL: f.URL,
		}, f.Colors)
	}
}
