package config

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vext/internal/target"
	"vext/internal/text"
	"vext/internal/weburl"
)

// An Autosync is a work tree that keeps itself in sync. Keys that are not set have the
// values of DefaultAutosync once the configuration is read.
type Autosync struct {
	Path   string `toml:"path"`
	VCS    string `toml:"vcs"`    // git, hg or commands; "" to detect
	Remote string `toml:"remote"` // "" for that of the branch, or origin
	Branch string `toml:"branch"` // at the remote; "" for the one that is checked out

	Quiet     *Duration `toml:"quiet"`      // without a change, before a commit
	Longest   *Duration `toml:"longest"`    // that a file which never rests waits for a commit
	PushAfter *Duration `toml:"push_after"` // without a commit, before a push
	PullEvery *Duration `toml:"pull_every"`
	Rescan    *Duration `toml:"rescan"`
	Poll      *Duration `toml:"poll"` // between two scans where the system reports no changes

	Ignore    []string `toml:"ignore"`     // patterns, as in .gitignore
	MaxFile   string   `toml:"max_file"`   // "50 MB"; "0" for no bound
	MaxChange string   `toml:"max_change"` // "1000 files, 500 MB"; "0" for no bound

	Message        string   `toml:"message"` // a template
	MessageCommand []string `toml:"message_command"`

	Integrate string `toml:"integrate"` // rebase or merge
	Conflict  string `toml:"conflict"`  // copy, ours, theirs, stop

	Peers     []string `toml:"peers"` // "xmpp", "remote", https URLs of vext serve; nil for "xmpp" if there is an account
	Token     string   `toml:"token"` // for those URLs
	TokenFile string   `toml:"token_file"`
	URLs      []string `toml:"urls"`   // where this machine can be fetched from
	Notify    *bool    `toml:"notify"` // on the desktop

	AlsoNotify []string `toml:"also_notify"` // persons on XMPP who get the same notices: "xmpp:jane@example.org"

	Commands AutosyncCommands `toml:"commands"`
}

// AutosyncCommands are the command lines of another version control.
type AutosyncCommands struct {
	Status    []string `toml:"status"`
	Add       []string `toml:"add"`
	Remove    []string `toml:"remove"`
	Commit    []string `toml:"commit"`
	Push      []string `toml:"push"`
	Pull      []string `toml:"pull"`
	RemoteURL []string `toml:"remote_url"`
}

// An AutosyncHub passes the pushes of one person's machines on between them, at the path
// /autosync/ of [http].
type AutosyncHub struct {
	Token     string `toml:"token"` // that the machines have
	TokenFile string `toml:"token_file"`
}

// Kinds of version control in Autosync.VCS.
const (
	ByGit      = "git"
	ByHg       = "hg"
	ByCommands = "commands"
)

// Links in Autosync.Peers, beside URLs.
const (
	PeersByXMPP   = "xmpp"
	PeersByRemote = "remote"
)

// minAutosyncPause bounds how often a work tree is looked at, fetched or polled.
const minAutosyncPause = time.Second

// DefaultAutosync returns the values of the keys that a table does not set.
func DefaultAutosync() Autosync {
	after := func(d time.Duration) *Duration { return &Duration{d} }
	notify := true
	return Autosync{
		Quiet: after(2 * time.Second), Longest: after(time.Minute), PushAfter: after(5 * time.Second),
		PullEvery: after(10 * time.Minute), Rescan: after(time.Hour), Poll: after(30 * time.Second),
		MaxFile: "50 MB", MaxChange: "1000 files, 500 MB",
		Integrate: "rebase", Conflict: "copy", Notify: &notify,
	}
}

// checkAutosync checks the tables, and completes them.
func (c *Config) checkAutosync() error {
	seen := map[string]bool{}
	late := time.NewTimer(placeTime)
	defer late.Stop()
	for i := range c.Autosync {
		t := &c.Autosync[i]
		written := t.Path
		if written == "" {
			return errors.New("autosync: path is missing: the work tree")
		}
		if err := t.Complete(c.XMPP.JID != ""); err != nil {
			return fmt.Errorf("autosync %s: %w", written, err)
		}
		place := t.place(late)
		if seen[place] {
			return fmt.Errorf("autosync %s: there are two tables for this path", written)
		}
		seen[place] = true
	}
	h := &c.Hub
	if h.Token != "" && h.TokenFile != "" {
		return errors.New("autosync-hub: token and token_file are both set")
	}
	if (h.Token != "" || h.TokenFile != "") && c.HTTP.Listen == "" {
		return errors.New("autosync-hub: http.listen is not set: the hub is reached there")
	}
	return expandHome("autosync-hub: token_file", &h.TokenFile)
}

// placeTime bounds how long file systems are asked which directories are the same: one may not
// answer.
const placeTime = time.Second

// place returns the path by which two tables for one directory are recognised.
func (t *Autosync) place(late *time.Timer) string {
	path := filepath.Clean(t.Path)
	found := make(chan string, 1)
	go func() {
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			real = path
		}
		found <- real
	}()
	select {
	case real := <-found:
		return real
	case <-late.C:
		late.Reset(placeTime / 20) // for the tables that follow
		return path
	}
}

// Complete checks the values of a table, of which each error names the key, and sets the
// keys that it does not have. withXMPP is whether there is an account.
func (t *Autosync) Complete(withXMPP bool) error {
	if err := cmp.Or(expandHome("path", &t.Path), expandHome("token_file", &t.TokenFile)); err != nil {
		return err
	}
	if !filepath.IsAbs(t.Path) {
		return fmt.Errorf("path: needs an absolute path, or one that begins with ~/, not %q", t.Path)
	}
	t.Path = filepath.Clean(t.Path)
	switch {
	case t.Peers == nil && withXMPP:
		t.Peers = []string{PeersByXMPP}
	case len(t.Peers) == 1 && t.Peers[0] == "none":
		t.Peers = []string{}
	}
	t.setDefaults()
	for _, check := range []func() error{t.checkTimes, t.checkBounds, t.checkWords, t.checkCommands, func() error { return t.checkPeers(withXMPP) }} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// expandHome replaces ~ at the beginning of a path by the home directory.
func expandHome(key string, path *string) error {
	rest, ok := strings.CutPrefix(*path, "~")
	if !ok {
		return nil
	}
	if rest != "" && rest[0] != '/' {
		return fmt.Errorf("%s: %q: the home directory of another user must be written out", key, *path)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return fmt.Errorf("%s: %q: %w", key, *path, err)
	}
	*path = home + rest
	return nil
}

func (t *Autosync) setDefaults() {
	d := DefaultAutosync()
	t.Quiet, t.Longest, t.PushAfter = cmp.Or(t.Quiet, d.Quiet), cmp.Or(t.Longest, d.Longest), cmp.Or(t.PushAfter, d.PushAfter)
	t.PullEvery, t.Rescan, t.Poll = cmp.Or(t.PullEvery, d.PullEvery), cmp.Or(t.Rescan, d.Rescan), cmp.Or(t.Poll, d.Poll)
	t.MaxFile, t.MaxChange = cmp.Or(t.MaxFile, d.MaxFile), cmp.Or(t.MaxChange, d.MaxChange)
	t.Integrate, t.Conflict, t.Notify = cmp.Or(t.Integrate, d.Integrate), cmp.Or(t.Conflict, d.Conflict), cmp.Or(t.Notify, d.Notify)
}

func (t *Autosync) checkTimes() error {
	for _, d := range []struct {
		key string
		is  *Duration
		min time.Duration
	}{
		{"quiet", t.Quiet, 10 * time.Millisecond}, {"longest", t.Longest, 10 * time.Millisecond}, {"push_after", t.PushAfter, 0},
		{"pull_every", t.PullEvery, minAutosyncPause}, {"rescan", t.Rescan, minAutosyncPause}, {"poll", t.Poll, minAutosyncPause},
	} {
		if d.is.Duration < d.min {
			return fmt.Errorf("%s: at least %v, not %v", d.key, d.min, d.is.Duration)
		}
	}
	if t.Longest.Duration < t.Quiet.Duration {
		return fmt.Errorf("longest: at least as long as quiet, which is %v, not %v", t.Quiet.Duration, t.Longest.Duration)
	}
	return nil
}

func (t *Autosync) checkBounds() error {
	if _, err := ParseSize(t.MaxFile); err != nil {
		return fmt.Errorf("max_file: %w", err)
	}
	if _, _, err := ParseChange(t.MaxChange); err != nil {
		return fmt.Errorf("max_change: %w", err)
	}
	return nil
}

func (t *Autosync) checkWords() error {
	for _, w := range []struct {
		key, is string
		allowed []string
	}{
		{"vcs", t.VCS, []string{"", ByGit, ByHg, ByCommands}},
		{"integrate", t.Integrate, []string{"rebase", "merge"}},
		{"conflict", t.Conflict, []string{"copy", "ours", "theirs", "stop"}},
	} {
		if !slices.Contains(w.allowed, w.is) {
			return fmt.Errorf("%s: %q is none of %s", w.key, w.is, strings.Join(slices.DeleteFunc(w.allowed, isEmpty), ", "))
		}
	}
	for _, w := range []struct{ key, is string }{{"remote", t.Remote}, {"branch", t.Branch}} {
		if strings.HasPrefix(w.is, "-") || strings.ContainsFunc(w.is, func(r rune) bool { return r == ' ' || text.IsControl(r) }) {
			return fmt.Errorf("%s: %q is not the name of a %[1]s", w.key, w.is)
		}
	}
	if strings.Contains(t.Branch, "..") || strings.HasSuffix(t.Branch, "/") { // a path, as it seems
		return fmt.Errorf("branch: %q is not the name of a branch", t.Branch)
	}
	for _, url := range t.URLs {
		if !weburl.IsFetch(url) {
			return fmt.Errorf("urls: %q is no URL from which another machine can fetch: ssh://host/path, host:path, https://, http:// or git://", url)
		}
	}
	for _, pattern := range t.Ignore {
		if strings.TrimSpace(pattern) == "" || strings.ContainsFunc(pattern, text.IsControl) {
			return fmt.Errorf("ignore: %q is not a pattern as in .gitignore", pattern)
		}
	}
	switch {
	case t.Message != "" && len(t.MessageCommand) > 0:
		return errors.New("message and message_command are both set")
	case len(t.MessageCommand) > 0 && t.MessageCommand[0] == "":
		return errors.New("message_command: the first word, the program, is empty")
	}
	return nil
}

func isEmpty(s string) bool { return s == "" }

// checkCommands checks that all command lines are there, or none.
func (t *Autosync) checkCommands() error {
	var missing []string
	given := false
	for _, c := range t.Commands.all() {
		switch {
		case len(c.words) == 0 || c.words[0] == "":
			missing = append(missing, c.key)
		case slices.ContainsFunc(c.words, func(word string) bool { return word != "%s" && strings.Contains(word, "%s") }):
			return fmt.Errorf("commands.%s: %%s must be a word of its own", c.key)
		}
		given = given || len(c.words) > 0
	}
	switch {
	case !given && t.VCS == ByCommands:
		return errors.New(`vcs: "commands" needs a table [autosync.commands]`)
	case !given:
		return nil
	case t.VCS == "":
		t.VCS = ByCommands
	case t.VCS != ByCommands:
		return fmt.Errorf("commands: they are used only with vcs = %q, not with %q", ByCommands, t.VCS)
	}
	if len(missing) > 0 {
		return fmt.Errorf("commands: %s missing: a list of words, such as [\"tool\", \"add\", \"%%s\"]", strings.Join(missing, ", "))
	}
	return nil
}

type commandLine struct {
	key   string
	words []string
}

func (c *AutosyncCommands) all() []commandLine {
	return []commandLine{
		{"status", c.Status}, {"add", c.Add}, {"remove", c.Remove}, {"commit", c.Commit},
		{"push", c.Push}, {"pull", c.Pull}, {"remote_url", c.RemoteURL},
	}
}

func (t *Autosync) checkPeers(withXMPP bool) error {
	if t.Token != "" && t.TokenFile != "" {
		return errors.New("token and token_file are both set")
	}
	for i, p := range t.Peers {
		switch {
		case slices.Contains(t.Peers[:i], p):
			return fmt.Errorf("peers: %q is there twice", p)
		case p == PeersByRemote:
		case p == PeersByXMPP && !withXMPP:
			return errors.New(`peers: "xmpp" needs the account: jid and password_file under [xmpp]`)
		case p == PeersByXMPP:
		default:
			if err := t.checkHubURL(p); err != nil {
				return err
			}
		}
	}
	for _, to := range t.AlsoNotify {
		switch parsed, err := target.Parse(to); {
		case err != nil:
			return fmt.Errorf("also_notify: %w", err)
		case parsed.Scheme != target.XMPP || !parsed.IsPerson:
			return fmt.Errorf("also_notify: needs a person on XMPP such as \"xmpp:jane@example.org\", not %q", to)
		case !withXMPP:
			return fmt.Errorf("also_notify: %w", errNoXMPP)
		}
	}
	return nil
}

// checkHubURL checks the URL of a vext serve.
func (t *Autosync) checkHubURL(p string) error {
	if !strings.Contains(p, "://") {
		return fmt.Errorf(`peers: needs "xmpp", "remote" or the URL of a vext serve such as "https://vext.example.org", not %q`, p)
	}
	switch err := weburl.CheckService(p); {
	case err != nil: // which does not show a password
		return fmt.Errorf("peers: %w", err)
	case t.Token == "" && t.TokenFile == "":
		return fmt.Errorf("peers: %s needs token_file: the token of its [autosync-hub]", p)
	}
	return nil
}

// Secret returns the token for the URLs of Peers.
func (t *Autosync) Secret() (string, error) { return secret(t.Token, t.TokenFile) }

// Secret returns the token of the hub, "" when there is no hub.
func (h *AutosyncHub) Secret() (string, error) { return secret(h.Token, h.TokenFile) }
