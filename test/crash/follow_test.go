//go:build linux

package crash

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vext/internal/testkit"
)

// startingPrograms is a transport whose programs start others.
type startingPrograms struct{ transport }

func (startingPrograms) startsPrograms() bool { return true }

// A pushed repository has a hook of vext, and was pushed to while vext was not
// there.
type pushed struct {
	dir, state string
	tip        string
	asking     []string // the names that its commits have in the spool
}

func newPushed(t *testing.T) *pushed {
	t.Helper()
	testkit.Program(t, "git")
	p := &pushed{dir: filepath.Join(t.TempDir(), "src.git"), state: testkit.State(t)}
	w := newWorld(t, "", openMaildir, false)
	defer w.remove()
	w.state = p.state
	sh := func(script string) string {
		t.Helper()
		cmd := exec.Command("/bin/sh", "-ec", script)
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + w.root, "GIT_DIR=" + p.dir, "GIT_AUTHOR_NAME=J", "GIT_AUTHOR_EMAIL=j@example.org",
			"GIT_COMMITTER_NAME=J", "GIT_COMMITTER_EMAIL=j@example.org", "GIT_AUTHOR_DATE=2020-12-30T10:00:00Z", "GIT_COMMITTER_DATE=2020-12-30T10:00:00Z",
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	sh("git init --quiet --bare --initial-branch=main $GIT_DIR")
	if r := w.exec(nil, vext(w, "hook", "install", p.dir)...); r.exit != 0 {
		t.Fatalf("vext hook install ends with %d:\n%s", r.exit, r.stderr)
	}
	const commit = `hash=$(printf '%s' "$MESSAGE" | git commit-tree ${parent:+-p $parent} $(git mktree </dev/null)); parent=$hash; git update-ref refs/heads/main $hash; `
	out := sh(`MESSAGE='one

MFC after: 1 week'; ` + commit + `echo $hash
MESSAGE='two'; ` + commit + `
MESSAGE='three

MFC after: 2 weeks'; ` + commit + `echo $hash`)
	for hash := range strings.FieldsSeq(out) {
		p.asking, p.tip = append(p.asking, hash+"+main@src"), hash
	}
	slices.Sort(p.asking)
	return p
}

// Wherever the worker of a hook dies or fails, its position does not move past
// a commit that is not in the spool, and the next look brings what is missing,
// once.
func TestHook(t *testing.T) {
	t.Parallel()
	p := newPushed(t)
	open := func(w *world) transport { return startingPrograms{openMaildir(w)} }
	walk(t, &job{
		world: func(t *testing.T) *world { return newWorld(t, p.state, open, false) },
		args:  func(w *world) []string { return vext(w, "hook", "work", "src") },
		// Not close: a pipe of git's that is not closed is waited for.
		only: []string{
			"openat", "write", "newfstatat", "fstat", "fsync", "flock", "utimensat",
			"mkdirat", "rename", "renameat", "renameat2", "unlinkat",
		},
		check: p.check,
	})
}

func (p *pushed) check(w *world, f fault, r result) {
	if f != kill && r.exit != 0 && r.exit != 1 {
		w.errorf("it ends with %d:\n%s", r.exit, r.stderr)
	}
	var state struct{ Positions map[string]string }
	data, err := os.ReadFile(filepath.Join(w.state, "hooks", "src.positions"))
	if err == nil {
		err = json.Unmarshal(data, &state)
	}
	if err != nil {
		w.errorf("the position is lost: %v", err)
	}
	if state.Positions["refs/heads/main"] == p.tip {
		w.holds("spool", p.asking...)
	}
	if r := w.exec(nil, vext(w, "hook", "work", "src")...); r.exit != 0 {
		w.errorf("the next look ends with %d:\n%s", r.exit, r.stderr)
	}
	w.holds("spool", p.asking...)
	w.runs(afterDue)
	w.runs(farFuture())
	for _, dir := range []string{"tmp", "spool", "queue", "failed"} {
		w.holds(dir)
	}
	w.events()
	w.countsSent(len(p.asking))
}
