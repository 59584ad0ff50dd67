// Package watchable says where inotify reports changed files, and what to do where it
// cannot.
package watchable

import (
	"errors"
	"fmt"
	"math/bits"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// minWatches is the lowest limit of watches that is recommended.
const minWatches = 65536

// Hint returns what to do about an error of inotify that more settings of the kernel would
// have prevented, "" for other errors. A caller that knows how many watches it needs says
// so, others say 0.
func Hint(err error, need int) string {
	switch {
	case errors.Is(err, syscall.ENOSPC) && need > 0:
		return fmt.Sprintf("the limit of watches is reached: sysctl fs.inotify.max_user_watches=%d", raised(setting("max_user_watches"), need))
	case errors.Is(err, syscall.ENOSPC):
		return "the limit of watches is reached: raise the sysctl fs.inotify.max_user_watches"
	case errors.Is(err, syscall.EMFILE):
		return "too many programs watch files: raise the sysctl fs.inotify.max_user_instances"
	}
	return ""
}

// raised returns a limit that leaves room for need watches, and as many again, beside those
// that a limit now allows, which other programs may use: a power of two.
func raised(limit, need int) int {
	return 1 << bits.Len(uint(max(minWatches, limit+2*need)-1))
}

// setting returns a limit of inotify, 0 where it is not known.
func setting(name string) int {
	data, _ := os.ReadFile("/proc/sys/fs/inotify/" + name)
	n, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	return n
}
