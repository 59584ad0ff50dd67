package config

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Table writes what a table sets as TOML. Passwords are not among it.
func (t *Autosync) Table() string {
	var b strings.Builder
	b.WriteString("[[autosync]]\n")
	text := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s = %s\n", key, Quote(value))
		}
	}
	list := func(key string, values []string) {
		if values != nil {
			fmt.Fprintf(&b, "%s = %s\n", key, QuoteList(values))
		}
	}
	after := func(key string, d *Duration) {
		if d != nil {
			text(key, d.Duration.String())
		}
	}
	text("path", TildePath(t.Path))
	text("vcs", t.VCS)
	text("remote", t.Remote)
	text("branch", t.Branch)
	after("quiet", t.Quiet)
	after("longest", t.Longest)
	after("push_after", t.PushAfter)
	after("pull_every", t.PullEvery)
	list("ignore", t.Ignore)
	text("max_file", t.MaxFile)
	text("max_change", t.MaxChange)
	text("message", t.Message)
	list("message_command", t.MessageCommand)
	text("integrate", t.Integrate)
	text("conflict", t.Conflict)
	list("peers", t.Peers)
	list("also_notify", t.AlsoNotify)
	if t.Notify != nil {
		b.WriteString("notify = " + strconv.FormatBool(*t.Notify) + "\n")
	}
	if lines := t.Commands.all(); slices.ContainsFunc(lines, func(c commandLine) bool { return c.words != nil }) {
		b.WriteString("[autosync.commands]\n")
		for _, c := range lines {
			list(c.key, c.words)
		}
	}
	return b.String()
}

// TildePath returns a path with ~ for the home directory, so that the configuration fits
// every machine of a person.
func TildePath(path string) string {
	home, err := os.UserHomeDir()
	if rest, ok := strings.CutPrefix(path, home+"/"); err == nil && ok && home != "" && home != "/" {
		return "~/" + rest
	}
	return path
}
