package spool

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is put waits until it is removed; where nobody wants notices there are
// none, and a directory that goes away in between is no error.
func TestNotices(t *testing.T) {
	state := t.TempDir()
	s := New(state)
	if err := s.PutNotice([]byte("a")); err != nil || s.Announces() {
		t.Error(err, "nobody wants it")
	}
	if err := os.MkdirAll(s.Dir(), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.Dir(), 0o2770); err != nil {
		t.Fatal(err)
	}
	dir, err := s.StartNotices()
	if err != nil || !s.Announces() {
		t.Fatal(err)
	}
	spoolInfo, _ := os.Stat(s.Dir())
	if info, err := os.Stat(dir); err != nil || info.Mode() != spoolInfo.Mode() {
		t.Errorf("%v %v, the spool's is %v", info.Mode(), err, spoolInfo.Mode())
	}
	os.RemoveAll(filepath.Join(state, "tmp"))
	for range 2 {
		for _, text := range []string{"a", "b"} {
			if err := s.PutNotice([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	paths, err := s.Notices()
	if err != nil || len(paths) != 2 {
		t.Errorf("%v, %v", paths, err)
	}
	if err := s.SetAsideNotice(paths[0], "no commit"); err != nil {
		t.Error(err)
	}
	failed, _ := os.ReadDir(filepath.Join(state, "failed"))
	if len(failed) != 2 || !strings.HasSuffix(failed[1].Name(), ".why") || !IsName(failed[0].Name()) {
		t.Errorf("set aside %v", failed)
	}
	if err := s.StopNotices(); err != nil || s.Announces() {
		t.Error(err)
	}
}
