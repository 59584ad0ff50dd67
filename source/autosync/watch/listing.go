package watch

import (
	"errors"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"
)

// A listing is what a directory contains.
type listing struct {
	dirs   []string // without those to which symbolic links point
	nested bool     // it is a repository
	sum    uint64   // of all files, by what lstat(2) says
	signed bool     // sum is valid
}

// readAtOnce bounds how much of a directory is in memory.
const readAtOnce = 1024

// readDir reads a directory, and with sign what lstat(2) says of its files.
func readDir(path string, sign bool) (listing, error) {
	l := listing{signed: sign}
	dir, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_DIRECTORY, 0)
	if err != nil {
		return l, err
	}
	defer dir.Close()
	for {
		entries, err := dir.ReadDir(readAtOnce)
		for _, entry := range entries {
			l.add(entry)
		}
		if errors.Is(err, io.EOF) {
			return l, nil
		} else if err != nil {
			return l, err
		}
	}
}

func (l *listing) add(entry fs.DirEntry) {
	l.nested = l.nested || slices.Contains(repositories, entry.Name())
	if entry.IsDir() {
		l.dirs = append(l.dirs, entry.Name())
	}
	if l.signed {
		l.sum += sign(entry) // in any order
	}
}

// A signature is what differs after a change of a file.
type signature struct {
	name           string
	mode           fs.FileMode
	size, modified int64
	inode          uint64
}

var seed = maphash.MakeSeed()

func sign(entry fs.DirEntry) uint64 {
	s := signature{name: entry.Name(), mode: entry.Type()}
	if !entry.IsDir() {
		if info, err := entry.Info(); err == nil {
			s.mode, s.size, s.modified, s.inode = info.Mode(), info.Size(), info.ModTime().UnixNano(), inode(info)
		}
	}
	return maphash.Comparable(seed, s)
}

// inode returns the number of a file, 0 where there is none.
func inode(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Ino)
	}
	return 0
}

// device returns the number of the file system of a file, 0 where there is none.
func device(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Dev)
	}
	return 0
}
