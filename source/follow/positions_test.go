package follow

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The positions of an earlier version are taken over: that of a branch that counts from
// Positions, that of another from Told, and what was known of its requests stays known.
func TestTakeOver(t *testing.T) {
	for name, test := range map[string]struct {
		positions, told string // of main, which counts, and of topic
		want, uncounted string
		base            []string
	}{
		"counted":                                  {"main=m", "", "main=m", "", nil},
		"each its own":                             {"main=m", "topic=t", "main=m topic=t", "topic", nil},
		"announced before it counted":              {"", "main=m", "main=m", "main", nil},
		"it counted, and was announced before":     {"main=m", "main=older", "main=m", "", nil},
		"it counted before, and is announced only": {"main=m topic=older", "topic=t", "main=m topic=t", "topic", []string{"older"}},
		"it counted before, and is not announced":  {"main=m topic=t", "", "main=m topic=t", "", nil},
	} {
		s := &State{Positions: parsePositions(test.positions), Told: parsePositions(test.told)}
		s.takeOver(func(refname string) bool { return refname == "main" })
		if !maps.Equal(s.Positions, parsePositions(test.want)) || strings.Join(slices.Sorted(maps.Keys(s.Uncounted)), " ") != test.uncounted || !slices.Equal(s.Base, test.base) || s.Told != nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func parsePositions(text string) map[string]string {
	positions := map[string]string{}
	for _, one := range strings.Fields(text) {
		refname, position, _ := strings.Cut(one, "=")
		positions[refname] = position
	}
	return positions
}

// With the state of an earlier version, in which each branch may be behind or ahead of
// the other, nothing is lost, and nothing is announced or reminded twice.
func TestTakeOverState(t *testing.T) {
	for _, ahead := range []string{"main", "topic", ""} {
		w := newWorld(t)
		w.announce()
		w.commit("main", "old")
		w.sh("git branch topic main")
		w.look(w.announcing())
		old := w.sh("git rev-parse main")
		positions := map[string]string{"main": old, "topic": old}
		path := filepath.Join(w.state, "repositories", "w.json")
		var want []string
		for _, branch := range []string{"main", "topic"} {
			tip := w.commit(branch, branch+" a")
			if branch == ahead {
				positions[branch] = tip
			} else {
				want = append(want, branch+" "+branch+" a")
			}
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var state map[string]any
		if err := json.Unmarshal(data, &state); err != nil {
			t.Fatal(err)
		}
		delete(state, "uncounted")
		state["positions"] = map[string]string{"refs/heads/main": positions["main"]}
		state["told"] = map[string]string{"refs/heads/topic": positions["topic"]}
		if data, err = json.Marshal(state); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o640); err != nil {
			t.Fatal(err)
		}
		w.look(w.announcing())
		w.announced(ahead+" ahead", strings.Join(want, ", "))
		w.look(w.announcing())
		w.announced("nothing new")
		requests := []string{"main main a"}
		if ahead == "main" {
			requests = nil
		}
		w.expect(ahead+" ahead", requests...)
		if data, _ := os.ReadFile(path); strings.Contains(string(data), `"told"`) {
			t.Errorf("the state is\n%s", data)
		}
		// A branch that counts from now on has the requests of commits that were announced.
		w.r.Branches = append(w.r.Branches, "topic")
		w.look(w.announcing())
		w.expect("topic counts", "topic topic a")
		w.quiet("topic", "c")
		w.announced("again, for the announcer knows them", "topic topic a")
		w.look(w.announcing())
		w.announced("a push", "topic c")
	}
}
