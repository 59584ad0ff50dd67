package watchable

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// NetworkFileSystems do not report what other machines change: their magic numbers,
// statfs(2), and their names. A test may add one.
var NetworkFileSystems = map[uint32]string{
	unix.NFS_SUPER_MAGIC:   "nfs",
	0x517b:                 "smb",
	unix.CIFS_SUPER_MAGIC:  "cifs",
	unix.SMB2_SUPER_MAGIC:  "smb2",
	unix.FUSE_SUPER_MAGIC:  "fuse",
	unix.V9FS_MAGIC:        "9p",
	unix.CEPH_SUPER_MAGIC:  "ceph",
	unix.AFS_SUPER_MAGIC:   "afs",
	unix.CODA_SUPER_MAGIC:  "coda",
	unix.OCFS2_SUPER_MAGIC: "ocfs2",
	0x01161970:             "gfs2",
	0x0bd00bd0:             "lustre",
	0x19830326:             "beegfs",
	0x47504653:             "gpfs",
	0x786f4256:             "vboxsf",
	0xbacbacbc:             "vmhgfs",
	0x7c7c6673:             "prl_fs",
}

// Supported says that watching is useful on every file system.
const Supported = true

// Unreliable returns the reason why inotify does not report all changes in a directory.
func Unreliable(dir string) error {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return fmt.Errorf("statfs %s: %w", dir, err)
	}
	if name := NetworkFileSystems[uint32(stat.Type)]; name != "" {
		return fmt.Errorf("the file system (%s) does not report what other machines change", name)
	}
	return nil
}
