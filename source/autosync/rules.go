package autosync

import "vext/source/autosync/watch"

// rules are which files are left out, whatever the version control says. Tests replace
// what looks at other processes.
type rules struct {
	ignore *Ignore
	// open returns those of these files, absolute, that a process has open for writing.
	open func(paths []string) (map[string]bool, error)
}

func newRules(o Options) (rules, error) {
	ignore, err := NewIgnore(o.Ignore)
	return rules{ignore, OpenForWriting}, err
}

// newWatcher returns the watcher of a tree.
func newWatcher(o watch.Options) watcher { return watch.New(o) }
