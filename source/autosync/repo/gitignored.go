package repo

import (
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"vext/internal/program"
)

// Ignored implements Repository. A directory that has tracked files is not ignored, because
// their changes count.
func (g *gitRepo) Ignored(ctx context.Context, dirs []string) (map[string]bool, error) {
	ignored := map[string]bool{}
	if err := g.checkIgnore(ctx, dirs, ignored); err != nil {
		return nil, err
	}
	for some := range slices.Chunk(slices.Sorted(maps.Keys(ignored)), maxPathspecs) {
		out, err := g.git(ctx, append([]string{"ls-files", "-z", "--"}, some...)...)
		if err != nil {
			return nil, err
		}
		for _, name := range strings.Split(strings.TrimSuffix(out, "\x00"), "\x00") {
			for name != "" && name != "." {
				name = path.Dir(name)
				delete(ignored, name)
			}
		}
	}
	return ignored, nil
}

// checkIgnore adds those of the directories that git ignores. Git ends at one that is in a
// submodule or behind a symbolic link; then both halves are tried.
func (g *gitRepo) checkIgnore(ctx context.Context, dirs []string, ignored map[string]bool) error {
	if len(dirs) == 0 {
		return nil
	}
	// A name that begins with a colon would be magic, and literal paths are not supported.
	// With the index, git compares each path with all tracked files: a minute for 10,000.
	stdin := strings.NewReader("./" + strings.Join(dirs, "\x00./") + "\x00")
	out, err := g.run(ctx, gitRun{args: []string{"check-ignore", "--no-index", "-z", "--stdin"}, env: []string{"GIT_LITERAL_PATHSPECS=0"}, stdin: stdin})
	var failure *program.Error
	switch {
	case err == nil:
		for _, name := range strings.Split(strings.TrimSuffix(out, "\x00"), "\x00") {
			ignored[strings.TrimPrefix(name, "./")] = true
		}
		return nil
	case !errors.As(err, &failure):
		return err
	case failure.Status() == 1: // none
		return nil
	case !failure.Says("is in submodule", "beyond a symbolic link"):
		return err
	case len(dirs) == 1:
		return nil
	}
	half := len(dirs) / 2
	if err := g.checkIgnore(ctx, dirs[:half], ignored); err != nil {
		return err
	}
	return g.checkIgnore(ctx, dirs[half:], ignored)
}
