package repo

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vext/internal/hint"
)

// initAt runs Init and checks what it did.
func initAt(t *testing.T, path, url string, want ...string) *gitRepo {
	t.Helper()
	steps, err := Init(t.Context(), path, url, Options{Host: "alpha"})
	must(t, err)
	if !slices.Equal(steps, want) {
		t.Errorf("%q, want %q", steps, want)
	}
	return openAt(t, path)
}

func TestGitInit(t *testing.T) {
	asPerson(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	bare := at("srv.git")
	sh(t, dir, "git init -q --bare -b trunk srv.git")

	// Files become the first commit.
	sh(t, dir, "mkdir full; echo x >full/a; echo x >full/b; git init -q full/nested; echo ign >full/.gitignore; echo x >full/ign; truncate -s 51M full/big")
	g := initAt(t, at("full"), bare, "made a repository in "+at("full")+", on branch main", "added the remote origin, "+bare,
		"branch main follows main of origin", "committed the 3 files that were there", "left out big: it is larger than 50 MB", "left out nested: a repository of its own")
	tree := tree{t, g}
	tree.want("git log --format=%s; git status --porcelain; git config branch.main.merge", "First commit of 3 files on alpha\n?? big\n?? nested/\nrefs/heads/main\n")
	initAt(t, at("full"), bare, at("full")+" is set up already")
	tree.sh("git push -q origin main")

	// Others clone it, also when HEAD of the remote is a branch that does not exist.
	g = initAt(t, at("deep/clone"), bare, "cloned "+bare+" into "+at("deep/clone")+", branch main")
	tree.gitRepo = g
	tree.want("cat a; git rev-parse --abbrev-ref @{u}", "x\norigin/main\n")
	must(t, os.Mkdir(at("empty"), 0o777))
	initAt(t, at("empty"), bare, "cloned "+bare+" into "+at("empty")+", branch main")

	// A repository without a commit takes what the remote has.
	sh(t, dir, "git init -q -b master unborn")
	g = initAt(t, at("unborn"), bare, "added the remote origin, "+bare, "checked out main of origin", "branch master follows main of origin")
	tree.gitRepo = g
	tree.want("cat a; git status --porcelain -b", "x\n## master...origin/main\n")

	// Without a remote.
	initAt(t, at("alone"), "", "made a repository in "+at("alone")+", on branch main")
	sh(t, dir, "echo x >alone/a; cd alone; git add a")
	initAt(t, at("alone"), "", "committed the file that was there")
}

// What only a person can decide is not done, and nothing is overwritten.
func TestGitInitRefuses(t *testing.T) {
	asPerson(t)
	dir := t.TempDir()
	sh(t, dir, `
		git init -q --bare srv.git; git init -q --bare empty.git; git clone -q srv.git first 2>/dev/null; cd first; echo theirs >a; echo theirs >ign; git add .; git commit -qm first; git push -q origin main; cd ..
		mkdir files; echo mine >files/a
		git init -q unborn; echo mine >unborn/ign; echo ign >unborn/.git/info/exclude
		git init -q other; cd other; git commit -q --allow-empty -m other; cd ..
		git clone -q srv.git has; mkdir -p hg/.hg has/sub
		git clone -q --bare srv.git many.git; git -C many.git branch -m main x; git -C many.git branch y; git -C many.git symbolic-ref HEAD refs/heads/gone
	`)
	listing := "find . -name '*.git' -prune -o -name .git -prune -o -type f -print | sort | xargs grep ."
	before := sh(t, dir, listing)
	srv := filepath.Join(dir, "srv.git")
	for _, c := range []struct{ path, url, want, hint string }{
		{"files", srv, "join them by hand", "git clone " + srv},
		{"unborn", srv, "join them by hand", "git clone " + srv},
		{"other", srv, "have nothing in common", "--allow-unrelated-histories origin/main"},
		{"has", filepath.Join(dir, "empty.git"), "has a remote origin already", "remote set-url origin"},
		{"has/sub", "", "is in the repository", "git init"},
		{"hg", "", "is a repository of hg already", ""},
		{"new", filepath.Join(dir, "many.git"), "has 2 branches", ""},
		{"new", filepath.Join(dir, "nowhere.git"), "does not appear to be a git repository", ""},
		{"srv.git", "", "is a git directory", ""},
		{"new", "https://jane:secret@127.0.0.1:1/x", "127.0.0.1", ""},
		{"new", "ext::sh -c touch% ran", "not allowed", ""},
	} {
		steps, err := Init(t.Context(), filepath.Join(dir, c.path), c.url, Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(hint.Of(err), c.hint) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s from %s: %q %v (%s)", c.path, c.url, steps, err, hint.Of(err))
		}
	}
	if after := sh(t, dir, listing); after != before {
		t.Errorf("%s\nwas\n%s", after, before)
	}
	if _, err := os.Stat(filepath.Join(dir, "new")); !errors.Is(err, os.ErrNotExist) {
		t.Error("something was made")
	}
	if _, err := Init(t.Context(), filepath.Join(dir, "new"), srv, Options{Branch: "nowhere"}); err == nil || !strings.Contains(err.Error(), "has no branch nowhere") {
		t.Error(err)
	}
	must(t, os.WriteFile(os.Getenv("GIT_CONFIG_GLOBAL"), []byte("[user]\n\tuseConfigOnly = true\n"), 0o644))
	steps, err := Init(t.Context(), filepath.Join(dir, "files"), "", Options{})
	if len(steps) != 1 || err == nil || !strings.Contains(err.Error(), "whose commits") {
		t.Errorf("%q %v", steps, err)
	}
}
