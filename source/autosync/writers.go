package autosync

// A fileID identifies a file, under whatever name it was opened.
type fileID struct{ device, inode uint64 }

// OpenForWriting returns which of these files, named by absolute paths, a process has open
// for writing: any other process that this one may look at, as those of the same user.
// Where the system does not say, it returns none. It looks at every process once, so ask
// about all files at once.
func OpenForWriting(paths []string) (map[string]bool, error) {
	wanted := map[fileID][]string{}
	for _, path := range paths {
		if id, ok := identify(path); ok {
			wanted[id] = append(wanted[id], path)
		}
	}
	open := map[string]bool{}
	if len(wanted) == 0 {
		return open, nil
	}
	err := writers(wanted, func(id fileID) {
		for _, path := range wanted[id] {
			open[path] = true
		}
	})
	return open, err
}
