package backport

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
)

// A truth is a commit of the development branch, and what is true of it on each target.
type truth struct {
	c      *madeCommit
	class  string
	merged map[string]bool
	gone   bool // reverted on the development branch
	fixes  int
}

// A fate is a class of commits: how a random history treats one.
type fate struct {
	class  string
	weight int
	live   func(h *madeHistory, t *truth)
}

// A madeHistory is a random history with its truth.
type madeHistory struct {
	*made
	random *rand.Rand
	all    []*truth
}

var authors = []string{"ida", "bob", "kim", "jane"}

// change changes a line of a random file, so that some changes are near each other.
func (h *madeHistory) change(branch string) map[string]string {
	path := fmt.Sprintf("src/%d", h.random.IntN(60))
	lines := h.branches[branch].files[path]
	return map[string]string{path: fmt.Sprintf("%sline %d of %d\n", lines, h.random.IntN(1000), h.n)}
}

// pick commits a change of another commit to a branch: what it has added.
func (h *madeHistory) pick(branch string, c *madeCommit, message string) *madeCommit {
	changes := map[string]string{}
	for path, contents := range c.changes {
		was := h.branches[branch].files[path]
		last := contents[lastLine(contents):]
		changes[path] = was + last
	}
	return h.commitAt(branch, c.author, c.written, message, changes)
}

func lastLine(s string) int {
	for i := len(s) - 2; i >= 0; i-- {
		if s[i] == '\n' {
			return i + 1
		}
	}
	return 0
}

func pickLine(c *madeCommit) string { return "(cherry picked from commit " + c.hash + ")\n" }

// fates are the classes. What they say is the truth, whatever the messages say.
var fates = []fate{
	{"never", 30, func(*madeHistory, *truth) {}},
	{"picked with a line", 14, func(h *madeHistory, t *truth) {
		h.pick("new", t.c, t.c.message+"\n\n"+pickLine(t.c))
		t.merged["new"] = true
	}},
	{"through another branch, both lines", 8, func(h *madeHistory, t *truth) {
		n := h.pick("new", t.c, t.c.message+"\n\n"+pickLine(t.c))
		h.pick("old", n, t.c.message+"\n\n"+pickLine(t.c)+pickLine(n))
		t.merged["new"], t.merged["old"] = true, true
	}},
	{"through another branch, its line only", 6, func(h *madeHistory, t *truth) {
		n := h.pick("new", t.c, t.c.message+"\n\n"+pickLine(t.c))
		h.pick("old", n, t.c.message+"\n\n"+pickLine(n))
		t.merged["new"], t.merged["old"] = true, true
	}},
	{"without a line", 6, func(h *madeHistory, t *truth) {
		h.pick("new", t.c, t.c.message)
		t.merged["new"] = true
	}},
	{"amended, with a line", 5, func(h *madeHistory, t *truth) {
		h.commitAt("old", "jane", h.n, "another subject\n\n"+pickLine(t.c), h.change("old"))
		t.merged["old"] = true
	}},
	{"conflict resolved by hand, without a line", 2, func(h *madeHistory, t *truth) {
		changes := map[string]string{}
		for path := range t.c.changes {
			changes[path] = fmt.Sprintf("%sresolved %d\n", h.branches["new"].files[path], h.n)
		}
		h.commitAt("new", t.c.author, t.c.written, t.c.message, changes)
		t.merged["new"] = true
	}},
	{"squashed with the one before", 4, func(h *madeHistory, t *truth) {
		before := h.all[len(h.all)-1]
		if before.merged["old"] || before.gone {
			return
		}
		h.commit("old", "jane", "two changes\n\n"+pickLine(before.c)+pickLine(t.c), h.change("old"))
		before.merged["old"], t.merged["old"] = true, true
		before.class = "squashed with another"
	}},
	{"reverted on the branch", 4, func(h *madeHistory, t *truth) {
		p := h.pick("new", t.c, t.c.message+"\n\n"+pickLine(t.c))
		h.commit("new", "jane", "Revert \""+t.c.message+"\"\n\nThis reverts commit "+p.hash+".\n", h.change("new"))
	}},
	{"reverted on the branch, and back", 2, func(h *madeHistory, t *truth) {
		p := h.pick("new", t.c, t.c.message+"\n\n"+pickLine(t.c))
		r := h.commit("new", "jane", "Revert \""+t.c.message+"\"\n\nThis reverts commit "+p.hash+".\n", h.change("new"))
		h.commit("new", "jane", "Reapply\n\nThis reverts commit "+r.hash+".\n", h.change("new"))
		t.merged["new"] = true
	}},
	{"reverted in development", 4, func(h *madeHistory, t *truth) {
		h.commit("main", "jane", "Revert \""+t.c.message+"\"\n\nThis reverts commit "+t.c.hash+".\n", h.change("main"))
		t.gone = true
	}},
	{"reverted in development, and the revert picked", 2, func(h *madeHistory, t *truth) {
		h.pick("new", t.c, t.c.message+"\n\n"+pickLine(t.c))
		r := h.commit("main", "jane", "Revert \""+t.c.message+"\"\n\nThis reverts commit "+t.c.hash+".\n", h.change("main"))
		h.commit("new", "jane", "Revert \""+t.c.message+"\"\n\nThis reverts commit "+t.c.hash+".\n\n"+pickLine(r), h.change("new"))
		t.gone = true
	}},
	{"re-landed", 2, func(h *madeHistory, t *truth) {
		r := h.commit("main", "jane", "Revert \""+t.c.message+"\"\n\nThis reverts commit "+t.c.hash+".\n", h.change("main"))
		h.commit("main", "jane", "Reapply\n\nThis reverts commit "+r.hash+".\n", h.change("main"))
	}},
	{"fixed twice", 4, func(h *madeHistory, t *truth) {
		f := h.commit("main", "jane", "fix\n\nFixes: "+t.c.hash[:12]+" (\"x\")\n", h.change("main"))
		h.commit("main", "jane", "fix the fix\n\nFollow-up for "+f.hash+".\n", h.change("main"))
		t.fixes = 2
	}},
	{"named in other messages", 4, func(h *madeHistory, t *truth) {
		h.commit("new", "jane", "other\n\nSee commit "+t.c.hash+".\n> "+pickLine(t.c)+"  "+pickLine(t.c)+"Not "+pickLine(t.c), h.change("new"))
		h.commit("old", "jane", "other\n\n(cherry picked from commit 0123456789abcdef0123456789abcdef01234567)\nThis does not revert commit "+t.c.hash+".\n", h.change("old"))
	}},
	{"with a line that names no commit", 3, func(h *madeHistory, t *truth) {
		h.pick("new", t.c, t.c.message+"\n\n(cherry picked from commit 0123456789abcdef0123456789abcdef01234567)\n")
		t.merged["new"] = true
	}},
	{"without a line, and taken back", 3, func(h *madeHistory, t *truth) {
		h.pick("new", t.c, t.c.message)
		h.commit("new", "jane", "Revert \""+t.c.message+"\"\n\nThis reverts commit "+t.c.hash+".\n", h.change("new"))
	}},
	{"another change of the same subject", 4, func(h *madeHistory, t *truth) {
		h.commit("new", t.c.author, t.c.message, h.change("new"))
		h.commit("old", "jane", t.c.message, h.change("old"))
	}},
	{"the same subject and date, another file", 2, func(h *madeHistory, t *truth) {
		h.commitAt("new", t.c.author, t.c.written, t.c.message, map[string]string{fmt.Sprintf("other/%d", h.n): "text\n"})
	}},
	{"moved on the branch, with a line", 3, func(h *madeHistory, t *truth) {
		for path := range t.c.changes {
			h.commit("old", "jane", "move\n", map[string]string{path: "", "moved/" + path: h.branches["old"].files[path] + "begin\n"})
			h.commitAt("old", t.c.author, t.c.written, t.c.message+"\n\n"+pickLine(t.c), map[string]string{"moved/" + path: fmt.Sprintf("%d\n", h.n)})
		}
		t.merged["old"] = true
	}},
	{"moved on the branch, without a line", 2, func(h *madeHistory, t *truth) {
		for path := range t.c.changes {
			h.commit("old", "jane", "move\n", map[string]string{path: "", "moved/" + path: h.branches["old"].files[path] + "begin\n"})
			h.commitAt("old", t.c.author, t.c.written, t.c.message, map[string]string{"moved/" + path: fmt.Sprintf("%d\n", h.n)})
		}
		t.merged["old"] = true
	}},
	{"squashed, with the line of another", 1, func(h *madeHistory, t *truth) {
		h.commit("old", "jane", "two changes\n\n(cherry picked from commit "+h.all[0].c.hash+")\n", h.change("old"))
		h.all[0].merged["old"], t.merged["old"] = true, true
	}},
	{"of a topic that was merged to both", 3, func(h *madeHistory, t *truth) {
		topic, one := h.topic(t.class)
		h.merge("main", topic, "Merge "+topic)
		h.merge("new", topic, "Merge "+topic)
		one.merged["new"] = true
	}},
	{"of a topic whose merge was reverted", 3, func(h *madeHistory, t *truth) {
		topic, _ := h.topic(t.class)
		h.merge("main", topic, "Merge "+topic)
		m := h.merge("new", topic, "Merge "+topic)
		h.commit("new", "jane", "Revert \"Merge\"\n\nThis reverts commit "+m.hash+", reversing\nchanges made to "+m.hash+".\n", h.change("new"))
	}},
	{"the same file moved", 3, func(h *madeHistory, t *truth) {
		h.commit("new", "jane", "move\n", map[string]string{fmt.Sprintf("moved/%d", h.n): "text\n"})
		h.pick("new", t.c, t.c.message+"\n\n"+pickLine(t.c))
		t.merged["new"] = true
	}},
}

// topic makes a branch with a commit of a class, whose truth it returns.
func (h *madeHistory) topic(class string) (string, *truth) {
	name := fmt.Sprintf("topic/%d", h.n)
	h.fork(name, "begin")
	one := &truth{c: h.commit(name, "ida", "of "+name, map[string]string{name: "text\n"}), class: class, merged: map[string]bool{}}
	h.all = append(h.all, one)
	return name, one
}

func makeHistory(t testing.TB, n int, seed uint64) *madeHistory {
	h := &madeHistory{made: newMade(t), random: rand.New(rand.NewPCG(seed, 13))}
	h.commit("main", "jane", "begin", map[string]string{"src/0": "begin\n"})
	for _, branch := range []string{"begin", "new", "old"} {
		h.fork(branch, "main")
	}
	weights := 0
	for _, f := range fates {
		weights += f.weight
	}
	h.all = append(h.all, &truth{c: h.commit("main", "jane", "first", h.change("main")), class: "never", merged: map[string]bool{}})
	for h.n < n {
		author := authors[h.random.IntN(len(authors))]
		one := &truth{c: h.commit("main", author, fmt.Sprintf("part %d: change %d", h.random.IntN(9), h.n), h.change("main")), merged: map[string]bool{}}
		at := h.random.IntN(weights)
		for _, f := range fates {
			if at -= f.weight; at < 0 {
				one.class = f.class
				f.live(h, one)
				break
			}
		}
		h.all = append(h.all, one)
	}
	return h
}

// Wrong answers are worse than none: no commit is called merged that is not, and of those
// that are, two in a hundred may be missed.
func TestTruth(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			h := makeHistory(t, 2000, seed)
			g := h.open(filepath.Join(t.TempDir(), "cache"))
			var questions []Question
			for _, one := range h.all {
				questions = append(questions, Question{Revision: one.c.hash, Targets: []string{"new", "old"}})
			}
			reports, err := g.Look(t.Context(), questions, false)
			if err != nil {
				t.Fatal(err)
			}
			counts := map[string][3]int{} // of each class: how many, merged, missed
			merged, missed := 0, 0
			for i, one := range h.all {
				count := counts[one.class]
				count[0]++
				r := &reports[i]
				if (r.Reverted != nil) != one.gone {
					t.Errorf("%s: %s: reverted: %v", one.class, one.c.hash, r.Reverted)
				}
				if len(r.Fixes) != one.fixes {
					t.Errorf("%s: %s: %d fixes", one.class, one.c.hash, len(r.Fixes))
				}
				for _, target := range r.Targets {
					switch is := target.State == Merged || target.State == ProbablyMerged; {
					case is && !one.merged[target.Branch]:
						t.Errorf("%s: %s is not merged to %s, but %s by %s", one.class, one.c.hash, target.Branch, target.State, target.By)
					case one.merged[target.Branch]:
						merged, count[1] = merged+1, count[1]+1
						if !is {
							missed, count[2] = missed+1, count[2]+1
						}
					}
				}
				counts[one.class] = count
			}
			for _, f := range fates {
				if count := counts[f.class]; count[0] == 0 {
					t.Errorf("%s: there is none", f.class)
				} else {
					t.Logf("%-50s %4d, %4d merged, %d missed", f.class, count[0], count[1], count[2])
				}
			}
			if 50*missed > merged {
				t.Errorf("%d of %d missed", missed, merged)
			}
		})
	}
}
