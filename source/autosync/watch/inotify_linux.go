package watch

import (
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A notifier is an instance of inotify(7). fsnotify hides three things that are needed here:
// that a file system was unmounted, that a file was closed by a program which wrote it
// through a mapping, and that two paths have the same watch, as after a rename.
type notifier struct {
	fd      int
	file    *os.File
	buffer  []byte
	reports []report
}

const (
	treeMask = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_MODIFY |
		unix.IN_CLOSE_WRITE | unix.IN_ATTRIB | unix.IN_EXCL_UNLINK | selfMask
	// selfMask reports that a directory was moved or removed, and nothing of what is in it.
	selfMask = unix.IN_MOVE_SELF | unix.IN_DELETE_SELF | unix.IN_ONLYDIR | unix.IN_DONT_FOLLOW | unix.IN_MASK_ADD
)

func newNotifier() (*notifier, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("inotify_init: %w", err)
	}
	return &notifier{fd: fd, file: os.NewFile(uintptr(fd), "inotify"), buffer: make([]byte, 64<<10)}, nil
}

// add watches a directory, and returns the number of its watch: the one it has already.
func (n *notifier) add(dir string) (int32, error) { return n.addMask(dir, treeMask) }

// addSelf watches whether a directory is moved or removed.
func (n *notifier) addSelf(dir string) (int32, error) { return n.addMask(dir, selfMask) }

func (n *notifier) addMask(dir string, mask uint32) (int32, error) {
	for {
		wd, err := unix.InotifyAddWatch(n.fd, dir, mask)
		if err != unix.EINTR {
			return int32(wd), err
		}
	}
}

// remove ends a watch. It may have ended by itself.
func (n *notifier) remove(wd int32) { unix.InotifyRmWatch(n.fd, uint32(wd)) }

// close ends read, too. Another file may get the number that it has.
func (n *notifier) close() {
	n.fd = -1
	n.file.Close()
}

// read waits for reports. They are valid until the next call. More says that others are
// likely to be pending already.
func (n *notifier) read() (reports []report, more bool, err error) {
	size, err := n.file.Read(n.buffer)
	if err != nil {
		return nil, false, err
	}
	clear(n.reports)
	n.reports, err = parseReports(n.reports[:0], n.buffer[:size])
	return n.reports, size > len(n.buffer)/2, err
}

// parseReports appends the reports in a buffer to a list.
func parseReports(list []report, data []byte) ([]report, error) {
	for len(data) >= unix.SizeofInotifyEvent {
		end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(data[12:]))
		if end > len(data) {
			break
		}
		list = append(list, parseReport(data[:end]))
		data = data[end:]
	}
	if len(data) > 0 {
		return list, fmt.Errorf("inotify: a report is cut off after %d bytes", len(data))
	}
	return list, nil
}

// parseReport parses a struct inotify_event.
func parseReport(data []byte) report {
	mask := binary.NativeEndian.Uint32(data[4:])
	r := report{wd: int32(binary.NativeEndian.Uint32(data)), name: unix.ByteSliceToString(data[unix.SizeofInotifyEvent:]), isDir: mask&unix.IN_ISDIR != 0}
	switch {
	case mask&unix.IN_Q_OVERFLOW != 0:
		r.kind = overflow
	case mask&unix.IN_UNMOUNT != 0:
		r.kind = unmounted
	case mask&unix.IN_IGNORED != 0:
		r.kind = ended
	case mask&(unix.IN_MOVE_SELF|unix.IN_DELETE_SELF) != 0:
		r.kind = selfGone
	case mask&(unix.IN_CREATE|unix.IN_MOVED_TO) != 0:
		r.kind = arrived
	case mask&(unix.IN_DELETE|unix.IN_MOVED_FROM) != 0:
		r.kind = left
	case mask&unix.IN_ATTRIB != 0:
		r.kind = attributes
	}
	return r
}
