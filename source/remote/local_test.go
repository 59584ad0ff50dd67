package remote

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestLocalPath(t *testing.T) {
	for of, want := range map[string]string{
		"/srv/git/x.git":        "/srv/git/x.git",
		"../x":                  "/base/x",
		"x":                     "/base/clone/x",
		".":                     "/base/clone",
		"./host:x":              "/base/clone/host:x",
		"/srv/a:b":              "/srv/a:b",
		"~/x":                   "~/x",
		"file:///srv/x":         "/srv/x",
		"file:///srv/a%20b":     "/srv/a b",
		"file:///srv/100%":      "/srv/100%",
		"file://host/x":         "/host/x",
		"host:x":                "",
		"user@host:/srv/x":      "",
		"ssh://host/srv/x":      "",
		"https://example.org/x": "",
		"ext::sh -c true":       "",
		"hg::/srv/x":            "",
		"":                      "",
	} {
		got, isLocal := localPath(of, "/base/clone")
		if got != want || isLocal != (want != "") {
			t.Errorf("%s: %q, %v, want %q", of, got, isLocal, want)
		}
	}
}

// A repository is found wherever git-upload-pack finds it.
func TestFindGitDir(t *testing.T) {
	tree, _ := workTree(t)
	top := filepath.Dir(tree)
	at := func(name string) string { return filepath.Join(top, name) }
	gitFor(t, tree, "init", "-q", "--bare", at("bare.git"))
	gitFor(t, tree, "worktree", "add", "-q", at("linked"))
	gitFor(t, tree, "-c", "protocol.file.allow=always", "submodule", "add", "-q", tree, "sub")
	gitFor(t, tree, "bundle", "create", "-q", at("x.bundle"), "main")
	if err := os.Symlink(tree, at("link")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", top)
	t.Setenv("GIT_DIR", at("elsewhere"))
	common := filepath.Join(tree, ".git")
	for path, want := range map[string]gitDir{
		tree:              {common, common},
		tree + "/":        {common, common},
		common:            {common, common},
		at("link"):        {common, common},
		at("bare"):        {at("bare.git"), at("bare.git")},
		"~/bare.git":      {at("bare.git"), at("bare.git")},
		at("linked"):      {common + "/worktrees/linked", common},
		at("linked/.git"): {common + "/worktrees/linked", common},
		tree + "/sub":     {common + "/modules/sub", common + "/modules/sub"},
	} {
		got, err := findGitDir(t.Context(), path)
		if err == nil {
			got = gitDir{own: resolve(t, got.own), common: resolve(t, got.common)}
			want = gitDir{own: resolve(t, want.own), common: resolve(t, want.common)}
		}
		if err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", path, got, err, want)
		}
	}
	if _, err := findGitDir(t.Context(), at("x.bundle")); !isUnsupported(err) {
		t.Errorf("a bundle: %v", err)
	}
}

func resolve(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLocal(t *testing.T) {
	dir, _ := workTree(t)
	for name, missing := range map[string]string{"nothing": filepath.Join(dir, "no"), "a directory": t.TempDir()} {
		err := newLocal(missing, nil).watch(t.Context(), nil, nil)
		if err == nil || isUnsupported(err) {
			t.Errorf("%s: %v, and it may come yet", name, err)
		}
	}
	l := newLocal(dir, func(text string) { t.Log(text) })
	ctx, cancel := context.WithCancel(t.Context())
	ready, looks, done := make(chan struct{}), make(chan struct{}, 1000), make(chan error, 1)
	go func() { done <- l.watch(ctx, func() { close(ready) }, func() { looks <- struct{}{} }) }()
	<-ready
	var took []time.Duration
	for range 20 {
		gitFor(t, dir, "commit", "-q", "--allow-empty", "-m", "x")
		start := time.Now()
		<-looks
		took = append(took, time.Since(start))
		for len(looks) > 0 {
			<-looks
		}
	}
	slices.Sort(took)
	t.Logf("%s: from the end of git commit: median %s, at most %s", l, took[10], took[19])
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// The refs are listed as git ls-remote lists them.
func TestLocalList(t *testing.T) {
	dir, _ := workTree(t)
	list := func(of string) {
		t.Helper()
		at, err := findGitDir(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		l := newLocal(dir, nil)
		l.watching.Store(&refWatch{dir: at})
		got, err := l.list(t.Context(), nil)
		if want := parseRefs(gitFor(t, dir, "ls-remote", dir), "\t"); err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", of, got, err, want)
		}
	}
	list("one branch")
	gitFor(t, dir, "tag", "-m", "x", "v1")
	gitFor(t, dir, "pack-refs", "--all")
	gitFor(t, dir, "tag", "-m", "y", "v2")
	gitFor(t, dir, "symbolic-ref", "refs/heads/link", "refs/heads/main")
	list("packed, annotated and symbolic refs")
	gitFor(t, dir, "config", "uploadpack.hideRefs", "refs/tags")
	list("hidden refs")
	gitFor(t, dir, "config", "--unset", "uploadpack.hideRefs")
	gitFor(t, dir, "checkout", "-q", "--detach")
	list("a detached HEAD")
	gitFor(t, dir, "checkout", "-q", "--orphan", "none")
	for _, ref := range []string{"refs/heads/main", "refs/heads/link", "refs/tags/v1", "refs/tags/v2"} {
		gitFor(t, dir, "update-ref", "--no-deref", "-d", ref)
	}
	list("nothing")
}

// What the environment says of another repository does not count.
func TestSnapshotEnvironment(t *testing.T) {
	dir, sha := workTree(t)
	t.Setenv("GIT_DIR", "/nowhere")
	t.Setenv("GIT_NAMESPACE", "other")
	at, err := findGitDir(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := at.snapshot(t.Context())
	if want := "HEAD ref: refs/heads/main\nrefs/heads/main " + sha + " \n"; err != nil || !bytes.Equal(got, []byte(want)) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

// A repository of another user can't have git start a program of his, and a broken ref
// does not hide the others.
func TestLocalHostile(t *testing.T) {
	for name, config := range map[string]string{
		"lazy fetch": `git config core.repositoryformatversion 1; git config extensions.partialclone evil; git config remote.evil.promisor true
			git config remote.evil.url ssh://host/x; git config core.sshCommand "touch $PWD/started;"`,
		"insteadOf": `git config uploadpack.hiderefs refs/secret; git config protocol.ext.allow always
			git config "url.ext::sh -c touch% $PWD/started .insteadOf" "$PWD/.git"`,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			shell(t, f.pushing, config+"; printf '%040d\n' 1 > .git/refs/heads/broken")
			dir, err := findGitDir(t.Context(), f.pushing)
			if err != nil {
				t.Fatal(err)
			}
			l := newLocal(f.pushing, func(string) {})
			l.watching.Store(&refWatch{dir: dir})
			refs, err := l.list(t.Context(), nil)
			if err != nil || len(refs["refs/heads/main"]) != 40 {
				t.Error(refs, err)
			}
			if _, err := os.Stat(filepath.Join(f.pushing, "started")); err == nil {
				t.Error("the repository has started a program")
			}
		})
	}
}
