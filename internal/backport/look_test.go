package backport

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// states writes a report in short: "stable/15=merged stable/14=unknown reverted fixes:2".
func states(r *Report) string {
	var words []string
	for _, t := range r.Targets {
		words = append(words, t.Branch+"="+string(t.State))
	}
	if r.Reverted != nil {
		words = append(words, "reverted")
	}
	if len(r.Fixes) > 0 {
		words = append(words, fmt.Sprintf("fixes:%d", len(r.Fixes)))
	}
	return strings.Join(words, " ")
}

func ask(t *testing.T, g *looker, revision string, marks ...Mark) Report {
	t.Helper()
	reports, err := g.Look(t.Context(), []Question{{Revision: revision, Targets: []string{"new", "old"}, Marks: marks}}, false)
	if err != nil {
		t.Fatal(err)
	}
	return reports[0]
}

func file(path string, lines ...string) map[string]string {
	return map[string]string{path: strings.Join(lines, "\n") + "\n"}
}

// TestLook has one history for each case in which a commit gets to a branch, or does not.
func TestLook(t *testing.T) {
	for name, test := range map[string]struct {
		make func(m *made) *madeCommit
		want string
	}{
		"nothing": {func(m *made) *madeCommit {
			return m.commit("main", "ida", "a: change", file("a", "1"))
		}, "new=unknown old=unknown"},
		"picked": {func(m *made) *madeCommit {
			c := m.commit("main", "ida", "a: change", file("a", "1"))
			m.commit("new", "ida", "a: change\n\n(cherry picked from commit "+c.hash+")\n", file("a", "1"))
			return c
		}, "new=merged old=unknown"},
		"through another branch": {func(m *made) *madeCommit {
			c := m.commit("main", "ida", "a: change", file("a", "1"))
			n := m.commit("new", "ida", "a: change\n\n(cherry picked from commit "+c.hash+")\n", file("a", "1"))
			m.commit("old", "ida", "a: change\n\n(cherry picked from commit "+n.hash+")\n", file("a", "2"))
			return c
		}, "new=merged old=merged"},
		"several lines": {func(m *made) *madeCommit {
			c := m.commit("main", "ida", "a: change", file("a", "1"))
			m.commit("new", "ida", "a: change\n\n(cherry picked from commit "+c.hash+")\n(cherry picked from commit 0123456789012345678901234567890123456789)\n", file("a", "2"))
			return c
		}, "new=merged old=unknown"},
		"upstream": {func(m *made) *madeCommit {
			c := m.commit("main", "ida", "a: change", file("a", "1"))
			m.commit("new", "ida", "a: change\n\ncommit "+c.hash+" upstream.\n\nText\n", file("a", "2"))
			m.commit("old", "ida", "a: change\n\n[ Upstream commit "+c.hash+" ]\n\nText\n", file("a", "2"))
			return c
		}, "new=merged old=merged"},
		"by number": {func(m *made) *madeCommit {
			c := m.commit("main", "ida", "a: change\n\ngit-svn-id: https://svn.example.org/src@123 0-0\n", file("a", "1"))
			m.commit("new", "ida", "MFC r123:\n\na: change\n", file("a", "2"))
			m.commit("old", "ida", "MFC r1234: another\n", file("a", "2"))
			return c
		}, "new=merged old=unknown"},
		"abbreviated": {func(m *made) *madeCommit {
			c := m.commit("main", "ida", "a: change", file("a", "1"))
			m.commit("new", "ida", "MFC of "+c.hash[:12]+", a: change\n", file("a", "2"))
			return c
		}, "new=merged old=unknown"},
		"quoted": {func(m *made) *madeCommit {
			c := m.commit("main", "ida", "a: change", file("a", "1"))
			m.commit("new", "ida", "b: change\n\nUnlike this one:\n    (cherry picked from commit "+c.hash+")\n> (cherry picked from commit "+c.hash+")\nsee (cherry picked from commit "+c.hash+")\n", file("b", "2"))
			return c
		}, "new=unknown old=unknown"},
		"before the branch": {func(m *made) *madeCommit {
			c := m.commit("main", "ida", "a: change", file("a", "1"))
			m.fork("new", "main")
			m.commit("new", "ida", "release", file("version", "1"))
			return c
		}, "new=merged old=unknown"},
		"reverted on the branch": {func(m *made) *madeCommit {
			c := m.commit("main", "ida", "a: change", file("a", "1"))
			p := m.commit("new", "ida", "a: change\n\n(cherry picked from commit "+c.hash+")\n", file("a", "1"))
			m.commit("new", "ida", "Revert \"a: change\"\n\nThis reverts commit "+p.hash+".\n", file("a", "0"))
			return c
		}, "new=unknown old=unknown"},
		"the revert was picked": {func(m *made) *madeCommit {
			c := m.commit("main", "ida", "a: change", file("a", "1"))
			m.commit("new", "ida", "a: change\n\n(cherry picked from commit "+c.hash+")\n", file("a", "1"))
			r := m.commit("main", "ida", "Revert \"a: change\"\n\nThis reverts commit "+c.hash+".\n", file("a", "0"))
			m.commit("new", "ida", "Revert \"a: change\"\n\nThis reverts commit "+c.hash+".\n\n(cherry picked from commit "+r.hash+")\n", file("a", "0"))
			return c
		}, "new=unknown old=unknown reverted"},
		"the revert on the branch was reverted": {func(m *made) *madeCommit {
			c := m.commit("main", "ida", "a: change", file("a", "1"))
			p := m.commit("new", "ida", "a: change\n\n(cherry picked from commit "+c.hash+")\n", file("a", "1"))
			r := m.commit("new", "ida", "Revert \"a: change\"\n\nThis reverts commit "+p.hash+".\n", file("a", "0"))
			m.commit("new", "ida", "Reapply \"a: change\"\n\nThis reverts commit "+r.hash+".\n", file("a", "1"))
			return c
		}, "new=merged old=unknown"},
		"reverted, and reverted": {func(m *made) *madeCommit {
			c := m.commit("main", "ida", "a: change", file("a", "1"))
			r := m.commit("main", "ida", "Revert \"a: change\"\n\nThis reverts commit "+c.hash+".\n", file("a", "0"))
			m.commit("main", "ida", "Reapply \"a: change\"\n\nThis reverts commit "+r.hash+".\n", file("a", "1"))
			return c
		}, "new=unknown old=unknown"},
		"without a line": {func(m *made) *madeCommit {
			c := m.commit("main", "ida", "a: change", file("a", "1", "2"))
			m.commitAt("new", "ida", c.written, "a: change", file("a", "1", "2"))
			m.commitAt("old", "bob", c.written, "a: another subject", file("a", "1", "2"))
			return c
		}, "new=merged old=probably-merged"},
		"amended": {func(m *made) *madeCommit {
			c := m.commit("main", "ida", "a: change", file("a", "1", "2"))
			m.commitAt("new", "ida", c.written, "a: change", file("a", "1", "3"))
			m.commitAt("old", "ida", c.written, "a: change", file("b", "1", "2"))
			return c
		}, "new=probably-merged old=unknown"},
		"of a series with one subject and date": {func(m *made) *madeCommit {
			c := m.commit("main", "ida", "a: change", file("a", "1", "2"))
			other := m.commitAt("main", "ida", c.written, "a: change", file("a", "1", "2", "3", "4"))
			m.commitAt("new", "ida", other.written, "a: change", file("a", "0", "3", "4"))
			return c
		}, "new=unknown old=unknown"},
		"without a line, and taken back": {func(m *made) *madeCommit {
			c := m.commit("main", "ida", "a: change", file("a", "1", "2"))
			m.commitAt("new", "ida", c.written, "a: change", file("a", "1", "2"))
			m.commit("new", "ida", "Revert \"a: change\"\n\nThis reverts commit "+c.hash+".\n", file("a", "0"))
			p := m.commitAt("old", "ida", c.written, "a: change", file("a", "1", "2"))
			m.commit("old", "ida", "Revert \"a: change\"\n\nThis reverts commit "+p.hash+".\n", file("a", "0"))
			m.commitAt("old", "ida", c.written, "a: change", file("a", "1", "2"))
			return c
		}, "new=unknown old=merged"},
		"fixed": {func(m *made) *madeCommit {
			c := m.commit("main", "ida", "a: change", file("a", "1"))
			f := m.commit("main", "ida", "a: fix\n\nFixes: "+c.hash[:12]+" (\"a: change\")\n", file("a", "2"))
			m.commit("main", "ida", "a: fix the fix\n\nFollow-up for "+f.hash+".\n", file("a", "3"))
			m.commit("main", "ida", "a: go\n\nMFC with:\t"+c.hash+"\n", file("a", "4"))
			m.commit("main", "ida", "b: no fix\n\nFixes #1234567\nFixes a bug in "+c.hash+"\n", file("b", "3"))
			bad := m.commit("main", "ida", "a: bad fix\n\nFixes: "+c.hash+"\n", file("a", "5"))
			m.commit("main", "ida", "Revert\n\nThis reverts commit "+bad.hash+".\n", file("a", "4"))
			return c
		}, "new=unknown old=unknown fixes:3"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMade(t)
			m.commit("main", "ida", "begin", file("a", "0"))
			m.fork("new", "main")
			m.fork("old", "main")
			m.commit("new", "ida", "new: begin", file("new", "0"))
			m.commit("old", "ida", "old: begin", file("old", "0"))
			c := test.make(m)
			cache := filepath.Join(t.TempDir(), "cache")
			g := m.open(cache)
			r := ask(t, g, c.hash)
			if got := states(&r); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			again := ask(t, m.open(cache), c.hash)
			if !reflect.DeepEqual(again, r) {
				t.Errorf("from the cache: %+v, and before: %+v", again, r)
			}
		})
	}
}

// What a person has said to be done is looked for all the same.
func TestLookForWhatIsSaidToBeDone(t *testing.T) {
	m := newMade(t)
	m.commit("main", "ida", "begin", file("a", "0"))
	m.fork("new", "main")
	m.fork("old", "main")
	m.commit("old", "ida", "old: begin", file("old", "0"))
	c := m.commit("main", "ida", "a: change", file("a", "1", "2"))
	p := m.commitAt("new", "ida", c.written, "a: change", file("a", "1", "2"))
	g := m.open("")
	done := Mark{Kind: MarkDone, Who: "bob"}
	r := ask(t, g, c.hash, done)
	if got := states(&r); got != "new=merged old=merged" {
		t.Error(got)
	}
	if found, said := r.Targets[0], r.Targets[1]; found.By != p.hash || found.Who != "jane" || said.By != "" || said.Who != "bob" || said.Why == "" {
		t.Errorf("found: %+v; said: %+v", found, said)
	}
	reports, err := g.Look(t.Context(), []Question{{Revision: c.hash, Targets: []string{"none"}, Marks: []Mark{done}}}, false)
	if err != nil || reports[0].Targets[0].State != Merged {
		t.Errorf("on a branch that does not exist: %+v, %v", reports, err)
	}
}

// A revert of a merge takes back what the merge had brought, and its revert brings it back.
func TestRevertOfMerge(t *testing.T) {
	for _, again := range []bool{false, true} {
		m := newMade(t)
		m.commit("main", "ida", "begin", file("a", "0"))
		for _, branch := range []string{"topic", "new", "old"} {
			m.fork(branch, "main")
		}
		m.commit("main", "ida", "other", file("b", "1"))
		m.commit("new", "ida", "new: begin", file("new", "0"))
		m.commit("old", "ida", "old: begin", file("old", "0"))
		c := m.commit("topic", "ida", "a: change", file("a", "1"))
		want := "new=unknown old=unknown reverted"
		for _, branch := range []string{"main", "new"} {
			merge := m.merge(branch, "topic", "Merge branch topic")
			m.commit(branch, "jane", "more", file("more", "1"))
			r := m.commit(branch, "jane", "Revert\n\nThis reverts commit "+merge.hash+", reversing\nchanges made to "+c.hash+".\n", file("a", "0"))
			if again {
				m.commit(branch, "jane", "Reapply\n\nThis reverts commit "+r.hash+".\n", file("a", "1"))
				want = "new=merged old=unknown"
			}
		}
		r := ask(t, m.open(""), c.hash)
		if got := states(&r); got != want {
			t.Errorf("again %v: got %s, want %s", again, got, want)
		}
	}
}

// The command names what is not merged to the branch, in the order of development, and a
// merge needs a command of its own.
func TestCommand(t *testing.T) {
	m := newMade(t)
	m.commit("main", "ida", "begin", file("a", "0"))
	for _, branch := range []string{"topic", "new", "old"} {
		m.fork(branch, "main")
	}
	m.commit("old", "ida", "old: begin", file("old", "0"))
	m.commit("topic", "ida", "topic", file("t", "1"))
	c := m.commit("main", "ida", "a: change", file("a", "1"))
	first := m.commit("main", "ida", "a: fix\n\nFixes: "+c.hash+"\n", file("a", "2"))
	merge := m.merge("main", "topic", "Merge topic\n\nFixes: "+c.hash+"\n")
	last := m.commit("main", "ida", "a: fix again\n\nFixes: "+first.hash+"\n", file("a", "3"))
	bad := m.commit("main", "ida", "a: bad fix\n\nFixes: "+c.hash+"\n", file("a", "4"))
	m.commit("main", "ida", "Revert\n\nThis reverts commit "+bad.hash+".\n", file("a", "3"))
	m.commit("new", "ida", "a: change\n\n(cherry picked from commit "+c.hash+")\n", file("a", "1"))
	r := ask(t, m.open(""), c.hash)
	want := map[string]string{
		"old": "git cherry-pick -x " + c.hash + " " + first.hash + " && git cherry-pick -x -m 1 " + merge.hash + " && git cherry-pick -x " + last.hash,
		"new": "git cherry-pick -x " + first.hash + " && git cherry-pick -x -m 1 " + merge.hash + " && git cherry-pick -x " + last.hash,
	}
	if !reflect.DeepEqual(r.Command, want) {
		t.Errorf("got  %q\nwant %q", r.Command, want)
	}
	if r := ask(t, m.open(""), c.hash, Mark{Kind: MarkNotWanted, Target: "old"}); strings.Contains(r.Command["old"], c.hash) {
		t.Errorf("not wanted: %q", r.Command)
	}
}

// What there was no time for is unknown, with a reason, and what the lines say is said.
func TestLookWithoutTime(t *testing.T) {
	m := newMade(t)
	m.commit("main", "ida", "begin", file("a", "0"))
	m.fork("new", "main")
	m.fork("old", "main")
	c := m.commit("main", "ida", "a: change", file("a", "1", "2"))
	m.commit("new", "ida", "a: change\n\n(cherry picked from commit "+c.hash+")\n", file("a", "1"))
	m.commitAt("old", "ida", c.written, "a: change", file("a", "1", "2"))
	g := m.open("")
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	for _, apply := range []bool{false, true} {
		reports, err := g.Look(ctx, []Question{{Revision: c.hash, Targets: []string{"new", "old"}}}, apply)
		if err != nil {
			t.Fatal(err)
		}
		if got := states(&reports[0]); got != "new=merged old=unknown" || reports[0].Targets[1].Why == "" {
			t.Errorf("apply %v: %s, %+v", apply, got, reports[0].Targets[1])
		}
	}
}

// In a copy without blobs, whose server is away, author, date and subject are compared.
func TestLookWithoutBlobs(t *testing.T) {
	m := newMade(t)
	m.commit("main", "ida", "begin", file("a", "0"))
	m.fork("new", "main")
	m.fork("old", "main")
	c := m.commit("main", "ida", "a: change", file("a", "1", "2"))
	m.commitAt("new", "ida", c.written, "a: change", file("a", "1", "2"))
	m.commit("old", "ida", "old", file("old", "1"))
	m.open("")
	whole := m.dir
	if out, err := m.git("-C", whole, "config", "uploadpack.allowFilter", "true").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	m.dir = filepath.Join(t.TempDir(), "copy.git")
	if out, err := m.git("clone", "-q", "--bare", "--filter=blob:none", "file://"+whole, m.dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Rename(whole, whole+".away"); err != nil {
		t.Fatal(err)
	}
	r := ask(t, m.open(""), c.hash)
	if got := states(&r); got != "new=probably-merged old=unknown" {
		t.Error(got)
	}
}
