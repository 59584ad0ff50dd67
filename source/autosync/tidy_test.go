package autosync

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"vext/source/autosync/peers"
	"vext/source/autosync/repo"
	"vext/source/autosync/repo/repotest"
)

// A tidied is a fake that counts how often it is tidied.
type tidied struct {
	*repotest.Fake
	n int
}

func (r *tidied) Tidy(ctx context.Context) error {
	r.n++
	time.Sleep(10 * time.Minute) // which holds up nothing
	return ctx.Err()
}

// A repository is tidied every hour, but not while something is to be done.
func TestTidy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(tidied)
		m := start(t, repotest.NewRemote("r"), "desk", func(o *Options) {
			open := o.Repo
			o.Repo = func(ctx context.Context) (repo.Repository, error) {
				fake, err := open(ctx)
				r.Fake = fake.(*repotest.Fake)
				return r, err
			}
		})
		m.pass(59 * time.Minute)
		if r.n != 0 {
			t.Errorf("%d times in the first hour", r.n)
		}
		m.fake.Block("Commit", &repo.BusyError{Reason: "a merge is in progress"})
		m.write("a=1")
		m.pass(time.Hour)
		if r.n != 0 {
			t.Errorf("%d times during a merge", r.n)
		}
		m.fake.Block("Commit", nil)
		m.pass(3 * time.Minute)
		m.write("b=1")
		m.pass(time.Minute)
		m.commits("a: new, 1 line", "b: new, 1 line")
		m.pass(2 * time.Hour)
		if r.n < 2 || r.n > 3 {
			t.Errorf("%d times in 2 hours", r.n)
		}
	})
}

// The last commit of the status is that of the branch, whoever has made it.
func TestLastCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		remote := repotest.NewRemote("r")
		a, b := start(t, remote, "desk", nil), start(t, remote, "lap", nil)
		check := func(m *machine, when string) {
			t.Helper()
			head, err := m.fake.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			c := m.tree.Status().LastCommit
			if c == nil || c.Hash != head || c.Subject != m.subjects()[len(m.subjects())-1] {
				t.Errorf("%s: %+v, want %s", when, c, head)
			}
		}
		a.write("a=1")
		a.pass(4 * time.Second)
		check(a, "committed")
		b.write("b=1")
		b.pass(time.Minute)
		check(b, "made again by a rebase")
		a.tree.Pushed(peers.Push{})
		a.pass(time.Minute)
		check(a, "pulled")
		b.stop()
		b.run("lap", nil)
		b.pass(time.Minute)
		check(b, "started again")
	})
}
