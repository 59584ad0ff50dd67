package repo

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"vext/internal/commit"
	"vext/internal/disk"
)

// Refs are read from their files, where git has them in files: a process of git for each would
// be half of the time of a commit.

// maxPacked bounds the file packed-refs that is read here.
const maxPacked = 4 << 20

// hasRefFiles reports whether the refs are in files, not in the format reftable.
func (g *gitRepo) hasRefFiles() bool {
	_, err := os.Lstat(filepath.Join(g.commonDir, "reftable"))
	return errors.Is(err, fs.ErrNotExist)
}

// readHead returns what HEAD is: a ref, or the commit of a detached one. It is not ok where git
// must be asked.
func (g *gitRepo) readHead() (ref, detached string, ok bool) {
	path := filepath.Join(g.gitDir, "HEAD")
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() || !g.hasRefFiles() {
		return "", "", false
	}
	data, err := disk.ReadFile(path)
	if err != nil {
		return "", "", false
	}
	text := strings.TrimSuffix(string(data), "\n")
	if name, isRef := strings.CutPrefix(text, "ref: "); isRef {
		return name, "", strings.HasPrefix(name, "refs/")
	}
	return "", text, commit.IsHash(text)
}

// readRefs returns the commits of these refs, without those that are not there. It is not ok
// where git must be asked.
func (g *gitRepo) readRefs(names ...string) (values map[string]string, ok bool) {
	if !g.hasRefFiles() {
		return nil, false
	}
	values = map[string]string{}
	missing := false
	for _, name := range names {
		data, err := disk.ReadFile(filepath.Join(g.commonDir, filepath.FromSlash(name)))
		hash := strings.TrimSuffix(string(data), "\n")
		switch {
		case err == nil && commit.IsHash(hash):
			values[name] = hash
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
			missing = true
		default: // a symbolic ref, a directory, or a file that cannot be read
			return nil, false
		}
	}
	if missing { // git packs a ref before it removes the file
		ok = g.readPacked(names, values)
		return values, ok
	}
	return values, true
}

// readPacked adds those of these refs that only packed-refs has.
func (g *gitRepo) readPacked(names []string, values map[string]string) (ok bool) {
	path := filepath.Join(g.commonDir, "packed-refs")
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil || info.Size() > maxPacked {
		return false
	}
	data, err := disk.ReadFile(path)
	if err != nil {
		return false
	}
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name] = values[name] == ""
	}
	for line := range strings.Lines(string(data)) { // "HASH NAME", and lines of what a tag points to
		hash, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if wanted[name] && commit.IsHash(hash) {
			values[name] = hash
		}
	}
	return true
}
