package hook

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"vext/internal/disk"
	"vext/internal/vcs"
)

// savedSuffix is appended to the name of the hook that was there before.
const savedSuffix = ".before-vext"

// marker is a line of every script of vext.
const marker = "# Written by vext hook install; vext hook remove takes it out again."

// A script is a hook of a repository that vext writes.
type script struct {
	path string
	text string
}

// scripts returns the scripts of a git or Subversion repository. In a work tree,
// commits arrive by commit, merge and push.
func (h *Hook) scripts() []script {
	if h.Place.Kind == vcs.Git && h.Place.Bare {
		return h.named("post-receive")
	}
	return h.removable()
}

// removable returns the scripts that may be installed. A bare repository that was
// named by one of its work trees has all of them.
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

// head is the start of every script. A hook may depend on its own name, such as one
// that runs all files of $0.d. Therefore a shell script is run with its old name as $0.
const head = "#!/bin/sh\n" + marker + `
# The hook that was here before has the ending ` + savedSuffix + `, and goes on working.
before() {
	read -r first 2>/dev/null <"$0` + savedSuffix + `"
	case $first in
	'#!'*[/\ ]sh | '#!'*[/\ ]bash | '#!'*[/\ ]sh\ -[a-z] | '#!'*[/\ ]bash\ -[a-z])
		${first#??} -c '. "$0` + savedSuffix + `"' "$0" "$@" ;;
	*)
		"$0` + savedSuffix + `" "$@" ;;
	esac
}
status=0
`

// text returns a script. Its exit status is that of the hook that was there before,
// whether or not vext fails: the next run finds the commits. post-receive receives
// the updates on its standard input (githooks(5)), and both hooks read them. The
// script writes them by echo, which is a builtin of every shell and therefore has no
// limit of length; no refname contains a backslash. A Subversion server runs hooks
// with an empty environment.
func (h *Hook) text(name string) string {
	if name == "post-receive" {
		return head + `updates=$(cat)
if [ -x "$0` + savedSuffix + `" ]; then
	echo "$updates" 2>/dev/null | before "$@"
	status=$?
fi
echo "$updates" 2>/dev/null | ` + h.Line() + ` >/dev/null 2>&1
exit "$status"
`
	}
	return head + `if [ -x "$0` + savedSuffix + `" ]; then
	before "$@"
	status=$?
fi
PATH=${PATH:-/usr/local/bin:/usr/bin:/bin} ` + h.Line() + ` </dev/null >/dev/null 2>&1
exit "$status"
`
}

func (s *script) saved() string { return s.path + savedSuffix }

// isOurs reports whether vext wrote the file at the script's path.
func (s *script) isOurs() (bool, error) {
	data, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return bytes.Contains(data, []byte(marker)), err
}

// state returns the state of the script.
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

// install writes the script. A hook that is not vext's is renamed.
func (s *script) install() error {
	ours, err := s.isOurs()
	if err != nil {
		return err
	}
	if _, err := os.Lstat(s.path); err == nil && !ours {
		if _, err := os.Lstat(s.saved()); err == nil {
			return fmt.Errorf("%s: %s exists already; move it away or remove it", s.path, s.saved())
		}
		if err := os.Rename(s.path, s.saved()); err != nil {
			return err
		}
	}
	if err := disk.ReplaceOutside(s.path, []byte(s.text), 0o755); err != nil {
		return errors.Join(err, s.restore())
	}
	return nil
}

// restore restores the hook that was there before.
func (s *script) restore() error {
	err := os.Rename(s.saved(), s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// remove removes the script. A script that is not vext's stays.
func (s *script) remove() error {
	ours, err := s.isOurs()
	if err != nil {
		return err
	}
	if !ours {
		if _, err := os.Lstat(s.saved()); err == nil {
			return fmt.Errorf("%s is no longer vext's; the hook that was there before is %s", s.path, s.saved())
		}
		return nil
	}
	if _, err := os.Lstat(s.saved()); err == nil {
		return os.Rename(s.saved(), s.path)
	}
	return os.Remove(s.path)
}
