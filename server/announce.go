package server

import (
	"context"
	"strings"

	"vext/announce"
	"vext/internal/commit"
	"vext/internal/config"
	"vext/internal/hint"
	"vext/notify"
	"vext/queue"
	"vext/source/irker"
	"vext/templates"
)

// announceRules returns the rules of the configuration.
func announceRules(c *config.Config) []announce.Rule {
	rules := make([]announce.Rule, len(c.Announce))
	for i, a := range c.Announce {
		rules[i] = announce.Rule{
			Repositories: a.Repositories, Branches: a.Branches, To: a.To,
			Template: a.Template, Colors: a.Colors, Max: announce.DefaultMax,
		}
		if a.MaxCommits != nil {
			rules[i].Max = *a.MaxCommits
		}
	}
	return rules
}

// announceWords returns the templates of announcements, which have been tried.
func announceWords(c *config.Config) (*announce.Words, error) {
	set, err := templates.Load(c.Templates)
	if err != nil {
		return nil, hint.Wrap(err, templatesHint)
	}
	words, err := announce.NewWords(set, announceRules(c))
	return words, hint.Wrap(err, "see [[announce]] and the key templates in vext.toml(5)")
}

// announcer returns the task that announces commits as they arrive, nil when none
// are configured: then no source stores any.
func (s *Server) announcer(q *queue.Queue, words *announce.Words, outbox notify.Outbox) (task, error) {
	if len(s.Config.Announce) == 0 {
		return nil, q.Spool.StopAnnouncing()
	}
	if err := q.Spool.StartAnnouncing(); err != nil {
		return nil, err
	}
	seen, err := announce.OpenSeenStore(q.State, s.Now(), s.Log)
	if err != nil {
		return nil, err
	}
	a := &announce.Announcer{
		Spool: q.Spool, Policy: &q.Policy, Rules: announceRules(s.Config), Words: words,
		Seen: seen, Outbox: outbox, Log: s.Log, Now: s.Now,
	}
	s.Log.Info("announcing commits", "tables", len(s.Config.Announce))
	return func(ctx context.Context) error {
		defer seen.Close()
		return a.Run(ctx)
	}, nil
}

// irkerLine returns what formats the line of a commit that irker's clients
// describe.
func irkerLine(words *announce.Words) func(irker.Fields) (string, error) {
	return func(f irker.Fields) (string, error) {
		return words.Line(announce.Fields{
			Project: f.Project, Repo: f.Repository, Branch: f.Branch, Rev: commit.ShortRevision(f.Commit), Author: f.Author, Name: f.Author, Committer: f.Author,
			Files: announce.FilesText(strings.Fields(f.Files)...), Logmsg: f.Message, URL: f.URL,
		}, f.Colors)
	}
}
