package config

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"
	"golang.org/x/sys/unix"

	"vext/internal/disk"
)

// Path returns the file to edit: the file that Load reads, or the user's own file
// where there is none, or none that the user may write. usual reports whether Load
// reads it without a flag.
func Path(path string) (file string, usual bool, err error) {
	if path == "" {
		path = os.Getenv("VEXT_CONFIG")
	}
	if path != "" {
		return path, true, nil
	}
	there := Usual()
	if there != "" && unix.Access(filepath.Dir(there), unix.W_OK) == nil {
		return there, true, nil
	}
	own, err := ownPath()
	return own, there == "" || there == own, err
}

func ownPath() (string, error) {
	dir := os.Getenv("XDG_CONFIG_HOME")
	if dir == "" {
		var err error
		if dir, err = os.UserConfigDir(); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, "vext", "vext.toml"), nil
}

// An Edit changes a configuration file and keeps the rest of it, including
// comments.
type Edit struct {
	text string
	// Private makes Write create a new file readable by its owner only.
	Private bool
}

// maxLockWait is how long Lock waits for another edit.
const maxLockWait = time.Minute

// Lock locks the file at path against other edits until unlock is called. It creates
// the directory of the file if necessary.
func Lock(path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	if err := disk.Lock(context.Background(), dir, maxLockWait); err != nil {
		dir.Close()
		return nil, fmt.Errorf("%s: %w", dir.Name(), err)
	}
	return func() { dir.Close() }, nil
}

// Read returns the text of a file as an Edit, empty if there is no file.
func Read(path string) (*Edit, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return &Edit{text: string(data)}, err
}

// Set adds lines such as `run = true` to a table, which is created if necessary.
func (e *Edit) Set(table string, lines ...string) {
	text := strings.Join(lines, "\n") + "\n"
	header := "[" + table + "]"
	before := 0 // bytes
	for _, s := range statements(e.text) {
		before += len(s.text)
		if s.header == header {
			e.text = strings.TrimSuffix(e.text[:before], "\n") + "\n" + text + e.text[before:]
			return
		}
	}
	e.Append(header + "\n" + text)
}

// Append adds a table at the end.
func (e *Edit) Append(table string) {
	if e.text != "" {
		e.text = strings.TrimRight(e.text, "\n") + "\n\n"
	}
	e.text += table
}

// Parse reads the text as Load would.
func (e *Edit) Parse(branches []string) (*Config, error) {
	c := Default(branches)
	if err := c.decode([]byte(e.text)); err != nil {
		return nil, err
	}
	return c, c.check()
}

// Write replaces the file atomically.
func (e *Edit) Write(path string) error {
	mode := fs.FileMode(0o644)
	if e.Private {
		mode = 0o600
	}
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return disk.ReplaceOutside(path, []byte(e.text), mode)
}

// RemoveRepository removes the table of a repository from the text, by its name in
// the table. Comments on lines of their own stay, even those in the table. It
// changes nothing if the rest of the configuration would have another meaning
// afterwards.
func (e *Edit) RemoveRepository(name string) error {
	before, err := e.Parse(nil)
	if err != nil {
		return err
	}
	n := slices.IndexFunc(before.Repositories, func(r Repository) bool { return r.Name == name })
	if n < 0 {
		return fmt.Errorf("no [[repository]] has the name %q", name)
	}
	after := Edit{text: without(statements(e.text), n), Private: e.Private}
	want := *before
	want.Repositories = slices.Delete(slices.Clone(before.Repositories), n, n+1)
	if len(want.Repositories) == 0 {
		want.Repositories = nil
	}
	is, err := after.Parse(nil)
	if err == nil {
		want.Hints = is.Hints // with other line numbers
	}
	if err != nil || !reflect.DeepEqual(is, &want) {
		return fmt.Errorf("repository %s is not written as a table [[repository]] of its own; remove it by hand", name)
	}
	*e = after
	return nil
}

// without returns the text of statements without the n-th [[repository]] and one
// of the blank lines around it.
func without(all []statement, n int) string {
	var b strings.Builder
	inside, wasBlank := false, true
	for _, s := range all {
		if s.header != "" {
			inside = s.header == "[[repository]]" && n == 0
			if s.header == "[[repository]]" {
				n--
			}
		}
		isBlank := strings.TrimSpace(s.text) == ""
		if inside && !s.isComment && !isBlank || isBlank && wasBlank && (inside || b.Len() == 0) {
			continue
		}
		wasBlank = isBlank
		b.WriteString(s.text)
	}
	text := b.String()
	if trimmed := strings.TrimRight(text, "\n"); inside && trimmed != "" { // it was the last
		return trimmed + "\n"
	}
	return text
}

// Table writes a repository as TOML.
func (r *Repository) Table() string {
	var b strings.Builder
	b.WriteString("[[repository]]\n")
	for _, k := range []struct{ key, value string }{
		{"name", Quote(r.Name)}, {"url", Quote(r.URL.Reveal())}, {"vcs", Quote(r.VCS)}, {"from", Quote(r.From)}, {"domain", Quote(r.Domain)},
		{"aliases", QuoteList(r.Aliases)}, {"branches", QuoteList(r.Branches)}, {"committers", QuoteList(r.Committers)},
		{"convention", Quote(r.Convention)}, {"targets", QuoteList(r.Targets)}, {"git", Quote(r.Git)},
	} {
		if k.value != `""` && k.value != "[]" {
			fmt.Fprintf(&b, "%s = %s\n", k.key, k.value)
		}
	}
	if r.Supported != nil {
		fmt.Fprintf(&b, "supported = %d\n", *r.Supported)
	}
	if len(r.Links) > 0 {
		var links []string
		for _, name := range slices.Sorted(maps.Keys(r.Links)) {
			links = append(links, name+" = "+Quote(r.Links[name]))
		}
		fmt.Fprintf(&b, "links = { %s }\n", strings.Join(links, ", "))
	}
	return b.String()
}

// QuoteList writes a list of strings as TOML.
func QuoteList(values []string) string {
	var quoted []string
	for _, v := range values {
		quoted = append(quoted, Quote(v))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// Quote writes a string as TOML (TOML 1.0, String), which has the escapes of JSON, and
// one more.
func Quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.Encode(s) // a string is always encoded
	return strings.ReplaceAll(strings.TrimSuffix(b.String(), "\n"), "\x7f", `\u007F`)
}

// renamed lists the names that earlier versions gave to a table, or to a key of
// a table. A file with these names is still read.
var renamed = []struct{ table, old, new string }{
	{"", "notice", "announce"},
	{"", "recipient", "route"},
	{"announce", "most", "max_commits"},
}

// withNewNames returns the text of a configuration with the present names in
// place of the old ones, on the same lines, and a hint for each line changed.
// Tables with the old and with the new name keep their order.
func withNewNames(text string) (string, []string) {
	var b strings.Builder
	var hints []string
	table, line := "", 1
	for _, s := range statements(text) {
		name, of := strings.Trim(s.header, "[]"), ""
		if s.header == "" {
			name, of = s.key, table
		}
		for _, r := range renamed {
			if r.table == of && r.old == name {
				s.text, name = strings.Replace(s.text, r.old, r.new, 1), r.new
				before, after := r.old, r.new
				if r.table == "" {
					before, after = "[["+before+"]]", "[["+after+"]]"
				}
				hints = append(hints, fmt.Sprintf("line %d: %s is now %s; the old name is still read", line, before, after))
				break
			}
		}
		if s.header != "" {
			table = name
		}
		line += strings.Count(s.text, "\n")
		b.WriteString(s.text)
	}
	return b.String(), hints
}

// A statement is a part of a TOML file: a blank line, a comment on a line of its
// own, the header of a table, or a key with its value.
type statement struct {
	text      string // whole lines
	isComment bool
	header    string // of a table, without blanks and quotes: "[[hook]]"
	key       string // that is set, without quotes
}

// statements splits the text of a file. What can't be parsed belongs to the last
// statement before it.
func statements(text string) []statement {
	var all []statement
	var open statement // its end is not known yet
	begin := 0
	closeAt := func(end int) {
		lines := slices.Collect(strings.Lines(text[begin:end]))
		n := len(lines)
		for n > 0 && strings.TrimSpace(lines[n-1]) == "" {
			n--
		}
		if n > 0 {
			open.text = strings.Join(lines[:n], "")
			all = append(all, open)
		}
		for _, blank := range lines[n:] {
			all = append(all, statement{text: blank})
		}
		begin = end
	}
	p := unstable.Parser{KeepComments: true}
	p.Reset([]byte(text))
	for p.NextExpression() {
		e := p.Expression()
		first := e
		var names []string
		if e.Kind != unstable.Comment {
			for it := e.Key(); it.Next(); {
				if names == nil {
					first = it.Node()
				}
				names = append(names, string(it.Node().Data))
			}
		}
		closeAt(strings.LastIndexByte(text[:first.Raw.Offset], '\n') + 1)
		name := strings.Join(names, ".")
		switch e.Kind {
		case unstable.Comment:
			open = statement{isComment: true}
		case unstable.ArrayTable:
			open = statement{header: "[[" + name + "]]"}
		case unstable.Table:
			open = statement{header: "[" + name + "]"}
		default:
			open = statement{key: name}
		}
	}
	closeAt(len(text))
	return all
}
