package reminder

import (
	"os"
	"syscall"
)

// device returns the number of the file system that a file lies on.
func device(info os.FileInfo) (uint64, bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return uint64(stat.Dev), true // its type differs between systems
}
