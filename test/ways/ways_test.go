package ways

import (
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// With all sources, in every order, and each of them failing in turn, there
// is one reminder for each request, and none for a copy of one.
func TestEveryOrder(t *testing.T) {
	for i, order := range permutations(len(sources)) {
		for failing := -1; failing < len(sources); failing++ {
			var names []string
			for _, n := range order {
				name := sources[n].name
				if n == failing {
					name += " fails"
				}
				names = append(names, name)
			}
			between := (i+failing)%2 == 0
			t.Run(strings.Join(names, ","), func(t *testing.T) {
				t.Parallel()
				scenario(t, order, failing, between)
			})
		}
	}
}

func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for _, p := range permutations(n - 1) {
		for at := range n {
			all = append(all, slices.Insert(slices.Clone(p), at, n-1))
		}
	}
	return all
}

// scenario brings the history by every source, and runs the processor at the end and,
// if between is set, after every source.
func scenario(t *testing.T, order []int, failing int, between bool) {
	w := newWorld(t)
	w.vext("hook", "install", "--name", "src", w.bare)
	for _, n := range order {
		sources[n].run(w, n == failing)
		if between {
			w.vext("run")
		}
	}
	w.vext("run")
	w.vext("run")
	got := w.reminders()
	var want []string
	for _, c := range w.commits {
		if c.asks {
			want = append(want, c.hash)
		}
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("reminded of %q\nwant        %q\n%s", short(got), short(want), w.vext("list", "--failed"))
	}
	if failed, _ := filepath.Glob(w.state + "/failed/*"); len(failed) > 0 {
		t.Errorf("quarantined: %q", failed)
	}
}

func short(hashes []string) []string {
	var s []string
	for _, h := range hashes {
		s = append(s, h[:min(len(h), 7)])
	}
	return s
}

// reminders returns the hashes of the commits whose reminders were sent, sorted.
func (w *world) reminders() []string {
	paths, _ := filepath.Glob(filepath.Join(w.dir, "Maildir", "*", "*"))
	var hashes []string
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			w.t.Fatal(err)
		}
		if _, err := mail.ReadMessage(strings.NewReader(string(data))); err != nil {
			w.t.Fatal(err)
		}
		text := strings.ReplaceAll(string(data), "=\r\n", "")
		_, rest, ok := strings.Cut(text, "git cherry-pick -x ")
		if !ok || len(rest) < 40 {
			w.t.Fatalf("no merge command in\n%s", data)
		}
		hashes = append(hashes, rest[:40])
	}
	slices.Sort(hashes)
	return hashes
}

// A mail that is held is ignored when the commit has come from another source, and taken
// when it has not.
func TestHold(t *testing.T) {
	w := newWorld(t)
	text, err := os.ReadFile(w.config)
	if err != nil {
		t.Fatal(err)
	}
	w.write(w.config, string(text)+"[mail-in]\nhold = \"15m\"\n")
	w.byMail(false)
	w.vext("run")
	if got := w.reminders(); len(got) != 0 {
		t.Errorf("held mails were taken: %q", short(got))
	}
	w.byFollowing(false)
	w.vext("run")
	first := w.reminders()
	if len(first) == 0 {
		t.Error("the commits of the other source were not taken")
	}
	if spool, _ := filepath.Glob(w.state + "/spool/*"); len(spool) != 0 {
		t.Errorf("left in the spool: %q", spool)
	}
	w.vext("run")
	if got := w.reminders(); !slices.Equal(got, first) {
		t.Errorf("reminded again: %q", short(got))
	}
}
