package server

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"vext/internal/config"
	"vext/internal/disk"
	"vext/internal/target"
	"vext/source/autosync/ancestor"
	"vext/source/autosync/control"
)

// AddAutosync adds a table to the configuration file, unless there is one for its path.
func AddAutosync(file string, t *config.Autosync) (added bool, err error) {
	unlock, err := config.Lock(file)
	if err != nil {
		return false, err
	}
	defer unlock()
	edit, c, err := readConfig(file)
	if err != nil || hasTable(c, t.Path) {
		return false, err
	}
	edit.Append(t.Table())
	if _, err := edit.Parse(nil); err != nil {
		return false, err
	}
	return true, edit.Write(file)
}

func hasTable(c *config.Config, path string) bool {
	return slices.ContainsFunc(c.Autosync, func(t config.Autosync) bool { return control.Contains(t.Path, path) })
}

// An AutosyncImport takes the configuration of dvcs-autosync over.
type AutosyncImport struct {
	Table    config.Autosync
	JID      string // of the account, "" for none
	Password string
	Taken    []string // what was taken over, for a person
	Left     []string // what was not, and why
}

// NewAutosyncImport reads the configuration of dvcs-autosync: these files in this order. The
// first must be there. As there, each may have only some of the keys, and of two values the
// one in the later file counts.
func NewAutosyncImport(paths ...string) (*AutosyncImport, error) {
	i, c := new(AutosyncImport), ancestor.Config{}
	for n, path := range paths {
		text, err := disk.ReadFile(path)
		if n > 0 && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		one, err := ancestor.Parse(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		for _, key := range c.Add(one) {
			i.left(key+" of "+paths[0], path+" has another one, which dvcs-autosync reads last")
		}
	}
	if err := i.read(c); err != nil {
		return nil, fmt.Errorf("%s: %w", paths[0], err)
	}
	return i, nil
}

func (i *AutosyncImport) read(c ancestor.Config) error {
	path := c["autosync"]["path"]
	if path == "" {
		return errors.New("[autosync] has no path")
	}
	if rest, ok := strings.CutPrefix(path, "~"); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			return err
		}
		path = home + rest
	}
	if !filepath.IsAbs(path) {
		return fmt.Errorf("[autosync] path: %q is not absolute", path)
	}
	i.Table.Path = filepath.Clean(path)
	i.took("path", i.Table.Path)
	i.readTree(c["autosync"])
	i.readAccount(c)
	return i.readCommands(c)
}

func (i *AutosyncImport) took(key, value string) { i.Taken = append(i.Taken, key+": "+value) }
func (i *AutosyncImport) left(key, why string)   { i.Left = append(i.Left, key+": "+why) }

// readTree reads [autosync].
func (i *AutosyncImport) readTree(keys map[string]string) {
	for _, word := range strings.Fields(keys["ignorepath"]) {
		word = strings.Trim(strings.TrimPrefix(word, "./"), "/")
		if word != "" && word != ".git" && word != ".hg" { // which are left alone anyway
			i.Table.Ignore = append(i.Table.Ignore, "/"+word)
		}
	}
	if i.Table.Ignore != nil {
		i.took("ignorepath", "ignore = "+config.QuoteList(i.Table.Ignore))
	}
	if s := keys["readfrequency"]; s != "" {
		if seconds, err := strconv.ParseFloat(s, 64); err == nil && seconds >= 0 && seconds < 1e6 {
			i.Table.PushAfter = &config.Duration{Duration: time.Duration(seconds * float64(time.Second))}
			i.took("readfrequency", "push_after = "+config.Quote(i.Table.PushAfter.String()))
		} else {
			i.left("readfrequency", strconv.Quote(s)+" is not a number of seconds")
		}
	}
	switch keys["syncmethod"] {
	case "", "xmpp":
	case "none":
		i.Table.Peers = []string{}
		i.took("syncmethod", "none: peers = []")
	default:
		i.left("syncmethod", strconv.Quote(keys["syncmethod"])+` never worked; vext has peers = ["https://..."], see vext.toml(5)`)
		i.Table.Peers = []string{}
	}
	if s := keys["pulllock"]; s != "" && s != "conservative" {
		i.left("pulllock", strconv.Quote(s)+" is not needed: changes during a pull are committed after it")
	}
	if keys["pidfile"] != "" {
		i.left("pidfile", "not needed: the lock of a tree is in its repository")
	}
	known := []string{"path", "ignorepath", "readfrequency", "syncmethod", "notifymethod", "pulllock", "pidfile"}
	i.leaveUnknown("autosync", keys, known)
}

// leaveUnknown reports the keys that dvcs-autosync does not know either.
func (i *AutosyncImport) leaveUnknown(section string, keys map[string]string, known []string) {
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !slices.Contains(known, key) {
			i.left("["+section+"] "+key, "unknown")
		}
	}
}

// readAccount reads [xmpp], and what is notified.
func (i *AutosyncImport) readAccount(c ancestor.Config) {
	x := c["xmpp"]
	if username := x["username"]; username != "" {
		username, _, _ = strings.Cut(username, "/") // the server chooses the resource
		if _, _, err := target.JID(username); err != nil {
			i.left("username", err.Error())
		} else if x["password"] == "" {
			i.left("username", "there is no password")
		} else {
			i.JID, i.Password = username, x["password"]
			i.took("username", username)
		}
	}
	if i.Table.Peers == nil {
		i.Table.Peers = []string{}
		if i.JID != "" {
			i.Table.Peers = []string{config.PeersByXMPP}
			i.took("syncmethod", `xmpp: peers = ["xmpp"]`)
		}
	}
	i.readNotices(c["autosync"]["notifymethod"], x["alsonotify"])
	i.leaveUnknown("xmpp", x, []string{"username", "password", "alsonotify"})
}

// readNotices reads where notices go.
func (i *AutosyncImport) readNotices(method, also string) {
	switch method {
	case "", "desktop", "all":
	case "xmpp", "none":
		i.Table.Notify = new(bool)
		i.took("notifymethod", method+": notify = false")
	default:
		i.left("notifymethod", strconv.Quote(method)+" is unknown")
	}
	for _, jid := range strings.FieldsFunc(also, func(r rune) bool { return r == ',' || r <= ' ' }) {
		to, err := target.Parse("xmpp:" + jid)
		switch {
		case err != nil:
			i.left("alsonotify", err.Error())
		case i.JID == "":
			i.left("alsonotify", "there is no account that could send to "+jid)
		default:
			i.Table.AlsoNotify = append(i.Table.AlsoNotify, to.URL())
			i.took("alsonotify", "also_notify = "+config.QuoteList(i.Table.AlsoNotify))
		}
	}
}

// readCommands reads [dvcs].
func (i *AutosyncImport) readCommands(c ancestor.Config) error {
	keys := c["dvcs"]
	i.leaveUnknown("dvcs", keys, ancestor.Commands)
	if kind := c.Kind(); kind != "" {
		i.Table.VCS = kind
		i.took("[dvcs]", "vcs = "+config.Quote(kind)+", whose commands vext knows")
		for _, key := range c.Unusual(kind) {
			i.readUnusual(kind, key, ancestor.Words(keys[key]))
		}
		return nil
	}
	if len(keys) == 0 {
		return nil // vext detects what is there
	}
	i.Table.VCS = config.ByCommands
	a := &i.Table.Commands
	for _, one := range []struct {
		key string
		to  *[]string
	}{
		{"addcmd", &a.Add}, {"rmcmd", &a.Remove}, {"commitcmd", &a.Commit}, {"pushcmd", &a.Push}, {"pullcmd", &a.Pull}, {"remoteurlcmd", &a.RemoteURL},
	} {
		if *one.to = ancestor.Words(keys[one.key]); *one.to != nil {
			i.took(one.key, strings.Join(*one.to, " "))
		}
	}
	if status := keys["statuscmd"]; status != "" { // whose exit status says whether something has changed
		a.Status = []string{"sh", "-c", "{ " + status + "; } >/dev/null 2>&1 || echo changed"}
		i.took("statuscmd", status+"; it is run by sh, as before")
	}
	for _, key := range []string{"modifycmd", "movecmd", "startupcmd"} {
		if command := keys[key]; command != "" && command != keys["addcmd"] {
			i.left(key, strconv.Quote(command)+" is not run: a file that has changed is added, one that has moved is removed and added")
		}
	}
	t := i.Table // a copy, which Complete fills
	if err := t.Complete(true); err != nil {
		return fmt.Errorf("[dvcs]: %w", err)
	}
	return nil
}

// readUnusual takes the remote and the branch of a push or a pull over.
func (i *AutosyncImport) readUnusual(kind, key string, words []string) {
	isTransfer := key == "pushcmd" || key == "pullcmd"
	plain := !slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(word, "-") })
	if kind == "git" && isTransfer && plain && (len(words) == 3 || len(words) == 4) {
		branch := ""
		if len(words) == 4 {
			branch = words[3]
		}
		fits := !strings.ContainsAny(words[2], ":/") && !strings.ContainsAny(branch, ":+") &&
			(i.Table.Remote == "" || i.Table.Remote == words[2]) && (i.Table.Branch == "" || branch == "" || i.Table.Branch == branch)
		if fits {
			i.Table.Remote, i.Table.Branch = words[2], cmp.Or(branch, i.Table.Branch)
			i.took(key, strings.TrimSpace("remote = "+config.Quote(words[2])+", branch = "+config.Quote(cmp.Or(branch, "the one that is checked out"))))
			return
		}
	}
	i.left(key, strconv.Quote(strings.Join(words, " "))+" is not run: vext has its own commands for "+kind)
}
