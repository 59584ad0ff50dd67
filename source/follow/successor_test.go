package follow

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vext/internal/history"
	"vext/internal/testkit"
	"vext/internal/vcs"
	"vext/policy"
)

// change makes a commit on main that appends to a file, and returns its hash.
func (w *world) change(file, text, message string) string {
	return w.sh(fmt.Sprintf(`export GIT_INDEX_FILE=$(mktemp -u)
if git rev-parse --verify --quiet main >/dev/null; then git read-tree main; fi
blob=$( (git cat-file -p :%[1]s 2>/dev/null || true; echo '%[2]s') | git hash-object -w --stdin)
git update-index --add --cacheinfo 100644,$blob,%[1]s
tree=$(git write-tree)
parent=$(git rev-parse --verify --quiet refs/heads/main || true)
hash=$(printf '%[3]s\n' | git commit-tree "$tree" ${parent:+-p "$parent"})
git update-ref refs/heads/main "$hash"
echo "$hash"`, file, text, message))
}

// What was amended in its message, or rebased, has a successor; what changes
// something else, or has another subject, author or date, has none.
func TestSuccessors(t *testing.T) {
	const base = "refs/heads/main"
	for _, test := range []struct {
		name  string
		again func(w *world, base string) string // returns the successor
	}{
		{"its message was amended", func(w *world, base string) string {
			return w.change("a", "x", "subject\n\nmore words\n\nMFC after: 3 weeks")
		}},
		{"it was rebased", func(w *world, base string) string {
			w.change("b", "y", "in between")
			return w.change("a", "x", "subject"+asks)
		}},
		{"it was rebased with others", func(w *world, base string) string {
			w.change("c", "z", "subject"+asks) // of the same subject, author and date
			return w.change("a", "x", "subject"+asks)
		}},
		{"its change was amended", func(w *world, base string) string {
			w.change("a", "x and more", "subject"+asks)
			return ""
		}},
		{"another subject", func(w *world, base string) string {
			w.change("a", "x", "a better subject"+asks)
			return ""
		}},
		{"another author date", func(w *world, base string) string {
			hash := w.change("a", "x", "subject"+asks)
			w.sh(fmt.Sprintf("export GIT_AUTHOR_DATE=2026-11-19T09:00:01Z; git update-ref %s $(git log -1 --format=%%B %s | git commit-tree %s^{tree} -p %s)", "refs/heads/main", hash, hash, base))
			return ""
		}},
		{"it does not ask any more", func(w *world, base string) string {
			w.change("a", "x", "subject")
			return ""
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.t = t
			first := w.change("a", "1", "first")
			w.follow()
			gone := w.change("a", "x", "subject"+asks)
			w.follow()
			w.expect("before", "main subject")
			w.sh("git update-ref " + base + " " + first)
			want := test.again(w, first)
			w.follow()
			s := w.load()
			if len(s.Vanished) != 1 || s.Vanished[0].Revision != gone || s.Vanished[0].Successor != want {
				t.Errorf("%+v, want successor %s", s.Vanished, want)
			}
			if s.Positions[base] != w.sh("git rev-parse main") {
				t.Errorf("%+v", s.Positions)
			}
		})
	}
}

// After a history was written anew from its root, with the dates that it had,
// what waits has a successor all the same, and that is spooled; nothing else of
// the past is.
func TestSuccessorsOfAll(t *testing.T) {
	w := newWorld(t)
	w.change("a", "1", "first")
	w.follow()
	past := w.change("a", "2", "reminded of"+asks)
	gone := w.change("a", "3", "waits"+asks)
	w.follow()
	w.spooled()
	h := history.New(w.state)
	for _, e := range []history.Event{
		{Kind: history.Queued, Name: "past", Key: "w@" + past}, {Kind: history.Sent, Name: "past", Key: "w@" + past},
		{Kind: history.Queued, Name: "gone", Key: "w@" + gone},
	} {
		e.Time = now
		if err := h.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	w.now = now.AddDate(0, 0, 5)
	s := w.load()
	s.LastOK = w.now
	if err := Followed(w.state).Save(s); err != nil {
		t.Fatal(err)
	}
	w.sh("git update-ref -d refs/heads/main")
	w.change("a", "1", "first, without the password")
	w.change("a", "2", "reminded of"+asks)
	is := w.change("a", "3", "waits"+asks)
	w.follow()
	w.expect("written anew", "main waits")
	found := ""
	for _, g := range w.load().Vanished {
		if g.Revision == gone {
			found = g.Successor
		}
	}
	if found != is {
		t.Errorf("%+v, want %s", w.load().Vanished, is)
	}
	w.follow()
	w.expect("and again")
}

// A git that can't compare changes is asked again, and keeps nothing from being
// spooled in the end.
func TestSuccessorsUnknown(t *testing.T) {
	w := newWorld(t)
	first := w.change("a", "1", "first")
	w.follow()
	w.change("a", "x", "subject"+asks)
	w.follow()
	w.spooled()
	w.sh("git update-ref refs/heads/main " + first)
	w.change("a", "x", "subject"+`\n\nbetter\n\nMFC after: 1 week`)
	bin := t.TempDir()
	fails := fmt.Sprintf("#!/bin/sh\ncase \" $* \" in *' patch-id '*) echo no >&2; exit 1;; esac\nexec %s \"$@\"\n", testkit.Program(t, "git"))
	if err := os.WriteFile(filepath.Join(bin, "git"), []byte(fails), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	for range maxCompareFailures {
		w.fails()
		w.expect("not compared")
	}
	wantMessage(t, w.follow(), "cannot find out", "git patch-id")
	w.expect("spooled", "main subject")
	if s := w.load(); len(s.Vanished) != 1 || s.Vanished[0].Successor != "" {
		t.Errorf("%+v", s.Vanished)
	}
}

// A hook sees each push, and finds the successor as well.
func TestSuccessorPushed(t *testing.T) {
	w := newWorld(t)
	first := w.change("a", "1", "first")
	w.hooked(false)
	gone := w.change("a", "x", "subject"+asks)
	w.pushed(Update{"refs/heads/main", first, gone})
	w.spooled()
	w.sh("git update-ref refs/heads/main " + first)
	is := w.change("a", "x", strings.ReplaceAll("subject"+asks, "1 week", "2 weeks"))
	f := w.follower()
	f.Store = Hooked(w.state)
	w.r = Repository{Name: "w", Path: w.git, Branches: policy.DefaultBranches, Source: w.r.Source, Kind: vcs.Git}
	if r := f.FollowPush(t.Context(), w.r, []Update{{"refs/heads/main", gone, is}}); r.Err != nil {
		t.Fatal(r.Err)
	}
	w.expect("pushed", "main subject")
	s, err := f.Store.Load("w")
	if err != nil || len(s.Vanished) != 1 || s.Vanished[0].Successor != is {
		t.Errorf("%v, %+v", err, s.Vanished)
	}
}
