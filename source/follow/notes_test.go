package follow

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/internal/commit"
	"vext/internal/vcs"
	"vext/internal/weburl"
	"vext/policy"
	"vext/spool"
)

// note adds a note about a commit, as ida.
func (w *world) note(revision, text string) {
	w.sh(fmt.Sprintf("GIT_COMMITTER_NAME=Ida GIT_COMMITTER_EMAIL=ida@example.org git notes --ref=mfc append -m '%s' %s", text, revision))
}

// plain makes a commit on main that asks for nothing.
func (w *world) plain(subject string) string {
	return w.sh(fmt.Sprintf(`tree=$(git mktree </dev/null)
parent=$(git rev-parse --verify --quiet refs/heads/main || true)
hash=$(printf '%s\n' | git commit-tree "$tree" ${parent:+-p "$parent"})
git update-ref refs/heads/main "$hash"
echo "$hash"`, subject))
}

// asked returns the requests in the spool, sorted, and empties it.
func (w *world) asked() (all []string) {
	w.t.Helper()
	s := spool.New(w.state)
	files, _ := s.Requests()
	for _, file := range files {
		f, err := os.Open(s.Path(file.Name()))
		if err != nil {
			w.t.Fatal(err)
		}
		c := commit.ReadMail(f).Commits[0]
		f.Close()
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s, %s, %s, by %s, %s", c.Subject, c.Branch(), c.Asked.Line, c.Asked.By.Email, strings.Join(c.Asked.To, " "))))
		os.Remove(s.Path(file.Name()))
	}
	slices.Sort(all)
	return all
}

func (w *world) expectAsked(what string, want ...string) {
	w.t.Helper()
	if got := w.asked(); !slices.Equal(got, want) {
		w.t.Errorf("%s: spooled %q, want %q", what, got, want)
	}
}

// Notes in a followed repository ask as trailers do. Those of before the first look do not.
func TestNotesFollowed(t *testing.T) {
	for _, url := range []string{"", "file://"} { // the second without blobs
		t.Run("url "+url, func(t *testing.T) {
			w := newWorld(t)
			w.sh("git config uploadpack.allowFilter true; git config uploadpack.allowAnySHA1InWant true")
			w.r.URL = weburl.Parse(url + w.git)
			w.r.Notes = vcs.NotesRef("mfc")
			one, two := w.plain("one"), w.plain("two")
			w.note(one, "MFC after: 1 day")
			w.follow()
			w.expectAsked("the first look")
			w.note(two, "Please.\n\nMFC after: 2 weeks\nMFC to: stable/15, stable/14")
			w.follow()
			w.expectAsked("a note", "two, main, MFC after: 2 weeks, by ida@example.org, stable/15 stable/14")
			w.follow()
			w.expectAsked("nothing new")
			w.note(one, "MFC after: 3 days")
			three := w.plain("three")
			w.note(three, "reviewed twice")
			w.note(two, "MFC after: soon")
			w.follow()
			w.expectAsked("a longer note", "one, main, MFC after: 3 days, by ida@example.org,", "two, main, MFC after: 2 weeks, by ida@example.org, stable/15 stable/14")
			w.sh("git notes --ref=mfc remove " + one)
			w.follow()
			w.expectAsked("a removed note")
			if s := w.load(); s.NotesAt["refs/notes/mfc"] != w.sh("git rev-parse refs/notes/mfc") {
				t.Errorf("the position is %q", s.NotesAt)
			}
		})
	}
}

// The ref may appear later, its tree may fan out, and a note may be about a commit that is
// on no branch that counts, or not be understood: then the operator can see why nothing came.
func TestNotesOddities(t *testing.T) {
	w := newWorld(t)
	w.r.Notes = vcs.NotesRef("mfc")
	one := w.plain("one")
	w.follow()
	w.sh(fmt.Sprintf(`blob=$(printf 'MFC after: 1 week\n' | git hash-object -w --stdin)
inner=$(printf '100644 blob %%s\t%s\n' "$blob" | git mktree)
outer=$(printf '040000 tree %%s\t%s\n' "$inner" | git mktree)
git update-ref refs/notes/mfc $(git commit-tree -m notes "$outer")`, one[2:], one[:2]))
	w.follow()
	w.expectAsked("a tree that fans out", "one, main, MFC after: 1 week, by jane@example.org,")
	lost := w.sh("git commit-tree -m lost $(git mktree </dev/null)")
	w.note(lost, "MFC after: 1 week")
	two := w.plain("two")
	w.note(two, "MFC after: soon")
	w.follow()
	w.expectAsked("what can't count")
	var notes []string
	for _, n := range w.load().Notes {
		notes = append(notes, n.Text)
	}
	text := strings.Join(notes, "\n")
	if len(notes) != 2 || !strings.Contains(text, "on no branch that counts") || !strings.Contains(text, "MFC after: soon") {
		t.Errorf("noted %q", notes)
	}
	w.sh("git update-ref -d refs/notes/mfc; git notes --ref=mfc add -m 'MFC after: 2 weeks' " + two) // another history
	w.follow()
	w.expectAsked("a replaced ref", "two, main, MFC after: 2 weeks, by jane@example.org,")
}

// The hook of a repository on this machine runs for a push of notes, too.
func TestNotesHooked(t *testing.T) {
	w := newWorld(t)
	w.r = Repository{Name: "w", Path: w.git, Branches: policy.DefaultBranches, Source: commit.FromHook, Notes: vcs.NotesRef("mfc")}
	one := w.plain("one")
	w.pushed()
	w.note(one, "MFC after: 1 week")
	tip := w.sh("git rev-parse refs/notes/mfc")
	w.now = w.now.Add(time.Hour)
	w.pushed(Update{Refname: "refs/notes/mfc", New: tip})
	w.expectAsked("a push of notes", "one, main, MFC after: 1 week, by ida@example.org,")
}

// A failure to store leaves the position, so that the next look stores the request.
func TestNotesSpoolBroken(t *testing.T) {
	w := newWorld(t)
	w.r.Notes = vcs.NotesRef("mfc")
	one := w.plain("one")
	w.follow()
	w.note(one, "MFC after: 1 week")
	dir := spool.New(w.state).Dir()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := w.follower().Follow(t.Context(), []Repository{w.r}, true)[0]; r.Err == nil {
		t.Error("no error")
	}
	os.Remove(dir)
	w.follow()
	w.expectAsked("afterwards", "one, main, MFC after: 1 week, by ida@example.org,")
}
