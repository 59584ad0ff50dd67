package watchable

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"
)

func TestHint(t *testing.T) {
	for _, c := range []struct {
		err  error
		need int
		want string
	}{
		{nil, 1, ""},
		{fs.ErrPermission, 1, ""},
		{syscall.ENOSPC, 0, "the limit of watches is reached: raise the sysctl fs.inotify.max_user_watches"},
		{&fs.PathError{Op: "x", Err: syscall.EMFILE}, 9, "too many programs watch files: raise the sysctl fs.inotify.max_user_instances"},
	} {
		if got := Hint(c.err, c.need); got != c.want {
			t.Errorf("Hint(%v, %d) = %q, want %q", c.err, c.need, got, c.want)
		}
	}
}

func TestRaised(t *testing.T) {
	for _, c := range [][3]int{{0, 10, 65536}, {500, 10_000, 65536}, {65536, 1, 131072}, {192536, 10_000, 262144}, {192536, 100_000, 524288}} {
		if got := raised(c[0], c[1]); got != c[2] || got <= c[0]+c[1] {
			t.Errorf("raised(%d, %d) = %d, want %d", c[0], c[1], got, c[2])
		}
	}
}

func TestUnreliable(t *testing.T) {
	err := Unreliable(t.TempDir())
	if Supported != (err == nil) {
		t.Errorf("a directory of this machine: %v", err)
	}
	if err := Unreliable("/no/such/place"); err == nil || Supported && !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}
