package server

import (
	"os/user"
	"slices"
	"strconv"
	"testing"
)

// A service has all groups of its user, and so has what root does in its place.
func TestGroupsOf(t *testing.T) {
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if got := groupsOf(uid); !slices.Contains(got, gid) {
		t.Errorf("%v without the first, %d", got, gid)
	}
	if got := groupsOf(1 << 30); got != nil {
		t.Errorf("nobody has %v", got)
	}
}
