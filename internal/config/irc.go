package config

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lrstanley/girc"

	"vext/internal/target"
	"vext/internal/text"
	"vext/internal/weburl"
)

// An IRC holds the settings for IRC: of [irc] for all networks, or of a [[network]]
// for one.
type IRC struct {
	Nick     string `toml:"nick"` // * is replaced by a number on a further connection
	User     string `toml:"user"`
	Realname string `toml:"realname"`
	Command  string `toml:"command"` // privmsg or notice
	Colors   string `toml:"colors"`  // none to remove them; "" to keep them

	Burst *int     `toml:"burst"` // lines at once
	Rate  *float64 `toml:"rate"`  // lines a second after that; 0 for no bound

	BacklogLines *int      `toml:"backlog_lines"` // more lines are summed up in one; 0 for never
	BacklogAge   *Duration `toml:"backlog_age"`   // older lines are summed up in one; 0 for never

	Connections int    `toml:"connections"` // to one network at once
	Proxy       string `toml:"proxy"`       // socks5://[user:password@]host:port
	CA          string `toml:"ca"`          // file of certificates to trust
	Certificate string `toml:"certificate"` // file of the client's certificate
	Key         string `toml:"key"`         // file; default: the certificate's

	SASL         string `toml:"sasl"` // plain, external or none
	Account      string `toml:"account"`
	Password     string `toml:"password"` // of the account
	PasswordFile string `toml:"password_file"`
	NickServ     *bool  `toml:"nickserv"` // identify there, instead of by SASL

	ServerPassword     string `toml:"server_password"`
	ServerPasswordFile string `toml:"server_password_file"`
}

// A Network is one IRC network with its settings. Once the configuration is read,
// those of [irc] fill the gaps.
type Network struct {
	URL string `toml:"url"`
	IRC
}

// Irker is the listener for irker's clients.
type Irker struct {
	Listen string   `toml:"listen"` // host:port; "" to disable
	Allow  []string `toml:"allow"`  // networks of clients, and patterns of targets
}

// An Announce says which commits are announced where, as they arrive.
type Announce struct {
	Repositories []string `toml:"repositories"`
	Branches     []string `toml:"branches"`
	To           []string `toml:"to"`
	Template     string   `toml:"template"`    // of a line; "" for announcement.txt
	Colors       string   `toml:"colors"`      // mirc, ansi or none
	MaxCommits   *int     `toml:"max_commits"` // of one push that get a line each
}

// A Route says where the reminders of some commits go.
type Route struct {
	Committers   []string `toml:"committers"`
	Repositories []string `toml:"repositories"`
	Branches     []string `toml:"branches"`
	To           []string `toml:"to"` // "mail", URLs of targets
}

// ByMail in Route.To is the mail to the committer.
const ByMail = "mail"

// Values of Announce.Colors.
const (
	NoColors   = "none"
	MIRCColors = "mirc"
	ANSIColors = "ansi"
)

func (c *Config) checkIRC() error {
	if err := c.IRC.check("irc"); err != nil {
		return err
	}
	seen := map[string]bool{}
	for i := range c.Networks {
		n := &c.Networks[i]
		server, err := n.Server()
		if err != nil {
			return err
		}
		if seen[server] {
			return fmt.Errorf("network: there are two for %s", n.URL)
		}
		seen[server] = true
		n.IRC = n.IRC.over(&c.IRC)
		if err := n.check("network " + n.URL); err != nil {
			return err
		}
	}
	if err := c.Irker.check(); err != nil {
		return err
	}
	for i := range c.Announce {
		if err := c.Announce[i].check(i); err != nil {
			return err
		}
	}
	for i, r := range c.Routes {
		where := fmt.Sprintf("route %d", i+1)
		if err := checkTargets(where, r.To, ByMail); err != nil {
			return err
		}
		if err := checkAddresses(where, r.Committers); err != nil {
			return err
		}
	}
	return nil
}

// over returns i with the settings of base where i has none. The way to log in is
// one setting, and so is a certificate with its key: neither is mixed from both.
func (i IRC) over(base *IRC) IRC {
	i.Nick, i.User, i.Realname = cmp.Or(i.Nick, base.Nick), cmp.Or(i.User, base.User), cmp.Or(i.Realname, base.Realname)
	i.Command, i.Colors = cmp.Or(i.Command, base.Command), cmp.Or(i.Colors, base.Colors)
	i.Burst, i.Rate = cmp.Or(i.Burst, base.Burst), cmp.Or(i.Rate, base.Rate)
	i.BacklogLines, i.BacklogAge = cmp.Or(i.BacklogLines, base.BacklogLines), cmp.Or(i.BacklogAge, base.BacklogAge)
	i.Connections, i.Proxy, i.CA = cmp.Or(i.Connections, base.Connections), cmp.Or(i.Proxy, base.Proxy), cmp.Or(i.CA, base.CA)
	if i.Certificate == "" {
		i.Certificate, i.Key = base.Certificate, base.Key
	}
	if i.SASL == "" && i.NickServ == nil {
		i.SASL, i.NickServ = base.SASL, base.NickServ
	}
	i.Account = cmp.Or(i.Account, base.Account)
	if i.Password == "" && i.PasswordFile == "" {
		i.Password, i.PasswordFile = base.Password, base.PasswordFile
	}
	if i.ServerPassword == "" && i.ServerPasswordFile == "" {
		i.ServerPassword, i.ServerPasswordFile = base.ServerPassword, base.ServerPasswordFile
	}
	return i
}

func (i *IRC) check(where string) error {
	nickServ := i.NickServ != nil && *i.NickServ
	switch {
	case i.Command != "" && i.Command != "privmsg" && i.Command != "notice":
		return fmt.Errorf("%s: command: %q is neither \"privmsg\" nor \"notice\"", where, i.Command)
	case i.Colors != "" && i.Colors != NoColors:
		return fmt.Errorf("%s: colors: %q is not \"none\"; without the key colours are kept", where, i.Colors)
	case i.Burst != nil && *i.Burst < 1:
		return fmt.Errorf("%s: burst: at least 1", where)
	case i.Rate != nil && *i.Rate < 0:
		return fmt.Errorf("%s: rate: lines a second, 0 for no bound, not %v", where, *i.Rate)
	case i.BacklogLines != nil && *i.BacklogLines < 0:
		return fmt.Errorf("%s: backlog_lines: 0 for never, not %d", where, *i.BacklogLines)
	case i.Connections < 0:
		return fmt.Errorf("%s: connections: at least 1", where)
	case i.SASL != "" && i.SASL != "plain" && i.SASL != "external" && i.SASL != "none":
		return fmt.Errorf("%s: sasl: %q is none of \"plain\", \"external\" and \"none\"", where, i.SASL)
	case i.SASL != "" && i.SASL != "none" && nickServ:
		return fmt.Errorf("%s: sasl and nickserv are both set", where)
	case i.SASL == "plain" && i.Account == "":
		return fmt.Errorf("%s: sasl = \"plain\" needs account", where)
	case i.SASL == "external" && i.Certificate == "":
		return fmt.Errorf("%s: sasl = \"external\" needs certificate", where)
	case (i.SASL == "plain" || nickServ) && i.Password == "" && i.PasswordFile == "":
		return fmt.Errorf("%s: password (or password_file) is missing", where)
	case i.Account != "" && i.SASL == "" && !nickServ:
		return fmt.Errorf("%s: account is set, but neither sasl nor nickserv", where)
	case i.Password != "" && i.PasswordFile != "":
		return fmt.Errorf("%s: password and password_file are both set", where)
	case i.ServerPassword != "" && i.ServerPasswordFile != "":
		return fmt.Errorf("%s: server_password and server_password_file are both set", where)
	case i.Key != "" && i.Certificate == "":
		return fmt.Errorf("%s: key needs certificate", where)
	}
	if err := checkNick(i.Nick); err != nil {
		return fmt.Errorf("%s: nick: %w", where, err)
	}
	if strings.ContainsFunc(i.User, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '@' }) {
		return fmt.Errorf("%s: user: needs letters and digits, not %q", where, i.User)
	}
	for _, f := range []struct{ key, path string }{{"ca", i.CA}, {"certificate", i.Certificate}, {"key", i.Key}} {
		if f.path != "" && !filepath.IsAbs(f.path) {
			return fmt.Errorf("%s: %s: needs an absolute path, not %q", where, f.key, f.path)
		}
	}
	if i.Proxy != "" {
		u, err := url.Parse(i.Proxy)
		if err != nil || u.Scheme != "socks5" && u.Scheme != "socks5h" || u.Port() == "" {
			return fmt.Errorf("%s: proxy: needs a URL such as \"socks5://127.0.0.1:9050\"", where)
		}
	}
	return nil
}

// checkNick checks the characters of a nick (RFC 2812, section 2.3.1).
func checkNick(nick string) error {
	plain := strings.Replace(nick, "*", "", 1)
	// girc accepts a question mark, for a bouncer.
	if nick != "" && (strings.HasPrefix(plain, "?") || !girc.IsValidNick(plain)) {
		return fmt.Errorf("needs letters, digits and -_[]\\^{}|`, not %q; one * is replaced by a number on a second connection", nick)
	}
	return nil
}

// Server returns the host and port of the network.
func (n *Network) Server() (string, error) {
	t, err := target.Parse(strings.TrimRight(n.URL, "/") + "/#any")
	if err != nil || strings.ContainsAny(strings.TrimPrefix(strings.TrimRight(n.URL, "/"), "irc"), "#?@") {
		return "", fmt.Errorf("network: url: needs a URL such as \"ircs://irc.example.org\", not %q", weburl.Hide(n.URL))
	}
	return t.Server(), nil
}

// Secret returns the account's password.
func (i *IRC) Secret() (string, error) { return lineSecret("password", i.Password, i.PasswordFile) }

// ServerSecret returns the server's password.
func (i *IRC) ServerSecret() (string, error) {
	return lineSecret("server_password", i.ServerPassword, i.ServerPasswordFile)
}

// lineSecret returns the secret of a key, which must fit in a line. A file of
// several lines is probably the wrong file.
func lineSecret(key, value, file string) (string, error) {
	s, err := secret(value, file)
	if err != nil {
		return "", fmt.Errorf("%s_file: %w", key, err)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return text.IsControl(r) || r == '\ufeff' }) {
		return "", fmt.Errorf("%s: it contains a line end or another control character", key)
	}
	if s == "" && file != "" {
		return "", fmt.Errorf("%s_file: %s is empty", key, file)
	}
	return s, nil
}

// check requires a list of client networks for an address that other machines can
// reach.
func (i *Irker) check() error {
	clients, _, err := i.Allowed()
	if err != nil || i.Listen == "" {
		return err
	}
	host, port, err := net.SplitHostPort(i.Listen)
	if err != nil || port == "" {
		return fmt.Errorf("irker.listen: needs an address and a port such as \"127.0.0.1:6659\", not %q", i.Listen)
	}
	if !weburl.IsLoopback(host) && len(clients) == 0 {
		return fmt.Errorf("irker.listen: %q can be reached by other machines; list their networks in irker.allow, such as \"192.0.2.0/24\"", i.Listen)
	}
	return nil
}

// Allowed returns what `allow` says: the networks from which clients may come,
// none for this machine alone, and the patterns of targets that they may name,
// none for all on IRC. A target on XMPP needs a pattern that begins with "xmpp:".
func (i *Irker) Allowed() (clients []netip.Prefix, targets []string, err error) {
	for _, entry := range i.Allow {
		if strings.HasPrefix(entry, "irc://") || strings.HasPrefix(entry, "ircs://") || strings.HasPrefix(entry, "xmpp:") || strings.HasPrefix(entry, "*") {
			targets = append(targets, entry)
			continue
		}
		prefix, err := netip.ParsePrefix(entry)
		if err != nil {
			ip, err := netip.ParseAddr(entry)
			if err != nil {
				return nil, nil, fmt.Errorf("irker.allow: %q is neither a network such as \"192.0.2.0/24\" nor a pattern of targets such as \"ircs://irc.example.org/#src*\"", entry)
			}
			prefix = netip.PrefixFrom(ip, ip.BitLen())
		}
		clients = append(clients, prefix.Masked())
	}
	return clients, targets, nil
}

func (a *Announce) check(i int) error {
	where := fmt.Sprintf("announce %d", i+1)
	if !slices.Contains([]string{"", NoColors, MIRCColors, ANSIColors}, a.Colors) {
		return fmt.Errorf("%s: colors: %q is none of \"mirc\", \"ansi\" and \"none\"", where, a.Colors)
	}
	if a.MaxCommits != nil && *a.MaxCommits < 0 {
		return fmt.Errorf("%s: max_commits: at least 0, not %d", where, *a.MaxCommits)
	}
	return checkTargets(where, a.To, "")
}

// checkTargets checks that all are targets, or the word other.
func checkTargets(where string, to []string, other string) error {
	if len(to) == 0 {
		return fmt.Errorf("%s: to is missing", where)
	}
	for _, s := range to {
		if _, err := target.Parse(s); err != nil && (s != other || s == "") {
			return fmt.Errorf("%s: to: %w", where, err)
		}
	}
	return nil
}
