package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	_ "github.com/emersion/go-message/charset" // mails in every charset

	"vext/announce"
	"vext/control"
	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/config"
	"vext/internal/disk"
	"vext/notify"
	"vext/notify/mail"
	"vext/policy"
	"vext/queue"
	"vext/reminder"
	"vext/source/hook"
	"vext/spool"
	"vext/templates"
)

// app is what all commands share: the flags that stand before them, and what
// is opened by these.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	configPath, state, nowFlag string
	verbose                    bool
	user                       string // who is at work
	root                       bool   // it began as root, whoever it is since becomeOwner
	makeState                  bool   // the command may make the user's own state directory
	stateID                    string // that the state directory must have since vext serve began; "" for any

	loaded *config.Config  // the configuration, where it was read before
	hints  []string        // on the configuration, for the end of the command
	caller *control.Caller // who asked for the command by the control socket; nil for all others
}

// buildVersion is set by the Makefile.
var buildVersion = ""

func version() string {
	if buildVersion != "" {
		return buildVersion
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// load reads the configuration.
func (a *app) load() (*config.Config, error) {
	if a.loaded != nil {
		return a.loaded, nil
	}
	c, err := config.Load(a.configPath, policy.DefaultBranches)
	if errors.Is(err, fs.ErrPermission) {
		return nil, err // of which the file says nothing
	}
	if err != nil {
		return nil, hinted{err, "see vext.toml(5)"}
	}
	if _, err := reminder.ParseSchedule(c.Schedule, c.Zone); err != nil {
		return nil, hinted{fmt.Errorf("%s: %w", c.Path, err), "see vext.toml(5)"}
	}
	if _, err := reminder.ParseSchedule(c.Follow.Schedule, c.Zone); err != nil {
		return nil, hinted{fmt.Errorf("%s: follow.%w", c.Path, err), "see vext.toml(5)"}
	}
	if _, err := commit.NewTrailers(c.Reminders.Trailers...); err != nil {
		return nil, hinted{fmt.Errorf("%s: reminders.trailers: %w", c.Path, err), "see vext.toml(5)"}
	}
	a.hints = c.Hints
	return c, nil
}

// clock is the time that --now sets, or else the system's.
func (a *app) clock(zone *time.Location) (time.Time, error) {
	if a.nowFlag == "" {
		return time.Now(), nil
	}
	t, err := calendar.ParseTime(a.nowFlag, zone)
	if err != nil {
		return t, usageError{fmt.Errorf("--now: %w", err)}
	}
	return t, nil
}

// open returns the queue as configured. The state directory must exist, unless
// it is the user's own, which nobody else would make, and something is to be
// written there.
func (a *app) open(c *config.Config) (*queue.Queue, error) {
	state, err := a.stateDir(c)
	if err != nil {
		return nil, err
	}
	if err := becomeOwner(state); err != nil {
		return nil, err
	}
	now, err := a.clock(c.Zone)
	if err != nil {
		return nil, err
	}
	q := queue.New(state, policyOf(c), c.Zone, now)
	q.Spool = q.Spool.Expecting(cmp.Or(a.stateID, c.StateID))
	if err := q.Spool.Check(); err != nil {
		return nil, err
	}
	return q, nil
}

// adopt gives the queue's state directory an identity if it has none, and reports
// whether it did. From then on the queue accepts messages only while the
// directory has that identity.
func adopt(q *queue.Queue) (id string, isNew bool, err error) {
	if id, isNew, err = q.Spool.Adopt(); err == nil {
		q.Spool = q.Spool.Expecting(id)
	}
	return id, isNew, err
}

// becomeOwner is spool.BecomeOwner. It also sets the home directory and the groups
// of the user that root becomes, as they are in a service of that user.
func becomeOwner(state string) error {
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

// stateDir returns the state directory, which then exists.
func (a *app) stateDir(c *config.Config) (string, error) {
	state := a.state
	if state == "" && os.Getenv("VEXT_STATE") == "" {
		state = c.State
	}
	usual := state == ""
	if usual {
		var err error
		if state, err = spool.DefaultState(); err != nil {
			return "", err
		}
	}
	_, err := os.Stat(state)
	if !errors.Is(err, fs.ErrNotExist) {
		return state, err
	}
	if _, err := os.Stat(spool.SystemState); usual && err == nil && !(a.makeState && isOwn(c.Path)) {
		return "", hinted{noStateError{fmt.Errorf("%s can't be written to by user %s", spool.SystemState, currentUser())},
			"run vext as the user that owns it (sudo -u), or name it with --state to read it"}
	}
	if !usual || os.Getenv("VEXT_STATE") != "" {
		return "", hinted{fmt.Errorf("state directory: %w", err), "make it: mkdir -p -m 750 " + state}
	}
	if !a.makeState {
		return "", hinted{noStateError{fmt.Errorf("state directory: %w", err)}, "make it: mkdir -p -m 750 " + state}
	}
	return state, os.MkdirAll(state, disk.DirMode)
}

// isOwn reports whether a configuration is a user's own, and not the machine's.
func isOwn(path string) bool {
	home, err := os.UserHomeDir()
	return err == nil && home != "/" && strings.HasPrefix(path, home+"/")
}

// command returns this program as others are to run it, with a configuration
// and a state directory unless these are empty.
func command(config, state string) ([]string, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
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

// begins returns how a command begins, for sh(1), that the reader of a mail is
// to type: with the configuration and the state directory where a plain vext
// would find others. The reader's environment is not that of this process, so
// VEXT_CONFIG and VEXT_STATE do not count. By the control socket the state
// directory is that of vext serve, and --state would keep a user from it.
func (a *app) begins(state string, c *config.Config) string {
	words := []string{"vext"}
	add := func(flag, path string) {
		if whole, err := filepath.Abs(path); err == nil {
			path = whole
		}
		words = append(words, flag, path)
	}
	if c.Path != "" && c.Path != config.Usual() {
		add("--config", c.Path)
	}
	usual := c.State
	if usual == "" {
		usual, _ = spool.UsualState()
	}
	if state != usual && c.Control.Socket == "" {
		add("--state", state)
	}
	return hook.Line(words)
}

func policyOf(c *config.Config) policy.Policy {
	r := &c.Reminders
	return policy.Policy{
		Branches: r.Branches, Senders: r.Senders, Repositories: r.Repositories,
		Allow: r.Allow, Trailers: r.Trailers, ToAuthor: r.Recipient == config.Author,
		Names: c.Names(), Own: c.Branches(), Domains: c.Domains(), Hold: c.MailIn.Hold.Duration,
		Routes: routes(c),
	}
}

// openQueue reads the configuration and returns the queue.
func (a *app) openQueue() (*queue.Queue, *config.Config, error) {
	c, err := a.load()
	if err != nil {
		return nil, nil, err
	}
	q, err := a.open(c)
	return q, c, err
}

// serviceFor returns all that a run needs.
func (a *app) serviceFor(q *queue.Queue, c *config.Config) (*reminder.Service, error) {
	return a.loggingService(q, c, a.log(slog.LevelError))
}

// loggingService is serviceFor with a log of one's own.
func (a *app) loggingService(q *queue.Queue, c *config.Config, log *slog.Logger) (*reminder.Service, error) {
	host := mail.LocalName()
	from := c.Mail.From
	if from == "" {
		from = "vext@" + host // nobody may be written to yet, see config
	}
	address, err := reminder.ParseAddress(from)
	if err != nil {
		return nil, err
	}
	words, err := templates.Load(c.Templates)
	if err == nil {
		err = reminder.TryTemplates(words)
	}
	if err == nil {
		_, err = announce.NewWords(words, announceRules(c))
	}
	if err != nil {
		return nil, hinted{err, "see the key templates in vext.toml(5)"}
	}
	sender, err := a.sender(&c.Mail)
	if err != nil {
		return nil, hinted{fmt.Errorf("mail.via: %w", err), "see the key via in vext.toml(5)"}
	}
	envelope := address.Address
	if c.Mail.Envelope != "" {
		bounces, err := reminder.ParseAddress(c.Mail.Envelope)
		if err != nil {
			return nil, err
		}
		envelope = bounces.Address
	}
	inflow, err := a.inflow(q, c, log)
	if err != nil {
		return nil, err
	}
	return &reminder.Service{
		Queue: q, Sources: inflow, Mail: sender, Templates: words, From: address, Envelope: envelope,
		WithoutMail: len(c.Reminders.Allow) == 0 && c.Operator == "" && (c.Irker.Listen != "" || len(c.Announce) > 0),
		Operator:    c.Operator, Host: host, Vext: a.begins(q.State, c), OnHost: worksFor(c), Digest: c.Reminders.Digest, Explain: c.Reminders.Explain, MaxPerDay: c.Reminders.MaxPerDay,
		Log: log, Progress: a.progress,
	}, nil
}

func (a *app) sender(m *config.Mail) (notify.Sender, error) {
	password, err := m.Secret()
	if err != nil {
		return nil, err
	}
	return mail.Open(m.Via, mail.Options{User: m.User, Password: password, Stdout: a.stdout})
}

// log returns the logger for events of that level, or for all with -v.
func (a *app) log(level slog.Level) *slog.Logger {
	if a.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
}

// who returns the name of the user at work, the one behind sudo where there is
// one: it stands in the history with what was done.
func who() string {
	for _, name := range []string{os.Getenv("SUDO_USER"), os.Getenv("DOAS_USER")} {
		if name != "" {
			return name
		}
	}
	return currentUser()
}

// currentUser returns the name of the user that the process runs as, also after
// becomeOwner. user.Current remembers the user at the start of the process.
func currentUser() string {
	id := strconv.Itoa(os.Geteuid())
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	if u, err := user.Current(); err == nil && u.Uid == id { // $USER, of one who is not in /etc/passwd
		return u.Username
	}
	return "uid " + id
}
