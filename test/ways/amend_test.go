package ways

import (
	"slices"
	"testing"
)

// A commit that comes by one way, is amended, and comes again by another is one
// reminder: of what it is now, unless that of what it was is out already.
func TestAmended(t *testing.T) {
	for _, first := range ways {
		for _, second := range ways {
			t.Run(first.name+","+second.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.vext("hook", "install", "--name", "src", w.bare)
				first.go_(w, false)
				w.byFollowing(false)
				last := len(w.commits) - 1
				w.git("checkout", "--quiet", "main")
				w.git("commit", "--quiet", "--amend", "--allow-empty", "--message", w.commits[last].message+"Reviewed by: ann\n")
				was := w.commits[last].hash
				w.commits[last].hash = w.git("rev-parse", "HEAD")
				w.commits[last].message += "Reviewed by: ann\n"
				second.go_(w, false)
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
