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
	"vext/policy"
)

// A log of Subversion in which revisions can be missing, as a mirror shows it
// that lags behind.
const lyingSvn = `#!/bin/sh
case $* in
*" log "*) "$REAL_SVN" "$@" | awk -v hide="$(cat "$HIDDEN" 2>/dev/null)" '
	/<logentry/ { skip = 0; held = $0 "\n"; next }
	held != "" { held = held $0 "\n"; if ($0 ~ /revision="/) { split(hide, h, " "); for (i in h) if ($0 ~ "\"" h[i] "\"") skip = 1; if (!skip) printf "%s", held; held = "" } ; next }
	!skip { print }
	/<\/logentry>/ { skip = 0 }' ;;
*) exec "$REAL_SVN" "$@" ;;
esac
`

type svnWorld struct {
	*world
	repo, tree, hidden string
}

func newSvnWorld(t *testing.T) *svnWorld {
	svn := testkit.Program(t, "svn")
	testkit.Program(t, "svnadmin")
	w := &svnWorld{world: newWorld(t)}
	dir := t.TempDir()
	w.repo, w.tree, w.hidden = filepath.Join(dir, "w"), filepath.Join(dir, "tree"), filepath.Join(dir, "hidden")
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "svn"), []byte(lyingSvn), 0o755); err != nil {
		t.Fatal(err)
	}
	w.sh(fmt.Sprintf("svnadmin create %s; svn checkout --quiet file://%s %s", w.repo, w.repo, w.tree))
	t.Setenv("REAL_SVN", svn)
	t.Setenv("HIDDEN", w.hidden)
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	w.r = Repository{Name: "w", Kind: vcs.Svn, URL: weburl.Parse("file://" + w.repo), Branches: policy.DefaultBranches, Domain: "example.org", Source: commit.FromFollow}
	return w
}

func (w *svnWorld) svnCommit(path, subject string) {
	w.t.Helper()
	w.sh(fmt.Sprintf("cd %[1]s; mkdir -p $(dirname %[2]s); echo '%[3]s' >%[2]s; svn add --quiet --force --parents %[2]s; svn commit --quiet --username jane -m '%[3]s\n\nMFC after: 1 week'",
		w.tree, path, strings.ReplaceAll(subject, "'", "")))
}

// Revisions are taken in their order; one that is missing is waited for, for an
// hour, and then skipped.
func TestGap(t *testing.T) {
	w := newSvnWorld(t)
	w.svnCommit("trunk/a", "r1")
	w.follow()
	w.expect("the first look")
	w.svnCommit("trunk/a", "r2")
	w.svnCommit("branches/1/a", "r3, not on a branch that counts")
	w.svnCommit("trunk/a", "r4")
	w.svnCommit("trunk/a", "r5")
	hide := func(text string) {
		if err := os.WriteFile(w.hidden, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hide("4")
	if r := w.follow(); len(r.Messages) != 1 || !strings.Contains(r.Messages[0], "r4 is missing") {
		t.Errorf("messages %q", r.Messages)
	}
	w.expect("up to the gap", "trunk r2")
	if s := w.load(); s.Positions[""] != "r3" || s.Gap == nil {
		t.Errorf("%+v", s)
	}
	w.now = now.Add(30 * time.Minute)
	hide("")
	w.follow()
	w.expect("the gap was filled", "trunk r4", "trunk r5")
	if s := w.load(); s.Positions[""] != "r5" || s.Gap != nil {
		t.Errorf("%+v", s)
	}
	w.svnCommit("trunk/a", "r6")
	w.svnCommit("trunk/a", "r7")
	hide("6")
	w.follow()
	w.expect("another gap")
	w.now = w.now.Add(59 * time.Minute)
	w.follow()
	w.expect("still waiting")
	w.now = w.now.Add(time.Minute)
	if r := w.follow(); len(r.Messages) != 1 || !strings.Contains(r.Messages[0], "r6 is still missing") {
		t.Errorf("messages %q", r.Messages)
	}
	w.expect("skipped", "trunk r7")
	s := w.load()
	if len(s.Notes) != 1 || s.Gap != nil || s.Positions[""] != "r7" {
		t.Errorf("%+v", s)
	}
	w.svnCommit("trunk/a", "r8")
	hide("8")
	w.follow()
	w.now = w.now.Add(2 * time.Hour)
	w.follow()
	w.expect("the last one never came")
	if s := w.load(); s.Positions[""] != "r8" {
		t.Errorf("%+v", s)
	}
}

func TestSvnBranches(t *testing.T) {
	w := newSvnWorld(t)
	w.follow()
	w.svnCommit("trunk/a", "on trunk")
	w.svnCommit("widget/trunk/a", "below a project")
	w.svnCommit("README", "nowhere")
	w.svnCommit("stable/9/a", "on stable")
	w.follow()
	w.expect("branches from the layout", " nowhere", "trunk below a project", "trunk on trunk")
	w.r.Branches, w.r.Explicit = []string{"stable/*"}, true
	os.RemoveAll(filepath.Join(w.state, "repositories"))
	w.r.From = "2000-01-01"
	w.r.URL = weburl.Parse(w.r.URL.String() + "/stable")
	w.follow()
	w.expect("only below the URL", "stable/9 on stable")
}

func TestSvnWarnings(t *testing.T) {
	w := newSvnWorld(t)
	if r := w.follow(); len(r.Messages) != 0 {
		t.Errorf("of an empty repository: %q", r.Messages)
	}
	w.svnCommit("README", "flat")
	if r := w.follow(); len(r.Messages) != 0 {
		t.Errorf("of one without a layout: %q", r.Messages)
	}
	w.svnCommit("stable/9/a", "on stable")
	if r := w.follow(); len(r.Messages) != 1 || !strings.Contains(r.Messages[0], "stable/9") {
		t.Errorf("none counts: %q", r.Messages)
	}
	w.svnCommit("trunk/a", "on trunk")
	w.r.Branches, w.r.Explicit = []string{"trunk", "branches/*"}, true
	if r := w.follow(); len(r.Messages) != 1 || !strings.Contains(r.Messages[0], `"branches/*"`) {
		t.Errorf("one matches nothing: %q", r.Messages)
	}
	w.follow()
	if s := w.load(); len(s.Warnings) != 1 {
		t.Errorf("it is forgotten: %q", s.Warnings)
	}
}
