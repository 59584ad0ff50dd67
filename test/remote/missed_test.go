package remote

import (
	"slices"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/remotedaemon"
)

// The four kinds of updates that git-annex misses are found: a push during a pause while
// other loose refs are known; the same with packed refs; one push with new and known
// commits; and a branch that goes back.
func TestWhatGitAnnexMisses(t *testing.T) {
	eachFar(t, func(t *testing.T, w *remotedaemon.World) {
		w.Push("for n in 1 2 3; do git commit -q --allow-empty -m $n; done; git push -q origin main HEAD:refs/heads/aa HEAD:refs/heads/zz")
		w.InLocal("git fetch -q origin")
		d := w.Start(remotedaemon.Vext(t))
		d.Connected()
		for _, packs := range []bool{false, true} {
			d.Send("PAUSE")
			d.Expect("DISCONNECTED " + w.URI())
			w.Commit("main")
			if packs {
				w.InServer("git pack-refs --all")
			}
			d.Send("RESUME")
			d.Connected()
			d.Synced()
			w.Equal()
		}
		w.Push("git commit -q --allow-empty -m cc; git push -q origin main HEAD~1:refs/heads/known")
		d.Synced()
		w.Equal()
		w.Push("git push -q -f origin HEAD~2:refs/heads/main")
		d.Synced()
		w.Equal()
		d.Stop()
	})
}

// Every other kind of update arrives, too.
func TestUpdates(t *testing.T) {
	eachFar(t, func(t *testing.T, w *remotedaemon.World) {
		w.InLocal("git config remote.origin.prune true")
		w.Push("git commit -q --allow-empty -m two; git push -q origin main HEAD:refs/heads/gone HEAD:refs/heads/b")
		w.InLocal("git fetch -q origin")
		d := w.Start(remotedaemon.Vext(t))
		d.Connected()
		for _, change := range []string{
			"git commit -q --amend --allow-empty -m forced; git push -q -f origin main",
			"git push -q origin :gone main:refs/heads/new", // git-annex reports the new one only
			"git push -q origin :b; git commit -q --allow-empty -m x; git push -q origin HEAD:refs/heads/b/x",
			"git push -q origin :b/x; git commit -q --allow-empty -m y; git push -q origin HEAD:refs/heads/b",
			"git commit -q --allow-empty -m z; git push -q origin main; git -C ../server.git pack-refs --all --prune",
			"for n in 1 2 3 4 5; do git commit -q --allow-empty -m n$n; git push -q origin main HEAD:refs/heads/n$n; done",
		} {
			w.Push(change)
			w.Equal()
		}
		w.Push("git tag one; git push -q origin one main:refs/heads/withtag")
		if !testkit.Eventually(remotedaemon.Patience, func() bool { _, err := w.Try("local", "git rev-parse -q --verify one"); return err == nil }) {
			t.Error("the tag is missing")
		}
		w.Equal()
		d.Stop()
	})
}

// A moved tag is fetched where the refspecs say so, and left alone where git fetch would.
func TestMovedTag(t *testing.T) {
	t.Parallel()
	for _, forced := range []bool{true, false} {
		w := remotedaemon.New(t, remotedaemon.Options{})
		if forced {
			w.InLocal("git config --add remote.origin.fetch '+refs/tags/*:refs/tags/*'")
		}
		w.Push("git tag v; git push -q origin v")
		w.InLocal("git fetch -q")
		old := w.InLocal("git rev-parse v")
		d := w.Start(remotedaemon.Vext(t))
		d.Connected()
		w.Push("git commit -q --allow-empty -m two; git tag -f v >/dev/null; git push -q -f origin v main")
		d.Synced()
		w.Equal()
		if moved := w.InLocal("git rev-parse v") != old; moved != forced {
			t.Errorf("moved: %t, forced: %t", moved, forced)
		}
		d.Quiet(still) // it is not fetched again
		d.Stop()
	}
}

// Four hundred branches in one push, of which git-annex reports 160.
func TestManyBranchesAtOnce(t *testing.T) {
	eachFar(t, func(t *testing.T, w *remotedaemon.World) {
		d := w.Start(remotedaemon.Vext(t))
		d.Connected()
		w.Push(`c=main; for n in $(seq 400); do c=$(git commit-tree -p $c -m $n $c^{tree}); echo "create refs/heads/many/$n $c"; done | git update-ref --stdin; git push -q origin 'refs/heads/many/*:refs/heads/many/*'`)
		d.Seek("DONESYNCING ", time.Minute)
		w.Equal()
		d.Stop()
	})
}

// One changed ref of 10,000 is one fetch.
func TestTenThousandRefs(t *testing.T) {
	eachFar(t, func(t *testing.T, w *remotedaemon.World) {
		w.Refs(10_000)
		w.CountFetches()
		d := w.Start(remotedaemon.Vext(t))
		d.Connected()
		d.Quiet(still)
		w.InServer("git update-ref refs/heads/many/000777 $(git commit-tree -p main -m new main^{tree})")
		d.Synced()
		w.Equal()
		if all, vain := w.Fetches(); all != 1 || vain != 0 {
			t.Errorf("%d fetches, %d in vain", all, vain)
		}
		d.Stop()
	})
}

// A server that keeps its refs in a reftable.
func TestReftable(t *testing.T) {
	w := remotedaemon.New(t, remotedaemon.Options{})
	if _, err := w.Try(".", "git init -q --bare --ref-format=reftable table.git"); err != nil {
		t.Skip("this git knows no reftable")
	}
	t.Parallel()
	w.Sh("rm -rf server.git; mv table.git server.git; git -C other push -q origin main")
	d := w.Start(remotedaemon.Vext(t))
	d.Connected()
	for range 3 {
		w.Commit("main")
		d.Synced()
	}
	w.Push("git push -q -f origin HEAD~2:main HEAD:refs/heads/a/b")
	d.Synced()
	w.Equal()
	d.Stop()
}

// A change is seen in well under a second; make bench has the figures of a quiet machine.
func TestLatency(t *testing.T) {
	eachFar(t, func(t *testing.T, w *remotedaemon.World) {
		d := w.Start(remotedaemon.Vext(t))
		d.Connected()
		var took []time.Duration
		for _, commit := range w.Commits(9) {
			w.Write("refs/heads/main", commit)
			begun := time.Now()
			took = append(took, d.Seek("SYNCING ", remotedaemon.Patience).At.Sub(begun))
			d.Seek("DONESYNCING "+w.URI()+" 1", remotedaemon.Patience)
		}
		slices.Sort(took)
		if took[len(took)/2] > time.Second {
			t.Errorf("%s", took)
		}
		d.Stop()
	})
}
