package remote

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

// serveEnv has the test's own program be the far side's, for the repository it names.
const serveEnv = "VEXT_TEST_SERVE_CHANGES"

// TestServeProgram is no test but that program.
func TestServeProgram(t *testing.T) {
	dir, is := os.LookupEnv(serveEnv)
	if !is {
		return
	}
	if err := ServeChanges(t.Context(), dir, os.Stdin, os.Stdout, func(text string) { fmt.Fprintln(os.Stderr, text) }); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Over ssh, what git-annex does not see is reported, too.
func TestServeOverSSH(t *testing.T) {
	f := newFarTest(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f.serveVext(serveEnv + `="$3" exec ` + program + ` -test.run='^TestServeProgram$'`)
	w := f.watch(f.repo)
	w.await("READY", w.ready)
	for _, args := range [][]string{
		{"update-ref", "refs/heads/new", "refs/heads/main"}, {"tag", "v9", "main"}, {"symbolic-ref", "HEAD", "refs/heads/new"},
		{"update-ref", "-d", "refs/heads/new"},
	} {
		gitFor(t, f.repo, args...)
		w.await(fmt.Sprint(args), w.changed)
	}
	var took []time.Duration
	for range 20 {
		f.move("refs/heads/main")
		start := time.Now()
		w.await("a commit", w.changed)
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	t.Logf("from the end of a push: median %s, 95%% %s", took[10], took[18])
	gitFor(t, f.repo, "pack-refs", "--all")
	if err := os.Rename(f.repo, f.repo+"-away"); err != nil {
		t.Fatal(err)
	}
	if err := w.ended(); err == nil || isUnsupported(err) {
		t.Errorf("the repository is gone: %v", err)
	}
}
