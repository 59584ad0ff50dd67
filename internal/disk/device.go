package disk

import (
	"os"
	"syscall"
)

// SameFileSystem reports whether two files or directories lie on one file
// system, so that a rename can move one beside the other. One that can't be
// looked at counts as being there: whoever moves it will find out.
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
	return uint64(stat.Dev), true // its type differs between systems
}
