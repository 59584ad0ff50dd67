package ways

import (
	"slices"
	"testing"
)

// A commit that arrives from one source, is amended, and arrives from another gets one
// reminder: for the amended commit, unless the first was sent already.
func TestAmended(t *testing.T) {
	for _, first := range sources {
		for _, second := range sources {
			t.Run(first.name+","+second.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.vext("hook", "install", "--name", "src", w.bare)
				first.run(w, false)
				w.byFollowing(false)
				last := len(w.commits) - 1
				w.git("checkout", "--quiet", "main")
				w.git("commit", "--quiet", "--amend", "--allow-empty", "--message", w.commits[last].message+"Reviewed by: ann\n")
				was := w.commits[last].hash
				w.commits[last].hash = w.git("rev-parse", "HEAD")
				w.commits[last].message += "Reviewed by: ann\n"
				second.run(w, false)
				w.byFollowing(false)
				w.vext("run")
				w.vext("run")
				if second.name == "webhook" { // vext serve has sent what was due when it began
					w.commits[last].hash = was
				}
				var want []string
				for _, c := range w.commits {
					if c.asks {
						want = append(want, c.hash)
					}
				}
				slices.Sort(want)
				if got := w.reminders(); !slices.Equal(got, want) {
					t.Errorf("reminded of %q\nwant        %q\n%s", short(got), short(want), w.vext("list", "--failed"))
				}
			})
		}
	}
}
