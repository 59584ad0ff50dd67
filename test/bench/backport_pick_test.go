package bench

import (
	"bufio"
	"fmt"
	"math/rand"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"vext/internal/backport"
	"vext/internal/testkit"
	"vext/internal/vcs"
	"vext/internal/weburl"
)

// A picks is a repository of 5,000 files: 3,000 commits on main after the first target
// branch was made, and the newest of them.
type picks struct {
	dir     string
	commits []string
	targets []string
}

func newPicks(b *testing.B, n int) *picks {
	b.Helper()
	testkit.Program(b, "git")
	p := &picks{dir: filepath.Join(b.TempDir(), "src.git"), targets: []string{"stable/1", "stable/2", "stable/3"}}
	git(b, "init", "--quiet", "--bare", "--initial-branch=main", p.dir)
	cmd := exec.Command("git", "-C", p.dir, "fast-import", "--quiet")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	w, random := bufio.NewWriter(in), rand.New(rand.NewSource(1))
	files := make([][]string, 5000)
	name := func(i int) string { return fmt.Sprintf("sys/dir%d/part%d/file%d.c", i/250, i/25, i) }
	write := func(i int) {
		text := strings.Join(files[i], "\n") + "\n"
		fmt.Fprintf(w, "M 100644 inline %s\ndata %d\n%s\n", name(i), len(text), text)
	}
	mark := 0
	commit := func(branch, message string) {
		mark++
		fmt.Fprintf(w, "commit refs/heads/%s\nmark :%d\ncommitter Jane <jane@example.org> %d +0000\ndata %d\n%s\n", branch, mark, 1_700_000_000+60*mark, len(message), message)
	}
	commit("main", "begin")
	for i := range files {
		for line := range 120 {
			files[i] = append(files[i], fmt.Sprintf("\tline %d of file %d;", line, i))
		}
		write(i)
	}
	for i := range 3000 {
		if i%1000 == 0 { // a branch, with a change of its own
			fmt.Fprintf(w, "reset refs/heads/%s\nfrom refs/heads/main\n\n", p.targets[i/1000])
			commit(p.targets[i/1000], "branch")
			fmt.Fprintf(w, "M 100644 inline VERSION\ndata 2\n%d\n\n", i/1000)
		}
		commit("main", fmt.Sprintf("file%d: change a line", i))
		f := random.Intn(400) // some files change often, so that some picks conflict
		for range 1 + random.Intn(3) {
			files[f][random.Intn(120)] = fmt.Sprintf("\tchanged by %d;", i)
		}
		write(f)
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		b.Fatal(err)
	}
	p.commits = strings.Fields(git(b, "-C", p.dir, "log", fmt.Sprintf("--max-count=%d", n), "--format=%H", "main"))
	return p
}

func git(b *testing.B, args ...string) string {
	b.Helper()
	out, err := exec.Command("git", args...).Output()
	if err != nil {
		b.Fatalf("git %q: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

func (p *picks) open(b *testing.B, url string) backport.Looker {
	b.Helper()
	l, err := backport.Open(b.Context(), backport.Options{
		Kind: vcs.Git, Dir: p.dir, URL: weburl.Parse(url), IsDevelopment: func(refname string) bool { return refname == "refs/heads/main" },
	})
	if err != nil {
		b.Fatal(err)
	}
	return l
}

// look returns how long the answers take, and how many targets have each state. What is
// known before any test pick is not counted.
func (p *picks) look(b *testing.B, l backport.Looker, targets ...string) (time.Duration, map[backport.State]int) {
	b.Helper()
	var questions []backport.Question
	for _, hash := range p.commits {
		questions = append(questions, backport.Question{Revision: hash, Targets: targets})
	}
	for _, apply := range []bool{false, true} {
		start := time.Now()
		reports, err := l.Look(b.Context(), questions, apply)
		took := time.Since(start)
		if err != nil {
			b.Fatal(err)
		}
		if !apply {
			continue
		}
		states := map[backport.State]int{}
		for _, r := range reports {
			for _, t := range r.Targets {
				states[t.State]++
				if t.State == backport.Unknown {
					b.Errorf("%s on %s: %s", r.Revision, t.Branch, t.Why)
				}
			}
		}
		return took, states
	}
	return 0, nil
}

// A test pick takes little more than the git program that makes it, two at once.
func BenchmarkBackportPickGoal1_2TimesGit(b *testing.B) {
	p := newPicks(b, 100)
	l := p.open(b, "")
	target := p.targets[2]
	clean := p.commits[:0]
	for _, hash := range p.commits { // conflicts lead to further picks
		if exec.Command("git", append([]string{"-C", p.dir}, p.mergeTree(b, target, hash)...)...).Run() == nil {
			clean = append(clean, hash)
		}
	}
	p.commits = clean
	var peers [][]string
	for _, hash := range clean {
		peers = append(peers, p.mergeTree(b, target, hash))
	}
	for b.Loop() {
		var group errgroup.Group
		group.SetLimit(2)
		scratch := b.TempDir() // the objects that the merges make are new, too
		start := time.Now()
		for _, args := range peers {
			cmd := exec.Command("git", append([]string{"-C", p.dir}, args...)...)
			cmd.Env = append(cmd.Environ(), "GIT_OBJECT_DIRECTORY="+scratch, "GIT_ALTERNATE_OBJECT_DIRECTORIES="+filepath.Join(p.dir, "objects"))
			group.Go(cmd.Run)
		}
		if err := group.Wait(); err != nil {
			b.Fatal(err)
		}
		peer := time.Since(start)
		own, states := p.look(b, l, target)
		b.ReportMetric(float64(peer.Microseconds())/float64(len(clean))/1000, "git-ms/pick")
		b.ReportMetric(float64(own.Microseconds())/float64(len(clean))/1000, "ms/pick")
		b.ReportMetric(own.Seconds()/peer.Seconds(), "times-git")
		b.ReportMetric(float64(states[backport.Clean]), "clean")
	}
}

// mergeTree prepares a merge that is a pick, and returns the arguments of git that makes it.
func (p *picks) mergeTree(b *testing.B, target, hash string) []string {
	b.Helper()
	made := func(args ...string) string {
		return git(b, append([]string{"-C", p.dir, "-c", "user.name=x", "-c", "user.email=x", "commit-tree", "-m", "x"}, args...)...)
	}
	root := made(hash + "~1^{tree}")
	return []string{"merge-tree", "--write-tree", "-z", "--name-only", made("-p", root, target+"^{tree}"), made("-p", root, hash+"^{tree}")}
}

// 200 commits on 3 targets, with what the conflicts among them need.
func BenchmarkBackportPick600Goal20s(b *testing.B) {
	p := newPicks(b, 200)
	l := p.open(b, "")
	for b.Loop() {
		took, states := p.look(b, l, p.targets...)
		b.ReportMetric(took.Seconds(), "s")
		b.ReportMetric(float64(states[backport.Clean]), "clean")
		b.ReportMetric(float64(states[backport.Conflict]), "conflict")
	}
}

// A copy without blobs gets those of all picks by one fetch, and those of what conflicts need
// by a second.
func BenchmarkBackportPickWithoutBlobsGoal2Fetches(b *testing.B) {
	p := newPicks(b, 200)
	git(b, "-C", p.dir, "config", "uploadpack.allowFilter", "true")
	url := "file://" + p.dir
	p.dir = filepath.Join(b.TempDir(), "copy.git")
	repository, err := vcs.Open(vcs.Git, p.dir, weburl.Parse(url))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := repository.Update(b.Context(), func(string) bool { return true }); err != nil {
		b.Fatal(err)
	}
	packs := func() int {
		found, _ := filepath.Glob(filepath.Join(p.dir, "objects", "pack", "*.pack"))
		return len(found)
	}
	l := p.open(b, url)
	for b.Loop() {
		before := packs()
		took, _ := p.look(b, l, p.targets...)
		b.ReportMetric(took.Seconds(), "s")
		b.ReportMetric(float64(packs()-before), "fetches")
	}
}
