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
	if h.Place.Kind == vcs.Git && h.Place.Bare {
		return h.named("post-receive")
	}
	return h.removable()
}

// removable returns the scripts that there can be: into a bare repository that
// was named by one of its work trees, all of them were put.
func (h *Hook) removable() []script {
	if h.Place.Kind == vcs.Svn {
		return h.named("post-commit")
	}
	return h.named("post-receive", "post-commit", "post-merge")
}

func (h *Hook) named(names ...string) []script {
	scripts := make([]script, len(names))
	for i, name := range names {
		scripts[i] = script{filepath.Join(h.Place.Hooks, name), h.text(name)}
	}
	return scripts
}

// head begins every script. Many a hook looks at its own name, such as one that
// runs all that lie in $0.d: a shell script is run so that it sees the one that
// it had.
const head = "#!/bin/sh\n" + marker + `
# The hook that was here before has the ending ` + keptEnding + `, and goes on working.
before() {
	read -r first 2>/dev/null <"$0` + keptEnding + `"
	case $first in
	'#!'*[/\ ]sh | '#!'*[/\ ]bash | '#!'*[/\ ]sh\ -[a-z] | '#!'*[/\ ]bash\ -[a-z])
		${first#??} -c '. "$0` + keptEnding + `"' "$0" "$@" ;;
	*)
		"$0` + keptEnding + `" "$@" ;;
	esac
}
status=0
`

// text returns a script. It ends as the hook did that was there before, and
// whatever becomes of vext: a commit that it misses is found by the next run.
// post-receive is told on its standard input what was pushed (githooks(5)), and
// both read it: by echo, which every shell has built in, so that there is no
// limit, and no refname has a backslash in it. A Subversion server runs hooks
// with an empty environment.
func (h *Hook) text(name string) string {
	if name == "post-receive" {
		return head + `updates=$(cat)
if [ -x "$0` + keptEnding + `" ]; then
	echo "$updates" 2>/dev/null | before "$@"
	status=$?
fi
echo "$updates" 2>/dev/null | ` + h.Line() + ` >/dev/null 2>&1
exit "$status"
`
	}
	return head + `if [ -x "$0` + keptEnding + `" ]; then
	before "$@"
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
