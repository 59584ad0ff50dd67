package repotest

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"

	"vext/source/autosync/repo"
)

// fakes returns two Fakes with one remote.
func fakes(t *testing.T, o repo.Options) (a, b *Fake, remote *Remote) {
	t.Helper()
	remote = NewRemote("shared")
	made := map[string]*Fake{}
	for _, host := range []string{"alpha", "beta"} {
		o.Host, o.Path = host, t.TempDir()
		f, err := NewFake(remote, o)
		if err != nil {
			t.Fatal(err)
		}
		made[host] = f
	}
	return made["alpha"], made["beta"], remote
}

func TestFake(t *testing.T) {
	Run(t, func(t *testing.T, o repo.Options) Setup {
		a, b, remote := fakes(t, o)
		return Setup{
			A: a, B: b,
			Contains: func(r repo.Repository, content string) bool { return r.(*Fake).Contains(content) },
			Unsafe: map[string]func() func(){"blocked": func() func() {
				a.Block("Ready", &repo.BusyError{Reason: "a rebase is in progress"})
				return func() { a.Block("Ready", nil) }
			}},
			Cut: func() {
				a.Block("Push", &repo.OfflineError{Err: errors.New("offline")})
				a.Block("Pull", &repo.OfflineError{Err: errors.New("offline")})
			},
			Unrelate: func() {
				a.upstream = ""
				remote.Force(remote.add(&commit{tree: map[string]entry{"x": {"x", 0o644}}}))
			},
		}
	})
}

func TestScript(t *testing.T) {
	ctx := context.Background()
	f, _, remote := fakes(t, repo.Options{})
	f.Ignore("*.o", "build")
	for _, name := range []string{"a.txt", "x.o", "secret"} {
		if err := os.WriteFile(f.path(name), []byte(name), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	f.Refuse("secret", "permission denied")
	f.Stage("a.txt")
	hook := &repo.HookError{Hook: "pre-commit", Err: errors.New("no")}
	f.Fail("Commit", hook, nil)
	changes, err := f.Changes(ctx)
	if err != nil || len(changes) != 2 || !changes[0].Staged || changes[1].Refuse != "permission denied" {
		t.Fatalf("%+v, %v", changes, err)
	}
	if ignored, err := f.Ignored(ctx, []string{"build", "src"}); err != nil || !ignored["build"] || ignored["src"] {
		t.Errorf("%v, %v", ignored, err)
	}
	if _, err := f.Commit(ctx, changes, saying("one")); !errors.Is(err, hook) {
		t.Errorf("%v", err)
	}
	c, err := f.Commit(ctx, changes, saying("one"))
	if err != nil || len(c.Refused) != 1 || c.Refused[0].Path != "secret" || len(c.Stats) != 1 {
		t.Fatalf("%+v, %v", c, err)
	}
	wasCalled := false
	f.Before("Push", func() { wasCalled = true })
	if p, err := f.Push(ctx); err != nil || p.New != remote.Head() || !wasCalled {
		t.Errorf("%+v, %v", p, err)
	}
	if want := []string{"Changes", "Ignored", "Commit a.txt secret", "Commit a.txt secret", "Push"}; !slices.Equal(f.Calls(), want) {
		t.Errorf("%q", f.Calls())
	}
	if f.Count("Commit") != 2 || !slices.Equal(f.Log(), []string{"one"}) {
		t.Errorf("%d, %q", f.Count("Commit"), f.Log())
	}
	if content, isThere := f.Committed("a.txt"); content != "a.txt" || !isThere {
		t.Errorf("%q", content)
	}
	remote.Force("")
	var stopped *repo.StoppedError
	if _, err := f.Pull(ctx, repo.PullOptions{}); !errors.As(err, &stopped) {
		t.Errorf("%v", err)
	}
	if err := os.RemoveAll(f.Root()); err != nil {
		t.Fatal(err)
	}
	if err := f.Ready(ctx); !errors.As(err, &stopped) {
		t.Errorf("%v", err)
	}
}
