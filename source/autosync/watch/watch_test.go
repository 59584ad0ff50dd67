package watch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// byName ignores directories of these names, wherever they are.
func byName(names ...string) func(context.Context, []string) (map[string]bool, error) {
	return func(_ context.Context, dirs []string) (map[string]bool, error) {
		ignored := map[string]bool{}
		for _, dir := range dirs {
			ignored[dir] = slices.Contains(names, filepath.Base(dir))
		}
		return ignored, nil
	}
}

func TestFiles(t *testing.T) {
	root := t.TempDir()
	for _, path := range []string{"a", "d/b", "d/e/c", "x/y"} {
		writeFile(t, filepath.Join(root, path))
	}
	tr := watchTree(t, options(root))
	for _, s := range []struct {
		name string
		do   func() error
		want []Event
	}{
		{"written in place", func() error { return os.WriteFile(tr.abs("a"), nil, 0o644) }, []Event{{Path: "a"}}},
		{"a new file", func() error { return os.WriteFile(tr.abs("d/e/new"), nil, 0o644) }, []Event{{Path: "d/e/new"}}},
		{"a mode", func() error { return os.Chmod(tr.abs("d/b"), 0o700) }, []Event{{Path: "d/b"}}},
		{"a rename", func() error { return os.Rename(tr.abs("a"), tr.abs("d/a")) }, []Event{{Path: "a", Gone: true}, {Path: "d/a"}}},
		{"a rename over a file", func() error { return os.Rename(tr.abs("d/e/new"), tr.abs("d/a")) }, []Event{{Path: "d/e/new", Gone: true}, {Path: "d/a"}}},
		{"a removed file", func() error { return os.Remove(tr.abs("d/a")) }, []Event{{Path: "d/a", Gone: true}}},
		{"a new directory", func() error { return os.Mkdir(tr.abs("n"), 0o755) }, []Event{{Path: "n", Dir: true}}},
		{"a file in it", func() error { return os.WriteFile(tr.abs("n/f"), nil, 0o644) }, []Event{{Path: "n/f"}}},
		{"a moved directory", func() error { return os.Rename(tr.abs("d"), tr.abs("x/d")) }, []Event{{Path: "d", Gone: true}, {Path: "x/d", Dir: true}}},
		{"a file in it", func() error { return os.WriteFile(tr.abs("x/d/e/c"), nil, 0o644) }, []Event{{Path: "x/d/e/c"}}},
		{"a symbolic link to a directory", func() error { return os.Symlink("x", tr.abs("link")) }, []Event{{Path: "link"}}},
		{"a directory becomes a file", func() error {
			return errors.Join(os.RemoveAll(tr.abs("n")), os.WriteFile(tr.abs("n"), nil, 0o644))
		}, []Event{{Path: "n"}, {Path: "n/f", Gone: true}}},
		{"a file becomes a directory", func() error {
			return errors.Join(os.Remove(tr.abs("n")), os.Mkdir(tr.abs("n"), 0o755))
		}, []Event{{Path: "n", Dir: true}}},
		{"a removed directory", func() error { return os.Remove(tr.abs("n")) }, []Event{{Path: "n", Gone: true}}},
	} {
		tr.forget()
		tr.must(s.do())
		tr.wait(s.name, func() bool {
			return len(tr.seen) >= len(s.want) && !slices.ContainsFunc(s.want, func(e Event) bool { return tr.seen[e.Path] != e })
		})
		var paths []string
		for _, e := range s.want {
			paths = append(paths, e.Path)
		}
		tr.quiet(s.name, paths...)
	}
	if got := tr.w.Watched(); got != 4 { // ., x, x/d, x/d/e
		t.Errorf("%d directories are watched", got)
	}
	if tr.w.Mode() != "inotify" {
		t.Error(tr.w.Mode())
	}
}

// What is made in a new directory before it is watched is reported.
func TestNewDirectories(t *testing.T) {
	tr := watchTree(t, options(t.TempDir()))
	for i := range 100 {
		tr.forget()
		path := fmt.Sprintf("%d/a/b/c/f", i)
		tr.write(path)
		tr.reports("a file in new directories", path)
	}
	var paths []string
	for i := range 200 {
		paths = append(paths, fmt.Sprintf("t/%d/a/%d/f", i%7, i))
	}
	tr.write(paths...)
	tr.reports("files in new directories", paths...)
	tr.quietly(func() { tr.write(paths...) })
	tr.reports("the same files, later", paths...)
}

// quietly waits until all is reported, and forgets it, before it does something.
func (tr *tree) quietly(do func()) {
	tr.write("mark2")
	tr.reports("a mark", "mark2")
	tr.forget()
	do()
}

// Directories that swap their names again and again stay watched.
func TestMoves(t *testing.T) {
	root := t.TempDir()
	for _, path := range []string{"a/x/1", "b/y/2", "c/z/3"} {
		writeFile(t, filepath.Join(root, path))
	}
	tr := watchTree(t, options(root))
	for i := range 300 {
		names := []string{"a", "b", "c"}
		one, other := names[i%3], names[(i+1)%3]
		tr.must(os.Rename(tr.abs(one), tr.abs("t")))
		tr.must(os.Rename(tr.abs(other), tr.abs(one)))
		tr.must(os.Rename(tr.abs("t"), tr.abs(other)))
	}
	tr.quietly(func() {})
	paths, err := filepath.Glob(tr.abs("*/*/*"))
	tr.must(err)
	for _, path := range paths {
		path, _ = filepath.Rel(tr.root, path)
		tr.forget()
		tr.write(path)
		tr.reports("a file in a directory that has moved", path)
	}
	if got := tr.w.Watched(); len(paths) != 3 || got != 7 {
		t.Errorf("%d files, %d watches", len(paths), got)
	}
}

func TestIgnored(t *testing.T) {
	root := t.TempDir()
	for _, path := range []string{"src/a", "target/b", "src/target/deep/c"} {
		writeFile(t, filepath.Join(root, path))
	}
	o := options(root)
	o.Ignored = byName("target")
	tr := watchTree(t, o)
	tr.write("target/b", "target/x/y", "src/target/deep/c")
	tr.must(os.RemoveAll(tr.abs("target")))
	tr.write("target/b", "src/new/target/z")
	tr.must(os.Chmod(tr.abs("target"), 0o700))
	tr.reports("what is not ignored", "src/new")
	tr.quiet("what is ignored", "src/new")
	if got := tr.w.Watched(); got != 3 {
		t.Errorf("%d directories are watched", got)
	}
}

// What is ignored is asked again soon when the version control has failed.
func TestIgnoredFails(t *testing.T) {
	root := t.TempDir()
	writeFile(t, filepath.Join(root, "target/deep/a"))
	o := options(root)
	o.Poll = 200 * time.Millisecond
	calls := 0
	o.Ignored = func(ctx context.Context, dirs []string) (map[string]bool, error) {
		if calls++; calls == 1 {
			return nil, errors.New("out of processes")
		}
		return byName("target")(ctx, dirs)
	}
	tr := watchTree(t, o)
	tr.wait("the next answer", func() bool { return tr.w.Watched() == 1 })
	tr.write("target/deep/a")
	tr.quiet("ignored files")
	if want := root + ": what is ignored is watched, too: out of processes"; len(tr.warns) != 1 || tr.warns[0] != want {
		t.Errorf("%q", tr.warns)
	}
}

func TestReconsider(t *testing.T) {
	root := t.TempDir()
	for _, path := range []string{"src/a", "one/deep/b", "two/deep/c"} {
		writeFile(t, filepath.Join(root, path))
	}
	o := options(root)
	ignored := make(chan func(context.Context, []string) (map[string]bool, error), 1)
	ignored <- byName("one")
	o.Ignored = func(ctx context.Context, dirs []string) (map[string]bool, error) {
		f := <-ignored
		defer func() { ignored <- f }()
		return f(ctx, dirs)
	}
	tr := watchTree(t, o)
	<-ignored
	ignored <- byName("two")
	tr.w.Reconsider()
	tr.wait("what is no longer ignored", func() bool { return tr.seen["one"].Dir })
	tr.forget()
	tr.write("two/deep/c", "one/deep/b")
	tr.reports("what is no longer ignored", "one/deep/b")
	tr.quiet("what is ignored", "one/deep/b")
	if got := tr.w.Watched(); got != 4 {
		t.Errorf("%d directories are watched", got)
	}
}

// A repository in the tree is reported once, and not entered, until it is none any more.
func TestNested(t *testing.T) {
	root := t.TempDir()
	for _, path := range []string{".git/HEAD", "sub/.git", "sub/dir/a", "hg/.hg/store", "hg/b", "plain/c"} {
		writeFile(t, filepath.Join(root, path))
	}
	tr := watchTree(t, options(root))
	tr.write("sub/dir/a", "sub/b", "hg/b", "hg/new/c", ".git/objects/12")
	tr.must(os.Mkdir(tr.abs("sub/dir2"), 0o755))
	tr.quiet("a nested repository")
	tr.forget()

	tr.must(os.Mkdir(tr.abs("plain/.git"), 0o755))
	tr.wait("git init", func() bool { return tr.seen["plain"].Dir })
	tr.forget()
	tr.write("plain/c")
	tr.quiet("a new repository")
	tr.forget()

	tr.must(os.Remove(tr.abs("sub/.git")))
	tr.wait("a repository less", func() bool { return tr.seen["sub"].Dir })
	tr.forget()
	tr.write("sub/dir/a")
	tr.reports("a repository less", "sub/dir/a")
	tr.forget()

	tr.write("clone/.git/HEAD", "clone/a/b/c")
	tr.wait("git clone", func() bool { return tr.seen["clone"].Dir })
	tr.quietly(func() { tr.write("clone/a/b/c", "clone/d") })
	tr.quiet("a clone", "mark2")
}

func TestInternal(t *testing.T) {
	root := t.TempDir()
	git := filepath.Join(root, ".git")
	for _, path := range []string{".git/HEAD", ".git/refs/heads/main", ".git/objects/12/34"} {
		writeFile(t, filepath.Join(root, path))
	}
	o := options(root)
	o.Internal = func() []string {
		dirs := []string{git, filepath.Join(git, "none")}
		filepath.WalkDir(filepath.Join(git, "refs"), func(path string, e os.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		return dirs
	}
	tr := watchTree(t, o)
	tr.write(".git/objects/12/56", ".git/HEAD", ".git/refs/heads/main")
	for _, path := range []string{"HEAD", "refs/heads/main"} {
		tr.wait(path, func() bool { return tr.seen[filepath.Join(git, path)].Internal })
	}
	tr.write(".git/refs/heads/a/b/c")
	tr.wait("a new directory", func() bool { return tr.seen[filepath.Join(git, "refs/heads/a")].Internal })
	tr.wait("its watch", func() bool {
		tr.write(".git/refs/heads/a/b/c")
		return tr.seen[filepath.Join(git, "refs/heads/a/b/c")].Internal
	})
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for path := range tr.seen {
		if strings.Contains(path, "objects/") || !strings.HasPrefix(path, git) {
			t.Errorf("%s is reported", path)
		}
	}
}
