package follow

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/vcs"
)

// old makes commits of long ago on a branch.
func (w *world) old(branch string, n int) {
	w.t.Helper()
	for i := range n {
		w.sh(fmt.Sprintf(`export GIT_COMMITTER_DATE=2010-01-0%[3]dT10:00:00Z
tree=$(git mktree </dev/null)
parent=$(git rev-parse --verify --quiet refs/heads/%[1]s || true)
hash=$(printf '%[2]s %[3]d\n\nMFC after: 1 week\n' | git commit-tree "$tree" ${parent:+-p "$parent"})
git update-ref refs/heads/%[1]s "$hash"`, branch, "old on "+branch, i+1))
	}
}

// Whatever becomes of a repository, its past is never taken for new.
func TestThePastIsNotNew(t *testing.T) {
	for name, story := range map[string]func(w *world){
		"main is deleted for a while": func(w *world) {
			w.r.From = "2026-01-01"
			w.old("main", 3)
			w.follow()
			w.sh("git update-ref refs/heads/keep refs/heads/main; git update-ref -d refs/heads/main")
			w.follow()
			w.sh("git update-ref refs/heads/main refs/heads/keep")
			w.follow()
		},
		"it is made anew, with another history": func(w *world) {
			w.old("main", 3)
			w.follow()
			os.RemoveAll(w.git)
			w.sh("git init --quiet --bare --initial-branch=main " + w.git)
			w.follow()
			w.old("elsewhere", 4)
			w.sh("git update-ref refs/heads/main refs/heads/elsewhere")
			w.follow()
		},
		"a branch from elsewhere": func(w *world) {
			w.commit("main", "base")
			w.follow()
			w.old("trunk", 3)
			w.follow()
		},
		"the state has lost when it was looked at": func(w *world) {
			w.old("main", 3)
			w.follow()
			s := w.load()
			s.LastOK, s.Base, s.Positions["refs/heads/main"] = time.Time{}, nil, strings.Repeat("1", 40)
			if err := Followed(w.state).Save(s); err != nil {
				t.Fatal(err)
			}
			w.follow()
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.t = t
			story(w)
			w.expect("of long ago")
			w.commit("main", "new")
			w.follow()
			w.expect("and what is new", "main new")
		})
	}
}

func TestFromMissing(t *testing.T) {
	w := newWorld(t)
	w.old("main", 2)
	w.r.From = strings.Repeat("1", 40)
	if r := w.follower().Follow(t.Context(), []Repository{w.r}, true)[0]; r.Err == nil || !strings.Contains(r.Err.Error(), "not in the repository") {
		t.Errorf("%v", r.Err)
	}
	w.expect("a typo in from")
}

// The commits of a push are read by what the forge says of it, and never goes
// back to the beginning.
func TestLookUp(t *testing.T) {
	w := newWorld(t)
	w.old("main", 3)
	w.follow()
	before := w.sh("git rev-parse main")
	w.commit("main", "a")
	after := w.commit("main", "b")
	for what, u := range map[string]Update{
		"from where it was":     {"refs/heads/main", before, after},
		"from where nobody was": {"refs/heads/main", strings.Repeat("1", 40), after},
	} {
		if _, err := w.follower().CompletePush(t.Context(), w.r, u); err != nil {
			t.Fatal(err)
		}
		w.expect(what, "main a", "main b")
	}
	os.RemoveAll(filepath.Join(w.state, "repositories"))
	if _, err := w.follower().CompletePush(t.Context(), w.r, Update{"refs/heads/main", "", after}); err != nil {
		t.Fatal(err)
	}
	w.expect("a new branch of a repository that was never looked at", "main a", "main b")
	if _, err := w.follower().CompletePush(t.Context(), w.r, Update{"refs/heads/main", before, strings.Repeat("2", 40)}); err == nil {
		t.Error("what is not there was found")
	}
}

// A git that fails once is no reason to believe that anything is gone.
func TestGitFailsOnce(t *testing.T) {
	for _, command := range []string{"log", "merge-base", "cat-file"} {
		w := newWorld(t)
		base := w.commit("main", "base")
		w.follow()
		w.commit("main", "gone")
		w.follow()
		w.spooled()
		w.sh("git update-ref refs/heads/main " + base)
		w.now = now.AddDate(0, 0, 5)
		s := w.load()
		s.LastOK = w.now
		if err := Followed(w.state).Save(s); err != nil {
			t.Fatal(err)
		}
		w.commit("main", "made five days ago")
		bin := t.TempDir()
		fails := fmt.Sprintf("#!/bin/sh\ncase \" $* \" in *\" %s \"*) if [ ! -e %s/once ]; then touch %s/once; kill -9 $$; fi;; esac\nexec %s \"$@\"\n",
			command, bin, bin, testkit.Program(t, "git"))
		if err := os.WriteFile(filepath.Join(bin, "git"), []byte(fails), 0o755); err != nil {
			t.Fatal(err)
		}
		path := os.Getenv("PATH")
		t.Setenv("PATH", bin+":"+path)
		w.follower().Follow(t.Context(), []Repository{w.r}, true)
		w.follow()
		t.Setenv("PATH", path)
		w.expect("git "+command+" failed once", "main made five days ago")
	}
}

// A changeset of Mercurial that is stripped or amended takes the position with
// it, and not the whole history comes instead.
func TestMercurialAmend(t *testing.T) {
	testkit.Program(t, "hg")
	w := newWorld(t)
	repo := filepath.Join(t.TempDir(), "w")
	hg := func(date, subject, more string) {
		w.sh(fmt.Sprintf(`cd %s; export HGRCPATH= HGUSER='J <jane@example.org>'
echo '%s' >f; hg commit --addremove --quiet --date '%s 10:00' %s --message '%s

MFC after: 1 week'`, repo, subject, date, more, subject))
	}
	w.sh("HGRCPATH= hg init " + repo)
	for i := range 4 {
		hg(fmt.Sprintf("2010-01-0%d", i+1), fmt.Sprint("old ", i), "")
	}
	w.r = Repository{Name: "w", Kind: vcs.Hg, Path: repo, Branches: []string{"default"}, Source: "hook"}
	w.follow()
	w.expect("the first look")
	hg("2026-11-20", "new", "")
	w.follow()
	w.expect("a commit", "default new")
	hg("2026-11-20", "amended", "--amend")
	w.follow()
	w.expect("amended", "default amended")
	w.sh("cd " + repo + "; HGRCPATH= hg --config extensions.strip= strip --quiet --no-backup tip")
	w.follow()
	w.expect("stripped")
	hg("2026-11-20", "again", "")
	w.follow()
	w.expect("and again", "default again")
}
