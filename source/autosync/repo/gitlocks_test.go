package repo_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vext/source/autosync/repo"
)

// killAtBranch makes a clone in which git is killed while it moves the branch, with all locks
// taken, as kill -9 and a power failure do.
func (p *pair) killAtBranch(r repo.Repository) {
	p.hook(filepath.Join(r.Root(), ".git/hooks/reference-transaction"), `if test "$1" = prepared && grep -q refs/heads/; then kill -9 $PPID; fi`)
}

// left fails the test unless these locks, and no others, are in a clone.
func (p *pair) left(r repo.Repository, want ...string) {
	p.Helper()
	var got []string
	for _, name := range []string{"HEAD.lock", "refs/heads/main.lock"} {
		if _, err := os.Lstat(filepath.Join(r.Root(), ".git", name)); err == nil {
			got = append(got, name)
		}
	}
	if len(got) != len(want) || len(got) > 0 && got[0] != want[0] {
		p.Errorf("locks: %q, want %q", got, want)
	}
}

// The locks that git has left when it was killed in the middle of a commit, or of a pull, do
// not stop a tree for ever.
func TestLocksOfAKilledGit(t *testing.T) {
	person(t)
	for name, move := range map[string]func(p *pair) error{
		"commit": func(p *pair) error {
			p.sh(p.b, "echo ours >ours")
			changes, err := p.b.Changes(t.Context())
			p.check(err)
			_, err = p.b.Commit(t.Context(), changes, saying("autosync"))
			return err
		},
		"pull": func(p *pair) error {
			_, err := p.b.Pull(t.Context(), repo.PullOptions{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Now()
			p := newPair(t, repo.Options{Now: func() time.Time { return now }})
			p.share("echo a >a")
			p.sh(p.a, "echo theirs >b")
			p.save(p.a)
			p.push(p.a)
			p.killAtBranch(p.b)
			if err := move(p); err == nil {
				t.Fatal("git was not killed")
			}
			p.left(p.b, "HEAD.lock", "refs/heads/main.lock")
			p.sh(p.b, "rm .git/hooks/reference-transaction; rm .git/refs/heads/main.lock") // killed a little earlier
			var busy *repo.BusyError
			if err := p.b.Ready(t.Context()); !errors.As(err, &busy) {
				t.Errorf("with a lock that is young: %v", err)
			}
			p.left(p.b, "HEAD.lock")
			now = now.Add(time.Minute)
			leave := repo.RunGit(t, p.b.Root())
			if err := p.b.Ready(t.Context()); !errors.As(err, &busy) {
				t.Errorf("while a git runs: %v", err)
			}
			leave()
			p.ready(p.b)
			p.left(p.b)
			p.killAtBranch(p.b)
			for range 2 { // the first removes the lock of the ref that notes the upstream
				if err := move(p); err == nil {
					t.Fatal("git was not killed")
				}
			}
			p.sh(p.b, "rm .git/hooks/reference-transaction")
			p.left(p.b, "HEAD.lock", "refs/heads/main.lock")
			now = now.Add(time.Minute)
			p.ready(p.b)
			p.left(p.b)
			p.save(p.b)
			p.b.Pull(t.Context(), repo.PullOptions{}) // which removes such a lock once more
			p.pull(p.b)
			p.meet()
		})
	}
}

// A lock that no journal explains stays: that nobody uses it cannot be proved.
func TestLocksOfOthers(t *testing.T) {
	person(t)
	now := time.Now().Add(time.Hour)
	p := newPair(t, repo.Options{Now: func() time.Time { return now }})
	p.share("echo a >a")
	p.sh(p.b, "touch .git/HEAD.lock .git/refs/heads/main.lock")
	var busy *repo.BusyError
	if err := p.b.Ready(t.Context()); !errors.As(err, &busy) {
		t.Errorf("%v", err)
	}
	p.left(p.b, "HEAD.lock", "refs/heads/main.lock")
}
