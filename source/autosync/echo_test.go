package autosync

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"vext/source/autosync/repo"
	"vext/source/autosync/repo/repotest"
	"vext/source/autosync/watch"
)

// A hooked repository has a hook that runs after each commit.
type hooked struct {
	*repotest.Fake
	hook func()
}

func (h hooked) Commit(ctx context.Context, changes []repo.Change, message repo.Message) (*repo.Commit, error) {
	c, err := h.Fake.Commit(ctx, changes, message)
	if c != nil {
		time.Sleep(10 * time.Millisecond)
		h.hook()
	}
	return c, err
}

// A hook that writes a file with each commit does not cause one commit after the other without
// end, and other files do not wait for it.
func TestHookWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m *machine
		n := 0
		hook := func() {
			n++
			if err := os.WriteFile(filepath.Join(m.root, "log"), fmt.Append(nil, n), 0o644); err != nil {
				t.Error(err)
			}
			m.watcher.events <- []watch.Event{{Path: "log"}}
		}
		m = start(t, repotest.NewRemote("r"), "desk", func(o *Options) {
			open := o.Repo
			o.Repo = func(ctx context.Context) (repo.Repository, error) {
				r, err := open(ctx)
				return hooked{r.(*repotest.Fake), hook}, err
			}
		})
		m.pass(time.Minute)
		m.write("a=1")
		m.pass(time.Hour)
		if n < 5 || n > 20 || m.logged("each commit changes files") != 1 {
			t.Errorf("%d commits in an hour", n)
		}
		before := n
		m.write("a=2")
		m.pass(2200 * time.Millisecond)
		if content, _ := m.fake.Committed("a"); content != "2" || n > before+2 {
			t.Errorf("a is %q after %d commits", content, n-before)
		}
	})
}
