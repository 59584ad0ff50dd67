package control

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"vext/internal/disk"
)

// The sockets of a user's processes are in the first of these directories that the user can
// make, and are looked for in all, because a process from cron or an init script has not the
// environment of a login:
//
//	$XDG_RUNTIME_DIR/vext/autosync
//	/run/user/UID/vext/autosync
//	/run/vext/autosync-UID   of root, and of a vext serve that owns /run/vext
//	/tmp/vext-UID/autosync

// Parents of the directories of all users; tests have others.
var (
	usersRun   = "/run/user"
	machineRun = []string{"/run/vext", "/var/run/vext"}
	usersTmp   = "/tmp"
)

// placesOf returns the directories of a user. Each one's parents, as far as they are missing,
// are made below base.
func placesOf(uid int) []place {
	id := strconv.Itoa(uid)
	var all []place
	if own := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(own) && uid == os.Geteuid() {
		all = append(all, place{own, filepath.Join("vext", "autosync")})
	}
	all = append(all, place{filepath.Join(usersRun, id), filepath.Join("vext", "autosync")})
	for _, dir := range machineRun {
		all = append(all, place{filepath.Dir(dir), filepath.Join(filepath.Base(dir), "autosync-"+id)})
	}
	return append(all, place{usersTmp, filepath.Join("vext-"+id, "autosync")})
}

// A place is a directory for sockets below one that the system has made.
type place struct{ base, below string }

func (p place) dir() string { return filepath.Join(p.base, p.below) }

// make makes the directory. It must be private, and so must each parent below the base that
// it makes.
func (p place) make() error {
	if _, err := os.Stat(p.base); err != nil {
		return err
	}
	parent := filepath.Join(p.base, filepath.Dir(p.below))
	if err := os.Mkdir(parent, 0o700); err == nil && slices.Contains(machineRun, parent) {
		os.Chmod(parent, 0o755) // vext remote of every user has its sockets there, too
	}
	os.Mkdir(p.dir(), 0o700)
	if !isOwn(parent, os.Geteuid(), 0o022) {
		return fmt.Errorf("%s: others may write there", parent)
	}
	if !isOwn(p.dir(), os.Geteuid(), 0o077) {
		return fmt.Errorf("%s: not a private directory", p.dir())
	}
	return nil
}

// isOwn reports whether a path is a directory of that user, or of root, for which others do
// not have these rights.
func isOwn(path string, uid int, forbidden os.FileMode) bool {
	return disk.IsDirOf(path, forbidden, uid, 0)
}

// makeControlDir returns the directory for the socket of this process.
func makeControlDir() (string, error) {
	var errs []error
	for _, p := range placesOf(os.Geteuid()) {
		err := p.make()
		if err == nil {
			return p.dir(), nil
		}
		errs = append(errs, err)
	}
	return "", fmt.Errorf("no directory can be made for the control socket: %w", errors.Join(errs...))
}

// controlDirs returns the directories in which sockets are looked for: those of this user. For
// root also those in machineRun, and those of the owners of paths.
func controlDirs(paths []string) []string {
	uids := []int{os.Geteuid()}
	var dirs []string
	if os.Geteuid() == 0 {
		for _, path := range paths {
			if uid, _, ok := disk.Owner(path); ok && !slices.Contains(uids, uid) {
				uids = append(uids, uid)
			}
		}
		for _, dir := range machineRun {
			of, _ := filepath.Glob(filepath.Join(dir, "autosync-*"))
			dirs = append(dirs, of...)
		}
	}
	for _, uid := range uids {
		for _, p := range placesOf(uid) {
			if dir := p.dir(); !slices.Contains(dirs, dir) && isOwn(dir, uid, 0o077) {
				dirs = append(dirs, dir)
			}
		}
	}
	return distinct(dirs)
}

// distinct removes directories that are others by another name: /var/run is often a link.
func distinct(dirs []string) []string {
	var all []string
	seen := map[string]bool{}
	for _, dir := range dirs {
		real, err := filepath.EvalSymlinks(dir)
		if err == nil && !seen[real] {
			seen[real] = true
			all = append(all, real)
		}
	}
	return all
}
