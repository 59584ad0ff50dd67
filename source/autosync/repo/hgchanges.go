package repo

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// A hgLine is an entry of hg status.
type hgLine struct {
	code byte   // M, A, R, !, ?
	path string // as hg has it
	from string // the file of which it is a copy
}

// parseHgStatus parses the output of hg status -0, with or without -C.
func parseHgStatus(out string) []hgLine {
	var lines []hgLine
	for entry := range strings.SplitSeq(out, "\x00") {
		switch {
		case len(entry) < 3 || entry[1] != ' ':
		case entry[0] == ' ' && len(lines) > 0:
			lines[len(lines)-1].from = entry[2:]
		default:
			lines = append(lines, hgLine{code: entry[0], path: entry[2:]})
		}
	}
	return lines
}

// status runs hg status for these paths, or for all without any.
func (h *hgRepo) status(ctx context.Context, paths []string, args ...string) ([]hgLine, error) {
	args = append([]string{"status", "-0"}, args...)
	var out string
	var err error
	if len(paths) == 0 {
		out, err = h.run(ctx, args...)
	} else {
		out, err = h.withList(ctx, h.root, paths, args...)
	}
	return parseHgStatus(out), err
}

// Changes implements Repository.
func (h *hgRepo) Changes(ctx context.Context, paths ...string) ([]Change, error) {
	if slices.Contains(paths, ".") {
		paths = nil
	}
	lines, err := h.status(ctx, paths, "-mardu")
	if err != nil {
		return nil, err
	}
	nested := map[string]Change{}
	for _, l := range lines {
		if dir := gitRepositoryOf(l.path); dir != "" {
			nested[dir] = Change{Path: dir, Kind: Nested, Info: h.lstat(dir)}
		}
	}
	found := maps.Clone(nested)
	for _, l := range lines {
		if isIn(l.path, nested) || strings.HasPrefix(l.path, ".git/") {
			continue
		}
		c, isChange, err := h.change(ctx, l)
		if err != nil {
			return nil, err
		}
		if isChange {
			found[l.path] = c
		}
	}
	return joined(slices.Collect(maps.Values(found))), nil
}

// gitRepositoryOf returns the directory whose git repository has a file, "" for none. hg
// leaves nested repositories of its own kind alone, and takes all others for files.
func gitRepositoryOf(name string) string {
	parts := strings.Split(name, "/")
	if i := slices.Index(parts, ".git"); i > 0 {
		return strings.Join(parts[:i], "/")
	}
	return ""
}

// isIn reports whether a path is in one of these directories.
func isIn(name string, dirs map[string]Change) bool {
	for dir := path.Dir(name); len(dirs) > 0 && dir != "."; dir = path.Dir(dir) {
		if _, is := dirs[dir]; is {
			return true
		}
	}
	return false
}

// change returns an entry of hg status as a change.
func (h *hgRepo) change(ctx context.Context, l hgLine) (Change, bool, error) {
	c := Change{Path: l.path, Kind: Modified, Info: h.lstat(l.path)}
	isFile := c.Info != nil && !c.Info.IsDir()
	switch {
	case l.code == '?' || l.code == 'A' && isFile:
		c.Kind = Added
	case l.code == '!' || l.code == 'A' || l.code == 'R' && !isFile:
		c.Kind = Deleted
	case l.code == 'R': // removed, and made again since then; or hg forget
		ignored, err := h.Ignored(ctx, []string{l.path})
		if err != nil {
			return c, false, err
		}
		if ignored[l.path] {
			c.Kind = Deleted
		}
	}
	if c.Kind != Deleted && !isFile {
		return c, false, nil // gone since then
	}
	c.Refuse = h.refusal(c)
	return c, true, nil
}

// refusal returns why a change cannot be committed, "" if it can.
func (h *hgRepo) refusal(c Change) string {
	if strings.ContainsAny(c.Path, "\r\n") {
		return "Mercurial has no names with line breaks"
	}
	if c.Kind == Deleted || c.Info == nil || !c.Info.Mode().IsRegular() {
		return ""
	}
	f, err := os.OpenFile(h.path(c.Path), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err == nil {
		f.Close()
	}
	if errors.Is(err, fs.ErrPermission) {
		return "permission denied"
	}
	return ""
}

// path returns where a file is.
func (h *hgRepo) path(name string) string { return filepath.Join(h.root, filepath.FromSlash(name)) }

// lstat returns the state of a file, nil if it is not there.
func (h *hgRepo) lstat(name string) fs.FileInfo {
	info, err := os.Lstat(h.path(name))
	if err != nil {
		return nil
	}
	return info
}

// maxArguments bounds the paths on one command line.
const maxArguments = 400

// Ignored implements Repository.
func (h *hgRepo) Ignored(ctx context.Context, dirs []string) (map[string]bool, error) {
	ignored := map[string]bool{}
	for some := range slices.Chunk(dirs, maxArguments) {
		args := []string{"debugignore", "--"}
		for _, dir := range some {
			if dir != "." && dir != "" && !strings.ContainsAny(dir, "\r\n") {
				args = append(args, "path:"+dir)
			}
		}
		if len(args) == 2 {
			continue
		}
		out, err := h.run(ctx, args...)
		if err != nil {
			return nil, err
		}
		lines := map[string]bool{}
		for line := range strings.Lines(out) {
			lines[strings.TrimSuffix(line, "\n")] = true
			if before, _, is := strings.Cut(line, " is ignored because of containing directory "); is {
				lines[before+" is ignored"] = true
			}
		}
		for _, dir := range some {
			if lines[dir+" is ignored"] {
				ignored[dir] = true
			}
		}
	}
	return ignored, nil
}
