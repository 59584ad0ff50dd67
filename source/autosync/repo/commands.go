package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vext/internal/program"
	"vext/internal/text"
	"vext/internal/weburl"
)

// Commands are those of a version control that vext does not know, as words of a command
// line. A word that is exactly %s stands for a path, or for the message of a commit. No
// shell runs them. They run in the work tree, without a terminal.
type Commands struct {
	Status    []string // prints nothing, and ends with 0, when there is nothing to commit
	Add       []string // one path, also one that is changed, or a directory that was a file
	Remove    []string // one path, which is gone
	Commit    []string // what was added and removed, with a message
	Push      []string
	Pull      []string // fetches and integrates
	RemoteURL []string // prints the URL of the remote
}

// A commandsRepo is a work tree of such a version control. vext learns less from it than from
// the ones that it knows:
//
//   - What has changed is not listed. Of the paths that the watcher has seen, those that exist
//     count as added, the others as deleted; without paths there is one change, of ".".
//   - A commit has whatever the program commits, also what a person has added.
//   - Conflicts, merges and refused pushes are the program's own. A push that fails asks for a
//     pull once; a pull that fails is retried later, and never repaired.
//   - There are no hashes: a commit is known by its number since the start.
type commandsRepo struct {
	opts     Options
	root     string
	dir      string
	place    place // of the root when it was opened
	commits  int   // made since the start
	unpushed int   // of these
	behind   bool
}

// commandLimit bounds the time of a command.
const commandLimit = 10 * time.Minute

// openCommands opens the work tree o.Path. What vext keeps of it is in the cache directory
// of the user, because it cannot know which directory the version control ignores.
func openCommands(_ context.Context, o Options) (Repository, error) {
	for name, command := range o.Commands.all() {
		if len(command) == 0 && name != "remote_url" && name != "pull" && name != "push" {
			return nil, fmt.Errorf("%s: commands: %s is missing", o.Path, name)
		}
		if len(command) > 0 && (command[0] == "" || command[0] == "%s") {
			return nil, fmt.Errorf("%s: commands: %s must begin with a program", o.Path, name)
		}
	}
	place, err := newPlace(o.Path)
	if err != nil {
		return nil, err
	}
	if !place.infos[0].IsDir() {
		return nil, fmt.Errorf("%s: not a directory", o.Path)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, "vext", "autosync", strings.ReplaceAll(strings.ReplaceAll(o.Path, "%", "%25"), "/", "%2F"))
	if len(filepath.Base(dir)) > maxName {
		return nil, fmt.Errorf("%s: the path is too long", o.Path)
	}
	return &commandsRepo{opts: o, root: o.Path, dir: dir, place: place}, os.MkdirAll(dir, 0o700)
}

// all returns the commands by their names.
func (c Commands) all() map[string][]string {
	return map[string][]string{"status": c.Status, "add": c.Add, "remove": c.Remove, "commit": c.Commit, "push": c.Push, "pull": c.Pull, "remote_url": c.RemoteURL}
}

// Kind implements Repository.
func (c *commandsRepo) Kind() string { return "commands" }

// Root implements Repository.
func (c *commandsRepo) Root() string { return c.root }

// Dir implements Repository.
func (c *commandsRepo) Dir() string { return c.dir }

// Internal implements Repository.
func (c *commandsRepo) Internal() []string { return nil }

// Identity implements Repository: nothing but the URL is known.
func (c *commandsRepo) Identity(ctx context.Context) (string, error) {
	url, _, err := c.RemoteURL(ctx)
	if url != "" {
		url = "commands " + weburl.Parse(url).Place()
	}
	return url, err
}

// RemoteURL implements Repository.
func (c *commandsRepo) RemoteURL(ctx context.Context) (url, branch string, err error) {
	if len(c.opts.Commands.RemoteURL) == 0 {
		return "", "", nil
	}
	out, err := c.run(ctx, c.opts.Commands.RemoteURL)
	line, _, _ := strings.Cut(strings.TrimSpace(out), "\n")
	return weburl.Parse(text.OneLine(line)).String(), "", err
}

// Head implements Repository.
func (c *commandsRepo) Head(context.Context) (string, error) {
	if c.commits == 0 {
		return "", nil
	}
	return fmt.Sprint(c.commits), nil
}

// Ready implements Repository.
func (c *commandsRepo) Ready(context.Context) error { return c.place.check() }

// run runs a command with these arguments for each %s, and returns its output.
func (c *commandsRepo) run(ctx context.Context, command []string, args ...string) (string, error) {
	if err := c.Ready(ctx); err != nil {
		return "", err
	}
	words := slices.Clone(command)
	for i, w := range words[1:] {
		if w == "%s" && len(args) > 0 {
			words[i+1], args = args[0], args[1:]
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, commandLimit, fmt.Errorf("%s did not end within %s", command[0], commandLimit))
	defer cancel()
	cmd := program.Command(ctx, words[0], words[1:]...)
	cmd.Dir = c.root
	out, err := program.Output(ctx, cmd, c.opts.Chatter)
	var failure *program.Error
	if errors.As(err, &failure) {
		return out, &commandError{strings.Join(command, " "), failure}
	}
	return out, err
}

// A commandError is the failure of a command.
type commandError struct {
	command string
	failure *program.Error
}

func (e *commandError) Error() string {
	words := program.Messages(e.failure.Stderr)
	if words == "" {
		words = e.failure.Err.Error()
	}
	return text.Shorten(text.OneLine(e.command), 60) + ": " + words
}

func (e *commandError) Unwrap() error { return e.failure }

// hasChanges reports whether the status command says that there is something to commit.
func (c *commandsRepo) hasChanges(ctx context.Context) (bool, error) {
	out, err := c.run(ctx, c.opts.Commands.Status)
	var failure *commandError
	if errors.As(err, &failure) && failure.failure.Status() == 1 {
		return true, nil // as hg and diff say it
	}
	return strings.TrimSpace(out) != "", err
}

// Changes implements Repository.
func (c *commandsRepo) Changes(ctx context.Context, paths ...string) ([]Change, error) {
	if err := c.Ready(ctx); err != nil {
		return nil, err
	}
	if len(paths) == 0 || slices.Contains(paths, ".") {
		isChanged, err := c.hasChanges(ctx)
		if err != nil || !isChanged {
			return nil, err
		}
		info, _ := os.Lstat(c.root)
		return []Change{{Path: ".", Kind: Modified, Info: info}}, nil
	}
	changes := make([]Change, 0, len(paths))
	for _, p := range paths {
		change := Change{Path: p, Kind: Added}
		info, err := os.Lstat(filepath.Join(c.root, filepath.FromSlash(p)))
		change.Info = info
		if err != nil {
			change.Kind, change.Info = Deleted, nil
		}
		changes = append(changes, change)
	}
	return joined(changes), nil
}

// Ignored implements Repository: vext cannot know it.
func (c *commandsRepo) Ignored(context.Context, []string) (map[string]bool, error) {
	return map[string]bool{}, nil
}

// Commit implements Repository. A path that the program does not take does not keep the others
// from being committed.
func (c *commandsRepo) Commit(ctx context.Context, changes []Change, message Message) (*Commit, error) {
	if isChanged, err := c.hasChanges(ctx); err != nil || !isChanged {
		return nil, err
	}
	made := &Commit{}
	for _, change := range c.goneFirst(changes) {
		if change.Refuse == "" && change.Kind != Nested {
			reason, err := c.stage(ctx, change)
			if err != nil {
				return nil, err
			}
			if change.Refuse = reason; reason == "" {
				made.Stats = append(made.Stats, Stat{Path: change.Path, Kind: c.kind(change)})
				continue
			}
		}
		made.Refused = append(made.Refused, change)
	}
	if len(made.Stats) == 0 {
		return nothing(made.Refused), nil
	}
	var err error
	if made.Message, err = message(ctx, made.Stats); err != nil {
		return nil, err
	}
	made.Message = strings.ToValidUTF8(made.Message, "\ufffd") // which programs reject otherwise
	if _, err = c.run(ctx, c.opts.Commands.Commit, made.Message); err != nil {
		var failure *commandError
		if !errors.As(err, &failure) {
			return nil, err
		}
		if isChanged, statusErr := c.hasChanges(ctx); statusErr == nil && !isChanged {
			return nil, nil // there was nothing in these paths
		}
		return nil, &HookError{"commit", err}
	}
	c.commits++
	c.unpushed++
	made.Hash, _ = c.Head(ctx)
	return made, nil
}

// goneFirst returns the changes with the deletions before the others: a file cannot be added
// while a directory of that name is tracked.
func (c *commandsRepo) goneFirst(changes []Change) []Change {
	var gone, there []Change
	for _, change := range changes {
		if c.kind(change) == Deleted {
			gone = append(gone, change)
		} else {
			there = append(there, change)
		}
	}
	return append(gone, there...)
}

// kind returns whether a file is there.
func (c *commandsRepo) kind(change Change) ChangeKind {
	_, err := os.Lstat(filepath.Join(c.root, filepath.FromSlash(change.Path)))
	switch {
	case err != nil:
		return Deleted
	case change.Kind == Deleted:
		return Added
	}
	return change.Kind
}

// stage adds or removes a path. It returns why that failed.
func (c *commandsRepo) stage(ctx context.Context, change Change) (reason string, err error) {
	command := c.opts.Commands.Add
	if c.kind(change) == Deleted {
		command = c.opts.Commands.Remove
	}
	name := change.Path
	if strings.HasPrefix(name, "-") || strings.Contains(name, ":") {
		name = "./" + name // neither an option nor a kind of pattern
	}
	_, err = c.run(ctx, command, name)
	var failure *commandError
	if errors.As(err, &failure) {
		if c.kind(change) == Deleted {
			return "", nil // it was never added
		}
		return failure.Error(), nil
	}
	return "", err
}

// Unpushed implements Repository. It counts since the start.
func (c *commandsRepo) Unpushed(context.Context) (int, error) { return c.unpushed, nil }

// Push implements Repository. A push that fails may be one that the remote is ahead of: it asks
// for a pull, and only if it fails again after that, the remote counts as unreachable.
func (c *commandsRepo) Push(ctx context.Context) (*Pushed, error) {
	if len(c.opts.Commands.Push) == 0 {
		return nil, nil
	}
	_, err := c.run(ctx, c.opts.Commands.Push)
	var failure *commandError
	switch {
	case errors.As(err, &failure) && failure.failure.Status() == 1 && c.unpushed == 0:
		return nil, nil // hg push says so that there is nothing to push
	case errors.As(err, &failure) && !c.behind && len(c.opts.Commands.Pull) > 0:
		c.behind = true
		return nil, fmt.Errorf("%w: %w", ErrBehind, failure)
	case errors.As(err, &failure):
		c.behind = false
		return nil, &OfflineError{failure}
	case err != nil:
		return nil, err
	}
	c.behind = false
	if c.unpushed == 0 {
		return nil, nil
	}
	c.unpushed = 0
	head, err := c.Head(ctx)
	return &Pushed{New: head}, err
}

// Pull implements Repository. What it has brought is not known.
func (c *commandsRepo) Pull(ctx context.Context, _ PullOptions) (*Pulled, error) {
	head, err := c.Head(ctx)
	if err != nil || len(c.opts.Commands.Pull) == 0 {
		return &Pulled{Before: head, After: head}, err
	}
	if _, err = c.run(ctx, c.opts.Commands.Pull); err != nil {
		var failure *commandError
		if errors.As(err, &failure) {
			return nil, &OfflineError{failure}
		}
		return nil, err
	}
	return &Pulled{Before: head, After: head}, nil
}
