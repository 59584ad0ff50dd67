package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Announcements stay until they are removed, and are no requests.
func TestAnnouncements(t *testing.T) {
	state := t.TempDir()
	s := New(state)
	announces := func() bool {
		t.Helper()
		is, err := s.Announces()
		if err != nil {
			t.Error(err)
		}
		return is
	}
	if announces() {
		t.Error("before the start")
	}
	for range 2 {
		if err := s.StartAnnouncing(); err != nil || !announces() {
			t.Fatal(err)
		}
	}
	now := time.Now()
	if n, err := s.PutAll(Message{"a@b", []byte("request")}, NewAnnouncement(now, []byte("1")), NewAnnouncement(now, []byte("2"))); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	if requests, err := s.Requests(); len(requests) != 1 || requests[0].Name() != "a@b" || err != nil {
		t.Errorf("requests %v, %v", requests, err)
	}
	paths, err := s.Announcements()
	if err != nil || len(paths) != 2 {
		t.Fatalf("%v, %v", paths, err)
	}
	if err := s.QuarantineAnnouncement(paths[0], "no commit"); err != nil {
		t.Error(err)
	}
	failed, _ := os.ReadDir(filepath.Join(state, "failed"))
	if len(failed) != 2 || !strings.HasSuffix(failed[1].Name(), ".why") || !IsName(failed[0].Name()) {
		t.Errorf("quarantined %v", failed)
	}
	if err := s.StopAnnouncing(); err != nil || announces() {
		t.Error(err)
	}
	if paths, _ := s.Announcements(); len(paths) > 0 {
		t.Errorf("after the end: %v", paths)
	}
	if requests, _ := s.Requests(); len(requests) != 1 {
		t.Errorf("after the end: requests %v", requests)
	}

	// One that was written too late is not announced at the next start.
	if _, err := s.PutAll(NewAnnouncement(now, []byte("late"))); err != nil {
		t.Fatal(err)
	}
	if err := s.StartAnnouncing(); err != nil {
		t.Fatal(err)
	}
	if paths, _ := s.Announcements(); len(paths) > 0 {
		t.Errorf("after the next start: %v", paths)
	}
}

// Announcements are in the order in which they were made, however coarse the clock is.
func TestAnnouncementsOrder(t *testing.T) {
	s := New(newState(t))
	now := time.Now()
	var want []string
	for i := range 40 {
		want = append(want, fmt.Sprint(i%20)) // each is put twice
		if _, err := s.PutAll(NewAnnouncement(now, []byte(want[i]))); err != nil {
			t.Fatal(err)
		}
	}
	paths, err := s.Announcements()
	if err != nil || !slices.IsSorted(paths) {
		t.Error(paths, err)
	}
	var got []string
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if at := AnnouncementTime(path); err != nil || !at.Equal(now) {
			t.Errorf("%s is of %v, %v", path, at, err)
		}
		got = append(got, string(data))
	}
	if !slices.Equal(got, want) {
		t.Errorf("order %v\nwant  %v", got, want)
	}
	if at := AnnouncementTime(s.Path("gone")); !at.IsZero() {
		t.Errorf("one that is gone is of %v", at)
	}
}

// The announcements of earlier versions, in a directory of their own, are taken over.
// Those of the oldest versions have the time of their file.
func TestTakeOverNotices(t *testing.T) {
	s := New(newState(t))
	now := time.Now().Truncate(time.Second)
	if err := os.MkdirAll(filepath.Join(s.notices(), "dir"), 0o750); err != nil {
		t.Fatal(err)
	}
	if announces, err := s.Announces(); !announces || err != nil {
		t.Error("commits are not announced before vext serve starts")
	}
	put := func(name string, at time.Time) {
		t.Helper()
		path := filepath.Join(s.notices(), name)
		if err := errors.Join(os.WriteFile(path, []byte(name), 0o640), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	named := func(at time.Time, text string) string {
		return fmt.Sprintf("%019d-0000000001-%s", at.UnixNano(), DigestName([]byte(text)))
	}
	want := []string{named(now.Add(-3*time.Minute), "1"), DigestName([]byte("2")), named(now.Add(-time.Minute), "3")}
	if _, err := s.PutAll(NewAnnouncement(now, []byte("by a hook after the upgrade"))); err != nil {
		t.Fatal(err)
	}
	want = append(want, "by a hook after the upgrade")
	put(want[2], now)
	put(want[1], now.Add(-2*time.Minute))
	put(want[0], now)
	for range 2 {
		if err := s.StartAnnouncing(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(s.notices(), "dir")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.StartAnnouncing(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(s.notices()); !os.IsNotExist(err) {
			t.Errorf("the directory is still there: %v", err)
		}
	}
	var got []string
	paths, err := s.Announcements()
	for _, path := range paths {
		data, readErr := os.ReadFile(path)
		err = errors.Join(err, readErr)
		got = append(got, string(data))
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, want %v: %v", got, want, err)
	}
}
