package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

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
	var b strings.Builder
	found := false
	for line := range strings.Lines(e.text) {
		b.WriteString(line)
		head, _, _ := strings.Cut(line, "#")
		if !found && strings.TrimSpace(head) == "["+table+"]" {
			if !strings.HasSuffix(line, "\n") {
				b.WriteByte('\n')
			}
			b.WriteString(text)
			found = true
		}
	}
	e.text = b.String()
	if !found {
		e.Append("[" + table + "]\n" + text)
	}
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

// Table writes a repository as TOML.
func (r *Repository) Table() string {
	var b strings.Builder
	b.WriteString("[[repository]]\n")
	for _, k := range []struct{ key, value string }{{"name", r.Name}, {"url", r.URL.Reveal()}, {"vcs", r.VCS}, {"from", r.From}, {"domain", r.Domain}} {
		if k.value != "" {
			fmt.Fprintf(&b, "%s = %s\n", k.key, Quote(k.value))
		}
	}
	for _, k := range []struct {
		key    string
		values []string
	}{{"aliases", r.Aliases}, {"branches", r.Branches}, {"committers", r.Committers}} {
		if len(k.values) > 0 {
			fmt.Fprintf(&b, "%s = %s\n", k.key, QuoteList(k.values))
		}
	}
	return b.String()
}

// QuoteList writes a list of strings as TOML.
func QuoteList(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = Quote(v)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// Quote writes a string as TOML (TOML 1.0, String).
func Quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, "\\u%04X", r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
