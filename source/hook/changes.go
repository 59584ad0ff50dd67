package hook

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"vext/internal/disk"
	"vext/internal/hint"
	"vext/internal/vcs"
)

// ChangesFile is a file in a git directory that is written after each change of a ref, if
// the hook reference-transaction is installed. Whoever watches it needs no other watch.
const ChangesFile = "vext-changes"

// changesText is that hook. Git asks it before each change, too, and refuses the change if
// it fails.
const changesText = "#!/bin/sh\n" + marker + `
# It says that refs have changed: vext remote(1) watches the file.
if [ "$1" = committed ]; then
	{ echo "$$" >"${0%/*}/../` + ChangesFile + `"; } 2>/dev/null
fi
exit 0
`

func changesScript(place *vcs.Place) (*script, error) {
	switch {
	case place.Kind != vcs.Git:
		return nil, fmt.Errorf("%s: only git has a hook for changes of refs", place.Dir)
	case !place.Inside() || filepath.Clean(place.Hooks) != filepath.Join(place.Dir, "hooks"):
		return nil, fmt.Errorf("%s: core.hooksPath is set, or hooks is a link; the hook must be in the repository", place.Dir)
	}
	return &script{filepath.Join(place.Hooks, "reference-transaction"), changesText}, nil
}

// InstallChanges installs the hook that writes ChangesFile. It does not replace another.
func InstallChanges(place *vcs.Place) error {
	s, err := changesScript(place)
	if err != nil {
		return err
	}
	_, isOurs, err := s.read()
	if err != nil {
		return err
	}
	if _, err := os.Lstat(s.path); err == nil && !isOurs {
		return hint.Wrap(fmt.Errorf("%s: there is a hook already", s.path),
			`add this line to it: [ "$1" != committed ] || echo "$$" >"${0%/*}/../`+ChangesFile+`"`)
	}
	if _, err := makeHooks(place); err != nil {
		return err
	}
	if err := makeChangesFile(place.Dir); err != nil {
		return err
	}
	return disk.ReplaceOutside(s.path, []byte(s.text), 0o755)
}

// makeChangesFile makes the file with the owner and the permissions of the git directory,
// because several users may push.
func makeChangesFile(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, ChangesFile)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	} else if err != nil {
		return err
	}
	return errors.Join(file.Chmod(info.Mode()&0o666), file.Close(), disk.CopyOwner(path, dir))
}

// RemoveChanges removes the hook, and reports whether there was one of vext.
func RemoveChanges(place *vcs.Place) (had bool, err error) {
	s, err := changesScript(place)
	if err != nil {
		return false, err
	}
	if _, isOurs, err := s.read(); err != nil || !isOurs {
		return false, err
	}
	if err := os.Remove(filepath.Join(place.Dir, ChangesFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return true, err
	}
	return true, os.Remove(s.path)
}
