package hook

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"vext/internal/vcs"
)

// keptEnding is added to the name of the hook that was there before.
const keptEnding = ".before-vext"

// marker stands in every script of vext.
const marker = "# Written by vext hook install; vext hook remove takes it out again."

// A script is one file of a repository's hooks that vext has written.
type script struct {
	path string
	text string
}

// scripts returns the scripts of a git or Subversion repository. A work tree
// has its own commits and those that a merge brings, and can be pushed to as
// well.
func (h *Hook) scripts() []script {
	names := []string{"post-receive", "post-commit", "post-merge"}
	switch {
	case h.Place.Kind == vcs.Svn:
		names = []string{"post-commit"}
	case h.Place.Bare:
		names = names[:1]
	}
	scripts := make([]script, len(names))
	for i, name := range names {
		scripts[i] = script{filepath.Join(h.Place.Hooks, name), h.text(name)}
	}
	return scripts
}

// text returns a script. It ends as the hook did that was there before, and
// whatever becomes of vext: a commit that it misses is found by the next run.
// post-receive is told on its standard input what was pushed (githooks(5)),
// and both read it. A Subversion server runs hooks with an empty environment.
func (h *Hook) text(name string) string {
	const head = "#!/bin/sh\n" + marker + "\n"
	if name == "post-receive" {
		return head + `# The hook that was here before is ` + name + keptEnding + `, and goes on working.
updates=$(cat)
status=0
if [ -x "$0` + keptEnding + `" ]; then
	printf '%s\n' "$updates" | "$0` + keptEnding + `" "$@"
	status=$?
fi
printf '%s\n' "$updates" | ` + h.Line() + ` >/dev/null 2>&1
exit "$status"
`
	}
	return head + `# The hook that was here before is ` + name + keptEnding + `, and goes on working.
status=0
if [ -x "$0` + keptEnding + `" ]; then
	"$0` + keptEnding + `" "$@"
	status=$?
fi
PATH=${PATH:-/usr/local/bin:/usr/bin:/bin} ` + h.Line() + ` </dev/null >/dev/null 2>&1
exit "$status"
`
}

func (s *script) kept() string { return s.path + keptEnding }

// isOurs reports whether the file at the script's path was written by vext.
func (s *script) isOurs() (bool, error) {
	data, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return bytes.Contains(data, []byte(marker)), err
}

// state returns how the script stands.
func (s *script) state() (string, error) {
	ours, err := s.isOurs()
	if err != nil || !ours {
		return Missing, err
	}
	info, err := os.Stat(s.path)
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(s.path)
	switch {
	case err != nil:
		return "", err
	case info.Mode()&0o111 == 0:
		return Disabled, nil
	case string(data) != s.text:
		return Outdated, nil
	}
	return Installed, nil
}

// install writes the script. What is there already and is not ours is kept
// beside it.
func (s *script) install() error {
	ours, err := s.isOurs()
	if err != nil {
		return err
	}
	if _, err := os.Lstat(s.path); err == nil && !ours {
		if _, err := os.Lstat(s.kept()); err == nil {
			return fmt.Errorf("%s: %s is there already; what is it?", s.path, s.kept())
		}
		if err := os.Rename(s.path, s.kept()); err != nil {
			return err
		}
	}
	if err := replace(s.path, []byte(s.text), 0o755); err != nil {
		return errors.Join(err, s.restore())
	}
	return nil
}

// restore puts back what was there before.
func (s *script) restore() error {
	err := os.Rename(s.kept(), s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// remove takes the script out. One that somebody has put in its place stays.
func (s *script) remove() error {
	ours, err := s.isOurs()
	if err != nil {
		return err
	}
	if !ours {
		if _, err := os.Lstat(s.kept()); err == nil {
			return fmt.Errorf("%s is not vext's any more; the hook from before is %s", s.path, s.kept())
		}
		return nil
	}
	if _, err := os.Lstat(s.kept()); err == nil {
		return os.Rename(s.kept(), s.path)
	}
	return os.Remove(s.path)
}
