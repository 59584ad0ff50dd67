package repo

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"vext/internal/testkit"
)

func TestGitReady(t *testing.T) {
	tree := newTree(t)
	tree.opts.Now = time.Now
	busy := func(enter, leave, want string) {
		t.Helper()
		tree.sh(enter)
		var busy *BusyError
		if err := tree.Ready(t.Context()); !errors.As(err, &busy) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", enter, err)
		}
		head := tree.sh("git rev-parse HEAD; git ls-files -s; ls .git")
		if c, err := tree.Commit(t.Context(), []Change{{Path: "a", Kind: Modified}}, words("x")); c != nil || !errors.As(err, &busy) {
			t.Errorf("%s: commit: %v %v", enter, c, err)
		}
		tree.want("git rev-parse HEAD; git ls-files -s; ls .git", head)
		tree.sh(leave)
		must(t, tree.Ready(t.Context()))
	}
	tree.sh("git checkout -qb other && echo other >a && git commit -qam other && git checkout -q main && echo mine >a && git commit -qam mine")
	busy("! git merge -q other 2>&1", "git merge --abort", "a merge is in progress")
	busy("! git rebase -q other 2>&1", "git rebase --abort", "a rebase is in progress")
	busy("! git cherry-pick other 2>&1", "git cherry-pick --abort", "a cherry-pick is in progress")
	busy("! git revert HEAD~1 2>&1", "git revert --abort", "a revert is in progress")
	busy("git format-patch -q -1 other && ! git am -q 0001*.patch 2>&1", "git am --abort; rm 0001*", "git am")
	busy("git bisect start -q 2>&1", "git bisect reset 2>&1", "a bisect is in progress")
	busy("git checkout -q --detach", "git checkout -q main", "HEAD is detached")
	busy("echo stashed >a; git stash -q; echo mine2 >a; git commit -qam mine2; ! git stash pop 2>&1", "git checkout -q HEAD -- a", `"a" has a conflict`)
	busy("touch .git/refs/heads/main.lock", "rm .git/refs/heads/main.lock", "refs/heads/main.lock")
	busy("touch .git/index.lock", "rm .git/index.lock", "another process has held the lock index.lock since 20")
	must(t, tree.Ready(t.Context()))
	tree.sh("git checkout -q --orphan unborn")
	must(t, tree.Ready(t.Context()))
}

// An old lock is reported when no git is there that may hold it, and never removed.
func TestGitOldLock(t *testing.T) {
	tree := newTree(t)
	tree.opts.Now = time.Now
	tree.sh("touch -d '1 hour ago' .git/index.lock")
	if _, known := tree.gitRuns(); !known {
		t.Skip("no /proc")
	}
	if err := tree.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "no git runs here; if nothing else uses it: rm "+tree.root+"/.git/index.lock") {
		t.Error(err)
	}
	leave := runGit(t, tree.root+"/d")
	if err := tree.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "another process has held the lock") {
		t.Error(err)
	}
	leave()
	tree.want("ls .git/index.lock", ".git/index.lock\n")
}

// A lock that git has for a moment, and that a killed git has left, is removed by the first
// command that fails on it. A young one stays, and one beside which a git runs.
func TestGitDeadLock(t *testing.T) {
	tree := newTree(t)
	tree.opts.Now = time.Now
	if _, known := tree.gitRuns(); !known {
		t.Skip("no /proc")
	}
	tree.sh(`
		git init -q --bare ../far; git remote add origin ../far
		git checkout -qb topic/one; git push -q origin topic/one; rm .git/refs/remotes/origin/topic/one
		git update-ref refs/vext/autosync/direct HEAD
	`)
	fetch := func() error {
		_, err := tree.Pull(t.Context(), PullOptions{})
		return err
	}
	forget := func() error {
		_, err := tree.run(t.Context(), gitRun{args: []string{"update-ref", "--stdin"}, stdin: strings.NewReader("delete refs/vext/autosync/direct\n")})
		return err
	}
	push := func() error {
		tree.sh("git commit -q --allow-empty -m more")
		_, err := tree.Push(t.Context())
		return err
	}
	pack := func() error {
		_, err := tree.git(t.Context(), "pack-refs", "--all")
		return err
	}
	for _, test := range []struct {
		lock string
		run  func() error
	}{
		{"refs/remotes/origin/topic/one.lock", fetch},
		{"packed-refs.lock", forget},
		{"refs/vext/autosync/upstream/origin%2Ftopic%2Fone.lock", push},
		{"packed-refs.new", pack},
	} {
		lock := tree.root + "/.git/" + test.lock
		stays := func(why string) {
			t.Helper()
			if err := test.run(); err == nil {
				t.Errorf("%s, %s: no error", test.lock, why)
			}
			if _, err := os.Lstat(lock); err != nil {
				t.Errorf("%s, %s: %v", test.lock, why, err)
			}
		}
		must(t, os.WriteFile(lock, nil, 0o666))
		stays("young")
		old := time.Now().Add(-time.Minute)
		must(t, os.Chtimes(lock, old, old))
		leave := runGit(t, tree.root+"/d")
		stays("a git runs")
		leave()
		if err := test.run(); err == nil {
			t.Errorf("%s: no error while it is there", test.lock)
		}
		if err := test.run(); err != nil {
			t.Errorf("%s: %v", test.lock, err)
		}
	}
	tree.sh("touch -d '1 hour ago' .git/HEAD.lock")
	if _, err := tree.git(t.Context(), "update-ref", "HEAD", "HEAD~1"); err == nil {
		t.Error("HEAD.lock does not count")
	}
	tree.want("ls .git/HEAD.lock", ".git/HEAD.lock\n")
}

// runGit has a git run in a directory until end is called.
func runGit(t *testing.T, dir string) (end func()) {
	t.Helper()
	cmd := exec.Command("git", "cat-file", "--batch")
	cmd.Dir = dir
	stdin, err := cmd.StdinPipe()
	must(t, err)
	must(t, cmd.Start())
	return func() {
		stdin.Close()
		cmd.Wait()
	}
}

func TestGitChanges(t *testing.T) {
	tree := newTree(t)
	tree.sh(`
		echo x >mod; echo x >gone; echo x >mode; echo x >typed; mkdir dir; echo x >dir/in; ln -s a link; echo x >file; echo x >ita0
		git add -A; git commit -qm more
		echo changed >mod; rm gone; chmod +x mode; rm typed; ln -s a typed
		rm -r dir; echo now a file >dir; rm file; mkdir file; echo x >file/in; ln -sf b link
		echo ignored >.gitignore; echo x >ignored; mkfifo pipe; rm mod; mkfifo mod
		echo x >ita; git add -N ita
	`)
	tree.wantChanges("added .gitignore", "added dir", "deleted dir/in", "deleted file", "added file/in", "deleted gone", "added ita",
		"modified link", "modified mod (not a regular file)", "modified mode", "modified typed")
	if got := list(tree.changes("dir", "gone", "nothing", "ignored")); !slices.Equal(got, []string{"added dir", "deleted dir/in", "deleted gone"}) {
		t.Errorf("%q", got)
	}
	var many []string
	for range maxPathspecs + 1 {
		many = append(many, "gone/"+strings.Repeat("x", len(many)))
	}
	if got := list(tree.changes(append(many, "file/", "ita")...)); !slices.Equal(got, []string{"deleted file", "added file/in", "deleted gone", "added ita"}) {
		t.Errorf("%q", got)
	}
	for _, c := range tree.changes() {
		if (c.Kind == Deleted) != (c.Info == nil) {
			t.Errorf("%s: %v", c.Path, c.Info)
		}
	}
}

// What a person has staged is known, also when the work tree differs again.
func TestGitStaged(t *testing.T) {
	tree := newTree(t)
	tree.sh(`
		echo x >new; git add new; echo more >>new
		echo x >added; git add added; rm added
		git rm -q --cached d/b
		echo x >a; git add a; git mv a renamed; echo free >free
	`)
	tree.wantChanges("deleted a staged", "deleted added staged", "deleted d/b staged", "added free", "added new staged", "added renamed staged")
}

func TestGitNested(t *testing.T) {
	tree := newTree(t)
	tree.sh(`
		git init -q empty; mkdir x; git init -q x/full; (cd x/full; git commit -q --allow-empty -m x; echo x >f)
		git clone -q . ../sub; git submodule --quiet add ../sub sub 2>&1; git commit -qm sub; (cd sub; echo changed >a; git commit -qam in; echo x >new)
		mkdir -p hg/.hg hg/deep .svn d/.hg; echo x >hg/.hg/store; echo x >hg/deep/f; echo x >.svn/db; echo x >d/new; echo changed >d/b
		echo good >x/good
	`)
	want := []string{"nested .svn", "nested d", "modified d/b", "nested empty", "nested hg", "nested x/full", "added x/good"}
	tree.wantChanges(want...)
	for path, want := range map[string][]string{"empty": {"nested empty"}, "empty/f": nil, "x": {"nested x/full", "added x/good"}, "x/full/f": nil, "hg/deep/f": {"nested hg"}, "sub/a": nil} {
		if got := list(tree.changes(path)); !slices.Equal(got, want) {
			t.Errorf("%s: %q", path, got)
		}
	}
	c := tree.save()
	if got := list(c.Refused); len(got) != 5 || !strings.Contains(got[0], "nested .svn (a repository of its own)") {
		t.Errorf("%q", got)
	}
	tree.want("git show --format= --name-only", "d/b\nx/good\n")
	tree.want("git ls-files -s | grep ^160000 | cut -f2", "sub\n")
}

// asNobody runs f in a process that the permissions of files count for.
func asNobody(t *testing.T, run string) bool {
	t.Helper()
	if os.Getuid() != 0 {
		return true
	}
	binary, err := os.Executable()
	must(t, err)
	dir, err := os.MkdirTemp("", "vext-nobody-")
	must(t, err)
	defer os.RemoveAll(dir)
	data, err := os.ReadFile(binary)
	must(t, err)
	must(t, os.WriteFile(dir+"/test", data, 0o755))
	must(t, os.Chmod(dir, 0o777))
	cmd := exec.Command(dir+"/test", "-test.run=^"+run+"$", "-test.v")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "TMPDIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "PASS: "+run) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

func TestGitUnreadable(t *testing.T) {
	testkit.Program(t, "git")
	if !asNobody(t, "TestGitUnreadable") {
		return
	}
	tree := newTree(t)
	tree.sh(`
		for i in 1 2 3 4 5 6 7 8 9 10; do echo $i >good$i; done
		echo x >secret; chmod 0 secret; echo x >a; chmod 0 a
		mkdir -p closed; echo x >closed/f; mkfifo pipe; git init -q empty; git init -q full; (cd full; git commit -q --allow-empty -m x)
		chmod 0 closed
	`)
	t.Cleanup(func() { os.Chmod(tree.abs("closed"), 0o700) })
	var refused []string
	for _, c := range tree.changes() {
		if c.Refuse != "" || c.Kind == Nested {
			refused = append(refused, list([]Change{c})...)
		}
	}
	want := []string{"modified a (permission denied)", "modified closed (permission denied)", "nested empty", "nested full", "added secret (permission denied)"}
	if !slices.Equal(refused, want) {
		t.Errorf("%q", refused)
	}
	changes := tree.changes()
	must(t, os.Chmod(tree.abs("good5"), 0)) // after they were looked at
	c, err := tree.Commit(t.Context(), changes, words("x"))
	must(t, err)
	if len(c.Stats) != 9 || len(c.Refused) != 6 {
		t.Errorf("%d %q", len(c.Stats), list(c.Refused))
	}
	must(t, os.Chmod(tree.abs("a"), 0o600))
	if c := tree.save(); len(c.Stats) != 1 || len(c.Refused) != 5 {
		t.Errorf("%+v", c)
	}
}

func TestGitIgnored(t *testing.T) {
	tree := newTree(t)
	tree.sh(`
		printf ':x/\n*me/\n\\*\n-z\n/build/\nlogs/*\n!logs/keep/\nkept/\n!kept/\ncache\n' >.gitignore
		mkdir -p -- build/deep 'n ame' ':x/y' '*' '-z' logs/x logs/keep kept mine é deep/cache in; echo mine/ >>.git/info/exclude; echo é/ >../excl; echo '*/' >in/.gitignore
		git config core.excludesFile ../excl; mkdir -p cache/sub in/x; echo x >cache/sub/f; git add -f cache/sub/f
		git clone -q . ../sub; git submodule --quiet add ../sub sub 2>&1; mkdir sub/build; ln -s d slink; printf 'line\nbreak/\n' >>.gitignore
	`)
	dirs := []string{"d", ":x", ":x/y", "*", "-z", "build", "build/deep", "n ame", "sub/build", "logs", "logs/x", "logs/keep", "kept", "mine", "é", "deep/cache", "cache", "cache/sub", "in/x", "gone", "slink/x", "sub"}
	ignored, err := tree.Ignored(t.Context(), dirs)
	must(t, err)
	got := slices.Sorted(maps.Keys(ignored))
	if want := []string{"*", "-z", ":x", ":x/y", "build", "build/deep", "deep/cache", "in/x", "logs/x", "mine", "n ame", "é"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for _, dirs := range [][]string{nil, {"d"}, {"sub/build"}} {
		if ignored, err := tree.Ignored(t.Context(), dirs); len(ignored) > 0 || err != nil {
			t.Errorf("%q: %v %v", dirs, ignored, err)
		}
	}
}
