package server

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"vext/announce"
	"vext/internal/config"
	"vext/internal/convention"
	"vext/internal/hint"
	"vext/internal/target"
	"vext/notify/mail"
	"vext/policy"
	"vext/queue"
	"vext/reminder"
	"vext/server/control"
	"vext/source/hook"
	"vext/spool"
	"vext/templates"
)

const viaHint = "see the key via in vext.toml(5)"

// Service returns what runs need, without IRC.
func (s *Server) Service(q *queue.Queue) (*reminder.Service, error) {
	c := s.Config
	host := mail.LocalName()
	from := c.Mail.From
	if from == "" {
		from = "vext@" + host // no mail is sent without mail.from, see config
	}
	address, err := reminder.ParseAddress(from)
	if err != nil {
		return nil, err
	}
	envelope := address.Address
	if c.Mail.Envelope != "" {
		bounces, err := reminder.ParseAddress(c.Mail.Envelope)
		if err != nil {
			return nil, err
		}
		envelope = bounces.Address
	}
	words, _, err := loadTemplates(c)
	if err != nil {
		return nil, err
	}
	password, err := c.Mail.Secret()
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("mail.via: %w", err), viaHint)
	}
	sender, err := mail.Open(c.Mail.Via, mail.Options{User: c.Mail.User, Password: password, Stdout: s.Stdout})
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("mail.via: %w", err), viaHint)
	}
	sources, err := s.sources(q)
	if err != nil {
		return nil, err
	}
	repeat, err := reminder.ParseRepeat(c.Reminders.Repeat, c.Reminders.RepeatMax)
	if err != nil {
		return nil, err
	}
	early, err := reminder.ParseEarly(c.Reminders.Early)
	if err != nil {
		return nil, err
	}
	quiet, err := reminder.ParseQuiet(c.Reminders.Quiet)
	if err != nil {
		return nil, hint.Wrap(err, "see the key quiet in vext.toml(5)")
	}
	command, err := commandInMail(q.State, c)
	if err != nil {
		return nil, err
	}
	return &reminder.Service{
		Queue: q, Sources: sources, Mail: sender, Templates: words, From: address, Envelope: envelope,
		WithoutMail: len(c.Reminders.Allow) == 0 && c.Operator == "" && (c.Irker.Listen != "" || len(c.Announce) > 0),
		Operator:    c.Operator, Host: host, Vext: command, OnHost: worksFor(c),
		Repeat: repeat, Quiet: quiet, Early: early,
		Digest: c.Reminders.Digest, Explain: c.Reminders.Explain, MaxPerDay: c.Reminders.MaxPerDay,
		Links:     func(repository string) map[string]string { return linksOf(c, repository) },
		Backports: s.Backports(q), Log: s.Log, Progress: s.Progress,
	}, nil
}

// linksOf returns the templates of URLs of a repository; none for one whose convention can't
// be read, which vext check reports.
func linksOf(c *config.Config, repository string) map[string]string {
	own, err := convention.Of(c, repository)
	if err != nil {
		return nil
	}
	return own.Links
}

// loadTemplates returns the templates of mails, and those of announcements. All have been
// tried.
func loadTemplates(c *config.Config) (*templates.Set, *announce.Words, error) {
	set, err := templates.Load(c.Templates)
	if err == nil {
		err = reminder.TryTemplates(set)
	}
	var words *announce.Words
	if err == nil {
		words, err = announce.NewWords(set, announceRules(c))
	}
	return set, words, hint.Wrap(err, "see the keys templates and [[announce]] in vext.toml(5)")
}

func routes(c *config.Config) []policy.Route {
	var all []policy.Route
	for _, r := range c.Routes {
		route := policy.Route{Committers: r.Committers, Repositories: r.Repositories, Branches: r.Branches}
		for _, to := range r.To {
			if to == config.ByMail {
				route.Mail = true
			} else if t, err := target.Parse(to); err == nil { // config has checked them
				route.Targets = append(route.Targets, t)
			}
		}
		all = append(all, route)
	}
	return all
}

func usersOf(c *config.Config) *control.Users {
	return &control.Users{Table: c.Users, Domain: c.Control.Domain}
}

// left returns who is reminded instead of people who have left: those in [users] with one
// address that have no account here. A user of the control socket has not left.
func left(c *config.Config) map[string]string {
	gone := map[string]string{}
	for login, addresses := range c.Users {
		if len(addresses) == 1 && (c.Control.Socket == "" || !control.Exists(login)) {
			gone[strings.ToLower(login)] = addresses[0]
		}
	}
	return gone
}

// worksFor returns a function that reports whether the commands in a mail work for
// its recipient on this machine: through the control socket, or because this vext
// belongs to the recipient.
func worksFor(c *config.Config) func(address string) bool {
	users := usersOf(c)
	return func(address string) bool {
		if c.Control.Socket != "" && users.Has(address) {
			return true
		}
		return IsOwn(c.Path) && len(c.Reminders.Allow) == 1 && strings.EqualFold(c.Reminders.Allow[0], address)
	}
}

// Command returns the command line of this program, with a configuration and a
// state directory unless these are empty.
func Command(config, state string) ([]string, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return withFlags(program, config, state)
}

func withFlags(program, config, state string) ([]string, error) {
	command := []string{program}
	for _, flag := range []struct{ name, path string }{{"--config", config}, {"--state", state}} {
		if flag.path == "" {
			continue
		}
		path, err := filepath.Abs(flag.path)
		if err != nil {
			return nil, err
		}
		command = append(command, flag.name, path)
	}
	return command, nil
}

// commandInMail returns the beginning of a command for sh(1) that the reader of a
// mail types. It names the configuration and the state directory if a plain vext
// would use others. The environment of the reader is another, so VEXT_CONFIG and
// VEXT_STATE do not count. At the control socket the state directory is that of
// vext serve; with --state a user could not use the socket.
func commandInMail(state string, c *config.Config) (string, error) {
	path := c.Path
	if path == config.Usual() {
		path = ""
	}
	usual := c.State
	if usual == "" {
		usual, _ = spool.UsualState()
	}
	if state == usual || c.Control.Socket != "" {
		state = ""
	}
	words, err := withFlags("vext", path, state)
	return hook.Line(words), err
}
