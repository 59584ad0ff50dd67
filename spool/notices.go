package spool

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"vext/internal/disk"
)

// A notice is a file of what one hand-over has brought, for who announces
// commits as they arrive. The directory of the notices is there only while
// somebody does: so the filter, which has no configuration, knows.

func (s Spool) notices() string { return filepath.Join(s.state, "notices") }
func (s Spool) failed() string  { return filepath.Join(s.state, "failed") }

// Announces reports whether somebody wants notices.
func (s Spool) Announces() bool {
	_, err := os.Stat(s.notices())
	return err == nil
}

// PutNotice stores a notice durably. Where nobody wants it any more it does
// nothing.
func (s Spool) PutNotice(data []byte) error {
	path := filepath.Join(s.notices(), DigestName(data))
	err := disk.WriteNew(s.tmp(), path, data)
	if errors.Is(err, fs.ErrNotExist) && s.Announces() { // it is tmp/ that is missing
		if err := s.make(); err != nil {
			return err
		}
		err = disk.WriteNew(s.tmp(), path, data)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && !s.Announces():
		return nil
	case errors.Is(err, fs.ErrExist): // whoever put it there may not have lived to sync its name
		return disk.SyncDir(s.notices())
	}
	return err
}

// StartNotices makes the directory of the notices and returns its path. Who may
// write to the spool may write to it, too.
func (s Spool) StartNotices() (string, error) {
	if s.Announces() {
		return s.notices(), nil
	}
	if err := s.make(); err != nil {
		return "", err
	}
	if err := disk.MakeDir(s.notices()); err != nil {
		return "", err
	}
	like, err := os.Stat(s.Dir())
	if err != nil {
		return "", err
	}
	return s.notices(), os.Chmod(s.notices(), like.Mode())
}

// StopNotices removes the directory of the notices with what waits in it, which
// nobody wants any more.
func (s Spool) StopNotices() error { return os.RemoveAll(s.notices()) }

// Notices returns the paths of the notices that wait, the oldest first.
func (s Spool) Notices() ([]string, error) {
	entries, err := os.ReadDir(s.notices())
	if err != nil {
		return nil, err
	}
	infos := make([]fs.FileInfo, 0, len(entries))
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			infos = append(infos, info)
		}
	}
	slices.SortFunc(infos, func(a, b fs.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), cmp.Compare(a.Name(), b.Name()))
	})
	paths := make([]string, len(infos))
	for i, info := range infos {
		paths[i] = filepath.Join(s.notices(), info.Name())
	}
	return paths, nil
}

// SetAsideNotice moves a notice that can't be understood to failed/, with the
// reason beside it.
func (s Spool) SetAsideNotice(path, reason string) error {
	if err := disk.MakeDir(s.failed()); err != nil {
		return err
	}
	to := filepath.Join(s.failed(), noticeName(path))
	if err := os.WriteFile(to+".why", []byte(reason+"\n"), disk.FileMode); err != nil {
		return err
	}
	err := disk.Rename(path, to)
	if errors.Is(err, fs.ErrExist) { // its name is made from what is in it
		err = disk.Remove(path)
	}
	return err
}

// noticeName returns the name of a notice in failed/: its own, where it is one
// of ours.
func noticeName(path string) string {
	if name := filepath.Base(path); IsName(name) {
		return name
	}
	return Name(filepath.Base(path))
}
