//go:build linux

package crash

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"vext/internal/testkit"
)

// A fault is what is done to a system call, as strace spells it.
type fault string

const (
	kill    fault = "signal=KILL" // before the call takes effect
	noSpace fault = "error=ENOSPC"
	ioError fault = "error=EIO"
)

var faults = []fault{kill, noSpace, ioError}

// Calls that only look, and those that can say that the disk is full.
var (
	looking = []string{"read", "pread64", "getdents64", "newfstatat", "fstat", "lseek", "flock", "close"}
	filling = []string{"openat", "write", "pwrite64", "fsync", "mkdirat", "rename", "renameat", "renameat2", "linkat"}
)

// fits reports whether a fault at a point can be met with, and shows anything
// that others do not.
func (f fault) fits(p point, j *job, startsPrograms bool) bool {
	opens := p.call == "openat" && !p.creates
	switch {
	case j.isAlways(p.call) || len(j.only) > 0 && !slices.Contains(j.only, p.call):
		return false
	case f == noSpace:
		return slices.Contains(filling, p.call) && !opens && p.object != "pipe" // which is never full of that
	case f == ioError && startsPrograms && p.object == "pipe":
		// A call that strace makes fail is not made: a pipe that is not closed,
		// or a program that runs unnoticed, would be waited for
		// until the end of days.
		return p.call == "write"
	case f == kill && !j.thorough:
		// What a kill leaves that comes before a look, it leaves after it.
		isFile := p.object != "pipe" && p.object != "socket"
		return !isFile || !opens && !slices.Contains(looking, p.call)
	}
	return true
}

// strayed reports whether an error was injected into a call that it does not
// fit, or twice. strace counts by thread, and so can hit one of another thread
// as well: Go's own waking of a sleeping thread, say, which the runtime takes
// for the end of the world.
func (f fault) strayed(r *result, j *job, startsPrograms bool) bool {
	hits := 0
	return f != kill && slices.ContainsFunc(r.calls, func(c *call) bool {
		if !c.injected || j.isAlways(c.name) {
			return false
		}
		hits++
		p := point{call: c.name, object: c.object, creates: c.creates}
		return hits > 1 || c.object == "" || !f.fits(p, j, startsPrograms)
	})
}

// calls are those that touch files, and those with which mail is sent.
// The question mark is for machines that lack one.
var calls = []string{
	"openat", "read", "pread64", "write", "pwrite64", "close", "lseek", "getdents64",
	"fstat", "newfstatat", "fchmod", "fchmodat", "fsync", "flock", "ftruncate", "utimensat",
	"mkdirat", "rename", "renameat", "renameat2", "linkat", "unlinkat", "connect", "waitid",
}

// A call is a system call in a trace.
type call struct {
	thread, name string
	object       string   // what it is about, the same in every run
	paths        []string // of those in the world, that are the same in every run
	creates      bool     // a file, with openat
	injected     bool
}

func (c *call) String() string { return c.name + " " + c.object }

var (
	callLine    = regexp.MustCompile(`^(\d+) +(\w+)\((.*)`)
	resumedLine = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>`)
	objects     = regexp.MustCompile(`[<"](/[^">]*|pipe:|socket:|TCP[^>]*)`)
	randomName  = regexp.MustCompile(`/(tmp|spool)/(?:\d+\.[0-9A-Z]+|\d{19}-[\w-]+\.announce)`)
)

// parseTrace returns the calls in the order in which they were begun.
func parseTrace(root, trace string) []*call {
	var all []*call
	last := map[string]*call{} // by thread
	for line := range strings.Lines(trace) {
		m := callLine.FindStringSubmatch(line)
		if m != nil {
			c := &call{thread: m[1], name: m[2]}
			c.describe(root, m[3])
			all, last[m[1]] = append(all, c), c
		} else if m = resumedLine.FindStringSubmatch(line); m == nil || last[m[1]] == nil {
			continue
		}
		last[m[1]].injected = last[m[1]].injected || strings.Contains(line, "(INJECTED)")
	}
	return all
}

func (c *call) describe(root, args string) {
	c.creates = strings.Contains(args, "|O_CREAT|")
	var about []string
	for _, m := range objects.FindAllStringSubmatch(args, -1) {
		path, inWorld := strings.CutPrefix(m[1], root+"/")
		known := randomName.ReplaceAllString("/"+path, "/$1/*")[1:]
		switch {
		case m[1][0] != '/':
			known = strings.TrimSuffix(m[1], ":")
		case !inWorld:
			continue
		case known == path && !slices.Contains(c.paths, path):
			c.paths = append(c.paths, path)
		}
		if !slices.Contains(about, known) {
			about = append(about, known)
		}
	}
	c.object = strings.Join(about, " ")
}

// A point is a call at which a fault is injected, and how strace finds it.
type point struct {
	name         string // the call and its object, with a number when it happens again
	call, object string
	path         string // one that is the same in every run, "" for none
	nth          int    // the how many such call of its thread it is
	ofPath       int    // and of those with this path
	creates      bool   // a file, with openat
	before       int    // how often the same was done before
}

// count returns which call strace is to wait for.
func (p *point) count() int {
	if p.path != "" {
		return p.ofPath
	}
	return p.nth
}

// points returns the calls of a trace that have an object.
func points(trace []*call) []point {
	var all []point
	counts, seen := map[string]int{}, map[string]int{}
	for _, c := range trace {
		counts[c.thread+c.name]++
		for _, path := range c.paths {
			counts[c.thread+c.name+" "+path]++
		}
		if c.object == "" {
			continue
		}
		seen[c.String()]++
		p := point{name: numbered(c.String(), seen[c.String()]), call: c.name, object: c.object, creates: c.creates, before: seen[c.String()] - 1, nth: counts[c.thread+c.name]}
		if len(c.paths) > 0 {
			p.path = c.paths[0]
			p.ofPath = counts[c.thread+c.name+" "+p.path]
		}
		all = append(all, p)
	}
	return all
}

func numbered(name string, n int) string {
	if n == 1 {
		return name
	}
	return fmt.Sprintf("%s (%d)", name, n)
}

// A tracer runs a program under strace. It remembers whether anything was
// injected at all.
type tracer struct {
	mu   sync.Mutex
	hits map[fault]map[string]int // by the name of the point
}

// A result is what became of a traced program.
type result struct {
	exit   int // -1 when it was killed
	stderr string
	calls  []*call
	at     string // the point where a fault was injected first, "" for none
}

// Options of strace that exclude each other: not to follow other programs
// that a program starts, and a faster way of tracing, which knows no signals.
var (
	detached = []string{"-b", "execve"}
	fast     = []string{"--seccomp-bpf"}
)

// trace runs a program in a world, with what is to be injected and other
// options of strace. Two processors keep Go from moving its main goroutine to
// another thread whenever it is in a system call, and with it the counts.
func trace(w *world, job *job, injected string, options ...string) result {
	w.t.Helper()
	file := filepath.Join(w.root, "trace")
	args := []string{testkit.Program(w.t, "strace"), "-f", "-y", "-o", file, "-e", "trace=?" + strings.Join(calls, ",?")}
	for _, what := range append(job.always, injected) {
		if what != "" {
			args = append(args, "-e", "inject="+what)
		}
	}
	switch {
	case w.out.startsPrograms():
		args = append(args, detached...)
	case !strings.Contains(injected, "signal="):
		args = append(args, fast...)
	}
	r := w.exec(job.stdin, slices.Concat(args, options, job.args(w))...)
	data, err := os.ReadFile(file)
	if err != nil {
		w.t.Fatalf("%v\n%s", err, r.stderr)
	}
	if err := os.Remove(file); err != nil {
		w.t.Fatal(err)
	}
	// The filter's entry outlives the killed, and ends with a status of its own.
	begun, _, killed := strings.Cut(string(data), " +++ killed by SIGKILL +++")
	if killed {
		r.exit = -1
	}
	r.calls = parseTrace(w.root, begun)
	r.at = job.disturbedAt(&r)
	return r
}

// disturbedAt returns the point where a program was disturbed, "" for none.
func (j *job) disturbedAt(r *result) string {
	seen := map[string]int{}
	for i, c := range r.calls {
		seen[c.String()]++
		// A signal is sent as the call begins, and nothing is begun after it.
		if c.injected && !j.isAlways(c.name) || r.exit < 0 && i == len(r.calls)-1 {
			if c.object == "" {
				return "" // none of the calls that are aimed at
			}
			return numbered(c.String(), seen[c.String()])
		}
	}
	return ""
}

// isAlways reports whether a call is injected in every run.
func (j *job) isAlways(call string) bool {
	return slices.ContainsFunc(j.always, func(what string) bool { return strings.HasPrefix(what, call+":") })
}

// inject runs a program that meets a fault at a point. Where the point has a
// path, strace sees and counts the calls with that path only, and so it finds
// the call on whichever thread it is made; what is always injected is injected
// into those alone, too.
func inject(w *world, job *job, p point, f fault) result {
	w.t.Helper()
	var options []string
	if p.path != "" {
		options = []string{"-P", filepath.Join(w.root, p.path)}
	}
	return trace(w, job, fmt.Sprintf("%s:%s:when=%d", p.call, f, p.count()), options...)
}

// A job is a program and the world that it is disturbed in.
type job struct {
	world  func(t *testing.T) *world // a new one
	args   func(w *world) []string
	stdin  []byte
	always []string // injected in every run, such as "renameat2:error=EINVAL"
	only   []string // disturb these calls; all when empty
	// thorough has it killed even where the next point would leave the same.
	thorough bool
	// check looks at what a disturbed run left, sets it right with runs that
	// nothing happens to, and looks again.
	check func(w *world, f fault, r result)
}

// tries is how often a point is aimed at that was missed, because the
// goroutines ran on other threads than in the clean run.
const tries = 12

// repeats is how often the same call is disturbed: what is done for a second
// message is done for a third.
const repeats = 2

// walk disturbs a job at all of its points, with every fault.
func walk(t *testing.T, job *job) {
	w := job.world(t)
	clean := trace(w, job, "")
	if clean.exit != 0 {
		t.Fatalf("undisturbed, it ends with %d:\n%s", clean.exit, clean.stderr)
	}
	tr := &tracer{hits: map[fault]map[string]int{}}
	aims := map[fault]map[string][]point{}
	for _, f := range faults {
		tr.hits[f], aims[f] = map[string]int{}, map[string][]point{}
		for _, p := range points(clean.calls) {
			if p.before < repeats && f.fits(p, job, w.out.startsPrograms()) {
				aims[f][p.call] = append(aims[f][p.call], p)
			}
		}
	}
	t.Run("at", func(t *testing.T) {
		for f, byCall := range aims {
			for name, points := range byCall {
				t.Run(string(f)+"/"+name, func(t *testing.T) {
					t.Parallel()
					for _, p := range points {
						tr.aim(t, job, p, f)
					}
				})
			}
		}
	})
	for _, f := range faults {
		tr.report(t, f, aims[f])
	}
}

// aim disturbs a job until a point was hit. Whatever was hit is checked. A run
// in which nothing was hit shows where the point really is.
func (tr *tracer) aim(t *testing.T, job *job, p point, f fault) {
	for range tries {
		if tr.hit(f, p.name, 0) > 0 {
			return
		}
		w := job.world(t)
		r := inject(w, job, p, f)
		if f.strayed(&r, job, w.out.startsPrograms()) {
			r.at = ""
		}
		if i := slices.IndexFunc(points(r.calls), func(q point) bool { return q.name == p.name }); r.at == "" && i >= 0 {
			p = points(r.calls)[i]
		}
		if r.at != "" && tr.hit(f, r.at, 1) == 1 {
			w.disturbed, w.left = string(f)+" at "+r.at, tree(w.root)
			if strings.Contains(r.stderr, "panic") || strings.Contains(r.stderr, "goroutine ") {
				w.errorf("it panics:\n%s", r.stderr)
			}
			job.check(w, f, r)
		}
		w.remove()
	}
}

// hit counts up by n, and returns how often a point was hit.
func (tr *tracer) hit(f fault, name string, n int) int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.hits[f][name] += n
	return tr.hits[f][name]
}

// report fails the test when it has injected too little to mean anything. Some
// points can't be hit in every run: what is done a second time is often done by
// another thread, and strace counts by thread.
func (tr *tracer) report(t *testing.T, f fault, aims map[string][]point) {
	var missed []string
	all, first, firstMissed := 0, 0, 0
	for _, points := range aims {
		for _, p := range points {
			isFirst, isMissed := p.before == 0, tr.hit(f, p.name, 0) == 0
			all++
			if isMissed {
				missed = append(missed, p.name)
			}
			if isFirst {
				first++
			}
			if isFirst && isMissed {
				firstMissed++
			}
		}
	}
	t.Logf("%s injected at %d of %d points; missed: %q", f, all-len(missed), all, missed)
	if 4*firstMissed > first || all == 0 {
		t.Errorf("%s was injected at %d of %d points only", f, all-len(missed), all)
	}
}

// patience is how long a program may take that takes some milliseconds.
const patience = time.Minute

// exec runs a command line to its end: that of all its children, too.
func (w *world) exec(stdin []byte, args ...string) result {
	w.t.Helper()
	// Directories and files have modes of their own, whatever the umask says.
	ctx, stop := context.WithTimeout(w.t.Context(), patience)
	defer stop()
	cmd := exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", `umask 077; exec "$0" "$@"`}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.root, "GOMAXPROCS=2"}
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	read, write, err := os.Pipe()
	if err != nil {
		w.t.Fatal(err)
	}
	defer read.Close()
	// A program that was started by one that was killed still holds this open.
	cmd.ExtraFiles = []*os.File{write}
	err = cmd.Start()
	write.Close()
	if err != nil {
		w.t.Fatal(err)
	}
	err = cmd.Wait()
	read.Read(make([]byte, 1))
	if ctx.Err() != nil {
		w.errorf("%s does not come to an end: %v", args, err)
	}
	return result{exit: cmd.ProcessState.ExitCode(), stderr: stderr.String()}
}
