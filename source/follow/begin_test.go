package follow

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/commit"
	"vext/internal/testkit"
	"vext/internal/vcs"
	"vext/internal/weburl"
)

// fails looks once, which must fail.
func (w *world) fails() {
	w.t.Helper()
	if r := w.follower().Follow(w.t.Context(), []Repository{w.r}, true)[0]; r.Err == nil {
		w.t.Fatal("the repository could be read")
	}
}

// hide takes the repository away, and returns what brings it back.
func (w *world) hide(dir string) (show func()) {
	w.t.Helper()
	if err := os.Rename(dir, dir+".away"); err != nil {
		w.t.Fatal(err)
	}
	return func() {
		if err := os.Rename(dir+".away", dir); err != nil {
			w.t.Fatal(err)
		}
	}
}

// wantMessage checks that one of the messages of a report has all of the words.
func wantMessage(t *testing.T, r Report, words ...string) {
	t.Helper()
	for _, text := range r.Messages {
		all := true
		for _, word := range words {
			all = all && strings.Contains(text, word)
		}
		if all {
			return
		}
	}
	t.Errorf("messages %q, want %q", r.Messages, words)
}

// at makes a commit with a date of its own.
func (w *world) at(date, branch, subject string) {
	w.t.Helper()
	w.sh(fmt.Sprintf(`export GIT_COMMITTER_DATE=%[3]sT10:00:00Z
tree=$(git mktree </dev/null)
parent=$(git rev-parse --verify --quiet refs/heads/%[1]s || true)
hash=$(printf '%[2]s\n' | git commit-tree "$tree" ${parent:+-p "$parent"})
git update-ref refs/heads/%[1]s "$hash"`, branch, subject, date))
}

const asks = `\n\nMFC after: 1 week`

// A repository that can't be read when it is added counts from then on all the
// same, whatever the first look did.
func TestLateStart(t *testing.T) {
	for name, first := range map[string]func(w *world){
		"it could not be reached": func(w *world) { w.fails() },
		"it was killed before anything": func(w *world) {
			w.fails()
			if err := Followed(w.state).Save(&State{Name: "w", Start: w.now}); err != nil {
				t.Fatal(err)
			}
		},
		"it was killed in its second try": func(w *world) {
			w.fails()
			w.fails()
			s := w.load()
			s.Begun, s.Kind = false, vcs.Git
			if err := Followed(w.state).Save(s); err != nil {
				t.Fatal(err)
			}
		},
		"by a version that did not note when it was added": func(w *world) {
			w.fails()
			s := w.load()
			s.Start = time.Time{}
			if err := Followed(w.state).Save(s); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.t = t
			w.old("main", 3)
			w.at("2026-11-18", "main", "two days before"+asks)
			w.at("2026-11-20", "main", "its clock is two hours slow"+asks)
			show := w.hide(w.git)
			first(w)
			show()
			w.at("2026-11-21", "main", "between"+asks)
			w.at("2026-11-22", "main", "does not ask")
			w.at("2026-11-22", "topic", "not on a branch that counts"+asks)
			w.now = now.AddDate(0, 0, 10)
			r := w.follow()
			w.expect("at the first look that goes well", "main between", "main its clock is two hours slow")
			wantMessage(t, r, "added at 2026-11-20 12:00:00", "since 2026-11-19 12:00:00", "3 commits", "2 ask")
			if r.Commits != 3 || r.Requests != 2 || r.New != 2 {
				t.Errorf("%+v", r)
			}
			w.at("2026-11-29", "main", "after"+asks)
			w.sh("git update-ref refs/heads/trunk refs/heads/main~1")
			w.at("2026-11-29", "trunk", "on a branch that comes later"+asks)
			if r := w.follow(); len(r.Messages) != 0 {
				t.Errorf("messages %q", r.Messages)
			}
			w.expect("and then", "main after", "trunk on a branch that comes later")
		})
	}
}

// Wherever the first look breaks off, what is committed after it was added is
// found; and what came before is not, when it goes well.
func TestFirstLookBreaksOff(t *testing.T) {
	git := testkit.Program(t, "git")
	for at := 1; ; at++ {
		w := newWorld(t)
		w.old("main", 2)
		bin := t.TempDir()
		count := filepath.Join(bin, "count")
		breaks := fmt.Sprintf("#!/bin/sh\necho >>%[1]s\nif [ $(wc -l <%[1]s) -ge %[2]d ]; then kill -9 $$; fi\nexec %[3]s \"$@\"\n", count, at, git)
		if err := os.WriteFile(filepath.Join(bin, "git"), []byte(breaks), 0o755); err != nil {
			t.Fatal(err)
		}
		path := os.Getenv("PATH")
		t.Setenv("PATH", bin+":"+path)
		r := w.follower().Follow(t.Context(), []Repository{w.r}, true)[0]
		t.Setenv("PATH", path)
		if s := w.load(); s.Begun != (r.Err == nil) || !s.Start.Equal(now) {
			t.Fatalf("%d: %v, %+v", at, r.Err, s)
		}
		w.at("2026-11-21", "main", "between"+asks)
		w.now = now.AddDate(0, 0, 2)
		w.follow()
		w.expect(fmt.Sprint("broken off at ", at), "main between")
		if r.Err == nil {
			if at == 1 {
				t.Error("nothing broke off")
			}
			return
		}
	}
}

// A repository that is empty at the first look, and one that is empty when it
// can first be read, have nothing that could be missed.
func TestEmptyAtFirst(t *testing.T) {
	for _, late := range []bool{false, true} {
		w := newWorld(t)
		if late {
			show := w.hide(w.git)
			w.fails()
			show()
			w.now = now.AddDate(0, 0, 1)
		}
		w.follow()
		w.commit("main", "root")
		w.follow()
		w.expect(fmt.Sprint("late ", late), "main root")
	}
}

// From sets from where on commits count, however late the first look comes.
func TestLateFrom(t *testing.T) {
	w := newWorld(t)
	w.old("main", 2)
	w.at("2026-11-10", "main", "wanted"+asks)
	w.r.From = "2026-11-09"
	show := w.hide(w.git)
	w.fails()
	show()
	w.now = now.AddDate(0, 0, 10)
	w.follow()
	w.expect("from", "main wanted")
}

// A hook that is put in while its repository can't be read misses nothing: what
// was pushed until then has its date, and a push says what it brings.
func TestHookedLate(t *testing.T) {
	w := newWorld(t)
	w.old("main", 3)
	w.hooked(true)
	f := w.follower()
	f.Store = Hooked(w.state)
	show := w.hide(w.git)
	if r := f.FollowPush(t.Context(), w.r, nil); r.Err == nil {
		t.Fatal("the repository could be read")
	}
	show()
	w.at("2026-11-21", "main", "between"+asks)
	between := w.sh("git rev-parse main")
	w.at("2026-11-01", "main", "pushed long after it was made"+asks)
	pushed := w.sh("git rev-parse main")
	w.now = now.AddDate(0, 0, 3)
	f = w.follower()
	f.Store = Hooked(w.state)
	r := f.FollowPush(t.Context(), w.r, []Update{{"refs/heads/main", between, pushed}})
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	wantMessage(t, r, "added at", "1 commit, 1 ask")
	w.expect("a push", "main between", "main pushed long after it was made")
}

// What a forge did not list is looked up in a repository that could not be read
// before.
func TestLookUpLate(t *testing.T) {
	w := newWorld(t)
	w.old("main", 3)
	show := w.hide(w.git)
	w.fails()
	show()
	w.at("2026-11-21", "main", "between"+asks)
	w.now = now.AddDate(0, 0, 10)
	after := w.sh("git rev-parse main")
	if _, err := w.follower().CompletePush(t.Context(), w.r, Update{"refs/heads/main", strings.Repeat("1", 40), after}); err != nil {
		t.Fatal(err)
	}
	w.expect("looked up", "main between")
}

// The same of Mercurial.
func TestLateMercurial(t *testing.T) {
	testkit.Program(t, "hg")
	w := newWorld(t)
	repo := filepath.Join(t.TempDir(), "w")
	hg := func(date, subject string) {
		w.sh(fmt.Sprintf(`cd %s; export HGRCPATH= HGUSER='J <jane@example.org>'
echo '%s' >f; hg commit --addremove --quiet --date '%s 10:00' --message '%s

MFC after: 1 week'`, repo, subject, date, subject))
	}
	w.sh("HGRCPATH= hg init " + repo)
	hg("2010-01-01", "old")
	hg("2026-11-18", "two days before")
	w.r = Repository{Name: "w", Kind: vcs.Hg, URL: weburl.Parse(repo), Branches: []string{"default"}, Source: commit.FromFollow}
	show := w.hide(repo)
	w.fails()
	show()
	hg("2026-11-21", "between")
	w.now = now.AddDate(0, 0, 10)
	wantMessage(t, w.follow(), "added at", "1 commit, 1 ask")
	w.expect("late", "default between")
	hg("2026-11-29", "after")
	w.follow()
	w.expect("after", "default after")
}

// The same of Subversion, also where old revisions are missing; and another
// repository, or one that was restored, is taken up by the dates as well.
func TestLateSubversion(t *testing.T) {
	w := newSvnWorld(t)
	date := func(revision int, date string) {
		w.sh(fmt.Sprintf("svnadmin setrevprop %s --revision %d svn:date /dev/stdin <<END\n%sT10:00:00.000000Z\nEND", w.repo, revision, date))
	}
	make := func(dates ...string) {
		for i, d := range dates {
			w.svnCommit("trunk/a", fmt.Sprint("of ", d))
			date(i+1, d)
		}
	}
	make("2010-01-01", "2010-01-02", "2010-01-03", "2026-11-18")
	if err := os.WriteFile(w.hidden, []byte("2"), 0o600); err != nil {
		t.Fatal(err)
	}
	show := w.hide(w.repo)
	w.fails()
	show()
	w.svnCommit("trunk/a", "between")
	date(5, "2026-11-21")
	w.svnCommit("branches/1/a", "elsewhere")
	date(6, "2026-11-21")
	w.now = now.AddDate(0, 0, 10)
	wantMessage(t, w.follow(), "added at", "2 commits, 1 ask")
	w.expect("late", "trunk between")

	if err := os.Remove(w.hidden); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		what    string
		numbers int
	}{{"another repository", 7}, {"restored", 2}} {
		what, numbers := test.what, test.numbers
		s := w.load()
		if what == "restored" {
			s.ID = "" // taken for the same
		}
		if err := Followed(w.state).Save(s); err != nil {
			t.Fatal(err)
		}
		os.RemoveAll(w.repo)
		os.RemoveAll(w.tree)
		w.sh(fmt.Sprintf("svnadmin create %s; svn checkout --quiet file://%s %s", w.repo, w.repo, w.tree))
		for i := range numbers - 1 {
			w.svnCommit("trunk/a", fmt.Sprint("long ago ", i))
			date(i+1, "2010-01-01")
		}
		w.svnCommit("trunk/a", what)
		date(numbers, w.now.Format(time.DateOnly))
		w.now = w.now.AddDate(0, 0, 5)
		wantMessage(t, w.follow(), "counting its commits since", "1 commit, 1 ask")
		w.expect(what, "trunk "+what)
		if s := w.load(); s.Positions[""] != fmt.Sprint("r", numbers) {
			t.Errorf("%s: %+v", what, s)
		}
		if r := w.follow(); len(r.Messages) != 0 || r.Commits != 0 {
			t.Errorf("%s, again: %+v", what, r)
		}
	}
}

// Another system that keeps a repository of the same name is no reason to lose
// what was committed since the last look.
func TestKeptByAnother(t *testing.T) {
	w := newSvnWorld(t)
	git := w.r
	git.Kind, git.URL, git.Domain = vcs.Git, weburl.Parse(w.git), ""
	svn := w.r
	w.r = git
	w.old("main", 2)
	w.follow()
	w.now = now.AddDate(0, 0, 2)
	w.r = svn
	w.svnCommit("trunk/a", "in Subversion")
	w.sh(fmt.Sprintf("svnadmin setrevprop %s --revision 1 svn:date /dev/stdin <<END\n2026-11-21T10:00:00.000000Z\nEND", w.repo))
	w.follow()
	w.expect("to Subversion", "trunk in Subversion")
	w.at("2026-11-22", "main", "in git"+asks)
	w.now = now.AddDate(0, 0, 3)
	w.r = git
	w.follow()
	w.expect("and back", "main in git")
}
