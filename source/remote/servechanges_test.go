package remote

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
)

// deadline is for what takes some milliseconds on an idle machine.
const deadline = 30 * time.Second

// A farSide is a repository whose changes are served.
type farSide struct {
	t     *testing.T
	dir   string
	lines <-chan string
	end   func() error // closes its standard input, and waits
	marks int
}

// serve serves the changes of a repository, and waits for READY.
func serve(t *testing.T, dir string) *farSide {
	t.Helper()
	in, stop := io.Pipe()
	out, print := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := ServeChanges(t.Context(), dir, in, print, func(text string) { t.Log(text) })
		print.CloseWithError(err)
		done <- err
	}()
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	f := &farSide{t: t, dir: dir, lines: lines}
	f.end = func() error {
		stop.Close()
		return <-done
	}
	t.Cleanup(func() { stop.Close(); out.Close() })
	if line := f.line(); line != "READY" {
		t.Fatalf("%q instead of READY", line)
	}
	return f
}

func (f *farSide) line() string {
	f.t.Helper()
	select {
	case line := <-f.lines:
		return line
	case <-time.After(deadline):
		f.t.Fatal("no line in time")
		return ""
	}
}

// changed returns the names that are printed for what was done before the call. It makes a
// ref itself, whose name is the last to come.
func (f *farSide) changed(sha string) []string {
	f.t.Helper()
	f.marks++
	mark := fmt.Sprintf("refs/zz/%d", f.marks)
	gitFor(f.t, f.dir, "update-ref", mark, sha)
	names := []string{}
	for {
		line := f.line()
		rest, ok := strings.CutPrefix(line, "CHANGED ")
		if !ok {
			f.t.Fatalf("%q is not CHANGED", line)
		}
		words := strings.Fields(rest)
		if len(words) > maxNames {
			f.t.Errorf("%d names in one line", len(words))
		}
		names = append(names, words...)
		if i := slices.Index(names, mark); i >= 0 {
			names = slices.Delete(names, i, i+1)
			slices.Sort(names)
			return slices.Compact(names)
		}
	}
}

// gitFor runs git in dir and returns what it prints.
func gitFor(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command(testkit.Program(t, "git"), append([]string{"-c", "gc.auto=0", "-c", "advice.detachedHead=false"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// workTree makes a repository with one commit on main, and returns it with the commit.
func workTree(t *testing.T, options ...string) (dir, sha string) {
	t.Helper()
	dir = t.TempDir()
	gitFor(t, dir, append([]string{"init", "-q", "-b", "main"}, options...)...)
	gitFor(t, dir, "commit", "-q", "--allow-empty", "-m", "one")
	return dir, gitFor(t, dir, "rev-parse", "HEAD")
}

// A step is something that happens to the refs of a repository.
type step struct {
	name string
	do   []string // of git, with blanks between the arguments
	want []string
}

var steps = []step{
	{"a commit", []string{"commit -q --allow-empty -m two"}, []string{"refs/heads/main"}},
	{"a rewind", []string{"reset -q --hard HEAD~"}, []string{"refs/heads/main"}},
	{"nothing but objects", []string{"commit-tree -m x HEAD^{tree}"}, nil},
	{"a new branch", []string{"branch a"}, []string{"refs/heads/a"}},
	{"tags", []string{"tag t1", "tag -m x t2"}, []string{"refs/tags/t1", "refs/tags/t2"}},
	{"a moved tag", []string{"tag -f -m y t2"}, []string{"refs/tags/t2"}},
	{"a switch of branches", []string{"checkout -q a"}, []string{"HEAD"}},
	{"a detached HEAD", []string{"checkout -q --detach"}, []string{"HEAD"}},
	{"back again", []string{"checkout -q main"}, []string{"HEAD"}},
	{"a directory in place of a branch", []string{"branch -D a", "branch a/b/c/d"}, []string{"refs/heads/a", "refs/heads/a/b/c/d"}},
	{"a branch beside it", []string{"branch a/b/e"}, []string{"refs/heads/a/b/e"}},
	{"a branch in place of the directory", []string{"branch -D a/b/c/d a/b/e", "branch a"},
		[]string{"refs/heads/a", "refs/heads/a/b/c/d", "refs/heads/a/b/e"}},
	{"pack-refs", []string{"pack-refs --all --prune"}, nil},
	{"a packed branch removed", []string{"branch -D a"}, []string{"refs/heads/a"}},
	{"a branch after pack-refs", []string{"branch b/c"}, []string{"refs/heads/b/c"}},
	{"gc", []string{"gc -q --prune=now"}, nil},
	{"a renamed branch", []string{"branch -m b/c b/d"}, []string{"refs/heads/b/c", "refs/heads/b/d"}},
	{"a symbolic ref", []string{"symbolic-ref refs/heads/link refs/heads/main"}, []string{"refs/heads/link"}},
	{"its target", []string{"symbolic-ref refs/heads/link refs/heads/b/d"}, []string{"refs/heads/link"}},
	{"its removal", []string{"symbolic-ref -d refs/heads/link"}, []string{"refs/heads/link"}},
	{"a linked worktree", []string{"worktree add -q -b w ../w"}, []string{"refs/heads/w"}},
	{"a commit in it", []string{"-C ../w commit -q --allow-empty -m three"}, []string{"refs/heads/w"}},
	{"a ref outside of heads and tags", []string{"update-ref refs/for/me HEAD"}, []string{"refs/for/me"}},
}

func TestServeChanges(t *testing.T) {
	for _, format := range []string{"files", "reftable"} {
		t.Run(format, func(t *testing.T) {
			var options []string
			if format == "reftable" {
				if exec.Command("git", "init", "-q", "--ref-format=reftable", t.TempDir()).Run() != nil {
					t.Skip("this git does not know reftable")
				}
				options = []string{"--ref-format=reftable"}
			}
			parent, sha := workTree(t, options...)
			dir := filepath.Join(parent, "clone")
			gitFor(t, parent, append([]string{"init", "-q", "-b", "main", dir}, options...)...)
			gitFor(t, dir, "pull", "-q", parent, "main")
			f := serve(t, dir)
			for _, s := range steps {
				for _, args := range s.do {
					gitFor(t, dir, strings.Fields(args)...)
				}
				if got := f.changed(sha); !slices.Equal(got, s.want) {
					t.Errorf("%s: %q, want %q", s.name, got, s.want)
				}
			}
			if err := f.end(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A push of 400 branches comes out whole, and of a bare repository as well.
func TestServePush(t *testing.T) {
	dir, sha := workTree(t)
	bare := filepath.Join(t.TempDir(), "x.git")
	gitFor(t, dir, "init", "-q", "--bare", bare)
	f := serve(t, strings.TrimSuffix(bare, ".git"))
	f.dir = bare
	gitFor(t, dir, "push", "-q", bare, "main")
	if got := f.changed(sha); !slices.Equal(got, []string{"refs/heads/main"}) {
		t.Errorf("%q", got)
	}
	var refspecs, want []string
	for i := range 400 {
		name := fmt.Sprintf("refs/heads/d%02d/b%03d", i%40, i)
		refspecs, want = append(refspecs, "main:"+name), append(want, name)
	}
	slices.Sort(want)
	gitFor(t, dir, append([]string{"push", "-q", bare}, refspecs...)...)
	if got := f.changed(sha); !slices.Equal(got, want) {
		t.Errorf("%d names, want %d", len(got), len(want))
	}
	if err := os.RemoveAll(bare); err != nil {
		t.Fatal(err)
	}
	for range f.lines {
	}
	if err := f.end(); err == nil || !strings.Contains(err.Error(), "removed") && !strings.Contains(err.Error(), "not a git") {
		t.Errorf("the repository is gone: %v", err)
	}
}

func TestServeNothing(t *testing.T) {
	dir, _ := workTree(t)
	sub := filepath.Join(dir, "sub")
	if err := os.Mkdir(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		sub:                                     "not a git repository",
		filepath.Join(dir, "no"):                "no such directory",
		filepath.Join(dir, ".git", "HEAD", "x"): "no such directory",
		filepath.Join(dir, ".git", "HEAD"):      "invalid gitfile",
		"~no-such-user/x":                       "unknown user",
	} {
		err := ServeChanges(t.Context(), path, strings.NewReader(""), io.Discard, func(string) {})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

// A reader that has stopped reading does not keep it alive.
func TestServeStalled(t *testing.T) {
	dir, _ := workTree(t)
	out, print := io.Pipe()
	defer out.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	in, stop := io.Pipe()
	defer stop.Close()
	if err := ServeChanges(ctx, dir, in, print, func(string) {}); err != nil && ctx.Err() == nil {
		t.Error(err)
	}
}

func TestChangedRefs(t *testing.T) {
	for _, test := range []struct{ before, after, want string }{
		{"", "", ""},
		{"a 1\n", "a 1\n", ""},
		{"a 1\n", "a 2\n", "a"},
		{"", "a 1\nb 1\n", "a b"},
		{"a 1\nb 1\n", "", "a b"},
		{"a 1\nb 1\nd 1\n", "b 1\nc 1\nd 2\n", "a c d"},
		{"a 1\na-b 1\n", "a/c 1\n", "a a-b a/c"},
	} {
		if got := strings.Join(changedRefs([]byte(test.before), []byte(test.after)), " "); got != test.want {
			t.Errorf("%q to %q: %q, want %q", test.before, test.after, got, test.want)
		}
	}
}
