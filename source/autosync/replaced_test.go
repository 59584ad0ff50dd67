package autosync

import (
	"context"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vext/source/autosync/repo"
	"vext/source/autosync/repo/repotest"
	"vext/source/autosync/watch"
)

// When a disk was mounted again, the tree is opened again; another repository in its place
// is left alone, until a person says so.
func TestReplaced(t *testing.T) {
	for _, test := range []struct {
		name, part string
		other      bool
	}{{"the same repository", "", false}, {"another repository", "", true}, {"a backup of the version control", "/.fake", false}} {
		synctest.Test(t, func(t *testing.T) {
			remote := repotest.NewRemote("r")
			m := start(t, remote, "desk", nil)
			m.write(many(5, "f%d=x")...)
			m.pass(time.Minute)
			ended := make(chan error, 1)
			o := m.options("desk")
			o.DryRun = func(string) {}
			tree, err := Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			tree.o.DryRun = nil
			tree.makes = func(watch.Options) watcher { return newFakeWatcher() }
			m.tree.Pause()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() { ended <- tree.Run(ctx) }()
			m.pass(time.Minute)
			if test.other {
				other, err := repotest.NewFake(repotest.NewRemote("other"), repo.Options{Path: m.root + ".other", Now: time.Now})
				if err != nil {
					t.Fatal(err)
				}
				tree.o.Repo = func(context.Context) (repo.Repository, error) { return other, nil }
			}
			m.fake.Block("Ready", &repo.StoppedError{Reason: "another directory"})
			if err := os.Rename(m.root+test.part, m.root+".away"); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(m.root+test.part, os.DirFS(m.root+".away")); err != nil {
				t.Fatal(err)
			}
			tree.mu.Lock()
			tree.sawAll(time.Now())
			tree.mu.Unlock()
			m.pass(time.Minute)
			if test.other {
				if len(ended) > 0 {
					t.Error("it has ended")
				}
				tree.Resume()
				m.pass(time.Second)
			}
			if len(ended) == 0 {
				t.Fatalf("%s: it goes on: %+v", test.name, tree.Status())
			}
			if err := <-ended; err == nil || !strings.Contains(err.Error(), "another directory is in its place") {
				t.Error(err)
			}
		})
	}
}
