package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"vext/internal/disk"
)

// Path returns the file that Load reads, or, where there is none, or none that
// the user may write, the user's own. usual reports whether Load reads it
// without being told.
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

// An Edit is a change to a configuration file that keeps the rest of it as it
// is, comments too.
type Edit struct {
	text string
	// Private has Write make a file that is new for its owner alone.
	Private bool
}

// Lock keeps others from changing the file at path until unlock is called. It
// makes the file's directory where that is missing.
func Lock(path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		dir.Close()
		return nil, &fs.PathError{Op: "lock", Path: dir.Name(), Err: err}
	}
	return func() { dir.Close() }, nil
}

// Read returns the text of a file as an Edit; one that is not there is empty.
func Read(path string) (*Edit, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return &Edit{text: string(data)}, err
}

// Set puts lines such as `run = true` into a table, which is made where it is
// not there.
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

// Append puts a table behind all others.
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

// Write writes the text to a file, in one step.
func (e *Edit) Write(path string) error {
	mode := fs.FileMode(0o644)
	if e.Private {
		mode = 0o600
	}
	info, statErr := os.Stat(path)
	if statErr == nil {
		mode = info.Mode().Perm()
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	name, err := disk.WriteBeside(path, []byte(e.text), mode)
	if err != nil {
		return err
	}
	if statErr == nil && os.Geteuid() == 0 { // the service's group reads it
		if owner, ok := info.Sys().(*syscall.Stat_t); ok {
			err = os.Chown(name, int(owner.Uid), int(owner.Gid))
		}
	}
	if err == nil {
		err = os.Rename(name, path)
	}
	if err != nil {
		os.Remove(name)
	}
	return err
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
