package spool

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

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

// written counts the notices of this process: what it writes one after another
// has names in that order, however coarse the clock is.
var written atomic.Uint32

// nanoDigits is how many digits the time has in the name of a notice.
const nanoDigits = 19

// newNotice returns the name of a notice that is written at a time: that, in
// nanoseconds; the number of the notice in its process; and the digest, which
// keeps those of two processes apart.
func newNotice(at time.Time, data []byte) string {
	return fmt.Sprintf("%0*d-%010d-%s", nanoDigits, at.UnixNano(), written.Add(1), DigestName(data))
}

// nameTime returns the time in the name of a notice; the zero time where there
// is none: the digest was once all of the name.
func nameTime(name string) time.Time {
	if len(name) <= nanoDigits || name[nanoDigits] != '-' {
		return time.Time{}
	}
	nano, err := strconv.ParseInt(name[:nanoDigits], 10, 64)
	if err != nil || nano <= 0 {
		return time.Time{}
	}
	return time.Unix(0, nano)
}

// AnnouncementTime returns when a notice was handed over, the zero time when it is
// gone.
func AnnouncementTime(path string) time.Time {
	if t := nameTime(filepath.Base(path)); !t.IsZero() {
		return t
	}
	return modified(path)
}

// PutAnnouncement stores a notice durably. Where nobody wants it any more it does
// nothing. One that is put again is another notice.
func (s Spool) PutAnnouncement(data []byte) error {
	if err := s.Check(); err != nil {
		return err
	}
	path := filepath.Join(s.notices(), newNotice(time.Now(), data))
	err := disk.WriteNew(s.tmp(), path, data)
	if errors.Is(err, fs.ErrNotExist) && s.Announces() { // it is tmp/ that is missing
		if err := s.make(); err != nil {
			return err
		}
		err = disk.WriteNew(s.tmp(), path, data)
	}
	if errors.Is(err, fs.ErrNotExist) && !s.Announces() {
		return nil
	}
	return err
}

// StartAnnouncements makes the directory of the notices and returns its path. Who may
// write to the spool may write to it, too, unless its group is one into which
// this user may not give anything: see PermissionFix.
func (s Spool) StartAnnouncements() (string, error) {
	if s.Announces() {
		return s.notices(), nil
	}
	if err := s.make(); err != nil {
		return "", err
	}
	if err := disk.MakeDir(s.notices()); err != nil {
		return "", err
	}
	like, gid, err := access(s.Dir())
	if err != nil {
		return "", err
	}
	if _, own, err := access(s.notices()); err != nil || own != gid {
		err = errors.Join(err, os.Chown(s.notices(), -1, gid))
		if errors.Is(err, fs.ErrPermission) {
			return s.notices(), nil // and no other group gets what is the spool's
		}
		if err != nil {
			return "", err
		}
	}
	return s.notices(), os.Chmod(s.notices(), like)
}

// access returns the mode and the group of a directory.
func access(dir string) (mode fs.FileMode, gid int, err error) {
	info, err := os.Stat(dir)
	if err != nil {
		return 0, 0, err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		gid = int(stat.Gid)
	}
	return info.Mode(), gid, nil
}

// PermissionFix returns what gives the directory of the notices the group and
// the mode of the spool, as a shell takes it; "" where it has them.
func (s Spool) PermissionFix() (mend string) {
	mode, gid, err := access(s.Dir())
	own, ownGid, ownErr := access(s.notices())
	if err != nil || ownErr != nil || mode == own && gid == ownGid {
		return ""
	}
	bits := mode.Perm()
	for bit, is := range map[fs.FileMode]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if mode&is != 0 {
			bits |= bit
		}
	}
	return fmt.Sprintf("chgrp %d %s && chmod %o %s", gid, s.notices(), uint32(bits), s.notices())
}

// StopAnnouncements removes the directory of the notices with what waits in it, which
// nobody wants any more.
func (s Spool) StopAnnouncements() error { return os.RemoveAll(s.notices()) }

// Notices returns the paths of the notices that wait, in the order in which they
// were handed over.
func (s Spool) Announcements() ([]string, error) {
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
		return cmp.Or(handedOver(a).Compare(handedOver(b)), cmp.Compare(a.Name(), b.Name()))
	})
	paths := make([]string, len(infos))
	for i, info := range infos {
		paths[i] = filepath.Join(s.notices(), info.Name())
	}
	return paths, nil
}

func handedOver(info fs.FileInfo) time.Time {
	if t := nameTime(info.Name()); !t.IsZero() {
		return t
	}
	return info.ModTime()
}

// QuarantineAnnouncement moves a notice that can't be understood to failed/, with the
// reason beside it.
func (s Spool) QuarantineAnnouncement(path, reason string) error {
	if err := disk.MakeDir(s.failed()); err != nil {
		return err
	}
	to := filepath.Join(s.failed(), noticeName(path))
	if err := os.WriteFile(to+".why", []byte(reason+"\n"), disk.FileMode); err != nil {
		return err
	}
	err := disk.Rename(path, to)
	if errors.Is(err, fs.ErrExist) { // the digest of what is in it is in its name
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
