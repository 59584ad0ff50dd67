package watch

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// dirs returns the directories of the tree.
func (tr *tree) dirs() (dirs []string) {
	tr.t.Helper()
	tr.must(filepath.WalkDir(tr.root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			path, _ = filepath.Rel(tr.root, path)
			dirs = append(dirs, path)
		}
		return err
	}))
	return dirs
}

// disturb changes the tree at random. What it does may be impossible.
func (tr *tree) disturb(random *rand.Rand) {
	name := func() string {
		path := tr.root
		for range 1 + random.IntN(4) {
			path = filepath.Join(path, string(rune('a'+random.IntN(4))))
		}
		return path
	}
	switch random.IntN(10) {
	case 0, 1, 2:
		os.MkdirAll(name(), 0o755)
	case 3, 4, 5:
		os.Rename(name(), name())
	case 6:
		os.RemoveAll(name())
	case 7:
		os.WriteFile(name(), nil, 0o644)
	case 8:
		os.Symlink(name(), name())
	case 9:
		os.Remove(name())
	}
}

// After changes at random, every directory is watched under the name that it has.
func TestRandom(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	tr := watchTree(t, options(t.TempDir()))
	for round := range 20 {
		for range 300 {
			tr.disturb(random)
		}
		dirs := tr.dirs()
		tr.quietly(func() {})
		tr.wait("the watches", func() bool { return tr.w.Watched() == len(dirs) })
		tr.forget()
		var paths []string
		for _, dir := range dirs {
			paths = append(paths, filepath.Join(dir, "file"))
		}
		tr.write(paths...)
		for _, path := range paths {
			tr.wait(fmt.Sprintf("round %d: %s", round, path), func() bool { _, ok := tr.seen[path]; return ok })
		}
	}
	if mode := tr.w.Mode(); mode != "inotify" {
		t.Error(mode)
	}
}
