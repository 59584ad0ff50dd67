package follow

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vext/filter"
	"vext/internal/commit"
	"vext/internal/testkit"
	"vext/internal/vcs"
	"vext/internal/weburl"
	"vext/policy"
	"vext/spool"
)

// announce has somebody announce the branches that match.
func (w *world) announce() {
	w.t.Helper()
	if err := spool.New(w.state).StartAnnouncing(); err != nil {
		w.t.Fatal(err)
	}
}

// announcing is follower for a configuration with announcements of these branches.
func (w *world) announcing(branches ...string) *Follower {
	f := w.follower()
	f.Announces, f.Filter.Announced = true, func(repository, refname string) bool {
		return repository == "w" && policy.MatchBranch(branches, refname)
	}
	return f
}

// look looks once, after each of the pushes when there are any.
func (w *world) look(f *Follower, pushed ...Update) {
	w.t.Helper()
	var report Report
	if w.r.Source == commit.FromHook {
		f.Store = Hooked(w.state)
		report = f.FollowPush(w.t.Context(), w.r, pushed)
	} else {
		report = f.Follow(w.t.Context(), []Repository{w.r}, true)[0]
	}
	if report.Err != nil {
		w.t.Fatal(report.Err)
	}
}

// announced compares what was stored: BRANCH SUBJECT; FILE, one push a
// string.
func (w *world) announced(what string, want ...string) {
	w.t.Helper()
	s := spool.New(w.state)
	paths, err := s.Announcements()
	if err != nil {
		w.t.Fatal(err)
	}
	var got []string
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			w.t.Fatal(err)
		}
		arrivals, err := filter.ParseArrivals(data)
		if err != nil {
			w.t.Error(err)
		}
		var push []string
		for _, c := range arrivals {
			push = append(push, strings.TrimSpace(c.Branch()+" "+c.Subject+" "+strings.Join(c.Files.Paths, " ")))
			if c.Source != w.r.Source || c.Repository != "w" {
				w.t.Errorf("%s: %+v", what, c)
			}
		}
		got = append(got, strings.Join(push, ", "))
		os.Remove(path)
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("%s: announced %q, want %q", what, got, want)
	}
}

// quiet makes a commit that asks for nothing.
func (w *world) quiet(branch, subject string) string {
	return w.sh(fmt.Sprintf(`tree=$(git mktree </dev/null)
parent=$(git rev-parse --verify --quiet refs/heads/%[1]s || true)
hash=$(printf '%[2]s\n' | git commit-tree "$tree" ${parent:+-p "$parent"})
git update-ref refs/heads/%[1]s "$hash"
echo "$hash"`, branch, subject))
}

// The first look announces nothing; what comes then is, asking or not, on the
// branches of [[announce]], and reminders stay the same.
func TestAnnounce(t *testing.T) {
	w := newWorld(t)
	w.announce()
	w.commit("main", "old")
	w.quiet("topic", "old")
	w.look(w.announcing())
	w.announced("the first look")
	w.commit("main", "a")
	w.quiet("main", "b")
	w.commit("topic", "t")
	w.look(w.announcing())
	w.announced("a push", "main a, main b, topic t")
	w.expect("a push", "main a")
	w.look(w.announcing())
	w.announced("nothing new")
	w.sh("git branch feature topic")
	w.look(w.announcing())
	w.announced("a new branch with nothing new")
	w.quiet("feature", "f")
	w.sh("git branch other main")
	w.quiet("other", "o")
	w.look(w.announcing())
	w.announced("two branches", "feature f, other o")
	w.sh("git update-ref refs/heads/feature topic~1")
	w.quiet("feature", "g")
	w.look(w.announcing())
	w.announced("a forced branch", "feature g")
	w.sh("git update-ref -d refs/heads/feature")
	w.look(w.announcing())
	w.announced("a deleted branch")
	w.expect("nothing else asks")

	w.quiet("main", "c")
	w.commit("topic", "u")
	w.look(w.announcing("main"))
	w.announced("only main", "main c")
	w.quiet("topic", "v")
	w.look(w.announcing("topic"))
	w.announced("only topic", "topic v")
	w.quiet("main", "d")
	w.look(w.follower())
	w.announced("no announcements")
	w.quiet("main", "e")
	w.quiet("topic", "w")
	w.look(w.announcing())
	w.announced("announcements again; the position of topic is not known", "main e")
}

// A history that is taken up from a date on is not announced.
func TestAnnounceFrom(t *testing.T) {
	w := newWorld(t)
	w.announce()
	w.commit("main", "a")
	w.r.From = "2026-01-01"
	w.look(w.announcing())
	w.expect("from", "main a")
	w.announced("from")
	if _, err := w.announcing().Backfill(t.Context(), w.r, now.AddDate(-1, 0, 0), false); err != nil {
		t.Fatal(err)
	}
	w.announced("import")
}

// A commit that cannot be stored is stored at the next look.
func TestAnnounceFail(t *testing.T) {
	w := newWorld(t)
	w.announce()
	w.commit("main", "old")
	w.look(w.announcing())
	w.commit("main", "a")
	w.quiet("topic", "t")
	dir := spool.New(w.state).Dir()
	if err := errors.Join(os.Rename(dir, dir+".away"), os.WriteFile(dir, nil, 0o640)); err != nil {
		t.Fatal(err)
	}
	if r := w.announcing().Follow(t.Context(), []Repository{w.r}, true)[0]; r.Err == nil || r.New != 0 {
		t.Errorf("%+v", r)
	}
	if err := errors.Join(os.Remove(dir), os.Rename(dir+".away", dir)); err != nil {
		t.Fatal(err)
	}
	w.look(w.announcing())
	w.announced("again", "main a, topic t")
	w.expect("once", "main a")
}

// A hook announces pushed commits, from the first push on.
func TestAnnouncePushed(t *testing.T) {
	const topic, main = "refs/heads/topic", "refs/heads/main"
	w := newWorld(t)
	w.announce()
	base := w.commit("main", "base")
	w.sh("git branch topic main")
	before := w.quiet("topic", "before")
	w.hooked(false)
	a := w.quiet("topic", "a")
	w.look(w.announcing(), Update{topic, before, a})
	w.announced("the first push", "topic a")
	b, m := w.quiet("topic", "b"), w.commit("main", "m")
	w.look(w.announcing(), Update{topic, a, b}, Update{main, base, m})
	w.announced("two branches", "topic b, main m")
	w.sh("git branch x topic")
	w.look(w.announcing(), Update{"refs/heads/x", "", b})
	w.announced("a new branch with nothing new")
	x := w.quiet("x", "x")
	w.look(w.announcing(), Update{"refs/heads/x", b, x})
	w.announced("a push to it", "x x")
	w.sh("git branch y topic")
	y := w.quiet("y", "y")
	w.look(w.announcing(), Update{"refs/heads/y", "", y})
	w.announced("a new branch", "y y")
	w.look(w.announcing(), Update{"refs/heads/y", y, ""})
	w.announced("a deleted branch")
	w.expect("reminders", "main m")
	if s, err := Hooked(w.state).Load("w"); err != nil || len(s.Positions)-len(s.Uncounted) != 1 || s.Positions["refs/heads/y"] != "" {
		t.Errorf("%+v, %v", s, err)
	}

	w = newWorld(t)
	w.announce()
	w.hooked(true)
	a = w.quiet("main", "a")
	w.look(w.announcing(), Update{main, "", a})
	w.announced("the first push into a new repository", "main a")
}

// What a forge did not list is announced with the rest of its push.
func TestAnnounceLookUp(t *testing.T) {
	w := newWorld(t)
	w.announce()
	before := w.commit("main", "old")
	w.look(w.announcing())
	for i := range 3 {
		w.quiet("main", fmt.Sprint(i))
	}
	tip := w.commit("main", "a")
	if _, err := w.announcing().CompletePush(t.Context(), w.r, Update{"refs/heads/main", before, tip}); err != nil {
		t.Fatal(err)
	}
	w.announced("looked up", "main 0, main 1, main 2, main a")
	w.expect("looked up", "main a")
}

// Of Subversion the branches are those of the paths, and the files are named.
func TestAnnounceSvn(t *testing.T) {
	w := newSvnWorld(t)
	w.announce()
	w.svnCommit("trunk/f", "old")
	w.look(w.announcing())
	w.announced("the first look")
	w.svnCommit("trunk/f", "a")
	w.svnCommit("branches/x/f", "b")
	w.look(w.announcing())
	w.announced("two commits", "trunk a trunk/f, branches/x b branches branches/x branches/x/f")
	w.expect("two commits", "trunk a")
	w.svnCommit("branches/x/f", "c")
	w.look(w.announcing("trunk"))
	w.announced("another branch")
}

// The files that a commit changed are named, of git and Mercurial.
func TestAnnounceFiles(t *testing.T) {
	w := newWorld(t)
	w.announce()
	w.commit("main", "old")
	w.look(w.announcing())
	w.sh(`blob=$(echo x | git hash-object -w --stdin)
tree=$(printf '100644 blob %s\ta b\n100644 blob %s\tü\n' $blob $blob | git mktree)
git update-ref refs/heads/main $(echo files | git commit-tree $tree -p main)`)
	w.look(w.announcing())
	w.announced("git", "main files a b ü")

	testkit.Program(t, "hg")
	w = newWorld(t)
	w.announce()
	repo := filepath.Join(t.TempDir(), "w")
	hg := func(command string) {
		cmd := exec.Command("sh", "-ec", command)
		cmd.Env = append(os.Environ(), "HGUSER=jane <jane@example.org>", "HGRCPATH=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	hg("hg init " + repo + "; cd " + repo + "; echo 1 >a; hg commit -qAm old")
	w.r = Repository{Name: "w", Kind: vcs.Hg, URL: weburl.Parse(repo), Branches: []string{"stable"}, Source: commit.FromFollow}
	w.look(w.announcing())
	hg("cd " + repo + "; echo 2 >a; echo 2 >b; hg commit -qAm new")
	w.look(w.announcing())
	w.announced("hg", "default new a b")
	hg("cd " + repo + "; hg branch -q topic; echo 3 >a; hg commit -qm t")
	w.look(w.announcing())
	w.announced("a new branch of hg", "topic t a")
}
