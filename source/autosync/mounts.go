package autosync

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"vext/internal/calendar"
	"vext/internal/disk"
	"vext/source/autosync/repo"
)

// mountsName is the file in the repository's Dir that lists the mount points in the tree, with
// a NUL between two.
const mountsName = "mounts"

// mounts are the directories in a tree at which other file systems are mounted. They are
// remembered, also by the next process: files below one that is no longer mounted are not
// deleted. Only the goroutine of Run uses it.
type mounts struct {
	dir     string                   // of the file; "" in a dry run, which writes none
	known   []string                 // sorted, relative to the root, with slashes
	mounted []string                 // of these, at the last look
	find    func() ([]string, error) // those that are mounted now
}

// openMounts returns the mount points that an earlier process has seen in a tree.
func openMounts(r repo.Repository, isDry bool) (*mounts, error) {
	m := &mounts{dir: r.Dir(), find: func() ([]string, error) { return mountPoints(r.Root()) }}
	data, err := disk.ReadFile(filepath.Join(m.dir, mountsName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the mount points in %s: %w", r.Root(), err)
	}
	if len(data) > 0 {
		m.known = strings.Split(string(data), "\x00")
	}
	if isDry {
		m.dir = ""
	}
	return m, nil
}

// look notes what is mounted now, and reports whether that has changed since the last look.
func (m *mounts) look() (isNew bool, err error) {
	now, err := m.find()
	if err != nil {
		return false, fmt.Errorf("the mount points in the tree: %w", err)
	}
	slices.Sort(now)
	now = slices.Compact(now)
	isNew = !slices.Equal(now, m.mounted)
	m.mounted = now
	all := slices.Concat(m.known, now)
	slices.Sort(all)
	return isNew, m.remember(slices.Compact(all))
}

// missing returns those that are not mounted any more.
func (m *mounts) missing() []string {
	return slices.DeleteFunc(slices.Clone(m.known), func(dir string) bool { return slices.Contains(m.mounted, dir) })
}

// forget forgets mount points.
func (m *mounts) forget(dirs ...string) error {
	return m.remember(slices.DeleteFunc(slices.Clone(m.known), func(dir string) bool { return slices.Contains(dirs, dir) }))
}

// remember makes these the known ones, and writes them when they are others than before.
func (m *mounts) remember(known []string) error {
	if slices.Equal(known, m.known) {
		return nil
	}
	if m.dir != "" {
		if err := disk.Replace(m.dir, filepath.Join(m.dir, mountsName), []byte(strings.Join(known, "\x00"))); err != nil {
			return err
		}
	}
	m.known = known
	return nil
}

// checkMounts returns a *heldError when files of the last commit are gone with the file system
// on which they were. A missing one of which the last commit has no file is forgotten.
func (t *Tree) checkMounts(b *batch, changes []repo.Change) error {
	isNew, err := t.mounts.look()
	if err != nil {
		return err
	}
	if isNew { // what has appeared is not watched yet
		t.mu.Lock()
		w := t.watcher
		t.mu.Unlock()
		if w != nil {
			w.Reconsider()
		}
	}
	if b.force {
		return nil
	}
	var unused []string
	for _, dir := range t.mounts.missing() {
		if n := goneWith(dir, changes); n > 0 {
			return &heldError{fmt.Sprintf("%s is not mounted any more (%s gone): nothing goes on until it is, or \"vext autosync now\" says that they are deleted",
				dir, calendar.Verb(n, "file is", "files are"))}
		}
		if b.paths[whole] {
			unused = append(unused, dir)
		}
	}
	return t.mounts.forget(unused...)
}

// goneWith returns the number of changes that an unmounted directory explains: deletions in
// it, and directories with it, of which nothing more is known.
func goneWith(dir string, changes []repo.Change) (n int) {
	for _, c := range changes {
		isIn := c.Path == dir || strings.HasPrefix(c.Path, dir+"/")
		isAround := c.Path == whole || c.Path == dir || strings.HasPrefix(dir, c.Path+"/")
		switch {
		case c.Staged, c.Kind == repo.Nested:
		case isIn && c.Kind == repo.Deleted, isAround && c.Info != nil && c.Info.IsDir():
			n++
		}
	}
	return n
}

// acceptUnmounted forgets the mount points that are missing: a person has said that what was
// there is deleted.
func (t *Tree) acceptUnmounted() {
	if err := t.mounts.forget(t.mounts.missing()...); err != nil {
		t.o.Log.Warn("the mount points in a tree cannot be written", "tree", t.Root(), "error", err)
	}
}

// errUnmounted says that a file system is not mounted any more.
var errUnmounted = errors.New("a file system in the tree is not mounted any more")

// checkMounted returns errUnmounted when a commit must first find out which files are gone:
// until then, nothing is written into the directory that the file system has covered.
func (t *Tree) checkMounted() error {
	if len(t.mounts.known) == 0 {
		return nil
	}
	if _, err := t.mounts.look(); err != nil {
		return err
	}
	if len(t.mounts.missing()) > 0 {
		return errUnmounted
	}
	return nil
}

// mountPoints returns the directories below a root, relative to it, at which file systems are
// mounted: those that Linux lists, elsewhere those on another device than the directory above.
func mountPoints(root string) ([]string, error) {
	root, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, err
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return otherDevices(root)
	}
	var found []string
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		if dir, isIn := strings.CutPrefix(unescape(fields[4]), strings.TrimSuffix(root, "/")+"/"); isIn && dir != "" {
			found = append(found, dir)
		}
	}
	return found, nil
}

// unescape decodes a path of mountinfo, proc(5), which has blanks and the like as \040.
func unescape(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '\\' && i+3 < len(path) {
			if c, err := strconv.ParseUint(path[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(path[i])
	}
	return b.String()
}

// otherDevices finds mount points by walking a tree. What cannot be read is left out.
func otherDevices(root string) ([]string, error) {
	devices := map[string]uint64{} // of the directories that were entered
	var found []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if name == root && err != nil {
			return err
		}
		if err != nil || !d.IsDir() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return nil
		}
		devices[name] = uint64(stat.Dev)
		if rel, err := filepath.Rel(root, name); err == nil && name != root && devices[name] != devices[filepath.Dir(name)] {
			found = append(found, filepath.ToSlash(rel))
		}
		return nil
	})
	return found, err
}
