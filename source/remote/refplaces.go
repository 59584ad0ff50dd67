package remote

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// places returns the directories whose entries HEAD and packed-refs are. As git-new-workdir
// makes it, packed-refs may be a symbolic link to that of another repository.
func (g gitDir) places() []string {
	dirs := []string{g.common, g.own}
	if path, err := filepath.EvalSymlinks(filepath.Join(g.common, "packed-refs")); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// walk calls visit with every directory and file below refs and reftable.
func (g gitDir) walk(visit func(path string, isDir bool) error) error {
	roots := []string{filepath.Join(g.common, "refs"), filepath.Join(g.common, "reftable")}
	if g.own != g.common {
		roots = append(roots, filepath.Join(g.own, "refs"), filepath.Join(g.own, "reftable"))
	}
	for _, root := range roots {
		if err := walkTree(root, visit); err != nil {
			return err
		}
	}
	return nil
}

// walkTree calls visit with a path and all that is below it. It calls it with a directory
// before it reads it. What disappears meanwhile is left out.
func walkTree(root string, visit func(path string, isDir bool) error) error {
	root, err := filepath.EvalSymlinks(root)
	if err == nil {
		err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if isGone(err) {
				return nil
			} else if err != nil {
				return err
			}
			return visit(path, entry.IsDir())
		})
	}
	if isGone(err) {
		return nil
	}
	return err
}

func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

func goneError(dir string) error {
	return fmt.Errorf("%s: the repository was removed or replaced", dir)
}

// A signature is a hash of what stat(2) says of all files that have refs. Git writes a new
// file for each change.
type signature struct {
	sum    uint64
	files  int
	common fs.FileInfo // the directory, by which it is recognised
}

var signatureSeed = maphash.MakeSeed()

// sign returns the present signature. It fails when the repository is not the one of the
// last signature.
func (w *refWatch) sign() (signature, error) {
	common, err := os.Stat(w.dir.common)
	if isGone(err) || err == nil && w.last.common != nil && !os.SameFile(common, w.last.common) {
		return signature{}, goneError(w.dir.common)
	} else if err != nil {
		return signature{}, err
	}
	s := signature{common: common}
	var hash maphash.Hash
	hash.SetSeed(signatureSeed)
	add := func(path string, isDir bool) error { // a lock file changes its directory
		if info, err := os.Lstat(path); err == nil && !isDir && !strings.HasSuffix(path, ".lock") {
			s.files++
			hash.WriteString(path)
			for _, n := range []uint64{uint64(info.Size()), uint64(info.Mode()), uint64(info.ModTime().UnixNano()), inode(info)} {
				hash.Write(binary.LittleEndian.AppendUint64(nil, n))
			}
		}
		return nil
	}
	for _, dir := range w.dir.places() {
		add(filepath.Join(dir, "HEAD"), false)
		add(filepath.Join(dir, "packed-refs"), false)
	}
	err = w.dir.walk(add)
	s.sum = hash.Sum64()
	return s, err
}

func inode(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Ino)
	}
	return 0
}
