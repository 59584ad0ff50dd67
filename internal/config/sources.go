package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"vext/internal/commit"
	"vext/internal/socket"
	"vext/internal/text"
	"vext/internal/weburl"
)

// MaxSilence is how long a source may bring no commit before vext check warns, 0 for no
// limit. When it is nil, the limit is learnt from the source's earlier commits.

// HTTP is where vext serve listens for webhooks of forges.
type HTTP struct {
	Listen string `toml:"listen"` // host:port; "" to disable
}

// LMTP is where vext serve listens for mails.
type LMTP struct {
	Listen     string    `toml:"listen"` // unix:/path or a loopback host:port; "" to disable
	MaxSilence *Duration `toml:"max_silence"`
}

// MailIn configures commits that arrive by mail.
type MailIn struct {
	Hold       Duration  `toml:"hold"`
	MaxSilence *Duration `toml:"max_silence"`
}

// Follow configures followed repositories.
type Follow struct {
	Schedule string `toml:"schedule"`
	Run      bool   `toml:"run"` // vext follow also runs the processor
}

// A Hook is the endpoint of a forge: POST /hook/NAME.
type Hook struct {
	Name         string    `toml:"name"`
	Secret       string    `toml:"secret"`
	SecretFile   string    `toml:"secret_file"`
	Repositories []string  `toml:"repositories"`
	Allow        []string  `toml:"allow"`
	Senders      []string  `toml:"senders"`
	MaxSilence   *Duration `toml:"max_silence"`
}

// Key returns the secret that a forge shares with the hook, "" when there is
// none.
func (h *Hook) Key() (string, error) {
	key, err := secret(h.Secret, h.SecretFile)
	if err == nil && (strings.TrimSpace(key) != key || strings.ContainsFunc(key, func(r rune) bool { return text.IsControl(r) || r == '\ufeff' })) {
		err = errors.New("the secret has blanks around it, or control characters in it")
	}
	return key, err
}

// A Repository is one that is followed, or that only has several names.
type Repository struct {
	Name        string     `toml:"name"`
	URL         weburl.URL `toml:"url"`
	VCS         string     `toml:"vcs"` // git, hg, svn; "" to detect
	Aliases     []string   `toml:"aliases"`
	Branches    []string   `toml:"branches"` // default: those that count
	From        string     `toml:"from"`     // a commit or a date; "" for the present
	FirstParent *bool      `toml:"first_parent"`
	Committers  []string   `toml:"committers"` // whose commits count; empty for all
	Domain      string     `toml:"domain"`     // of logins that are no addresses
	MaxSilence  *Duration  `toml:"max_silence"`

	Convention string            `toml:"convention"` // default: that of [reminders]
	Targets    []string          `toml:"targets"`    // patterns of the branches to merge to; default: the convention's
	Supported  *int              `toml:"supported"`  // how many of them count, the newest; 0 for all
	Git        string            `toml:"git"`        // a clone on this machine, to look at
	Links      map[string]string `toml:"links"`      // templates of URLs with %s, by what they link to
}

// A Duration is written as for time.ParseDuration, or as a number of days: "15m",
// "1h30m", "30d".
type Duration struct{ time.Duration }

// UnmarshalText reads a duration that is not negative.
func (d *Duration) UnmarshalText(text []byte) error {
	var err error
	if days, ok := strings.CutSuffix(string(text), "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16) // 179 years
		d.Duration = time.Duration(n) * 24 * time.Hour
	} else {
		d.Duration, err = time.ParseDuration(string(text))
	}
	if err != nil || d.Duration < 0 {
		return &durationError{string(text)}
	}
	return nil
}

// notDuration begins the text of each durationError.
const notDuration = `not a duration such as "15m", "36h" or "30d": `

// A durationError is about a value that is no duration.
type durationError struct{ value string }

func (e *durationError) Error() string { return notDuration + strconv.Quote(e.value) }

// in adds to the error of a number the line and the key, which the parser of TOML does not
// know then.
func (e *durationError) in(text string) error {
	table, line := "", 1
	for _, s := range statements(text) {
		if s.header != "" {
			table = strings.Trim(s.header, "[]") + "."
		}
		_, value, _ := strings.Cut(s.text, "=")
		value, _, _ = strings.Cut(value, "#")
		if s.key != "" && strings.TrimSpace(value) == e.value {
			return fmt.Errorf("line %d: %s%s: %w", line, table, s.key, e)
		}
		line += strings.Count(s.text, "\n")
	}
	return e
}

// maxHold bounds how long a mail is held. Held longer, it could be scheduled after
// its day.
const maxHold = 24 * time.Hour

func (c *Config) checkSources() error {
	if c.MailIn.Hold.Duration > maxHold {
		return errors.New("mail-in.hold: at most 24h")
	}
	if err := cmp.Or(c.HTTP.check(), c.LMTP.check()); err != nil {
		return err
	}
	names := map[string]bool{}
	for i := range c.Hooks {
		h := &c.Hooks[i]
		if err := h.check(); err != nil {
			return err
		}
		if names[h.Name] {
			return fmt.Errorf("hook: there are two of the name %q", h.Name)
		}
		names[h.Name] = true
	}
	return c.checkRepositories()
}

func (h *Hook) check() error {
	if h.Name == "" || strings.ContainsFunc(h.Name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	}) {
		return fmt.Errorf("hook: needs a name of letters, digits and ._- for /hook/NAME, not %q", h.Name)
	}
	if h.Secret != "" && h.SecretFile != "" {
		return fmt.Errorf("hook %s: secret and secret_file are both set", h.Name)
	}
	return checkAddresses("hook "+h.Name, h.Allow, h.Senders)
}

func (c *Config) checkRepositories() error {
	owner := map[string]string{}
	for i := range c.Repositories {
		r := &c.Repositories[i]
		if strings.TrimSpace(r.Name) == "" || strings.ContainsFunc(r.Name, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			return fmt.Errorf("repository: needs a name without blanks, not %q", r.Name)
		}
		if !slices.Contains([]string{"", "git", "hg", "svn"}, r.VCS) {
			return fmt.Errorf("repository %s: vcs: %q is none of \"git\", \"hg\" and \"svn\"", r.Name, r.VCS)
		}
		if url := r.URL.Reveal(); strings.HasPrefix(url, "-") || strings.ContainsFunc(url, text.IsControl) {
			return fmt.Errorf("repository %s: url: %q is not a URL", r.Name, r.URL.String())
		}
		if strings.Contains(r.Domain, "@") {
			return fmt.Errorf("repository %s: domain: needs the part after the @, not %q", r.Name, r.Domain)
		}
		if err := checkAddresses("repository "+r.Name, r.Committers); err != nil {
			return err
		}
		if err := r.checkTargets(); err != nil {
			return fmt.Errorf("repository %s: %w", r.Name, err)
		}
		own := commit.RepositoryName(r.Name)
		if other, taken := owner[strings.ToLower(own)]; taken {
			return fmt.Errorf("repository %s: %s has that name already", r.Name, other)
		}
		for _, name := range r.names() {
			if other, taken := owner[name]; taken && other != own {
				return fmt.Errorf("repository %s: %s has the name %q already", r.Name, other, name)
			}
			owner[name] = own
		}
	}
	return nil
}

// names returns all names of a repository, as they are compared.
func (r *Repository) names() []string {
	var names []string
	for _, name := range append([]string{r.Name, r.URL.String()}, r.Aliases...) {
		if name = strings.ToLower(commit.RepositoryName(name)); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// Names maps the aliases and URLs of the repositories to their names, see
// policy.Policy.
func (c *Config) Names() map[string]string {
	names := map[string]string{}
	for i := range c.Repositories {
		r := &c.Repositories[i]
		for _, name := range r.names() {
			names[name] = commit.RepositoryName(r.Name)
		}
	}
	return names
}

// check checks where to listen for webhooks.
func (h *HTTP) check() error {
	if _, port, err := net.SplitHostPort(h.Listen); h.Listen != "" && (err != nil || port == "") {
		return fmt.Errorf("http.listen: needs an address and a port such as \"127.0.0.1:8645\", not %q", h.Listen)
	}
	return nil
}

// Address returns where to listen for LMTP, as for net.Listen: a Unix socket, or a
// port that only this machine can reach. address is "" when LMTP is disabled.
func (l *LMTP) Address() (network, address string) {
	if path, ok := strings.CutPrefix(l.Listen, "unix:"); ok {
		return "unix", path
	}
	return "tcp", l.Listen
}

func (l *LMTP) check() error {
	network, address := l.Address()
	if network == "unix" && !filepath.IsAbs(address) {
		return fmt.Errorf("lmtp.listen: needs an absolute path, not %q", address)
	}
	if network == "unix" || address == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || port == "" {
		return fmt.Errorf("lmtp.listen: needs \"unix:/path\" or a port such as \"127.0.0.1:2424\", not %q", address)
	}
	if !weburl.IsLoopback(host) {
		return fmt.Errorf("lmtp.listen: %s can be reached by other machines, and LMTP has no authentication; use 127.0.0.1 or a socket", host)
	}
	return nil
}

// Control is the socket by which the users of this machine reach vext serve.
type Control struct {
	Socket string `toml:"socket"` // path; "" for none
	Domain string `toml:"domain"` // of the users' addresses: login@domain
}

// Users are the addresses of users of this machine, by their logins. In the file
// each is one string, or a list.
type Users map[string][]string

// haveSeveral reports whether a user has not exactly one address. Without the control socket,
// a user is one who has left, and the address is that of who is reminded instead.
func (u Users) haveSeveral() bool {
	for _, addresses := range u {
		if len(addresses) != 1 {
			return true
		}
	}
	return false
}

func readUsers(table map[string]any) (Users, error) {
	users := Users{}
	for login, value := range table {
		if login == "" || strings.ContainsAny(login, " \t@:/") {
			return nil, fmt.Errorf("users: %q is not a login", login)
		}
		list, ok := value.([]any)
		if !ok {
			list = []any{value}
		}
		users[login] = []string{}
		for _, one := range list {
			address, ok := one.(string)
			local, domain, _ := strings.Cut(address, "@")
			if !ok || local == "" || domain == "" || strings.ContainsAny(address, "*? <>") {
				return nil, fmt.Errorf("users.%s: needs an address such as \"jane@example.org\", or a list of some, without patterns; not %q", login, fmt.Sprint(one))
			}
			users[login] = append(users[login], address)
		}
	}
	return users, nil
}

func (c *Config) checkControl() (err error) {
	if c.Users, err = readUsers(c.UsersTable); err != nil {
		return err
	}
	path, domain := c.Control.Socket, c.Control.Domain
	switch {
	case path != "" && (!filepath.IsAbs(path) || len(path) > socket.MaxPath):
		return fmt.Errorf("control.socket: needs an absolute path, of at most %d bytes, not %q", socket.MaxPath, path)
	case strings.ContainsAny(domain, "@ *?"):
		return fmt.Errorf("control.domain: needs the part after the @, not %q", domain)
	case path == "" && domain != "":
		return errors.New("control.domain is set, but control.socket is not")
	case path == "" && c.Users.haveSeveral():
		return errors.New("users: somebody has no address or several, but control.socket is not set")
	case path != "" && domain == "" && len(c.Users) == 0:
		return errors.New("control.socket is set, but neither domain nor a table [users] gives the addresses of users")
	}
	return nil
}
