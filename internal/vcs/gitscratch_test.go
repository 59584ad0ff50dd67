package vcs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vext/internal/testkit"
	"vext/internal/weburl"
)

// pickScript makes a base, a branch, and commits of each kind in a repository.
const pickScript = `git checkout -q -b main
seq 40 >f; git add f; git commit -q -m base
git checkout -q -b stable; sed -i 's/^3$/stable/' f; git commit -q -a -m stable; git checkout -q main
sed -i 's/^20$/clean/' f; git commit -q -a -m clean; git tag clean
sed -i 's/^3$/other/' f; git commit -q -a -m conflict; git tag conflict
git checkout -q -b side main~2; echo 1 >g; git add g; git commit -q -m side; git checkout -q main
git merge -q --no-ff -m merge side; git tag merge
git checkout -q --orphan orphan; git rm -q -rf .; echo 1 >h; git add h; git commit -q -m root; git tag root; git checkout -q main`

// Merge gives the result of a cherry-pick, however the repository keeps its objects.
func TestScratchMerge(t *testing.T) {
	testkit.Program(t, "git")
	for name, test := range map[string]struct{ format, script string }{
		"sha1":       {"sha1", `cp -R .git "$DIR"`},
		"sha256":     {"sha256", `cp -R .git "$DIR"`},
		"packed":     {"sha1", `git gc -q; cp -R .git "$DIR"`},
		"alternates": {"sha1", `git clone -q --bare --shared . "$DIR"`},
		"relative, of those": {"sha1", `git clone -q --bare . "$DIR-1"; git clone -q --bare --shared "$DIR-1" "$DIR-2"; git clone -q --bare --shared "$DIR-2" "$DIR"
echo "../../${DIR##*/}-1/objects" >"$DIR-2/objects/info/alternates"`},
		"linked work tree": {"sha1", `git worktree add -q "$DIR-tree"; ln -s "$(git -C "$DIR-tree" rev-parse --absolute-git-dir)" "$DIR"`},
		"path with spaces": {"sha1", `cp -R .git "$DIR-a b"; ln -s "$DIR-a b" "$DIR"`},
	} {
		t.Run(name, func(t *testing.T) {
			work := filepath.Join(t.TempDir(), "work")
			dir := filepath.Join(t.TempDir(), "repository")
			run(t, "", "git", "init", "-q", "--object-format="+test.format, "--initial-branch=unborn", work)
			t.Setenv("DIR", dir)
			run(t, work, "sh", "-euc", pickScript+"\n"+test.script)
			r, _ := Open(Git, dir, weburl.URL{})
			s, err := r.(GitRepository).Scratch(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			tip := run(t, work, "git", "rev-parse", "stable")
			for kind, want := range map[string]string{"clean": "f", "conflict": "conflict in f", "merge": "g", "root": "h"} {
				hash := run(t, work, "git", "rev-parse", kind)
				changes, err := s.Changes(t.Context(), []string{tip, hash, strings.Repeat("0", len(hash))})
				if err != nil || len(changes) != 2 {
					t.Fatalf("%s: %v %v", kind, changes, err)
				}
				m, err := s.Merge(t.Context(), changes[hash].Base, changes[tip].Tree, changes[hash].Tree)
				if err != nil {
					t.Errorf("%s: %v", kind, err)
					continue
				}
				got := "conflict in " + strings.Join(m.Files, " ")
				if !m.Conflict {
					got = run(t, work, "git", "--git-dir="+s.dir, "diff-tree", "-r", "--name-only", changes[tip].Tree, m.Tree)
				}
				if got != want {
					t.Errorf("%s: %s, want %s", kind, got, want)
				}
			}
		})
	}
}

// The parent of a commit that a shallow clone lacks makes the change unknown, and not one
// from the empty tree.
func TestScratchShallow(t *testing.T) {
	testkit.Program(t, "git")
	work, dir := filepath.Join(t.TempDir(), "work"), filepath.Join(t.TempDir(), "shallow.git")
	run(t, "", "git", "init", "-q", "--initial-branch=unborn", work)
	run(t, work, "sh", "-euc", pickScript)
	run(t, "", "git", "clone", "-q", "--bare", "--depth=1", "--branch=conflict", "file://"+work, dir)
	r, _ := Open(Git, dir, weburl.URL{})
	s, err := r.(GitRepository).Scratch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	changes, err := s.Changes(t.Context(), []string{run(t, work, "git", "rev-parse", "conflict")})
	if err != nil || len(changes) > 0 {
		t.Errorf("%v, %v", changes, err)
	}
}

// A clone without blobs gets those of all changes by one fetch. Without its server, what
// lacks blobs is an error, and no conflict.
func TestScratchWithoutBlobs(t *testing.T) {
	testkit.Program(t, "git")
	work, dir := filepath.Join(t.TempDir(), "work"), filepath.Join(t.TempDir(), "copy.git")
	run(t, "", "git", "init", "-q", "--initial-branch=unborn", work)
	run(t, work, "sh", "-euc", pickScript)
	run(t, work, "git", "config", "uploadpack.allowFilter", "true")
	r, _ := Open(Git, dir, weburl.Parse(fileURL(work)))
	if _, err := r.Update(t.Context(), func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	s, err := r.(GitRepository).Scratch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	tip, clean, conflict := run(t, work, "git", "rev-parse", "stable"), run(t, work, "git", "rev-parse", "clean"), run(t, work, "git", "rev-parse", "conflict")
	changes, err := s.Changes(t.Context(), []string{tip, clean, conflict})
	if err != nil {
		t.Fatal(err)
	}
	merge := func(hash string) (*Merge, error) {
		return s.Merge(t.Context(), changes[hash].Base, changes[tip].Tree, changes[hash].Tree)
	}
	packs := func() int {
		found, _ := filepath.Glob(filepath.Join(dir, "objects", "pack", "*.pack"))
		return len(found)
	}
	before := packs()
	if m, err := merge(clean); err == nil {
		t.Errorf("merged without blobs: %+v", m)
	}
	os.Rename(work, work+".gone")
	fetch := func() error {
		return s.FetchBlobs(t.Context(), []Change{changes[clean], changes[conflict]}, []string{changes[tip].Tree})
	}
	if err := fetch(); err == nil {
		t.Error("fetched without the server")
	}
	if m, err := merge(clean); err == nil {
		t.Errorf("merged without blobs: %+v", m)
	}
	os.Rename(work+".gone", work)
	if err := fetch(); err != nil {
		t.Fatal(err)
	}
	if n := packs() - before; n != 1 {
		t.Errorf("%d packs were fetched", n)
	}
	os.RemoveAll(work)
	if m, err := merge(clean); err != nil || m.Conflict {
		t.Errorf("clean: %+v %v", m, err)
	}
	if m, err := merge(conflict); err != nil || !m.Conflict || !slices.Equal(m.Files, []string{"f"}) {
		t.Errorf("conflict: %+v %v", m, err)
	}
	if err := fetch(); err != nil {
		t.Errorf("with nothing to fetch: %v", err)
	}
}
