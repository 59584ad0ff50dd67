package disk

import (
	"os"
	"syscall"
)

// SameFileSystem reports whether two files or directories are on one file system, so that
// a rename between them is possible. It returns true for one that can't be examined: a
// rename will show the error.
func SameFileSystem(a, b string) bool {
	x, okX := device(a)
	y, okY := device(b)
	return !okX || !okY || x == y
}

func device(path string) (uint64, bool) {
	stat, ok := statOf(path)
	if !ok {
		return 0, false
	}
	return uint64(stat.Dev), true // the type differs between systems
}

// Owner returns the IDs of the user and the group of a file, if they are known.
func Owner(path string) (uid, gid int, ok bool) {
	stat, ok := statOf(path)
	if !ok {
		return 0, 0, false
	}
	return int(stat.Uid), int(stat.Gid), true
}

func statOf(path string) (*syscall.Stat_t, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return stat, ok
}
