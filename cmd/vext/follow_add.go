package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"vext/internal/commit"
	"vext/internal/config"
	"vext/internal/hint"
	"vext/internal/vcs"
	"vext/internal/weburl"
	"vext/policy"
	"vext/server"
	"vext/source/follow"
	"vext/source/hook"
)

// addOptions are the flags of vext follow add.
type addOptions struct {
	mine, force              bool
	name, from, kind, domain string
	branches, aliases        []string
}

func newFollowAdd(a *app) *cobra.Command {
	var opts addOptions
	c := &cobra.Command{
		Use:   "add URL",
		Short: "Follow a repository",
		Long: `Adds a repository to the configuration, and fetches it once, so that commits made
from now on are found. With --mine only your own commits count, those with the
address in your git configuration; reminders may go to that address, and vext
follow also sends those that are due. A line in your crontab is then enough.

A repository that can't be read now is added only if you confirm it, or with
--force. Commits made from now on are found once it can be read.`,
		Example: `  vext follow add https://git.example.org/widget.git --mine
  vext follow add --name src --branch main --from 2026-01-01 https://git.example.org/src.git`,
		Args: takes(1, 1, "one URL"),
		RunE: func(cmd *cobra.Command, args []string) error { return followAdd(a, cmd, args[0], &opts) },
	}
	flags := c.Flags()
	flags.BoolVar(&opts.mine, "mine", false, "follow only your own commits, and send you reminders")
	flags.BoolVar(&opts.force, "force", false, "add it even if it can't be read now")
	flags.StringVar(&opts.name, "name", "", "name the repository `NAME` (default: the end of the URL)")
	flags.StringVar(&opts.from, "from", "", "count commits since this `COMMIT` or date (default: now)")
	flags.StringVar(&opts.kind, "vcs", "", "its version control system, `git|hg|svn` (default: detect)")
	flags.StringArrayVar(&opts.aliases, "alias", nil, "another `NAME` that its commits arrive with")
	flags.StringVar(&opts.domain, "domain", "", "the domain of committers known only by a login: login@`DOMAIN`")
	flags.StringArrayVar(&opts.branches, "branch", nil, "a branch that counts, or a `PATTERN` of branches (default: as configured)")
	return c
}

func followAdd(a *app, cmd *cobra.Command, where string, opts *addOptions) error {
	file, usual, err := config.Path(a.configPath)
	if err != nil {
		return err
	}
	if !usual {
		a.configPath = file // the project's own is for others to change
	}
	if _, err := os.Stat(where); err == nil { // a path, which cron would not find from where it runs
		if where, err = filepath.Abs(where); err != nil {
			return err
		}
	}
	url := weburl.Parse(where)
	if err := mayKeep(file, url); err != nil {
		return err
	}
	r := config.Repository{
		Name: cmp.Or(opts.name, path.Base(commit.RepositoryName(url.String()))), URL: url, VCS: opts.kind, From: opts.from,
		Branches: opts.branches, Aliases: opts.aliases, Domain: opts.domain,
	}
	_, known, err := tryToAdd(file, &r)
	if err != nil {
		return err
	}
	if opts.force, err = reach(a, cmd.Context(), known, &r, opts.force); err != nil { // nothing was changed yet
		return err
	}
	unlock, err := config.Lock(file)
	if err != nil {
		return err
	}
	defer unlock()
	edit, before, err := tryToAdd(file, &r) // again: reaching it takes time
	if err != nil {
		return err
	}
	var hints []string
	if opts.mine {
		if hints, err = setMine(cmd, a, edit, before, &r); err != nil {
			return err
		}
	}
	c, err := withTable(edit, &r, file)
	if err != nil {
		return err
	}
	if err := edit.Write(file); err != nil { // as whoever runs this, before the state's owner takes over
		return err
	}
	a.makeState = true
	c.Path = file
	all := server.Repositories(c)
	first := *c
	first.Follow.Run = false // only fetch
	s, err := a.serverFor(&first)
	if err != nil {
		return err
	}
	q, err := s.Queue()
	if err != nil {
		return err
	}
	added := all[len(all)-1]
	if err := follow.Followed(q.State).Forget(cmd.Context(), added.Name); err != nil { // of one that was followed before
		return err
	}
	switch err := followOnce(cmd.Context(), a, s, all[len(all)-1:], true); {
	case err != nil && !opts.force:
		return hint.Wrap(err, "it was added to "+file+", and vext follow retries it; to undo this: vext follow remove "+added.Name)
	case err != nil:
		for line := range strings.Lines(strings.TrimSpace(err.Error())) {
			fmt.Fprintf(a.stderr, "vext: warning: %s\n", printable(strings.TrimRight(line, "\n")))
		}
		hints = append(hints, "vext follow retries it; commits made from now on count")
	}
	if !c.Follow.Run {
		hints = append(hints, "restart vext serve if it runs; otherwise let cron run: vext follow --once")
	}
	fmt.Fprintf(a.stdout, "%s is followed, see %s\n", r.Name, file)
	for _, hint := range hints {
		fmt.Fprintf(a.stderr, "vext: hint: %s\n", hint)
	}
	return nil
}

// mayKeep reports whether a URL may be written to a configuration file. A URL with
// a password may be written only to a file that others can't read. A new file is
// then private to its owner, see config.Edit.
func mayKeep(file string, url weburl.URL) error {
	info, err := os.Stat(file)
	if _, _, hasPassword := url.Login(); !hasPassword || err != nil || info.Mode().Perm()&0o007 == 0 {
		return nil
	}
	return hint.Wrap(fmt.Errorf("%s: the URL has a password, and everybody can read %s", url, file),
		"chmod o-rwx "+file+", and give it the group of the user that vext runs as; or keep the password in git's credential store")
}

// tryToAdd returns the text of the configuration and the parsed configuration if a
// repository can be added to it.
func tryToAdd(file string, r *config.Repository) (*config.Edit, *config.Config, error) {
	edit, err := config.Read(file)
	if err != nil {
		return nil, nil, err
	}
	before, err := edit.Parse(policy.DefaultBranches)
	if err != nil {
		return nil, nil, hint.Wrap(fmt.Errorf("%s: %w", file, err), "see vext.toml(5)")
	}
	for i := range before.Repositories {
		if known := &before.Repositories[i]; !known.URL.IsZero() && commit.RepositoryName(known.URL.String()) == commit.RepositoryName(r.URL.String()) {
			return nil, nil, hint.Wrap(fmt.Errorf("%s is already followed, as %s", r.URL, known.Name), "to change its entry, edit "+file)
		}
	}
	with := *edit
	_, err = withTable(&with, r, file)
	return edit, before, err
}

// withTable puts a repository into the text of the configuration.
func withTable(edit *config.Edit, r *config.Repository, file string) (*config.Config, error) {
	edit.Append(r.Table())
	if _, _, hasPassword := r.URL.Login(); hasPassword {
		edit.Private = true
	}
	c, err := edit.Parse(policy.DefaultBranches)
	if err != nil {
		return nil, hint.Wrap(err, "to follow it under another name, use --name; to change the present entry, edit "+file)
	}
	return c, nil
}

// setMine makes the configuration one for a single person.
func setMine(cmd *cobra.Command, a *app, edit *config.Edit, c *config.Config, r *config.Repository) (hints []string, err error) {
	name, address, err := vcs.Identity(cmd.Context())
	if err != nil {
		return nil, hint.Wrap(err, "set your address: git config --global user.email you@example.org")
	}
	r.Committers = []string{address}
	switch {
	case len(c.Reminders.Allow) == 0:
		edit.Set("reminders", "allow = "+config.QuoteList([]string{address}))
	case !policy.MatchAddress(c.Reminders.Allow, address):
		hints = append(hints, fmt.Sprintf("add your address to allow under [reminders]; without it you get no reminder: %s", config.Quote(address)))
	}
	if c.Mail.From == "" {
		lines := []string{"from = " + config.Quote((&commit.Person{Name: name, Email: address}).String())}
		const sendmail = "/usr/sbin/sendmail"
		if _, err := os.Stat(sendmail); err == nil && c.Mail.Via == config.Default(nil).Mail.Via {
			lines = append(lines, `via = "sendmail:`+sendmail+`"`)
		}
		edit.Set("mail", lines...)
	}
	if !c.Follow.Run {
		edit.Set("follow", "run = true # send what is due as well")
	}
	command, err := server.Command(a.configPath, a.state)
	if err != nil {
		return nil, err
	}
	line := strings.ReplaceAll(hook.Line(append(command, "follow", "--once")), "%", `\%`) // crontab(5)
	return append(hints, "add this line to your crontab (crontab -e): */20 * * * * "+line), nil
}

// reach finds out which version control system a repository has, and whether the
// user that will follow it can read it. When that user can't, reach asks at the
// terminal whether to add the repository all the same, and returns the answer.
func reach(a *app, ctx context.Context, c *config.Config, r *config.Repository, force bool) (bool, error) {
	kind, err := probeAsOwner(ctx, a, c, vcs.Kind(r.VCS), r.URL)
	if kind != "" { // else it is detected later
		r.VCS = string(kind)
	}
	switch {
	case err == nil:
		return force, nil
	case ctx.Err() != nil:
		return false, ctx.Err()
	case force || a.confirm("it can't be read: "+err.Error()+"\nfollow it anyway?"):
		return true, nil
	}
	advice := "nothing was changed; to add it anyway, use --force"
	if kind == "" {
		advice += "; to name the version control system: --vcs git, hg or svn"
	}
	return false, hint.Wrap(err, advice)
}

// probeAsOwner reads from a repository as the user that owns the state directory,
// whose credentials may differ from root's.
func probeAsOwner(ctx context.Context, a *app, c *config.Config, kind vcs.Kind, url weburl.URL) (vcs.Kind, error) {
	s, err := a.serverFor(c)
	if err != nil {
		return kind, err
	}
	state, err := s.StateDir()
	info, statErr := os.Stat(state)
	if os.Geteuid() != 0 || err != nil || statErr != nil { // a later step reports it
		return vcs.Probe(ctx, kind, url)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || owner.Uid == 0 {
		return vcs.Probe(ctx, kind, url)
	}
	args, err := server.Command("", state)
	if err != nil {
		return kind, err
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, args[0], append(args[1:], "follow", "reach", "--vcs", string(kind))...)
	cmd.Dir = "/"                                                    // that user may not enter the present directory
	cmd.Stdin, cmd.Stderr = strings.NewReader(url.Reveal()), &stderr // not an argument: ps would show a password
	out, err := cmd.Output()
	found := vcs.Kind(strings.TrimSpace(string(out)))
	if err != nil && stderr.Len() > 0 {
		err = errors.New(strings.TrimSpace(strings.ReplaceAll(stderr.String(), "vext: error: ", "")))
	}
	return found, err
}

// newFollowReach returns the hidden command that probeAsOwner runs.
func newFollowReach(a *app) *cobra.Command {
	var kind string
	c := &cobra.Command{
		Use:    "reach",
		Hidden: true,
		Args:   noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			url, err := io.ReadAll(a.stdin)
			if err != nil {
				return err
			}
			if err := server.BecomeOwner(a.state); err != nil {
				return err
			}
			found, err := vcs.Probe(cmd.Context(), vcs.Kind(kind), weburl.Parse(string(url)))
			fmt.Fprintln(a.stdout, found)
			return err
		},
	}
	c.Flags().StringVar(&kind, "vcs", "", "its version control system")
	return c
}
