// Package ancestor reads the configuration of dvcs-autosync: a file of the form of Python's
// ConfigParser, with the sections [autosync], [dvcs] and [xmpp].
package ancestor

import (
	"fmt"
	"slices"
	"strings"
)

// A Config is the keys of the sections, both in lower case: Config["autosync"]["path"].
type Config map[string]map[string]string

// Parse reads the text of a file. A value goes on in the lines that are indented further
// than its key; of two values of a key, the last counts.
func Parse(text string) (Config, error) {
	c := Config{}
	section, key, indent := "", "", 0
	n := 0
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		n++
		line = strings.TrimRight(line, "\r\n")
		trimmed := strings.TrimSpace(line)
		depth := len(line) - len(strings.TrimLeft(line, " \t"))
		switch {
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
		case key != "" && depth > indent:
			c[section][key] = strings.TrimSpace(c[section][key] + "\n" + trimmed)
		case trimmed[0] == '[':
			name, _, ok := strings.Cut(trimmed[1:], "]")
			if !ok || name == "" {
				return nil, fmt.Errorf("line %d: not the head of a section: %q", n, trimmed)
			}
			section, key = strings.ToLower(strings.TrimSpace(name)), ""
			if c[section] == nil {
				c[section] = map[string]string{}
			}
		case section == "":
			return nil, fmt.Errorf("line %d: %q stands before the first [section]", n, trimmed)
		default:
			i := strings.IndexAny(trimmed, "=:")
			if i <= 0 {
				return nil, fmt.Errorf("line %d: neither a section nor a key with a value: %q", n, trimmed)
			}
			key, indent = strings.ToLower(strings.TrimSpace(trimmed[:i])), depth
			c[section][key] = strings.TrimSpace(trimmed[i+1:])
		}
	}
	return c, nil
}

// Add adds the keys of a file that dvcs-autosync reads after this one, whose values count. It
// returns the keys that had another value before, as "[section] key".
func (c Config) Add(later Config) (changed []string) {
	for section, keys := range later {
		if c[section] == nil {
			c[section] = map[string]string{}
		}
		for key, value := range keys {
			if before, is := c[section][key]; is && before != value {
				changed = append(changed, "["+section+"] "+key)
			}
			c[section][key] = value
		}
	}
	slices.Sort(changed)
	return changed
}

// Words splits a command line as dvcs-autosync does: at single blanks, without quotes.
func Words(command string) []string {
	var words []string
	for word := range strings.SplitSeq(command, " ") {
		if word == "%%s" { // as a ConfigParser with interpolation wants it
			word = "%s"
		}
		if word != "" {
			words = append(words, word)
		}
	}
	return words
}

// Kind returns the version control of the commands in [dvcs], "git" or "hg", and "" for
// others.
func (c Config) Kind() string {
	kind := ""
	for _, key := range Commands {
		words := Words(c["dvcs"][key])
		if len(words) == 0 {
			continue
		}
		program := words[0][strings.LastIndexByte(words[0], '/')+1:]
		if program != "git" && program != "hg" || kind != "" && kind != program {
			return ""
		}
		kind = program
	}
	return kind
}

// Commands are the keys of [dvcs].
var Commands = []string{
	"statuscmd", "addcmd", "rmcmd", "modifycmd", "movecmd", "startupcmd", "commitcmd", "pushcmd", "pullcmd", "remoteurlcmd",
}

// usual are the words of the commands that the manual of dvcs-autosync has, and those which
// do the same. Others cannot be taken over where vext has its own.
var usual = map[string][]string{
	"git": {
		"git add %s", "git add -A", "git add --all", "git add -A .", "git add -u", "git rm %s", "git rm -r %s", "git rm --ignore-unmatch -r --quiet %s",
		"git rm -r --ignore-unmatch --quiet %s", "git rm --ignore-unmatch -r %s", "git mv %s %s", "git commit -m %s", "git commit -q -m %s", "git commit -a -m %s", "git commit -am %s",
		"git push", "git push -q", "git pull", "git pull -q", "git pull --rebase", "git config --get remote.origin.url", "git config remote.origin.url",
		"git remote get-url origin", "git status",
	},
	"hg": {
		"hg add %s", "hg remove %s", "hg rm %s", "hg remove -A %s", "hg rename %s %s", "hg mv %s %s", "hg addremove", "hg addremove -s 100",
		"hg commit -m %s", "hg commit --message %s", "hg push", "hg pull", "hg pull -u", "hg pull --update", "hg fetch",
		"hg showconfig paths.default", "hg paths default", "hg config paths.default", "hg status",
	},
}

// Unusual returns the keys of [dvcs] whose commands do more, or something else, than what
// vext does itself with git or hg.
func (c Config) Unusual(kind string) []string {
	var keys []string
	for _, key := range Commands {
		command := strings.Join(Words(c["dvcs"][key]), " ")
		if key == "statuscmd" || command == "" { // only the question whether something has changed
			continue
		}
		known := false
		for _, one := range usual[kind] {
			known = known || one == command
		}
		if !known {
			keys = append(keys, key)
		}
	}
	return keys
}
