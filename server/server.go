// Package server assembles vext from its configuration: the queue and the service
// of one run, and the tasks of vext serve.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	_ "github.com/emersion/go-message/charset" // mails in every charset

	"vext/health"
	"vext/internal/commit"
	"vext/internal/config"
	"vext/internal/disk"
	"vext/internal/hint"
	"vext/outbox"
	"vext/policy"
	"vext/queue"
	"vext/reminder"
	"vext/source/autosync"
	"vext/source/follow"
	"vext/source/hook"
	"vext/spool"
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

	account *account // of XMPP, see xmpp; nil before the first use

	id string // the required ID of the state directory, since keepState; "" for the configured one
}

// Load reads the configuration, see config.Load.
func Load(path string) (*config.Config, error) {
	c, err := config.Load(path, policy.DefaultBranches)
	if errors.Is(err, fs.ErrPermission) {
		return nil, hint.Wrap(err, "run vext as the user that owns the state directory; that user must be able to read this file")
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
	if _, err := reminder.ParseRepeat(c.Reminders.Repeat, c.Reminders.RepeatMax); err != nil {
		return fmt.Errorf("%s: reminders.%w", c.Path, err)
	}
	if _, err := reminder.ParseEarly(c.Reminders.Early); err != nil {
		return fmt.Errorf("%s: reminders.%w", c.Path, err)
	}
	if _, err := reminder.ParseQuiet(c.Reminders.Quiet); err != nil {
		return fmt.Errorf("%s: reminders.%w", c.Path, err)
	}
	if _, err := commit.NewTrailers(c.Reminders.Trailers...); err != nil {
		return fmt.Errorf("%s: reminders.trailers: %w", c.Path, err)
	}
	if _, err := asking(c); err != nil {
		return fmt.Errorf("%s: %w", c.Path, err)
	}
	for i := range c.Autosync {
		if err := CheckAutosync(&c.Autosync[i]); err != nil {
			return fmt.Errorf("%s: autosync %s: %w", c.Path, c.Autosync[i].Path, err)
		}
	}
	return nil
}

// CheckAutosync checks the values of a table that package config can't.
func CheckAutosync(t *config.Autosync) error { return autosync.CheckMessage(t.Message) }

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
	p := Policy(s.Config)
	if p.Asking, err = asking(s.Config); err != nil {
		return nil, err
	}
	q := queue.New(state, p, s.Config.Zone, s.Now())
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

// Policy returns the policy of the configuration, without Asking.
func Policy(c *config.Config) policy.Policy {
	branches, domains := map[string][]string{}, map[string]string{}
	for i := range c.Repositories {
		r := &c.Repositories[i]
		name := commit.RepositoryName(r.Name)
		branches[name], _ = branchesOf(c, r)
		domains[name] = r.Domain
	}
	r := &c.Reminders
	usual, _ := branchesOf(c, &config.Repository{})
	return policy.Policy{
		Left: left(c), Branches: usual, Senders: r.Senders, Repositories: r.Repositories,
		Allow: r.Allow, Trailers: r.Trailers, ToAuthor: r.Recipient == config.Author,
		Names: c.Names(), Own: branches, Domains: domains, Hold: c.MailIn.Hold.Duration,
		Routes: routes(c),
	}
}

// Check returns the findings about all parts of vext. It sets what checker checks.
// The error is about the configuration or the state directory.
func (s *Server) Check(ctx context.Context, checker *health.Checker) ([]health.Finding, error) {
	q, err := s.Queue()
	if s.keepsTreesOnly(err) {
		return append([]health.Finding{{What: "configuration", Text: s.Config.Path}}, s.checkAutosync(ctx)...), nil
	}
	if err != nil {
		return nil, err
	}
	if dir, err := os.Open(q.State); err == nil {
		dir.Close()
	} else if errors.Is(err, fs.ErrPermission) {
		return nil, NoStateError{err}
	}
	service, err := s.Service(q)
	if err != nil {
		return nil, err
	}
	checker.Queue, checker.Config, checker.Mail, checker.WithoutMail, checker.User = q, s.Config, service.Mail, service.WithoutMail, CurrentUser()
	findings := checker.Check(ctx)
	// The files of a hook that differ from the installed ones.
	brokenParts := func(state *follow.State) (broken []string, err error) {
		parts, err := HookParts(ctx, state)
		for _, part := range parts {
			if part.State != hook.Installed {
				broken = append(broken, part.Path+": "+part.State)
			}
		}
		return broken, err
	}
	findings = append(findings, follow.Check(checker, brokenParts)...)
	findings = append(findings, s.checkOutbox(ctx, checker)...)
	return append(findings, s.checkAutosync(ctx)...), nil
}

// checkOutbox returns the findings about IRC and XMPP, none if they are not used.
func (s *Server) checkOutbox(ctx context.Context, checker *health.Checker) []health.Finding {
	if _, err := ircSettings(s.Config); err != nil {
		return []health.Finding{{Level: health.Critical, What: "irc", Text: err.Error(), Hint: ircHint}}
	}
	if _, err := s.newAccount(); err != nil {
		return []health.Finding{{Level: health.Critical, What: "xmpp", Text: err.Error(), Hint: xmppHint}}
	}
	if !outbox.Exists(checker.Queue.State) {
		return nil
	}
	status, err := s.OutboxStatus(ctx, checker.Queue.State)
	switch {
	case errors.Is(err, outbox.ErrInUse):
		return []health.Finding{{What: "outbox", Text: "another vext is sending"}}
	case err != nil:
		return []health.Finding{{Level: health.Critical, What: "outbox", Text: err.Error()}}
	}
	return append(checker.IRC(status.Running, status.Networks), checker.XMPP(status.Running, status.XMPP)...)
}

// A NoStateError means that the user has no state directory to work with.
type NoStateError struct{ Err error }

func (e NoStateError) Error() string { return e.Err.Error() }
func (e NoStateError) Unwrap() error { return e.Err }

// StateDir returns the path of the state directory, which exists.
func (s *Server) StateDir() (string, error) {
	state := s.State
	if state == "" && os.Getenv("VEXT_STATE") == "" {
		state = s.Config.State
	}
	isDefault := state == ""
	if isDefault {
		var err error
		if state, err = spool.DefaultState(); err != nil {
			return "", err
		}
	}
	_, err := os.Stat(state)
	if !errors.Is(err, fs.ErrNotExist) {
		return state, err
	}
	if _, err := os.Stat(spool.SystemState); isDefault && err == nil && !(s.MakeState && IsOwn(s.Config.Path)) {
		return "", hint.Wrap(NoStateError{fmt.Errorf("%s can't be written to by user %s", spool.SystemState, CurrentUser())},
			"run vext as the user that owns it (sudo -u), or name it with --state to read it")
	}
	err = fmt.Errorf("state directory: %w", err)
	makeIt := "make it: mkdir -p -m 750 " + state
	if !isDefault || os.Getenv("VEXT_STATE") != "" {
		return "", hint.Wrap(err, makeIt)
	}
	if !s.MakeState {
		return "", hint.Wrap(NoStateError{err}, makeIt)
	}
	return state, os.MkdirAll(state, disk.DirMode)
}

// IsOwn reports whether a configuration file belongs to the user, not to the
// machine.
func IsOwn(path string) bool {
	home, err := os.UserHomeDir()
	return err == nil && home != "/" && strings.HasPrefix(path, home+"/")
}

// BecomeOwner is spool.BecomeOwner. It also sets the home directory and the groups
// of the user that root becomes, as they are in a service of that user.
func BecomeOwner(state string) error {
	before := os.Geteuid()
	if err := spool.BecomeOwner(state, groupsOf); err != nil || os.Geteuid() == before {
		return err
	}
	if u, err := user.LookupId(strconv.Itoa(os.Geteuid())); err == nil {
		return os.Setenv("HOME", u.HomeDir)
	}
	return os.Unsetenv("HOME")
}

// groupsOf returns the groups of a user, none for an unknown user.
func groupsOf(uid int) []int {
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return nil
	}
	ids, _ := u.GroupIds()
	var groups []int
	for _, id := range ids {
		if gid, err := strconv.Atoi(id); err == nil {
			groups = append(groups, gid)
		}
	}
	return groups
}

// CurrentUser returns the name of the user that the process runs as, also after
// BecomeOwner: user.Current remembers the user at the start of the process.
func CurrentUser() string {
	id := strconv.Itoa(os.Geteuid())
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	if u, err := user.Current(); err == nil && u.Uid == id { // $USER, of a user not in /etc/passwd
		return u.Username
	}
	return "uid " + id
}
