package autosync

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vext/internal/testkit"
)

// filesToIgnore are the files that patterns are tried with.
var filesToIgnore = []string{
	"a", "b.o", "a.c", "c.o/x", "build/a", "build/b.o", "src/build/a", "src/a.c", "src/deep/er/a.c", "src/deep/b.o", "foo/a/b/bar",
	"foo/bar", "foo/a/bar/x", "#hash", "!bang", "blank ", "two words", "star*", "q?", "back\\slash", "[x]", "é", "A.C", "-", "^", "1", "x]y",
	"log/2026-11-30.log", "log/keep.log", "doc/frotz/a", "deep/log/keep.log", ".hidden", "src/.hidden/a", "foobar", "ab", "aXb",
}

// Patterns are compared with git: one list a line, separated by blanks.
var listsToIgnore = [][]string{
	{"*.o"}, {"/*.o"}, {"build"}, {"build/"}, {"/build"}, {"/build/"}, {"src/build"}, {"build/*"}, {"build/*", "!build/b.o"}, {"build/", "!build/b.o"},
	{"*", "!a"}, {"*", "!*/", "!a.c"}, {"/*", "!/foo", "/foo/*", "!/foo/bar"}, {"**/bar"}, {"foo/**"}, {"foo/**/bar"}, {"**/deep/**"}, {"foo/**bar"}, {"foo**bar"},
	{"**"}, {"**/"}, {"/**"}, {"/**/"}, {"***"}, {"foo/***"}, {"foo/***/bar"}, {"*/"}, {"/"}, {""}, {" "}, {"!"}, {"#hash"}, {"\\#hash"}, {"!bang"}, {"\\!bang"},
	{"blank "}, {"blank\\ "}, {"blank\\  "}, {"two words"}, {"two words   "}, {"star\\*"}, {"star*"}, {"q?"}, {"q\\?"}, {"back\\\\slash"}, {"back\\slash"}, {"\\a"},
	{"[x]"}, {"\\[x]"}, {"[[]x]"}, {"[!a].c"}, {"[^a].c"}, {"[a-c].c"}, {"[A-C].C"}, {"[]]"}, {"x[]]y"}, {"x[]-a]y"}, {"[a-]"}, {"[-a]"}, {"[]-]"}, {"[^^]"}, {"[!!]"},
	{"[[:digit:]]"}, {"[[:alpha:]]"}, {"[[:upper:]].[[:upper:]]"}, {"[[:punct:]]"}, {"[[:alnum:]_-]"}, {"[[:space:]]"}, {"[:digit:]"}, {"[[:digit]]"}, {"[\\]]"}, {"[\\-a]"}, {"[a\\-c]"}, {"x[\\]]y"},
	{"?"}, {"??"}, {"src/?"}, {"src?a.c"}, {"src[/]a.c"}, {"src/*"}, {"src/*.c"}, {"src/**/*.c"}, {"*.c", "!src/*.c"}, {"doc/frotz"}, {"doc/frotz/"}, {"/doc/frotz"}, {"frotz/"},
	{"log/*", "!log/keep.log"}, {"log/", "!log/keep.log"}, {"*.log", "!keep.log"}, {"!keep.log", "*.log"}, {".*"}, {".*/"}, {"é"}, {"?é"}, {"[é]"}, {"a*b"}, {"a**b"}, {"/a"}, {"//a"}, {"a/"}, {"./a"}, {"src//a.c"},
	{"src/deep/er/"}, {"er/a.c"}, {"**/er/a.c"}, {"src/**"}, {"src/**", "!src/deep"}, {"src/**/", "!src/deep/"}, {"foo/*/bar"}, {"f*/**/b*r"}, {"*foo*"}, {"-"}, {"^"}, {"[-^]"}, {"a "}, {"\ta"}, {"a\t"},
}

// gitTree makes a repository with the files, and returns all paths.
func gitTree(t *testing.T) (dir string, paths []string) {
	t.Helper()
	testkit.Program(t, "git")
	dir = t.TempDir()
	for _, file := range filesToIgnore {
		path := filepath.Join(dir, file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), touch(path)); err != nil {
			t.Fatal(err)
		}
	}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		path, _ = filepath.Rel(dir, path)
		if path != "." {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("git", "init", "-q", dir).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	return dir, paths
}

// touch makes a file, unless it is a directory.
func touch(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	return os.WriteFile(path, nil, 0o644)
}

// gitIgnores returns what git ignores by a list of patterns.
func gitIgnores(t *testing.T, dir string, list, paths []string) []string {
	t.Helper()
	exclude := filepath.Join(dir, ".git/info/exclude")
	if err := os.WriteFile(exclude, []byte(strings.Join(list, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("git", "-C", dir, "-c", "core.excludesFile=/dev/null", "check-ignore", "--stdin", "-z")
	cmd.Stdin = strings.NewReader(strings.Join(paths, "\x00"))
	out, err := cmd.Output()
	if code := cmd.ProcessState.ExitCode(); err != nil && code != 1 {
		t.Fatalf("git check-ignore: %v", err)
	}
	return slices.DeleteFunc(strings.Split(string(out), "\x00"), func(path string) bool { return path == "" })
}

func compareWithGit(t *testing.T, dir string, list, paths []string) {
	t.Helper()
	ignore, err := NewIgnore(list)
	if err != nil { // git never matches with these
		ignore, _ = NewIgnore(slices.DeleteFunc(slices.Clone(list), func(line string) bool { _, err := NewIgnore([]string{line}); return err != nil }))
	}
	var got []string
	for _, path := range paths {
		info, err := os.Lstat(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		if ignore.Match(path, info.IsDir()) {
			got = append(got, path)
		}
	}
	if want := gitIgnores(t, dir, list, paths); !slices.Equal(got, want) {
		t.Errorf("%q ignores\n%q, git ignores\n%q", list, got, want)
	}
}

func TestIgnoreAsGit(t *testing.T) {
	dir, paths := gitTree(t)
	for _, list := range listsToIgnore {
		compareWithGit(t, dir, list, paths)
	}
}

// Patterns at random are compared with git.
func TestIgnoreRandom(t *testing.T) {
	dir, paths := gitTree(t)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	pieces := []string{"a", "b", "o", "c", "*", "**", "/", "/", "?", ".", "!", "src", "deep", "foo", "bar", "build", "log", "[a-c]", "[!a]", "[", "]", "\\", " ", "#", "[[:alpha:]]", "-", "keep"}
	for range 200 {
		var list []string
		for range 1 + random.IntN(4) {
			var line strings.Builder
			for range 1 + random.IntN(6) {
				line.WriteString(pieces[random.IntN(len(pieces))])
			}
			list = append(list, line.String())
		}
		compareWithGit(t, dir, list, paths)
	}
	if t.Failed() {
		t.Logf("seed %d", seed)
	}
}

func TestIgnoreErrors(t *testing.T) {
	for line, want := range map[string]error{"a\\": errBackslash, "a[b": errBracket, "[]": errBracket, "[a\\": errBracket, "[a-": errBracket, "[[:x:]]": errClass, "[[:alpha:": errBracket} {
		if _, err := NewIgnore([]string{"*.o", line}); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", line, err, want)
		} else if text := fmt.Sprintf("the pattern %q: %v", line, want); err.Error() != text {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// A pattern with many stars takes no longer than others.
func TestGlobTime(t *testing.T) {
	g, err := parseGlob(strings.Repeat("a*", 100) + "b")
	if err != nil {
		t.Fatal(err)
	}
	if g.match(strings.Repeat("a", 4000)) {
		t.Error("it matches")
	}
}

func FuzzIgnore(f *testing.F) {
	for _, list := range listsToIgnore {
		f.Add(list[0], "src/deep/er/a.c")
	}
	f.Fuzz(func(t *testing.T, line, path string) {
		if ignore, err := NewIgnore([]string{line}); err == nil {
			ignore.Match(path, true)
		}
	})
}
