package repo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A mergeResult is what git merge-tree prints for a merge with conflicts.
type mergeResult struct {
	tree    string // with markers of conflicts in files
	stages  map[string]*conflicted
	isPlain bool // each conflict is about one path, without renames that meet
}

// A conflicted path is one that could not be merged. The entries are those of the base and of
// both sides.
type conflicted struct {
	path               string
	base, theirs, ours entry
	// inTheWay says that a directory has the path, so that the file cannot have it.
	inTheWay bool
	aliases  []string // where git has put the entries of the path instead
}

// plainKinds are the kinds of conflicts of git merge-tree whose entries are the files as they
// are on both sides. Of other kinds, all with renames, an entry may be a merge with markers.
var plainKinds = []string{"Auto-merging", "CONFLICT (contents)", "CONFLICT (binary)", "CONFLICT (modify/delete)", "CONFLICT (rename/delete)",
	"CONFLICT (file/directory)", "CONFLICT (distinct modes)", "CONFLICT (submodule)", "CONFLICT (submodule with possible resolution)",
	"CONFLICT (submodule lacks merge base)", "CONFLICT (submodule not initialized)", "CONFLICT (submodule history not available)",
	"Fast forwarding submodule", "Fast forwarding submodule to", "Failed to merge submodule"}

// parseMerge reads the output of git merge-tree -z.
func parseMerge(out string) mergeResult {
	fields := strings.Split(out, "\x00")
	m := mergeResult{tree: strings.TrimSpace(fields[0]), stages: map[string]*conflicted{}, isPlain: true}
	i := 1
	for ; i < len(fields) && fields[i] != ""; i++ {
		info, path, _ := strings.Cut(fields[i], "\t")
		if parts := strings.Fields(info); len(parts) == 3 {
			m.at(path).set(parts[2], entry{parts[0], parts[1]})
		}
	}
	for i++; i < len(fields); {
		n, err := strconv.Atoi(fields[i])
		if err != nil || i+n+2 >= len(fields) {
			break
		}
		m.message(fields[i+n+1], fields[i+1:i+n+1])
		i += n + 3
	}
	return m
}

// message takes in one message of git merge-tree.
func (m *mergeResult) message(kind string, paths []string) {
	m.isPlain = m.isPlain && slices.Contains(plainKinds, kind)
	if kind != "CONFLICT (file/directory)" && kind != "CONFLICT (distinct modes)" {
		return
	}
	for _, alias := range paths { // "x~BRANCH" stands for x
		for _, path := range paths {
			if path == alias || !strings.HasPrefix(alias, path+"~") {
				continue
			}
			c := m.at(path)
			c.inTheWay = c.inTheWay || kind == "CONFLICT (file/directory)"
			c.aliases = append(c.aliases, alias)
			if moved := m.stages[alias]; moved != nil {
				c.take(moved)
				delete(m.stages, alias)
			}
		}
	}
}

func (m *mergeResult) at(path string) *conflicted {
	if m.stages[path] == nil {
		m.stages[path] = &conflicted{path: path}
	}
	return m.stages[path]
}

// set sets the entry of a stage. Theirs is the first side of the merges here.
func (c *conflicted) set(stage string, e entry) {
	switch stage {
	case "1":
		c.base = e
	case "2":
		c.theirs = e
	case "3":
		c.ours = e
	}
}

// take takes the entries of another path.
func (c *conflicted) take(from *conflicted) {
	for stage, e := range map[string]entry{"1": from.base, "2": from.theirs, "3": from.ours} {
		if e.exists() {
			c.set(stage, e)
		}
	}
}

// resolve makes a tree without conflicts from the result of a merge.
func (in *integration) resolve(ctx context.Context, m mergeResult, base, theirs, ours string) (string, error) {
	isGenuine, err := in.isGenuine(ctx, m, theirs, ours)
	if err != nil {
		return "", err
	}
	tree := m.tree
	var edits []edit
	if !isGenuine {
		if edits, m, err = in.byPath(ctx, m, base, theirs, ours); err != nil {
			return "", err
		}
		tree = theirs
	}
	if in.g.opts.Conflict == Stop {
		return "", in.stop(m)
	}
	for _, path := range slices.Sorted(maps.Keys(m.stages)) {
		decided, err := in.decide(ctx, m.stages[path], theirs, ours)
		if err != nil {
			return "", err
		}
		edits = append(edits, decided...)
	}
	return in.g.editTree(ctx, tree, edits)
}

// stop says which files a person must merge.
func (in *integration) stop(m mergeResult) error {
	return stopped(slices.Sorted(maps.Keys(m.stages)), "git merge "+in.s.tracking)
}

// stopped returns the error of the policy Stop: both sides have changed these files, and a
// command begins the merge.
func stopped(files []string, command string) error {
	more := ""
	if len(files) > 5 {
		more = fmt.Sprintf(" and %d more", len(files)-5)
		files = files[:5]
	}
	return &StoppedError{fmt.Sprintf("both sides have changed %s%s; merge them with: %s", strings.Join(files, ", "), more, command)}
}

// isGenuine reports whether the entries of all conflicts are files of one side, and not what
// git has merged of renamed files, maybe with markers.
func (in *integration) isGenuine(ctx context.Context, m mergeResult, theirs, ours string) (bool, error) {
	if !m.isPlain {
		return false, nil
	}
	var added []string // a rename may have come to the path
	for path, c := range m.stages {
		if !c.base.exists() {
			added = append(added, path)
		}
	}
	there, err := in.g.lookUp(ctx, theirs, slices.Values(added))
	if err != nil {
		return false, err
	}
	here, err := in.g.lookUp(ctx, ours, slices.Values(added))
	if err != nil {
		return false, err
	}
	for _, path := range added {
		c := m.stages[path]
		if c.theirs.exists() && c.theirs != there[path] || c.ours.exists() && c.ours != here[path] {
			return false, nil
		}
	}
	return true, nil
}

// byPath compares the sides path by path, without renames, and starts from their tree. A path
// that is on both sides and in the base keeps what git has merged. It returns the edits of
// the rest, and the conflicts.
func (in *integration) byPath(ctx context.Context, m mergeResult, base, theirs, ours string) ([]edit, mergeResult, error) {
	there, err := in.g.difference(ctx, base, theirs)
	if err != nil {
		return nil, m, err
	}
	here, err := in.g.difference(ctx, base, ours)
	if err != nil {
		return nil, m, err
	}
	result := mergeResult{tree: theirs, stages: map[string]*conflicted{}}
	var merged []string
	var edits []edit
	for path, o := range here {
		t, isBoth := there[path]
		switch {
		case !isBoth:
			edits = append(edits, edit{path, o.to})
		case t.to == o.to:
		case o.from.exists() && o.to.exists() && t.to.exists() && m.stages[path] == nil:
			merged = append(merged, path)
		default:
			result.stages[path] = &conflicted{path: path, base: o.from, theirs: t.to, ours: o.to}
		}
	}
	entries, err := in.g.lookUp(ctx, m.tree, slices.Values(merged))
	for path, e := range entries {
		edits = append(edits, edit{path, e})
	}
	if err == nil {
		edits, err = in.clearWay(ctx, result, edits, theirs)
	}
	return edits, result, err
}

// clearWay makes a conflict of each file whose path is also that of a directory.
func (in *integration) clearWay(ctx context.Context, m mergeResult, edits []edit, theirs string) ([]edit, error) {
	all, err := in.g.git(ctx, "ls-tree", "-r", "-z", "--full-tree", theirs)
	if err != nil {
		return nil, err
	}
	theirFiles, files := map[string]entry{}, map[string]bool{}
	parseTree(all, theirFiles)
	for path := range theirFiles {
		files[path] = true
	}
	for _, e := range edits {
		files[e.path] = e.exists()
	}
	for path := range m.stages {
		files[path] = true
	}
	for path, exists := range files {
		for i := len(path) - 1; i > 0 && exists; i-- {
			if dir := path[:i]; path[i] == '/' && files[dir] {
				c := m.at(dir)
				c.inTheWay = true
				if i := slices.IndexFunc(edits, func(e edit) bool { return e.path == dir }); i >= 0 {
					c.ours = edits[i].entry
					edits = slices.Delete(edits, i, i+1)
				} else if !c.ours.exists() && !c.theirs.exists() {
					c.theirs = theirFiles[dir]
				}
			}
		}
	}
	return edits, nil
}
