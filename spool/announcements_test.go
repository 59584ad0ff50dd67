package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What is put waits until it is removed; where nobody wants notices there are
// none, and a directory that goes away in between is no error.
func TestNotices(t *testing.T) {
	state := t.TempDir()
	s := New(state)
	if err := s.PutAnnouncement([]byte("a")); err != nil || s.Announces() {
		t.Error(err, "nobody wants it")
	}
	if err := os.MkdirAll(s.Dir(), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.Dir(), 0o2770); err != nil {
		t.Fatal(err)
	}
	dir, err := s.StartAnnouncements()
	if err != nil || !s.Announces() {
		t.Fatal(err)
	}
	spoolInfo, _ := os.Stat(s.Dir())
	if info, err := os.Stat(dir); err != nil || info.Mode() != spoolInfo.Mode() {
		t.Errorf("%v %v, the spool's is %v", info.Mode(), err, spoolInfo.Mode())
	}
	os.RemoveAll(filepath.Join(state, "tmp"))
	for _, text := range []string{"a", "b"} {
		if err := s.PutAnnouncement([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	paths, err := s.Announcements()
	if err != nil || len(paths) != 2 {
		t.Errorf("%v, %v", paths, err)
	}
	if err := s.QuarantineAnnouncement(paths[0], "no commit"); err != nil {
		t.Error(err)
	}
	failed, _ := os.ReadDir(filepath.Join(state, "failed"))
	if len(failed) != 2 || !strings.HasSuffix(failed[1].Name(), ".why") || !IsName(failed[0].Name()) {
		t.Errorf("set aside %v", failed)
	}
	if err := s.StopAnnouncements(); err != nil || s.Announces() {
		t.Error(err)
	}
}

// Notices have the order in which they were put, however coarse the times of
// files are; those with names of the older form have theirs by these.
func TestNoticesOrder(t *testing.T) {
	s := New(t.TempDir())
	dir, err := s.StartAnnouncements()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i, text := range []string{"older 1", "older 2"} {
		path, at := filepath.Join(dir, DigestName([]byte(text))), time.Now().Add(time.Duration(i-5)*time.Minute)
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o640), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
		want = append(want, text)
	}
	before := time.Now()
	for i := range 40 {
		want = append(want, fmt.Sprint(i%20)) // each is put twice
		if err := s.PutAnnouncement([]byte(want[len(want)-1])); err != nil {
			t.Fatal(err)
		}
	}
	paths, err := s.Announcements()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, path := range paths {
		at := time.Now().Add(-time.Hour) // by this alone they would stand before the others
		if i > 1 {
			os.Chtimes(path, at, at)
		}
	}
	if paths, err = s.Announcements(); err != nil {
		t.Fatal(err)
	}
	for i, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil || !IsName(filepath.Base(path)) {
			t.Errorf("%s: %v", path, err)
		}
		got = append(got, string(data))
		if isNew := !AnnouncementTime(path).Before(before.Round(0)); isNew != (i > 1) {
			t.Errorf("%s is of %v", path, AnnouncementTime(path))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("order %v\nwant  %v", got, want)
	}
	var names []string
	for i := range 20 {
		names = append(names, newNotice(before, []byte(want[i])))
	}
	if !slices.IsSorted(names) {
		t.Errorf("at one time: %v", names)
	}
	if at := AnnouncementTime(filepath.Join(dir, "gone")); !at.IsZero() {
		t.Errorf("one that is gone is of %v", at)
	}
}

// The directory has the group of the spool, and what differs later is said.
func TestNoticesGroup(t *testing.T) {
	s := New(t.TempDir())
	gid := otherGroup(t)
	if err := errors.Join(s.make(), os.Chown(s.Dir(), -1, gid), os.Chmod(s.Dir(), 0o770|os.ModeSetgid)); err != nil {
		t.Fatal(err)
	}
	dir, err := s.StartAnnouncements()
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if stat := info.Sys().(*syscall.Stat_t); int(stat.Gid) != gid || info.Mode() != os.ModeDir|os.ModeSetgid|0o770 {
		t.Errorf("group %d and mode %v, want %d", stat.Gid, info.Mode(), gid)
	}
	if mend := s.PermissionFix(); mend != "" {
		t.Errorf("to mend at once: %s", mend)
	}
	for _, change := range []func() error{
		func() error { return os.Chmod(dir, 0o750) },
		func() error { return os.Chown(dir, -1, os.Getegid()) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("chgrp %d %s && chmod 2770 %s", gid, dir, dir)
		if got := s.PermissionFix(); got != want {
			t.Errorf("to mend: %q, want %q", got, want)
		}
		if err := errors.Join(os.Chown(dir, -1, gid), os.Chmod(dir, 0o770|os.ModeSetgid)); err != nil {
			t.Fatal(err)
		}
	}
}

// otherGroup returns a group, not the usual one, into which the test may give
// files.
func otherGroup(t *testing.T) int {
	t.Helper()
	if os.Geteuid() == 0 {
		return os.Getegid() + 1
	}
	groups, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	for _, gid := range groups {
		if gid != os.Getegid() {
			return gid
		}
	}
	t.Skip("this user has but one group")
	return 0
}
