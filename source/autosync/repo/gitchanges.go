package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"vext/internal/text"
)

// Bounds of what git status gets as arguments. It compares each path of the tree with each
// of them, so that many cost more than to look at the whole tree.
const (
	maxPathspecs    = 64
	maxPathspecSize = 64 << 10 // bytes
)

// Changes implements Repository. Submodules are left alone, named pipes, sockets and devices
// are no changes.
func (g *gitRepo) Changes(ctx context.Context, paths ...string) ([]Change, error) {
	if err := g.place.check(); err != nil {
		return nil, err
	}
	only := newPathSet(paths)
	args := []string{"status", "--porcelain=v2", "-z", "--untracked-files=all", "--ignore-submodules=all", "--no-renames"}
	if only.isSmall() {
		args = append(append(args, "--"), only.list...)
	}
	var warnings text.Tail
	out, err := g.run(ctx, gitRun{args: args, stderr: &warnings})
	if err != nil {
		return nil, err
	}
	changes, err := g.parseStatus(out)
	if err != nil {
		return nil, err
	}
	changes = g.leaveOthers(changes)
	for _, dir := range unreadable(warnings.String()) {
		changes = append(changes, Change{Path: dir, Kind: Modified, Info: g.lstat(dir), Refuse: "permission denied"})
	}
	if err := g.place.check(); err != nil { // it was unmounted while git looked
		return nil, err
	}
	return joined(slices.DeleteFunc(changes, func(c Change) bool { return !only.has(c.Path) })), nil
}

// parseStatus returns the changes in what git status --porcelain=v2 -z prints.
func (g *gitRepo) parseStatus(out string) ([]Change, error) {
	var changes []Change
	for _, entry := range strings.Split(strings.TrimSuffix(out, "\x00"), "\x00") {
		kind, rest, _ := strings.Cut(entry, " ")
		switch kind {
		case "1": // XY sub mH mI mW hH hI path
			if f := strings.SplitN(rest, " ", 8); len(f) == 8 && len(f[0]) == 2 && f[1] != "" {
				changes = g.tracked(changes, f[0], f[1], f[2], f[4], f[7])
				continue
			}
		case "?":
			changes = g.untracked(changes, rest)
			continue
		case "u":
			return nil, &BusyError{"a conflict is not resolved"}
		case "", "#":
			continue
		}
		return nil, fmt.Errorf("git status prints what is not understood: %q", entry)
	}
	return changes, nil
}

// tracked adds the change of a path that is in the last commit or in the index. xy is how the
// index differs from the commit, and the work tree from the index.
func (g *gitRepo) tracked(changes []Change, xy, sub, inHead, inTree, name string) []Change {
	c := Change{Path: name, Kind: Modified, Staged: xy[0] != '.'}
	switch {
	case sub[0] == 'S' && !c.Staged:
		return changes // a submodule
	case inTree == noMode:
		c.Kind = Deleted // a directory or a link may have taken the place of it, or of its parent
		return append(changes, c)
	case inHead == noMode:
		c.Kind = Added
	}
	c.Info = g.lstat(name)
	if c.Info == nil { // it has vanished meanwhile
		c.Kind = Deleted
	}
	c.Refuse = g.refusal(c)
	return append(changes, c)
}

// noMode is the mode of a file that does not exist.
const noMode = "000000"

// untracked adds a path that git does not know. One that ends in a slash is a repository.
func (g *gitRepo) untracked(changes []Change, name string) []Change {
	c := Change{Path: strings.TrimSuffix(name, "/"), Kind: Added}
	if c.Info = g.lstat(c.Path); c.Info == nil {
		return changes
	}
	if c.Path != name {
		c.Kind = Nested
	} else {
		c.Refuse = g.refusal(c)
	}
	return append(changes, c)
}

// others are the directories in which other version controls keep a repository.
var others = []string{".hg", ".svn", ".jj", ".bzr"}

// leaveOthers replaces new files in a repository of another version control by that
// repository. One in the root stands for its own files only.
func (g *gitRepo) leaveOthers(changes []Change) []Change {
	of := map[string]string{".": ""} // the repository that a directory is in, "" for this one
	for _, name := range others {
		if info := g.lstat(name); info != nil && info.IsDir() {
			of[name] = name
		}
	}
	var find func(dir string) string
	find = func(dir string) string {
		nested, isKnown := of[dir]
		if !isKnown {
			nested = find(path.Dir(dir))
			for i := 0; nested == "" && i < len(others); i++ {
				if info := g.lstat(path.Join(dir, others[i])); info != nil && info.IsDir() {
					nested = dir
				}
			}
			of[dir] = nested
		}
		return nested
	}
	for i, c := range changes {
		if c.Kind != Added || c.Staged {
			continue
		}
		if nested := find(path.Dir(c.Path)); nested != "" {
			changes[i] = Change{Path: nested, Kind: Nested, Info: g.lstat(nested)}
		}
	}
	return changes
}

// lstat returns nil when there is no such file.
func (g *gitRepo) lstat(name string) fs.FileInfo {
	info, err := os.Lstat(g.abs(name))
	if err != nil {
		return nil
	}
	return info
}

// abs returns the absolute path of a path in the tree.
func (g *gitRepo) abs(name string) string { return filepath.Join(g.root, filepath.FromSlash(name)) }

// refusal says why a file cannot be committed, "" when it can.
func (g *gitRepo) refusal(c Change) string {
	switch {
	case c.Info == nil, c.Info.Mode().Type() == fs.ModeSymlink, c.Info.IsDir():
		return ""
	case !c.Info.Mode().IsRegular():
		return "not a regular file"
	}
	if err := unix.Access(g.abs(c.Path), unix.R_OK); err != nil && !errors.Is(err, unix.ENOENT) {
		return err.Error()
	}
	return ""
}

// unreadable returns the directories that git status could not read, by its warnings.
func unreadable(warnings string) []string {
	var dirs []string
	for line := range strings.Lines(warnings) {
		dir, ok := strings.CutPrefix(line, "warning: could not open directory '")
		dir, isDenied := strings.CutSuffix(dir, "/': Permission denied\n")
		if ok && isDenied && dir != "" {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// joined sorts changes by path, each once. In git a path is there twice that a person took out of
// the index (git rm --cached), but that still exists.
func joined(changes []Change) []Change {
	slices.SortStableFunc(changes, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return slices.CompactFunc(changes, func(a, b Change) bool { return a.Path == b.Path })
}

// A pathSet is some paths with all that is below them; the empty one is the whole tree.
type pathSet struct {
	list []string
	set  map[string]bool
}

func newPathSet(paths []string) pathSet {
	p := pathSet{set: map[string]bool{}}
	for _, name := range paths {
		name = path.Clean(name)
		if name == "." || name == "/" {
			return pathSet{}
		}
		if !p.set[name] {
			p.set[name] = true
			p.list = append(p.list, name)
		}
	}
	return p
}

// isSmall reports whether git is given these paths, not the whole tree.
func (p pathSet) isSmall() bool {
	size := 0
	for _, name := range p.list {
		size += len(name) + 1
	}
	return 0 < len(p.list) && len(p.list) <= maxPathspecs && size <= maxPathspecSize
}

// has reports whether a path is among them, or below one, or a directory that one is in: a
// repository in the tree stands for all its files.
func (p pathSet) has(name string) bool {
	if len(p.list) == 0 {
		return true
	}
	for dir := name; dir != "."; dir = path.Dir(dir) {
		if p.set[dir] {
			return true
		}
	}
	return slices.ContainsFunc(p.list, func(only string) bool { return strings.HasPrefix(only, name+"/") })
}
