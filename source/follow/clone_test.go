package follow

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vext/internal/weburl"
)

// clone makes a clone of the world's repository, and returns what fetches into it and what
// looks in it.
func (w *world) clone(name string) (fetch func(), look func() Report) {
	w.t.Helper()
	dir := filepath.Join(filepath.Dir(w.git), name)
	w.sh("env -u GIT_DIR git clone --quiet " + w.git + " " + dir)
	w.r.Branches = []string{"main", "stable/*"}
	r := w.r
	r.Path = filepath.Join(dir, ".git")
	r.Tracks = func(ref string) (string, bool) {
		branch, ok := strings.CutPrefix(ref, "refs/remotes/origin/")
		return headsPrefix + branch, ok
	}
	return func() { w.sh("git --git-dir=" + r.Path + " fetch --quiet origin") }, func() Report {
		w.t.Helper()
		report := w.follower().FollowClone(w.t.Context(), r)
		if report.Err != nil {
			w.t.Fatal(report.Err)
		}
		return report
	}
}

const headsPrefix = "refs/heads/"

// The commits that a clone fetches are found in it, by its remote-tracking refs.
func TestClone(t *testing.T) {
	w := newWorld(t)
	w.commit("main", "old")
	fetch, look := w.clone("clone")
	w.commit("main", "not fetched")
	look()
	w.expect("before it was added")
	fetch()
	look()
	w.expect("after a fetch", "main not fetched")
	w.commit("stable/1", "other")
	w.commit("topic", "does not count")
	w.sh("git --git-dir=clone/.git update-ref refs/heads/stable/2 origin/main") // a branch of the user
	fetch()
	if report := look(); report.New != 1 {
		t.Errorf("%+v", report)
	}
	w.expect("branches", "stable/1 other")
	if s := w.load(); s.Clone == "" || s.Where != w.git || s.Positions["refs/heads/stable/2"] != "" || s.Positions["refs/heads/HEAD"] != "" {
		t.Errorf("%+v", s)
	}
}

// A clone and vext follow share one position for each branch, whichever is faster, so that
// each finds only what the other has not found.
func TestCloneAndFollow(t *testing.T) {
	w := newWorld(t)
	w.commit("main", "old")
	fetch, look := w.clone("clone")
	w.follow()
	look()
	w.expect("at first")
	w.commit("main", "one")
	fetch()
	look()
	w.expect("the clone is first", "main one")
	w.follow()
	w.expect("then follow")
	w.commit("main", "two")
	w.follow()
	w.expect("follow is first", "main two")
	before := w.load().Positions["refs/heads/main"]
	look() // has not fetched
	w.expect("a clone that is behind")
	if s := w.load(); s.Positions["refs/heads/main"] != before {
		t.Error("the position has moved back")
	}
	fetch()
	look()
	w.expect("it has caught up")
	w.commit("main", "three")
	w.follow()
	w.commit("main", "four")
	w.expect("follow", "main three")
	fetch()
	look()
	w.expect("the clone has more", "main four")
	if s := w.load(); len(s.Notes) > 0 {
		t.Errorf("%+v", s.Notes)
	}
}

// After a forced update that only the clone has seen whole, nothing is missed.
func TestCloneAfterForce(t *testing.T) {
	w := newWorld(t)
	w.commit("main", "old")
	fetch, look := w.clone("clone")
	look()
	w.commit("main", "one")
	w.follow() // the position is one that the clone will never have
	w.expect("follow", "main one")
	w.sh("git update-ref refs/heads/main main~")
	w.commit("main", "two")
	fetch()
	look()
	w.expect("forced", "main two")
	w.commit("main", "three")
	w.follow()
	w.expect("follow goes on", "main three")
}

// A branch that is gone from the clone is forgotten, one that the clone never had is not.
func TestCloneDeletion(t *testing.T) {
	w := newWorld(t)
	w.commit("main", "old")
	fetch, look := w.clone("clone")
	look()
	w.commit("stable/1", "one")
	fetch()
	look()
	w.commit("stable/2", "two")
	w.follow()
	w.expect("both", "stable/1 one", "stable/2 two")
	w.sh("git update-ref -d refs/heads/stable/1; git --git-dir=" + filepath.Join(filepath.Dir(w.git), "clone", ".git") + " fetch --quiet --prune origin refs/heads/main:refs/remotes/origin/main '+refs/heads/stable/1*:refs/remotes/origin/stable/1*'")
	look()
	s := w.load()
	if s.Positions["refs/heads/stable/1"] != "" || s.Positions["refs/heads/stable/2"] == "" {
		t.Errorf("%v", s.Positions)
	}
	fetch()
	look()
	w.expect("what follow found before")
}

// A repository of the same name, elsewhere, is not taken for it.
func TestCloneOfAnother(t *testing.T) {
	w := newWorld(t)
	w.commit("main", "old")
	w.follow()
	_, look := w.clone("clone")
	look()
	before := w.load()
	r := w.r
	r.URL, r.Path, r.Tracks = weburl.Parse("https://git.example.org/w"), w.git, func(ref string) (string, bool) { return ref, true }
	if report := w.follower().FollowClone(t.Context(), r); report.Err == nil || !strings.Contains(report.Err.Error(), "another") {
		t.Errorf("%+v", report)
	}
	if s := w.load(); s.Where != before.Where || !slices.Equal(s.Base, before.Base) {
		t.Errorf("%+v", s)
	}
}
