package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"vext/internal/calendar"
	"vext/internal/config"
	"vext/internal/hint"
	"vext/server"
	"vext/source/autosync/control"
)

func newAutosync(a *app) *cobra.Command {
	var f autosyncFlags
	c := &cobra.Command{
		Use:   "autosync [PATH...]",
		Short: "Keep work trees in sync",
		Long: `Commits what changes in work trees, pushes it, notifies your other machines, and takes
in what they push, until SIGTERM or SIGINT. Without PATH it keeps those of the
configuration, each a table [[autosync]]. A PATH that has no table has the defaults, so
it needs no configuration. "vext serve" does the same as one of its tasks.

When two machines have changed a file so that git can't merge it, the other one's
version stays in place, and yours is kept beside it as "name (conflict HOST DATE TIME).ext".
No version of a file is ever lost, nothing is forced, and your own commits stay as they are.

The flags take the place of keys of the same name, see vext.toml(5).`,
		Example: `  vext autosync init ~/notes ssh://server.example.org/~/notes.git
  vext autosync
  vext autosync --dry-run ~/notes
  vext autosync status
  vext autosync now ~/notes`,
		Args:              unlessSubcommand,
		ValidArgsFunction: completeTrees(a),
		RunE:              func(c *cobra.Command, args []string) error { return runAutosync(c.Context(), a, args, &f) },
	}
	f.add(c)
	c.AddCommand(newAutosyncInit(a), newAutosyncStatus(a), newAutosyncNow(a), newAutosyncPause(a), newAutosyncResume(a), newAutosyncImport(a))
	return c
}

// unlessSubcommand checks that an argument is a path, and not a mistyped command.
func unlessSubcommand(c *cobra.Command, args []string) error {
	if len(args) > 0 && !strings.ContainsRune(args[0], filepath.Separator) {
		if _, err := os.Stat(args[0]); errors.Is(err, fs.ErrNotExist) {
			return unknownCommand(c, args[0])
		}
	}
	return nil
}

// autosyncFlags are the keys of a table that the command line sets.
type autosyncFlags struct {
	config.Autosync
	merge, noNotify, dryRun bool
}

func (f *autosyncFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.Remote, "remote", "", "the `REMOTE` to push to (default: that of the branch, or origin)")
	flags.StringVar(&f.Branch, "branch", "", "the `BRANCH` at the remote (default: the one that is checked out)")
	flags.Var(durationFlag{&f.Quiet}, "quiet", "commit a file when it has not changed for this `DURATION` (default 2s)")
	flags.Var(durationFlag{&f.Longest}, "longest", "commit a file that never rests after this `DURATION` (default 1m)")
	flags.Var(durationFlag{&f.PushAfter}, "push-after", "push when there was no commit for this `DURATION` (default 5s)")
	flags.Var(durationFlag{&f.PullEvery}, "pull-every", "fetch after this `DURATION`, whatever was notified (default 10m)")
	flags.StringArrayVar(&f.Ignore, "ignore", nil, "neither watch nor commit files of this `PATTERN`, as in .gitignore")
	flags.StringArrayVar(&f.Peers, "peer", nil, "notify your other machines by `xmpp|remote|URL|none` (default: xmpp if there is an account)")
	flags.StringVar(&f.Message, "message", "", "the `TEMPLATE` of commit messages")
	flags.StringVar(&f.VCS, "vcs", "", "the version control system, `git|hg|commands` (default: detect)")
	flags.BoolVar(&f.merge, "merge", false, "take in what others have pushed by merges, without rebasing automatic commits")
	flags.StringVar(&f.Conflict, "conflict", "", "what is in place after a conflict, `copy|ours|theirs|stop` (default copy)")
	flags.StringVar(&f.MaxFile, "max-file", "", "commit no file larger than this `SIZE`, 0 for any (default \"50 MB\")")
	flags.StringVar(&f.MaxChange, "max-change", "", "commit no more than this `CHANGE` at once, unless asked to by now (default \"1000 files, 500 MB\")")
	flags.BoolVar(&f.noNotify, "no-notify", false, "show nothing on the desktop")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print what would be committed and run")
	for flag, values := range map[string][]string{
		"peer": {"xmpp", "remote", "none"}, "vcs": {"git", "hg", "commands"}, "conflict": {"copy", "ours", "theirs", "stop"},
	} {
		c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
}

// over sets the keys of a table that the command line names.
func (f *autosyncFlags) over(t *config.Autosync) {
	t.Remote, t.Branch, t.VCS = cmp.Or(f.Remote, t.Remote), cmp.Or(f.Branch, t.Branch), cmp.Or(f.VCS, t.VCS)
	t.Quiet, t.Longest = cmp.Or(f.Quiet, t.Quiet), cmp.Or(f.Longest, t.Longest)
	t.PushAfter, t.PullEvery = cmp.Or(f.PushAfter, t.PushAfter), cmp.Or(f.PullEvery, t.PullEvery)
	t.MaxFile, t.MaxChange = cmp.Or(f.MaxFile, t.MaxFile), cmp.Or(f.MaxChange, t.MaxChange)
	t.Conflict, t.Message = cmp.Or(f.Conflict, t.Conflict), cmp.Or(f.Message, t.Message)
	t.Ignore = slices.Concat(t.Ignore, f.Ignore)
	if f.Message != "" {
		t.MessageCommand = nil
	}
	if f.Peers != nil {
		t.Peers = f.Peers
	}
	if f.merge {
		t.Integrate = "merge"
	}
	if f.noNotify {
		t.Notify = new(bool)
	}
}

// A durationFlag is a duration of the configuration.
type durationFlag struct{ to **config.Duration }

func (d durationFlag) Type() string { return "duration" }

func (d durationFlag) String() string {
	if d.to == nil || *d.to == nil {
		return ""
	}
	return (*d.to).Duration.String()
}

func (d durationFlag) Set(s string) error {
	value := new(config.Duration)
	err := value.UnmarshalText([]byte(s))
	if err == nil {
		*d.to = value
	}
	return err
}

// autosyncConfig reads the configuration that the user may change, or else the usual one.
// There need be none.
func autosyncConfig(a *app) (*config.Config, error) {
	file, usual, err := config.Path(a.configPath)
	if err == nil && !usual {
		if _, err := os.Stat(file); err == nil {
			return server.Load(file)
		}
	}
	c, err := server.Load(a.configPath)
	if errors.Is(err, fs.ErrPermission) && a.configPath == "" && os.Getenv("VEXT_CONFIG") == "" {
		return config.Default(nil), nil // that of the machine, which is not for this user
	}
	return c, err
}

// tablesFor returns the tables of the configuration, or those of paths, with the defaults for
// a path that has none.
func tablesFor(c *config.Config, paths []string, f *autosyncFlags) ([]config.Autosync, error) {
	tables := c.Autosync
	if len(paths) == 0 && len(tables) == 0 {
		return nil, hint.Wrap(errors.New("no work tree is configured: the configuration has no [[autosync]]"),
			"vext autosync init PATH adds one; vext autosync PATH needs no configuration")
	}
	if len(paths) > 0 {
		tables = nil
		for _, path := range paths {
			path, err := filepath.Abs(path)
			if err != nil {
				return nil, err
			}
			t := config.Autosync{Path: path}
			if i := slices.IndexFunc(c.Autosync, func(t config.Autosync) bool { return control.Contains(t.Path, path) }); i >= 0 {
				t = c.Autosync[i]
			}
			if !slices.ContainsFunc(tables, func(other config.Autosync) bool { return other.Path == t.Path }) {
				tables = append(tables, t)
			}
		}
	}
	for i := range tables {
		f.over(&tables[i])
		err := tables[i].Complete(c.XMPP.JID != "")
		if err == nil {
			err = server.CheckAutosync(&tables[i])
		}
		if err != nil {
			return nil, usageError{fmt.Errorf("%s: %w", tables[i].Path, err)}
		}
	}
	return tables, nil
}

func runAutosync(ctx context.Context, a *app, paths []string, f *autosyncFlags) error {
	if a.nowFlag != "" {
		return usageError{errors.New("--now: vext autosync does not take it")}
	}
	c, err := autosyncConfig(a)
	if err != nil {
		return err
	}
	tables, err := tablesFor(c, paths, f)
	if err != nil {
		return err
	}
	if a.umask >= 0 {
		syscall.Umask(a.umask) // the files of the trees are the user's
	}
	ctx, stop := untilHangup(ctx)
	defer stop()
	o := server.AutosyncOptions{Tables: tables, Log: slog.New(newEventLog(a)), Now: time.Now}
	if f.dryRun {
		var mu sync.Mutex
		o.DryRun = func(text string) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintln(a.stdout, printableLines(text))
		}
	}
	if a.verbose {
		o.Chatter = a.stderr
	}
	s := &server.Server{Config: c, Now: time.Now, Log: o.Log, Version: version()}
	all, err := s.OpenAutosync(ctx, o)
	if err != nil {
		if ctx.Err() != nil { // SIGTERM, already
			return nil
		}
		return err
	}
	return all.Run(ctx)
}

// An eventLog prints the log of a process in the foreground for a person: a line for each
// event.
type eventLog struct {
	w       io.Writer
	style   style
	level   slog.Level
	withDay bool
	mu      *sync.Mutex
	tree    string
	attrs   []slog.Attr
}

func newEventLog(a *app) *eventLog {
	l := &eventLog{w: a.stderr, style: styleFor(a.stderr), level: slog.LevelInfo, mu: new(sync.Mutex)}
	_, onTerminal := terminal(a.stderr)
	l.withDay = !onTerminal
	if a.verbose {
		l.level = slog.LevelDebug
	}
	return l
}

// Enabled implements slog.Handler.
func (l *eventLog) Enabled(_ context.Context, level slog.Level) bool { return level >= l.level }

// WithGroup implements slog.Handler. No group is used.
func (l *eventLog) WithGroup(string) slog.Handler { return l }

// WithAttrs implements slog.Handler.
func (l *eventLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *l
	for _, attr := range attrs {
		if attr.Key == "tree" {
			with.tree = attr.Value.String()
		} else {
			with.attrs = append(slices.Clip(with.attrs), attr)
		}
	}
	return &with
}

// Handle implements slog.Handler.
func (l *eventLog) Handle(_ context.Context, r slog.Record) error {
	tree, words, text, file, advice := l.tree, r.Message, "", "", ""
	add := func(attr slog.Attr) bool {
		value := attr.Value.String()
		switch attr.Key {
		case "tree":
			tree = value
		case "file":
			file = value
		case "path", "as":
			words += " " + attr.Key + " " + value
		case "hint":
			advice = value
		case "commit", "from", "to":
			words += " " + shortHash(value)
		case "commits":
			words += " " + calendar.Plural(int(attr.Value.Int64()), "commit")
		case "direct":
			if attr.Value.Bool() {
				words += ", directly from the other machine"
			}
		case "upstream", "copy", "account": // said in other words
		case "what":
			text, file = text+": "+value, ""
		case "error", "err", "reason", "subject", "body":
			text += ": " + value
		default:
			words += fmt.Sprintf(" %s=%v", attr.Key, attr.Value)
		}
		return true
	}
	for _, attr := range l.attrs {
		add(attr)
	}
	r.Attrs(add)
	if file != "" {
		words += ": " + file
	}
	line := printable(words + text)
	if advice != "" {
		line += "; " + printable(advice)
	}
	if tree != "" {
		line = l.style.bold(printable(config.TildePath(tree))) + ": " + line
	}
	switch {
	case r.Level >= slog.LevelError:
		line = l.style.red("vext: error: ") + line
	case r.Level >= slog.LevelWarn:
		line = l.style.yellow("vext: warning: ") + line
	}
	if os.Getenv("JOURNAL_STREAM") == "" { // else each line has its time already
		layout := time.TimeOnly
		if l.withDay {
			layout = time.DateTime
		}
		line = l.style.dim(r.Time.Format(layout)) + " " + line
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := fmt.Fprintln(l.w, line)
	return err
}
