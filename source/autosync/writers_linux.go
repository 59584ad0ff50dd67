package autosync

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// identify returns the fileID of a regular file.
func identify(path string) (fileID, bool) {
	var stat unix.Stat_t
	if unix.Lstat(path, &stat) != nil || stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return fileID{}, false
	}
	return fileID{uint64(stat.Dev), stat.Ino}, true
}

// A search is for the processes that have files open for writing.
type search struct {
	wanted map[fileID][]string
	mounts map[uint64]bool // on which the wanted files are
	inodes map[uint64]bool
	found  func(fileID)
}

// writers calls found for each file that a process has open for writing.
func writers(wanted map[fileID][]string, found func(fileID)) error {
	proc, err := os.Open("/proc")
	if err != nil {
		return err
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("read /proc: %w", err)
	}
	s := search{wanted: wanted, mounts: map[uint64]bool{}, inodes: map[uint64]bool{}, found: found}
	for id, paths := range wanted {
		var stat unix.Statx_t
		s.inodes[id.inode] = true
		if unix.Statx(unix.AT_FDCWD, paths[0], unix.AT_SYMLINK_NOFOLLOW, unix.STATX_MNT_ID, &stat) == nil {
			s.mounts[stat.Mnt_id] = true
		}
	}
	own := strconv.Itoa(os.Getpid())
	for _, name := range names {
		if isDigit(name[0]) && name != own {
			s.scan("/proc/" + name)
		}
	}
	return nil
}

// scan looks at the open files of a process. One that has ended, or belongs to another user,
// has none.
func (s *search) scan(process string) {
	dir, err := os.Open(process + "/fd")
	if err != nil {
		return
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	raw, err := dir.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		for _, name := range names {
			// A file system that is asked all the same answers from what it remembers.
			var stat unix.Statx_t
			if !isFile(int(fd), name) || !s.mayBe(process+"/fdinfo/"+name) || unix.Statx(int(fd), name, unix.AT_STATX_DONT_SYNC, unix.STATX_INO, &stat) != nil {
				continue
			}
			if id := (fileID{unix.Mkdev(stat.Dev_major, stat.Dev_minor), stat.Ino}); s.wanted[id] != nil {
				s.found(id)
			}
		}
	})
}

// isFile reports whether a link of /proc/PID/fd leads to a file: not to "socket:[1]",
// "pipe:[1]" and the like. It asks no file system, which may not answer.
func isFile(dir int, name string) bool {
	var link [len("/dev/shm")]byte
	n, err := unix.Readlinkat(dir, name, link[:])
	isDevice := bytes.HasPrefix(link[:], []byte("/dev/")) && string(link[:]) != "/dev/shm"
	return err == nil && n > 0 && link[0] == '/' && !isDevice
}

// mayBe reports whether an open file, proc_pid_fdinfo(5), is open for writing and may be one
// of those that are wanted: the file systems of the others are not asked, because one that
// hangs never answers.
func (s *search) mayBe(fdinfo string) bool {
	data, err := os.ReadFile(fdinfo)
	if err != nil {
		return false
	}
	flags, _ := field(data, "flags:", 8)
	if mode := flags & unix.O_ACCMODE; mode == unix.O_RDONLY || flags&unix.O_PATH != 0 {
		return false
	}
	mount, hasMount := field(data, "mnt_id:", 10)
	inode, hasInode := field(data, "ino:", 10) // since Linux 5.14
	return !hasMount || !hasInode || s.mounts[mount] || s.inodes[inode]
}

// field returns a number of a file with lines of a name and a number.
func field(data []byte, name string, base int) (n uint64, ok bool) {
	_, rest, _ := bytes.Cut(data, []byte(name))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	n, err := strconv.ParseUint(string(bytes.TrimSpace(line)), base, 64)
	return n, err == nil
}
