//go:build !linux

package disk

// Rename moves a file or directory to a new name on the same file system, and
// never replaces: the error is fs.ErrExist when the name is taken. The caller
// syncs the directories.
func Rename(from, to string) error { return linkAndUnlink(from, to) }

func syncAll(_ string, names []string) error { return syncEach(names) }
