package remotedaemon

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vext/internal/testkit"
)

// CountFetches has the daemons that are started later run git by a script that records
// what became of each git fetch. Call Fetches for the result.
func (w *World) CountFetches() {
	w.t.Helper()
	git := testkit.Program(w.t, "git")
	dir := filepath.Join(w.Dir, "counted")
	w.ok(os.Mkdir(dir, 0o700))
	w.ok(os.WriteFile(filepath.Join(dir, "git"), fmt.Appendf(nil, `#!/bin/sh
case " $* " in *" fetch "*) ;; *) exec %[1]s "$@" ;; esac
before=$(%[1]s show-ref)
%[1]s "$@"
status=$?
after=$(%[1]s show-ref)
what=new
test "$before" != "$after" || what=vain
test $status = 0 || what=failed
echo $what >>%[2]s/fetches
exit $status
`, git, w.Dir), 0o700))
	w.Env = append(w.Env, "PATH="+dir+":"+os.Getenv("PATH"))
}

// Fetches returns how many fetches there were, and how many of them were successful and
// changed nothing.
func (w *World) Fetches() (all, vain int) {
	text, _ := os.ReadFile(filepath.Join(w.Dir, "fetches"))
	return strings.Count(string(text), "\n"), strings.Count(string(text), "vain\n")
}

// A Random makes random changes of the server's repository.
type Random struct {
	Deletes bool               // some delete refs, or only pack them, which git-annex does not report
	Pause   func(while func()) // pauses the daemon while something changes; nil for never
	Cut     func()             // cuts the connections; nil for never
	Names   []string           // of the changes that were made
	random  *rand.Rand
	w       *World
	heads   map[string]bool // branches that exist
	n       int
}

// Random returns changes that depend on the seed alone.
func (w *World) Random(seed uint64) *Random {
	return &Random{w: w, random: rand.New(rand.NewPCG(seed, 0)), heads: map[string]bool{"main": true}}
}

// Step makes one change, or some with a pause of the daemon, and returns its name.
func (r *Random) Step() string {
	r.w.t.Helper()
	name := ""
	switch n := r.random.IntN(100); {
	case n < 4 && r.Cut != nil:
		name = "cut"
		if r.random.IntN(2) == 0 {
			name += ", " + r.push()
		}
		r.Cut()
	case n < 12 && r.Pause != nil:
		name = "paused"
		r.Pause(func() {
			for range 1 + r.random.IntN(3) {
				name += ", " + r.push()
			}
		})
	default:
		name = r.push()
	}
	r.Names = append(r.Names, name)
	return name
}

// push makes one change.
func (r *Random) push() string {
	r.w.t.Helper()
	r.n++
	kinds := []string{"new", "new", "new", "branch", "forced", "rewound", "several", "known", "tag"}
	if r.Deletes {
		kinds = append(kinds, "deleted", "packed", "renamed")
	}
	kind := kinds[r.random.IntN(len(kinds))]
	commit := fmt.Sprintf("git commit -q --allow-empty -m 'change %d'; ", r.n)
	at := r.branch()
	from := "git checkout -q --detach refs/remotes/origin/" + at + "; "
	do := ""
	switch kind {
	case "new":
		do = from + commit + "git push -q origin HEAD:refs/heads/" + at
	case "branch":
		do = from + commit + "git push -q origin HEAD:refs/heads/" + r.unused()
	case "forced":
		do = from + fmt.Sprintf("git commit -q --amend --allow-empty -m 'amended %d'; ", r.n) + "git push -q -f origin HEAD:refs/heads/" + at
	case "rewound":
		do = from + "if git rev-parse -q --verify HEAD~1 >/dev/null; then git push -q -f origin HEAD~1:refs/heads/" + at + "; fi"
	case "several":
		do = from + commit + fmt.Sprintf("git push -q origin HEAD:refs/heads/%s HEAD:refs/heads/%s HEAD~1:refs/heads/%s", at, r.unused(), r.unused())
	case "known":
		do = "git push -q origin refs/remotes/origin/" + at + ":refs/heads/" + r.unused()
	case "tag":
		do = from + commit + fmt.Sprintf("git tag -m v v%[1]d; git push -q origin HEAD:refs/heads/%[2]s v%[1]d", r.n, at)
	case "deleted", "renamed":
		if at == "main" {
			return r.push()
		}
		delete(r.heads, at)
		do = "git push -q origin :refs/heads/" + at
		if kind == "renamed" { // to a directory of that name
			do += "; git push -q origin main:refs/heads/" + at + "/x"
			r.heads[at+"/x"] = true
		}
	case "packed":
		do = "git -C ../server.git pack-refs --all; " + from + commit + "git push -q origin HEAD:refs/heads/" + at
	}
	r.w.Push(do)
	return kind
}

// branch returns a branch of the server.
func (r *Random) branch() string {
	names := make([]string, 0, len(r.heads))
	for name := range r.heads {
		names = append(names, name)
	}
	slices.Sort(names)
	return names[r.random.IntN(len(names))]
}

// unused returns a new name for a branch.
func (r *Random) unused() string {
	name := fmt.Sprintf("b%d", len(r.heads)+r.n*10)
	if r.random.IntN(3) == 0 {
		name = "dir/" + name
	}
	r.heads[name] = true
	return name
}

// Paused pauses the daemon while something changes.
func (d *Daemon) Paused(while func()) {
	d.Send("PAUSE")
	while()
	time.Sleep(20 * time.Millisecond)
	d.Send("RESUME")
}
