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
	info, err := os.Stat(path)
	if err != nil {
		return 0, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return uint64(stat.Dev), true // the type differs between systems
}
