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

// scripts returns the scripts of a git or Subversion repository: those to be installed,
// or all that may be. A bare repository that was named by one of its work trees has all of
// them.
func (h *Hook) scripts(all bool) []script {
	names := []string{"post-receive", "post-commit", "post-merge"} // the ways to a work tree
	switch {
	case h.Place.Kind == vcs.Svn:
		names = []string{"post-commit"}
	case h.Place.Bare && !all:
		names = names[:1]
	}
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
echo "$updates" 2>/dev/null | ` + Line(h.Command) + ` >/dev/null 2>&1
exit "$status"
`
	}
	return head + `if [ -x "$0` + savedSuffix + `" ]; then
	before "$@"
	status=$?
fi
PATH=${PATH:-/usr/local/bin:/usr/bin:/bin} ` + Line(h.Command) + ` </dev/null >/dev/null 2>&1
exit "$status"
`
}

func (s *script) saved() string { return s.path + savedSuffix }

// read returns the file at the script's path, and whether vext wrote it.
func (s *script) read() (data []byte, isOurs bool, err error) {
	data, err = os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	return data, bytes.Contains(data, []byte(marker)), err
}

// state returns the state of the script.
func (s *script) state() (string, error) {
	data, ours, err := s.read()
	if err != nil || !ours {
		return Missing, err
	}
	info, err := os.Stat(s.path)
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
	_, ours, err := s.read()
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
		restored := os.Rename(s.saved(), s.path)
		if errors.Is(restored, fs.ErrNotExist) {
			restored = nil
		}
		return errors.Join(err, restored)
	}
	return nil
}

// remove removes the script. A script that is not vext's stays.
func (s *script) remove() error {
	_, ours, err := s.read()
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
