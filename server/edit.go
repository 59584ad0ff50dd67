package server

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"vext/internal/commit"
	"vext/internal/config"
	"vext/internal/hint"
	"vext/internal/vcs"
	"vext/internal/weburl"
	"vext/policy"
	"vext/source/hook"
)

// An Addition is a repository that is to be followed.
type Addition struct {
	File       string // the configuration, which is changed
	Repository config.Repository
	// Mine makes the configuration one for the commits of the present user.
	Mine bool
	// Command is vext as a crontab must run it.
	Command []string
}

// Check returns the configuration, and an error if the repository can't be added.
func (a *Addition) Check() (*config.Config, error) {
	edit, c, err := a.read()
	if err == nil {
		_, err = a.appendTo(edit)
	}
	return c, err
}

func (a *Addition) read() (*config.Edit, *config.Config, error) {
	if err := mayKeep(a.File, a.Repository.URL); err != nil {
		return nil, nil, err
	}
	edit, c, err := readConfig(a.File)
	if err != nil {
		return nil, nil, err
	}
	for i := range c.Repositories {
		if known := &c.Repositories[i]; !known.URL.IsZero() && commit.RepositoryName(known.URL.String()) == commit.RepositoryName(a.Repository.URL.String()) {
			return nil, nil, hint.Wrap(fmt.Errorf("%s is already followed, as %s", a.Repository.URL, known.Name), "to change its entry, edit "+a.File)
		}
	}
	return edit, c, nil
}

// Write adds the repository to the configuration, and returns that and hints for the
// user.
func (a *Addition) Write(ctx context.Context) (c *config.Config, hints []string, err error) {
	unlock, err := config.Lock(a.File)
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	edit, before, err := a.read()
	if err != nil {
		return nil, nil, err
	}
	if a.Mine {
		if hints, err = a.setMine(ctx, edit, before); err != nil {
			return nil, nil, err
		}
	}
	if c, err = a.appendTo(edit); err != nil {
		return nil, nil, err
	}
	c.Path = a.File
	return c, hints, edit.Write(a.File)
}

func (a *Addition) appendTo(edit *config.Edit) (*config.Config, error) {
	edit.Append(a.Repository.Table())
	if _, _, hasPassword := a.Repository.URL.Login(); hasPassword {
		edit.Private = true
	}
	c, err := edit.Parse(policy.DefaultBranches)
	return c, hint.Wrap(err, "to follow it under another name, use --name; to change the present entry, edit "+a.File)
}

// setMine restricts the repository to the commits of the present user, who may get
// mails, and makes vext follow send them.
func (a *Addition) setMine(ctx context.Context, edit *config.Edit, c *config.Config) (hints []string, err error) {
	name, address, err := vcs.Identity(ctx)
	if err != nil {
		return nil, hint.Wrap(err, "set your address: git config --global user.email you@example.org")
	}
	a.Repository.Committers = []string{address}
	switch {
	case len(c.Reminders.Allow) == 0:
		edit.Set("reminders", "allow = "+config.QuoteList([]string{address}))
	case !policy.MatchAddress(c.Reminders.Allow, address):
		hints = append(hints, "add your address to allow under [reminders]; without it you get no reminder: "+config.Quote(address))
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
		edit.Set("follow", "run = true # also send reminders that are due")
	}
	line := strings.ReplaceAll(hook.Line(append(slices.Clone(a.Command), "follow", "--once")), "%", `\%`) // crontab(5)
	return append(hints, "add this line to your crontab (crontab -e): */20 * * * * "+line), nil
}

// mayKeep returns an error if a URL has a password and users other than the owner
// and the group can read the file. A new file is private, see config.Edit.
func mayKeep(file string, url weburl.URL) error {
	info, err := os.Stat(file)
	if _, _, hasPassword := url.Login(); !hasPassword || err != nil || info.Mode().Perm()&0o007 == 0 {
		return nil
	}
	return hint.Wrap(fmt.Errorf("%s: the URL has a password, and everybody can read %s", url, file),
		"chmod o-rwx "+file+", and give it the group of the user that vext runs as; or keep the password in git's credential store")
}

// RemoveRepository removes the table of a repository from the configuration file. It
// returns the configuration from before, the name of the repository, and whether it
// had a table.
func RemoveRepository(file, name string) (c *config.Config, canonical string, removed bool, err error) {
	unlock, err := config.Lock(file)
	if err != nil {
		return nil, "", false, err
	}
	defer unlock()
	edit, c, err := readConfig(file)
	if err != nil {
		return nil, "", false, err
	}
	c.Path = file
	p := Policy(c)
	name = p.Repository(name)
	i := slices.IndexFunc(c.Repositories, func(r config.Repository) bool { return !r.URL.IsZero() && p.Repository(r.Name) == name })
	if i < 0 {
		return c, name, false, nil
	}
	if err := edit.RemoveRepository(c.Repositories[i].Name); err != nil {
		return nil, "", false, fmt.Errorf("%s: %w", file, err)
	}
	return c, name, true, edit.Write(file)
}

func readConfig(file string) (*config.Edit, *config.Config, error) {
	edit, err := config.Read(file)
	if err != nil {
		return nil, nil, err
	}
	c, err := edit.Parse(policy.DefaultBranches)
	if err != nil {
		return nil, nil, hint.Wrap(fmt.Errorf("%s: %w", file, err), "see vext.toml(5)")
	}
	return edit, c, nil
}
