package repotest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"vext/source/autosync/repo"
)

// path returns where a file is on disk.
func (f *Fake) path(p string) string { return filepath.Join(f.o.Path, filepath.FromSlash(p)) }

// scan reads the directory: its files, and what in it cannot be committed.
func (f *Fake) scan() (files map[string]entry, found map[string]repo.Change, err error) {
	files, found = map[string]entry{}, map[string]repo.Change{}
	err = filepath.WalkDir(f.o.Path, func(full string, d fs.DirEntry, err error) error {
		p, _ := filepath.Rel(f.o.Path, full)
		p = filepath.ToSlash(p)
		switch {
		case p == ".":
			return err
		case p == ".fake":
			return fs.SkipDir
		case os.IsNotExist(err):
			return nil
		case f.isIgnored(p) && d.IsDir():
			return fs.SkipDir
		case f.isIgnored(p):
			return nil
		case err == nil && d.IsDir():
			if isRepository(full) {
				found[p] = f.change(p, repo.Nested)
				return fs.SkipDir
			}
			return nil
		case err == nil && !d.Type().IsRegular() && d.Type() != fs.ModeSymlink:
			return nil
		}
		var e entry
		if err == nil {
			e, err = readEntry(full)
		}
		switch {
		case os.IsNotExist(err):
		case err != nil:
			c := f.change(p, repo.Added)
			c.Refuse = fmt.Sprint(err)
			found[p] = c
		default:
			files[p] = e
		}
		return nil
	})
	return files, found, err
}

// isRepository reports whether a directory is a repository of its own.
func isRepository(dir string) bool {
	for _, name := range []string{".fake", ".git", ".hg"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// readEntry reads a file.
func readEntry(full string) (entry, error) {
	info, err := os.Lstat(full)
	if err != nil {
		return entry{}, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(full)
		return entry{target, fs.ModeSymlink}, err
	}
	content, err := os.ReadFile(full)
	if err != nil {
		return entry{}, err
	}
	mode := fs.FileMode(0o644)
	if info.Mode()&0o100 != 0 {
		mode = 0o755
	}
	return entry{string(content), mode}, nil
}

// isGone reports whether an error of readEntry says that there is no such file.
func isGone(err error) bool {
	return os.IsNotExist(err) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR)
}

// isIgnored reports whether a pattern matches a path.
func (f *Fake) isIgnored(p string) bool {
	for _, pattern := range f.ignored {
		for dir := p; dir != "."; dir = path.Dir(dir) {
			whole, _ := path.Match(pattern, dir)
			part, _ := path.Match(pattern, path.Base(dir))
			if whole || part {
				return true
			}
		}
	}
	return false
}
