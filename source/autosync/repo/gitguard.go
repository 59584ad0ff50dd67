package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"vext/internal/program"
)

// guard protects the files that git itself would overwrite: those that are ignored, and those
// that a person has marked as unchanged. A *StoppedError names one.
func (g *gitRepo) guard(ctx context.Context, m *move) error {
	changes, err := g.difference(ctx, m.Old, m.New)
	if err != nil {
		return err
	}
	var inTheWay []string
	for path, c := range changes {
		if !c.from.exists() && !c.to.isLink() {
			inTheWay = append(inTheWay, g.obstacles(path, changes)...)
		}
	}
	if len(inTheWay) > 0 {
		if err := g.checkObstacles(ctx, inTheWay, changes); err != nil {
			return err
		}
	}
	return g.checkMarked(ctx, changes)
}

// obstacles returns what is in the work tree where a path is to be added: a file there, a
// file where its directory is to be, or the files in a directory there.
func (g *gitRepo) obstacles(path string, changes map[string]treeChange) []string {
	for i := 1; i < len(path); i++ {
		if path[i] != '/' {
			continue
		}
		info, err := os.Lstat(g.abs(path[:i]))
		if err != nil {
			return nil
		}
		if !info.IsDir() {
			return g.unlessTracked([]string{path[:i]}, changes)
		}
	}
	info, err := os.Lstat(g.abs(path))
	if err != nil {
		return nil
	}
	if !info.IsDir() {
		if g.isOtherSpelling(info, changes) {
			return nil
		}
		return []string{path}
	}
	var files []string
	filepath.WalkDir(g.abs(path), func(name string, d fs.DirEntry, err error) error {
		if rel, relErr := filepath.Rel(g.root, name); err == nil && relErr == nil && !d.IsDir() {
			files = append(files, filepath.ToSlash(rel))
		}
		return nil
	})
	return g.unlessTracked(files, changes)
}

// unlessTracked leaves out the files that the integration removes.
func (g *gitRepo) unlessTracked(files []string, changes map[string]treeChange) []string {
	return slices.DeleteFunc(files, func(file string) bool { return changes[file].from.exists() })
}

// isOtherSpelling reports whether a file is one that the integration renames, on a file system
// for which both names are one.
func (g *gitRepo) isOtherSpelling(info fs.FileInfo, changes map[string]treeChange) bool {
	for path, c := range changes {
		if c.from.exists() && !c.to.exists() {
			if other, err := os.Lstat(g.abs(path)); err == nil && os.SameFile(info, other) && isAlone(info) {
				return true
			}
		}
	}
	return false
}

// isAlone reports whether a file has no second name by a hard link.
func isAlone(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Nlink == 1
}

// checkObstacles returns an error for the first file in the way with another content than
// what is to be there. ErrChanged has it committed first, unless it is ignored.
func (g *gitRepo) checkObstacles(ctx context.Context, files []string, changes map[string]treeChange) error {
	files, err := g.differing(ctx, files, changes)
	if err != nil || len(files) == 0 {
		return err
	}
	stdin := strings.NewReader("./" + strings.Join(files, "\x00./") + "\x00") // a name may begin with a colon
	out, err := g.run(ctx, gitRun{args: []string{"check-ignore", "-z", "--stdin"}, env: []string{"GIT_LITERAL_PATHSPECS=0"}, stdin: stdin})
	var failure *program.Error
	if err != nil && !(errors.As(err, &failure) && failure.Status() == 1) {
		return err
	}
	if ignored, _, _ := strings.Cut(out, "\x00"); ignored != "" {
		ignored = strings.TrimPrefix(ignored, "./")
		return &StoppedError{fmt.Sprintf("%s is ignored here, and the remote has a file of this name: move it away, or have git track it", ignored)}
	}
	return nil // git read-tree refuses
}

// differing leaves out the files that already are what they are to be.
func (g *gitRepo) differing(ctx context.Context, files []string, changes map[string]treeChange) ([]string, error) {
	found, err := g.hashFiles(ctx, files)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(files, func(file string) bool {
		to := changes[file].to
		return to.exists() && found[file].hash == to.hash
	}), nil
}

// checkMarked returns a *StoppedError when a person has marked a file by git update-index
// --assume-unchanged, and has changed it all the same.
func (g *gitRepo) checkMarked(ctx context.Context, changes map[string]treeChange) error {
	args := []string{"ls-files", "-v", "-z", "--"}
	if len(changes) <= 500 {
		args = append(args, slices.Sorted(maps.Keys(changes))...)
	}
	out, err := g.git(ctx, args...)
	if err != nil {
		return err
	}
	var marked []string
	for line := range strings.SplitSeq(out, "\x00") {
		if len(line) > 2 && (line[0] == 'h' || line[0] == 's') && changes[line[2:]].from.exists() {
			marked = append(marked, line[2:])
		}
	}
	found, err := g.hashFiles(ctx, marked)
	if err != nil {
		return err
	}
	for _, path := range marked {
		if e, ok := found[path]; ok && e.hash != changes[path].from.hash {
			return &StoppedError{fmt.Sprintf("%s is marked as unchanged but was changed, and the remote has changed it, too: git update-index --no-assume-unchanged --no-skip-worktree %[1]s", path)}
		}
	}
	return nil
}

// hashFiles returns what git would store of these files of the work tree. Files that are not
// there, and directories, are left out.
func (g *gitRepo) hashFiles(ctx context.Context, files []string) (map[string]entry, error) {
	found := map[string]entry{}
	var plain []string
	for _, file := range files {
		info, err := os.Lstat(g.abs(file))
		switch {
		case err != nil || info.IsDir():
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(g.abs(file))
			if err != nil {
				return nil, err
			}
			out, err := g.run(ctx, gitRun{args: []string{"hash-object", "--stdin"}, stdin: strings.NewReader(target)})
			if err != nil {
				return nil, err
			}
			found[file] = entry{"120000", strings.TrimSpace(out)}
		case !info.Mode().IsRegular():
		case strings.ContainsAny(file, "\n\r\""): // which git would take for the end of a name, or a quote
			out, err := g.git(ctx, "hash-object", "--", file)
			if err != nil {
				return nil, err
			}
			found[file] = entry{fileMode(info), strings.TrimSpace(out)}
		default:
			found[file] = entry{mode: fileMode(info)}
			plain = append(plain, file)
		}
	}
	if len(plain) == 0 {
		return found, nil
	}
	out, err := g.run(ctx, gitRun{args: []string{"hash-object", "--stdin-paths"}, stdin: strings.NewReader(strings.Join(plain, "\n") + "\n")})
	if err != nil {
		return nil, err
	}
	for i, hash := range strings.Fields(out) {
		found[plain[i]] = entry{found[plain[i]].mode, hash}
	}
	return found, nil
}

func fileMode(info fs.FileInfo) string {
	if info.Mode()&0o100 != 0 {
		return "100755"
	}
	return "100644"
}
