package follow

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/filter"
	"vext/internal/commit"
	"vext/internal/history"
	"vext/internal/testkit"
	"vext/internal/weburl"
	"vext/policy"
	"vext/queue"
	"vext/spool"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// A world is a state directory, and a repository to be followed.
type world struct {
	t     *testing.T
	state string
	git   string // the repository, bare
	r     Repository
	now   time.Time
}

func newWorld(t *testing.T) *world {
	testkit.Program(t, "git")
	w := &world{t: t, state: testkit.State(t), git: filepath.Join(t.TempDir(), "w.git"), now: now}
	w.sh("git init --quiet --bare --initial-branch=main " + w.git)
	w.r = Repository{Name: "w", URL: weburl.Parse(w.git), Branches: policy.DefaultBranches, FirstParent: true, Source: commit.FromFollow}
	return w
}

func (w *world) sh(command string) string {
	w.t.Helper()
	cmd := exec.Command("sh", "-ec", command)
	cmd.Dir = filepath.Dir(w.git)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_DIR="+w.git,
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=ann@example.org", "GIT_COMMITTER_NAME=J", "GIT_COMMITTER_EMAIL=jane@example.org",
		"GIT_AUTHOR_DATE=2026-11-19T09:00:00Z", "GIT_COMMITTER_DATE=2026-11-20T10:00:00Z")
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit makes a commit on a branch that asks for a reminder, and returns its
// hash.
func (w *world) commit(branch, subject string) string {
	return w.sh(fmt.Sprintf(`tree=$(git mktree </dev/null)
parent=$(git rev-parse --verify --quiet refs/heads/%[1]s || true)
hash=$(printf '%[2]s\n\nMFC after: 1 week\n' | git commit-tree "$tree" ${parent:+-p "$parent"})
git update-ref refs/heads/%[1]s "$hash"
echo "$hash"`, branch, subject))
}

func (w *world) follower() *Follower {
	policy := policy.Policy{Branches: policy.DefaultBranches, Allow: []string{"*@example.org"}}
	q := queue.New(w.state, policy, time.UTC, w.now)
	f, err := filter.New(q.Spool, time.Now)
	if err != nil {
		w.t.Fatal(err)
	}
	return &Follower{Store: Followed(w.state), Queue: q, Filter: f, Log: slog.New(slog.DiscardHandler)}
}

// follow looks once and returns the report, which must be without an error.
func (w *world) follow() Report {
	w.t.Helper()
	report := w.follower().Follow(w.t.Context(), []Repository{w.r}, true)[0]
	if report.Err != nil {
		w.t.Fatal(report.Err)
	}
	return report
}

// spooled returns the subjects in the spool, sorted, and empties it.
func (w *world) spooled() []string {
	w.t.Helper()
	s := spool.New(w.state)
	files, _ := s.Requests()
	var subjects []string
	for _, file := range files {
		path := s.Path(file.Name())
		f, err := os.Open(path)
		if err != nil {
			w.t.Fatal(err)
		}
		m := commit.ReadMail(f)
		f.Close()
		subjects = append(subjects, m.Commits[0].Branch()+" "+m.Commits[0].Subject)
		os.Remove(path)
	}
	slices.Sort(subjects)
	return subjects
}

func (w *world) expect(what string, want ...string) {
	w.t.Helper()
	if got := w.spooled(); !slices.Equal(got, want) {
		w.t.Errorf("%s: spooled %q, want %q", what, got, want)
	}
}

func (w *world) load() *State {
	w.t.Helper()
	s, err := Followed(w.state).Load("w")
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// The last arrival of each day is remembered, and what was there before is none.
func TestArrivals(t *testing.T) {
	w := newWorld(t)
	w.commit("main", "one")
	w.follow()
	if s := w.load(); len(s.Arrivals) > 0 {
		t.Errorf("of what was there before: %v", s.Arrivals)
	}
	for day, subjects := range []int{1, 0, 2, 1} {
		for i := range subjects {
			w.now = now.AddDate(0, 0, day).Add(time.Duration(i) * time.Hour)
			w.commit("main", fmt.Sprint(day, i))
			w.follow()
		}
	}
	w.now = w.now.AddDate(0, 0, 30)
	w.follow()
	want := []time.Time{now, now.AddDate(0, 0, 2).Add(time.Hour), now.AddDate(0, 0, 3)}
	if got := w.load().Arrivals; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	s := new(State)
	for i := range 2 * maxArrivals {
		s.arrived(now.AddDate(0, 0, i))
	}
	s.arrived(now) // the clock was ahead
	if len(s.Arrivals) != 1 {
		t.Errorf("%d arrivals, the last %v", len(s.Arrivals), s.Arrivals[len(s.Arrivals)-1])
	}
}

// What was there at the first look is not new; what comes then is, once.
func TestFollow(t *testing.T) {
	w := newWorld(t)
	w.commit("main", "old")
	w.follow()
	w.expect("the first look")
	w.commit("main", "a")
	w.commit("topic", "not on a branch that counts")
	w.commit("main", "b")
	if r := w.follow(); r.Commits != 2 || r.New != 2 {
		t.Errorf("%+v", r)
	}
	w.expect("new ones", "main a", "main b")
	w.follow()
	w.expect("nothing new")
	w.sh("git branch master main~1")
	w.follow()
	w.expect("a new branch with nothing new")
	w.commit("master", "c")
	w.sh("git branch trunk master")
	w.follow()
	w.expect("the same commit on two branches", "master c", "trunk c")
	w.sh("git branch -D trunk")
	w.follow()
	w.expect("a branch that was deleted")
	if _, there := w.load().Positions["refs/heads/trunk"]; there {
		t.Error("a branch that was deleted still has a position")
	}
}

func TestFrom(t *testing.T) {
	w := newWorld(t)
	first := w.commit("main", "first")
	w.commit("main", "second")
	w.r.From = first
	w.follow()
	w.expect("from a commit", "main second")
	for from, want := range map[string][]string{"2026-11-20": {"main first", "main second"}, "2026-11-21": nil, "2000-01-01T00:00:00Z": {"main first", "main second"}} {
		os.RemoveAll(filepath.Join(w.state, "repositories"))
		w.r.From = from
		w.follow()
		w.expect(from, want...)
	}
	os.RemoveAll(filepath.Join(w.state, "repositories"))
	w.r.From = "yesterday"
	if r := w.follower().Follow(t.Context(), []Repository{w.r}, true)[0]; r.Err == nil || !strings.Contains(r.Err.Error(), `"yesterday"`) {
		t.Errorf("%v", r.Err)
	}
}

// An empty repository's first push is all new.
func TestFirstPush(t *testing.T) {
	w := newWorld(t)
	if r := w.follow(); len(r.Messages) != 1 {
		t.Errorf("messages %q", r.Messages)
	}
	w.commit("main", "root")
	w.follow()
	w.expect("the root commit", "main root")
}

// A configured branch that does not exist causes a warning; so is a repository of which
// no branch counts.
func TestWarnings(t *testing.T) {
	w := newWorld(t)
	w.commit("master-2025", "a")
	w.follow()
	if s := w.load(); len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "master-2025") {
		t.Errorf("%q", s.Warnings)
	}
	w.commit("main", "b")
	w.r.Branches, w.r.Explicit = []string{"main", "stable/*"}, true
	w.follow()
	if s := w.load(); len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], `"stable/*"`) {
		t.Errorf("%q", s.Warnings)
	}
}

// A forced update brings what is new since the merge base, once, and says what
// is gone; the reminder that waits for it is marked.
func TestForced(t *testing.T) {
	w := newWorld(t)
	base := w.commit("main", "base")
	w.follow()
	gone := w.commit("main", "gone")
	w.follow()
	w.expect("before", "main gone")
	w.sh("git update-ref refs/heads/main " + base)
	w.commit("main", "instead")
	r := w.follow()
	w.expect("forced", "main instead")
	if len(r.Messages) != 1 || !strings.Contains(r.Messages[0], "1 commit gone") {
		t.Errorf("messages %q", r.Messages)
	}
	if s := w.load(); len(s.Vanished) != 1 || s.Vanished[0].Revision != gone {
		t.Errorf("%+v", s.Vanished)
	}
	in := &Sources{Followed: w.follower(), Hooked: &Follower{Store: Hooked(w.state), Queue: w.follower().Queue}}
	var vanished []history.Event
	record := func(events []history.Event) ([]history.Event, error) {
		vanished = append(vanished, events...)
		return nil, nil
	}
	for range 2 {
		if err := in.Vanished(t.Context(), record); err != nil {
			t.Fatal(err)
		}
	}
	if len(vanished) != 1 || vanished[0].Key != "w@"+gone {
		t.Errorf("vanished %+v", vanished)
	}
	w.follow()
	w.expect("afterwards")
}

// A history that was written anew from its root is not taken in as new.
func TestReplaced(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		w.commit("main", fmt.Sprint("old ", i))
	}
	w.follow()
	w.sh("git update-ref -d refs/heads/main")
	for i := range 5 {
		w.commit("main", fmt.Sprint("anew ", i))
	}
	w.now = now.AddDate(0, 1, 0) // the commits are of a month before
	s := w.load()
	s.LastOK = w.now.AddDate(0, 0, -2)
	if err := Followed(w.state).Save(s); err != nil {
		t.Fatal(err)
	}
	if r := w.follow(); len(r.Messages) != 1 || !strings.Contains(r.Messages[0], "nothing in common") {
		t.Errorf("messages %q", r.Messages)
	}
	w.expect("a history written anew")
}

// The position is gone with the copy: what was committed since the last look
// is taken, and not all of history.
func TestLostPosition(t *testing.T) {
	w := newWorld(t)
	base := w.commit("main", "base")
	w.follow()
	w.commit("main", "seen")
	w.follow()
	w.spooled()
	w.sh("git update-ref refs/heads/main " + base + "; git reflog expire --expire=all --all; git gc --quiet --prune=now")
	w.commit("main", "new")
	os.RemoveAll(filepath.Join(w.state, "repositories", "w.git"))
	r := w.follow()
	w.expect("since the last look", "main new")
	if len(r.Messages) != 1 {
		t.Errorf("messages %q", r.Messages)
	}
}

// One that fails does not hold up another, is left alone for a while, and goes
// on where it was.
func TestFailure(t *testing.T) {
	w := newWorld(t)
	w.commit("main", "old")
	w.follow()
	broken := w.r
	broken.Name, broken.URL = "broken", weburl.Parse(filepath.Join(t.TempDir(), "missing.git"))
	look := func() []Report { return w.follower().Follow(t.Context(), []Repository{broken, w.r}, false) }
	w.commit("main", "a")
	if r := look(); r[0].Err == nil || r[1].Err != nil {
		t.Errorf("%v, %v", r[0].Err, r[1].Err)
	}
	w.expect("the other", "main a")
	if r := look(); r[0].Err == nil {
		t.Error("the second try comes at once")
	}
	if r := look(); r[0].Err != nil || !r[0].RetryAt.Equal(now.Add(5*time.Minute)) {
		t.Errorf("paused until %v, %v", r[0].RetryAt, r[0].Err)
	}
	w.now = now.Add(25 * time.Hour)
	in := &Sources{Followed: w.follower(), Hooked: &Follower{Store: Hooked(w.state)}, Names: []string{"broken"}}
	if alerts := in.Alerts(w.now); len(alerts) != 1 || alerts[0].Subject != "broken" || !alerts[0].Since.Equal(now) {
		t.Errorf("%+v", alerts)
	}
	broken.URL = weburl.Parse(w.git) // mended
	if r := look(); r[0].Err != nil {
		t.Error(r[0].Err)
	}
	if alerts := in.Alerts(w.now); len(alerts) != 0 {
		t.Errorf("%+v", alerts)
	}
}

// The position does not move when the spool can't take what is before it.
func TestSpoolBroken(t *testing.T) {
	w := newWorld(t)
	w.commit("main", "old")
	w.follow()
	w.commit("main", "a")
	if err := os.RemoveAll(filepath.Join(w.state, "spool")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.state, "spool"), nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if r := w.follower().Follow(t.Context(), []Repository{w.r}, true)[0]; r.Err == nil {
		t.Fatal("no error")
	}
	if err := os.Remove(filepath.Join(w.state, "spool")); err != nil {
		t.Fatal(err)
	}
	w.follow()
	w.expect("afterwards", "main a")
}

func TestCommittersAndDomain(t *testing.T) {
	w := newWorld(t)
	w.follow()
	w.commit("main", "by jane")
	w.r.Committers = []string{"ann@example.org"}
	w.follow()
	w.expect("of somebody else")
	for email, want := range map[string]string{"jane": "jane@example.net", "jane@x": "jane@x", "": ""} {
		c := commit.Commit{Committer: commit.Person{Name: "J", Email: email}}
		(&Repository{Domain: "example.net"}).complete(&c)
		if c.Committer.Email != want {
			t.Errorf("%q: %q", email, c.Committer.Email)
		}
	}
}

// Two at once do the work once.
func TestTogether(t *testing.T) {
	w := newWorld(t)
	w.follow()
	for i := range 20 {
		w.commit("main", fmt.Sprint("c", i))
	}
	done := make(chan Report)
	for range 4 {
		go func() { done <- w.follower().one(context.WithoutCancel(t.Context()), &w.r, true, nil, time.Minute) }()
	}
	isNew := 0
	for range 4 {
		r := <-done
		if r.Err != nil {
			t.Error(r.Err)
		}
		isNew += r.New
	}
	if isNew != 20 {
		t.Errorf("%d new", isNew)
	}
}

// Commits of one second, clocks that run backwards, and a hundred thousand at
// once.
func TestMany(t *testing.T) {
	w := newWorld(t)
	w.follow()
	const n = 100_000
	var b strings.Builder
	for i := 1; i <= n; i++ {
		message := fmt.Sprintf("c%d\n", i)
		if i%1000 == 0 {
			message += "\nMFC after: 1 week\n"
		}
		at := 1700000000 - i%7*1000
		fmt.Fprintf(&b, "commit refs/heads/main\nmark :%d\ncommitter J <jane@example.org> %d +0000\ndata %d\n%s\n", i, at, len(message), message)
		if i > 1 {
			fmt.Fprintf(&b, "from :%d\n", i-1)
		}
	}
	file := filepath.Join(t.TempDir(), "import")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	w.sh("git fast-import --quiet <" + file)
	if r := w.follow(); r.Commits != n || r.New != n/1000 {
		t.Errorf("%d commits, %d new", r.Commits, r.New)
	}
	if got := len(w.spooled()); got != n/1000 {
		t.Errorf("%d in the spool", got)
	}
}

func TestFileNames(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"src", "freebsd/src", "freebsd=2Fsrc", "..", ".", "../x", "a b", "ä", "a.json", "-"} {
		file := fileName(name)
		if strings.ContainsAny(file, "/ ") || strings.HasPrefix(file, ".") || seen[file] != "" {
			t.Errorf("%q: %q, as %q", name, file, seen[file])
		}
		seen[file] = name
	}
}

func TestParseUpdates(t *testing.T) {
	zero, a, b := strings.Repeat("0", 40), strings.Repeat("a", 40), strings.Repeat("b", 40)
	got := ParseUpdates(zero + " " + a + " refs/heads/new\n" + a + " " + b + " refs/heads/main\n\n" + b + " " + zero + " refs/heads/old\n")
	want := []Update{{"refs/heads/new", "", a}, {"refs/heads/main", a, b}, {"refs/heads/old", b, ""}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	for _, text := range []string{"", "\n", "x", "a b c\n", a + " " + b + "\n", "-x " + a + " refs/heads/main\n"} {
		if got := ParseUpdates(text); got != nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}
