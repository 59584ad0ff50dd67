// Package config reads the configuration: one TOML file, in which every key
// must be known, and the places where it is looked for.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/mail"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // the zones, where the system has none

	"github.com/pelletier/go-toml/v2"
)

// A Config is the configuration file, vext.toml(5).
type Config struct {
	State     string    `toml:"state"`
	StateID   string    `toml:"state_id"` // required ID of the state directory; "" for any
	Timezone  string    `toml:"timezone"`
	Operator  string    `toml:"operator"`
	Schedule  string    `toml:"schedule"`
	Templates string    `toml:"templates"`
	Reminders Reminders `toml:"reminders"`
	Mail      Mail      `toml:"mail"`
	Stats     Stats     `toml:"stats"`

	HTTP         HTTP         `toml:"http"`
	LMTP         LMTP         `toml:"lmtp"`
	MailIn       MailIn       `toml:"mail-in"`
	Follow       Follow       `toml:"follow"`
	Hooks        []Hook       `toml:"hook"`
	Repositories []Repository `toml:"repository"`

	IRC      IRC        `toml:"irc"`
	Networks []Network  `toml:"network"`
	Irker    Irker      `toml:"irker"`
	Announce []Announce `toml:"announce"`
	Routes   []Route    `toml:"route"`

	Autosync []Autosync  `toml:"autosync"`
	Hub      AutosyncHub `toml:"autosync-hub"`
	XMPP     XMPP        `toml:"xmpp"`

	Control    Control        `toml:"control"`
	UsersTable map[string]any `toml:"users"`
	Users      Users          `toml:"-"` // parsed from UsersTable

	Path  string         `toml:"-"` // the file it was read from, "" for the defaults
	Hints []string       `toml:"-"` // on old names in the file
	Zone  *time.Location `toml:"-"`
}

// Reminders says which commits get a reminder, and to whom it goes.
type Reminders struct {
	Allow        []string `toml:"allow"`
	Branches     []string `toml:"branches"`
	Senders      []string `toml:"senders"`
	Repositories []string `toml:"repositories"`
	Trailers     []string `toml:"trailers"`
	Convention   string   `toml:"convention"` // of repositories without one; "" for the default
	Recipient    string   `toml:"recipient"`
	Digest       bool     `toml:"digest"`
	Explain      bool     `toml:"explain"`
	MaxPerDay    int      `toml:"max_per_day"`
	Repeat       string   `toml:"repeat"`     // periods, see reminder.ParseRepeat
	RepeatMax    int      `toml:"repeat_max"` // how often a reminder comes again
	Early        string   `toml:"early"`      // a period, see reminder.ParseEarly
	Quiet        []string `toml:"quiet"`      // see reminder.ParseQuiet
	Notes        string   `toml:"notes"`      // the name of the git notes that ask: mfc for refs/notes/mfc; "" for none
}

// Mail says how mails are sent.
type Mail struct {
	From         string `toml:"from"`
	Envelope     string `toml:"envelope"`
	Via          string `toml:"via"`
	User         string `toml:"user"`
	Password     string `toml:"password"`
	PasswordFile string `toml:"password_file"`
}

// Stats configures vext stats.
type Stats struct {
	Title string `toml:"title"` // "" for the default of the report
}

// Values of Reminders.Recipient.
const (
	Committer = "committer"
	Author    = "author"
)

// Default returns the configuration of an empty file. branches are those
// that count.
func Default(branches []string) *Config {
	return &Config{
		Timezone:  "UTC",
		Schedule:  "22 0 * * *",
		Reminders: Reminders{Branches: branches, Recipient: Committer, Explain: true, MaxPerDay: 20, RepeatMax: 3, Notes: "mfc"},
		Mail:      Mail{Via: "smtp://127.0.0.1:25"},
		Follow:    Follow{Schedule: "@every 10m"},
	}
}

// Load reads the configuration: the file path, else $VEXT_CONFIG, else
// /etc/vext/vext.toml, /usr/local/etc/vext/vext.toml or
// $XDG_CONFIG_HOME/vext/vext.toml where one exists, else the defaults. A named file
// must exist.
func Load(path string, branches []string) (*Config, error) {
	c := Default(branches)
	if path == "" {
		path = os.Getenv("VEXT_CONFIG")
	}
	if path == "" {
		path = Usual()
	}
	if path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if err := c.decode(data); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		c.Path = path
		for i := range c.Hints {
			c.Hints[i] = path + ": " + c.Hints[i]
		}
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", cmp.Or(path, "the defaults"), err)
	}
	return c, nil
}

// Usual returns the first default file that exists, "" for none.
func Usual() string {
	candidates := []string{"/etc/vext/vext.toml", "/usr/local/etc/vext/vext.toml"}
	if own, err := ownPath(); err == nil {
		candidates = append(candidates, own)
	}
	for _, path := range candidates {
		// An unreadable file counts: it may be the configuration.
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			return path
		}
	}
	return ""
}

// decode reads the text of a file. An unknown key is an error that names its line,
// and the table the key belongs to.
func (c *Config) decode(data []byte) error {
	text, hints := withNewNames(string(data))
	c.Hints = hints
	err := toml.NewDecoder(strings.NewReader(text)).DisallowUnknownFields().Decode(c)
	var strict *toml.StrictMissingError
	var syntax *toml.DecodeError
	switch {
	case errors.As(err, &strict):
		first := strict.Errors[0]
		line, _ := first.Position()
		return fmt.Errorf("line %d: unknown key %s%s", line, strings.Join(first.Key(), "."), belongs(first.Key()))
	case errors.As(err, &syntax):
		line, column := syntax.Position()
		return fmt.Errorf("line %d, column %d: %s", line, column, plainly(syntax.Key(), strings.TrimPrefix(syntax.Error(), "toml: ")))
	}
	if bad := new(durationError); errors.As(err, &bad) {
		return bad.in(text)
	}
	return err
}

// plainly rewrites an error of go-toml that names a Go type.
func plainly(key toml.Key, message string) string {
	for kind, words := range map[string]string{
		"of type []string": "must be a list of strings, such as [\"a\", \"b\"]",
		"of type string":   "must be a string, such as \"a\"",
		"of type bool":     "must be true or false",
		"of type int":      "must be a whole number, such as 5",
		"of type float64":  "must be a number, such as 0.5",
	} {
		if strings.Contains(message, "into struct field config.") && strings.HasSuffix(message, kind) {
			return strings.Join(key, ".") + " " + words
		}
	}
	if strings.HasPrefix(message, notDuration) {
		return strings.Join(key, ".") + ": " + message
	}
	return message
}

// belongs says under which tables an unknown key is known, "" for none.
func belongs(key toml.Key) string {
	var tables []string
	var look func(in reflect.Type, table string)
	look = func(in reflect.Type, table string) {
		for _, f := range reflect.VisibleFields(in) {
			name := f.Tag.Get("toml")
			switch {
			case f.Anonymous || name == "-" || len(key) == 0:
			case name == key[len(key)-1]:
				tables = append(tables, table)
			case table == "" && f.Type.Kind() == reflect.Struct:
				look(f.Type, "["+name+"]")
			case table == "" && f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
				look(f.Type.Elem(), "[["+name+"]]")
			}
		}
	}
	look(reflect.TypeFor[Config](), "")
	switch n := len(tables); {
	case n == 0:
		return ""
	case tables[0] == "":
		return "; it belongs above the first [table] of the file"
	case n > 1:
		return "; it belongs under " + strings.Join(tables[:n-1], ", ") + " or " + tables[n-1]
	default:
		return "; it belongs under " + tables[0]
	}
}

// check finds errors that a TOML parser can't.
func (c *Config) check() error {
	var err error
	if c.Zone, err = time.LoadLocation(c.Timezone); err != nil || c.Timezone == "" || c.Timezone == "Local" {
		return fmt.Errorf("timezone: no such time zone: %q", c.Timezone)
	}
	if c.State != "" && !filepath.IsAbs(c.State) {
		return fmt.Errorf("state: needs an absolute path, not %q", c.State)
	}
	if c.Templates != "" && !filepath.IsAbs(c.Templates) {
		return fmt.Errorf("templates: needs an absolute path, not %q", c.Templates)
	}
	if r := c.Reminders.Recipient; r != Committer && r != Author {
		return fmt.Errorf("reminders.recipient: %q is neither %q nor %q", r, Committer, Author)
	}
	if c.Reminders.MaxPerDay < 0 {
		return fmt.Errorf("reminders.max_per_day: %d: a number of mails, or 0 for no limit", c.Reminders.MaxPerDay)
	}
	if c.Reminders.RepeatMax < 0 {
		return fmt.Errorf("reminders.repeat_max: %d: a number of reminders", c.Reminders.RepeatMax)
	}
	for _, value := range c.Reminders.Quiet {
		if value != "weekends" && !filepath.IsAbs(value) {
			return fmt.Errorf("reminders.quiet: %q is neither \"weekends\" nor the absolute path of a calendar", value)
		}
	}
	if err := checkAddresses("reminders", c.Reminders.Allow, c.Reminders.Senders); err != nil {
		return err
	}
	if n := c.Reminders.Notes; strings.HasPrefix(n, "-") || strings.HasSuffix(n, "/") || strings.Contains(n, "..") || strings.ContainsAny(n, " ~^:?*[\\\x7f") || strings.ContainsFunc(n, func(r rune) bool { return r < ' ' }) {
		return fmt.Errorf("reminders.notes: needs the name of notes such as \"mfc\", for refs/notes/mfc, not %q", n)
	}
	if (c.Mail.User == "") != (c.Mail.Password == "" && c.Mail.PasswordFile == "") {
		return errors.New("mail.user and mail.password (or mail.password_file) go together")
	}
	for _, a := range []struct{ key, address string }{{"operator", c.Operator}, {"mail.from", c.Mail.From}, {"mail.envelope", c.Mail.Envelope}} {
		if _, err := mail.ParseAddress(a.address); a.address != "" && err != nil {
			return fmt.Errorf("%s: not an address: %q", a.key, a.address)
		}
	}
	if c.Mail.Password != "" && c.Mail.PasswordFile != "" {
		return errors.New("mail.password and mail.password_file are both set")
	}
	if len(c.Reminders.Allow) > 0 && c.Mail.From == "" {
		return errors.New("mail.from is missing: reminders need a sender, such as \"MFC reminders <mfc@example.org>\"")
	}
	if err := c.checkIRC(); err != nil {
		return err
	}
	if err := c.checkXMPP(); err != nil {
		return err
	}
	if err := c.checkControl(); err != nil {
		return err
	}
	if err := c.checkAutosync(); err != nil {
		return err
	}
	return c.checkSources()
}

// checkAddresses finds patterns that match no address.
func checkAddresses(where string, lists ...[]string) error {
	for _, pattern := range slices.Concat(lists...) {
		if local, _, ok := strings.Cut(pattern, "@"); pattern != "*" && (!ok || local == "") {
			return fmt.Errorf("%s: %q matches no address; patterns are such as \"*@example.org\", \"jane@*\" or \"*\"", where, pattern)
		}
	}
	return nil
}

// Secret returns the password for the mail server.
func (m *Mail) Secret() (string, error) { return secret(m.Password, m.PasswordFile) }

// secret returns a secret from the configuration, or from a file without its line
// end.
func secret(value, file string) (string, error) {
	if file == "" {
		return value, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(data), "\r\n"), nil
}
