// Package server assembles vext from its configuration: the queue and the service
// of one run, and the tasks of vext serve.
package server

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"time"

	_ "github.com/emersion/go-message/charset" // mails in every charset

	"vext/internal/commit"
	"vext/internal/config"
	"vext/internal/hint"
	"vext/policy"
	"vext/queue"
	"vext/reminder"
)

// A Server opens the parts of vext as its configuration says. Only Config, Now and
// Log must be set.
type Server struct {
	Config    *config.Config
	State     string // the state directory; "" for the configured one
	MakeState bool   // create the user's own state directory if it is missing
	Version   string
	Now       func() time.Time
	Log       *slog.Logger
	Stdout    io.Writer                        // where mail.via = "stdout:" writes
	Progress  func(what string) queue.Progress // shows how far long work is; nil for none

	id string // the required ID of the state directory, since keepState; "" for the configured one
}

// Load reads the configuration, see config.Load.
func Load(path string) (*config.Config, error) {
	c, err := config.Load(path, policy.DefaultBranches)
	if errors.Is(err, fs.ErrPermission) {
		return nil, err
	}
	if err == nil {
		err = check(c)
	}
	if err != nil {
		return nil, hint.Wrap(err, "see vext.toml(5)")
	}
	return c, nil
}

// check checks the values that package config can't.
func check(c *config.Config) error {
	if _, err := reminder.ParseSchedule(c.Schedule, c.Zone); err != nil {
		return fmt.Errorf("%s: %w", c.Path, err)
	}
	if _, err := reminder.ParseSchedule(c.Follow.Schedule, c.Zone); err != nil {
		return fmt.Errorf("%s: follow.%w", c.Path, err)
	}
	if _, err := commit.NewTrailers(c.Reminders.Trailers...); err != nil {
		return fmt.Errorf("%s: reminders.trailers: %w", c.Path, err)
	}
	return nil
}

// Queue opens the queue. The state directory must exist, unless MakeState allows to
// create it. Root becomes the owner of the directory.
func (s *Server) Queue() (*queue.Queue, error) {
	state, err := s.StateDir()
	if err != nil {
		return nil, err
	}
	if err := BecomeOwner(state); err != nil {
		return nil, err
	}
	q := queue.New(state, Policy(s.Config), s.Config.Zone, s.Now())
	q.Spool = q.Spool.Expecting(cmp.Or(s.id, s.Config.StateID))
	if err := q.Spool.Check(); err != nil {
		return nil, err
	}
	return q, nil
}

// adopt gives the state directory of a queue an ID if it has none. From then on the
// queue accepts messages only while the directory has that ID.
func adopt(q *queue.Queue) (id string, isNew bool, err error) {
	if id, isNew, err = q.Spool.Adopt(); err == nil {
		q.Spool = q.Spool.Expecting(id)
	}
	return id, isNew, err
}

// keepState makes every queue opened from now on accept messages only while the
// state directory keeps its present ID.
func (s *Server) keepState(q *queue.Queue) error {
	id, isNew, err := adopt(q)
	if err != nil {
		return err
	}
	if last, _ := queue.Runs(q.State); isNew && last.IsZero() {
		s.Log.Info("new state directory; to accept no other one, set state_id, see vext.toml(5)", "state", q.State, "state_id", id)
	}
	s.id = id
	return nil
}

// Policy returns the policy of the configuration.
func Policy(c *config.Config) policy.Policy {
	branches, domains := map[string][]string{}, map[string]string{}
	for i := range c.Repositories {
		r := &c.Repositories[i]
		name := commit.RepositoryName(r.Name)
		branches[name], domains[name] = r.Branches, r.Domain
	}
	r := &c.Reminders
	return policy.Policy{
		Branches: r.Branches, Senders: r.Senders, Repositories: r.Repositories,
		Allow: r.Allow, Trailers: r.Trailers, ToAuthor: r.Recipient == config.Author,
		Names: c.Names(), Own: branches, Domains: domains, Hold: c.MailIn.Hold.Duration,
		Routes: routes(c),
	}
}
