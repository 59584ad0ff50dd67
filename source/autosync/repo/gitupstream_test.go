package repo_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vext/source/autosync/repo"
)

// A remote branch that does not continue what was there stops the tree until a person has
// decided; the commands that the error names do that.
func TestForced(t *testing.T) {
	person(t)
	for _, test := range []struct{ name, force, says, solve, want string }{
		{"amended, merged", "echo other >a; git commit -qam x --amend; git push -qf", "overwritten by a forced push", "git merge -q origin/main -X theirs -m both", "a: other\nours: ours"},
		{"amended, taken", "echo other >a; git commit -qam x --amend; git push -qf", "git reset --keep", "git reset -q --keep origin/main", "a: other"},
		{"amended, put back", "echo other >a; git commit -qam x --amend; git push -qf", "put back", "git push -q --force-with-lease origin HEAD:main", "a: second\nours: ours"},
		{"set back, followed", "git reset -q --hard HEAD~1; git push -qf", "set back", "git reset -q --keep origin/main", "a: first"},
		{"set back, undone", "git reset -q --hard HEAD~1; git push -qf", "To undo it: git push origin HEAD:main", "git push -q origin HEAD:main", "a: second\nours: ours"},
		{"deleted, made again", "git -C ../remote update-ref -d refs/heads/main", "was deleted there", "git push -q origin HEAD:refs/heads/main", "a: second\nours: ours"},
		{"unrelated, joined", "git checkout -q --orphan new; echo other >b; git rm -qf a; git add b; git commit -qm new; git push -qf origin new:main", "overwritten",
			"git merge -q --allow-unrelated-histories origin/main -m both", "a: second\nb: other\nours: ours"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, repo.Options{})
			p.share("echo first >a")
			p.part("echo second >a", "true")
			p.pull(p.b)
			p.sh(p.b, "echo ours >ours")
			p.save(p.b)
			p.sh(p.a, test.force)
			before, refs := p.git(p.b, "rev-parse", "HEAD"), git(t, p.remote, "for-each-ref")
			for range 2 {
				var stopped *repo.StoppedError
				if _, err := p.b.Pull(t.Context(), repo.PullOptions{}); !errors.As(err, &stopped) || !strings.Contains(err.Error(), test.says) {
					t.Fatalf("pull: %v, want %s", err, test.says)
				}
				if _, err := p.b.Push(t.Context()); !errors.As(err, &stopped) {
					t.Errorf("push: %v", err)
				}
			}
			if p.git(p.b, "rev-parse", "HEAD") != before || git(t, p.remote, "for-each-ref") != refs {
				t.Error("something was touched")
			}
			p.sound(p.b)
			p.sh(p.b, "git fetch -q; "+test.solve)
			p.pull(p.b)
			p.push(p.b)
			if got := p.files(p.b); got != test.want {
				t.Errorf("files:\n%s", got)
			}
			p.sound(p.b)
			if got := strings.TrimSpace(git(t, p.remote, "rev-parse", "main")); got != p.git(p.b, "rev-parse", "HEAD") {
				t.Error("not pushed")
			}
			if p.pull(p.b).Before == "" {
				t.Error("it does not go on")
			}
		})
	}
}

func TestNoRemote(t *testing.T) {
	person(t)
	p := newPair(t, repo.Options{})
	p.sh(p.a, "git remote remove origin; echo a >a")
	p.save(p.a)
	pulled, err := p.a.Pull(t.Context(), repo.PullOptions{})
	if pulled != nil || err != nil {
		t.Errorf("pulled %+v, %v", pulled, err)
	}
	pushed, err := p.a.Push(t.Context())
	if n, countErr := p.a.Unpushed(t.Context()); pushed != nil || err != nil || n != 0 || countErr != nil {
		t.Errorf("pushed %+v, %v; %d, %v", pushed, err, n, countErr)
	}
	p.sh(p.b, "echo b >b")
	p.save(p.b)
	if n, err := p.b.Unpushed(t.Context()); n != 1 || err != nil { // an empty remote
		t.Errorf("unpushed %d, %v", n, err)
	}
	if pulled := p.pull(p.b); pulled.Upstream != "" || pulled.After == "" {
		t.Errorf("pulled %+v", pulled)
	}
	p.push(p.b)
	p.sh(p.b, "git config --unset-all remote.origin.fetch; git update-ref -d refs/remotes/origin/main; echo more >b")
	p.pull(p.b) // without a refspec the commit is in a ref of autosync
	p.save(p.b)
	if n, err := p.b.Unpushed(t.Context()); n != 1 || err != nil {
		t.Errorf("unpushed %d, %v", n, err)
	}
	p.push(p.b)
	if n, err := p.b.Unpushed(t.Context()); n != 0 || err != nil {
		t.Errorf("unpushed %d, %v", n, err)
	}
}

// What is pushed to another branch than the one that is checked out.
func TestOtherBranch(t *testing.T) {
	person(t)
	p := newPair(t, repo.Options{Branch: "sync/all"})
	p.share("echo a >a")
	p.part("echo theirs >a", "echo ours >b")
	p.pull(p.b)
	p.meet()
	if got := strings.TrimSpace(git(t, p.remote, "for-each-ref", "--format=%(refname)")); got != "refs/heads/sync/all" {
		t.Errorf("the remote has %s", got)
	}
}

// A push that is rejected says whether a pull, time or a person helps.
func TestRejected(t *testing.T) {
	person(t)
	for _, test := range []struct {
		name, hook string
		want       string
	}{
		{"by a hook", "echo 'no pushes on Mondays' >&2; exit 1", "stopped: origin/main rejects the push: pre-receive hook declined: no pushes on Mondays"},
		{"by nothing", "exit 0", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPair(t, repo.Options{})
			p.sh(p.a, "echo a >a")
			p.save(p.a)
			p.hook(filepath.Join(p.remote, "hooks", "pre-receive"), test.hook)
			_, err := p.a.Push(t.Context())
			if got := kind(err); got != test.want {
				t.Errorf("push: %s", got)
			}
		})
	}
	t.Run("by a lock", func(t *testing.T) {
		p := newPair(t, repo.Options{})
		p.share("echo a >a")
		p.sh(p.a, "echo b >a")
		p.save(p.a)
		p.check(os.WriteFile(filepath.Join(p.remote, "refs/heads/main.lock"), nil, 0o666))
		if _, err := p.a.Push(t.Context()); !errors.Is(err, repo.ErrBehind) {
			t.Errorf("push: %v", err)
		}
	})
	t.Run("by our own hook", func(t *testing.T) {
		p := newPair(t, repo.Options{})
		p.sh(p.a, "echo a >a")
		p.save(p.a)
		p.hook(filepath.Join(p.a.Root(), ".git/hooks/pre-push"), "echo 'tests fail' >&2; exit 1")
		_, err := p.a.Push(t.Context())
		var hook *repo.HookError
		if !errors.As(err, &hook) || hook.Hook != "pre-push" || !strings.Contains(err.Error(), "tests fail") {
			t.Errorf("push: %v", err)
		}
	})
	t.Run("because it is checked out", func(t *testing.T) {
		p := newPair(t, repo.Options{})
		p.share("echo a >a")
		p.sh(p.b, "git remote set-url origin "+p.a.Root()+"; echo b >a")
		p.save(p.b)
		if _, err := p.b.Push(t.Context()); !strings.HasPrefix(kind(err), "stopped: origin/main rejects the push: branch is currently checked out") {
			t.Errorf("push: %v", err)
		}
	})
}

func (p *pair) hook(path, script string) {
	p.Helper()
	p.check(os.MkdirAll(filepath.Dir(path), 0o777))
	p.check(os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o777))
}

// kind returns an error with the name of its type.
func kind(err error) string {
	var stopped *repo.StoppedError
	var offline *repo.OfflineError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &stopped):
		return "stopped: " + err.Error()
	case errors.As(err, &offline):
		return "offline: " + err.Error()
	}
	return err.Error()
}

// What the network does not give.
func TestUnreachable(t *testing.T) {
	person(t)
	p := newPair(t, repo.Options{})
	p.share("echo a >a")
	ssh := filepath.Join(p.dir, "ssh")
	for _, test := range []struct{ url, ssh, want string }{
		{"ssh://host/x.git", "echo 'ssh: connect to host host port 22: Connection refused' >&2; exit 255", "offline: git fetch: connect to host host port 22: Connection refused"},
		{"host:x.git", "echo 'jane@host: Permission denied (publickey).' >&2; exit 255", "offline: git fetch: jane@host: Permission denied (publickey).; a key with a passphrase"},
		{"host:x.git", "echo 'Host key verification failed.' >&2; exit 255", "offline: git fetch: Host key verification failed.; compare"},
		{"host:x.git", "echo 'ERROR: Repository not found.' >&2; exit 1", "stopped: git fetch: ERROR: Repository not found"},
		{"host:x.git", `case " $* " in *" -oBatchMode=yes "*) echo 'ssh: batch' >&2;; esac; exit 255`, "offline: git fetch: batch"},
		{"http://127.0.0.1:1/x", "", "offline: git fetch: unable to access 'http://127.0.0.1:1/x/': Failed to connect"},
		{p.dir, "", "stopped: git fetch: '" + p.dir + "' does not appear to be a git repository"},
		{filepath.Join(p.dir, "no", "where"), "", "offline: " + filepath.Join(p.dir, "no", "where") + " is not there; is its file system mounted?"},
	} {
		p.hook(ssh, test.ssh)
		p.sh(p.b, "git config remote.origin.url "+test.url+"; git config core.sshCommand "+ssh)
		_, err := p.b.Pull(t.Context(), repo.PullOptions{})
		if got := kind(err); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %s", test.url, got)
		}
	}
	p.sound(p.b)
}

// A commit of a peer is fetched from the peer, if it is exactly what was announced.
func TestDirect(t *testing.T) {
	person(t)
	p := newPair(t, repo.Options{})
	p.share("echo a >a")
	p.part("echo theirs >a", "true")
	head := p.git(p.a, "rev-parse", "HEAD")
	p.sh(p.b, "git remote set-url origin "+p.dir+"/cut") // so that nothing can come from there
	p.sh(p.b, "git config url.file://"+p.dir+"/.insteadOf ssh://peer/")
	peer := "ssh://peer/" + filepath.Base(p.a.Root())
	trap := filepath.Join(p.dir, "trap")
	for _, o := range []repo.PullOptions{
		{Want: head, URLs: []string{"ext::sh -c 'touch " + trap + "'", "--upload-pack=touch " + trap, "-oProxyCommand=touch " + trap, "foo://x", "ssh://peer/nowhere", "transport::address", "relative/path", p.a.Root(), "file://" + p.a.Root()}},
		{Want: head[:12], URLs: []string{peer}},
		{Want: "HEAD", URLs: []string{peer}},
		{Want: strings.Repeat("0", 39) + "1", URLs: []string{peer}},
	} {
		if pulled, err := p.b.Pull(t.Context(), o); err == nil {
			t.Errorf("%+v: pulled %+v", o, pulled)
		}
	}
	if _, err := os.Lstat(trap); err == nil {
		t.Error("a URL has run a command")
	}
	pulled, err := p.b.Pull(t.Context(), repo.PullOptions{Want: head, URLs: []string{"ssh://peer/nowhere", peer}})
	p.check(err)
	if !pulled.Direct || pulled.After != head || len(pulled.Commits) != 1 || pulled.Upstream != head {
		t.Errorf("pulled %+v", pulled)
	}
	p.sound(p.b)
	if n, err := p.b.Unpushed(t.Context()); n != 0 || err != nil {
		t.Errorf("unpushed %d, %v", n, err)
	}
	p.sh(p.b, "git remote set-url origin "+p.remote)
	// The peer was wrong: the remote lacks its commit. That is no forced push.
	git(t, p.remote, "update-ref", "refs/heads/main", head+"~1")
	p.pull(p.b)
	p.push(p.b)
	if got := strings.TrimSpace(git(t, p.remote, "rev-parse", "main")); got != head {
		t.Errorf("the remote has %s", got)
	}
	// From now on it is one.
	git(t, p.remote, "update-ref", "refs/heads/main", head+"~1")
	var stopped *repo.StoppedError
	if _, err := p.b.Pull(t.Context(), repo.PullOptions{}); !errors.As(err, &stopped) {
		t.Errorf("pull: %v", err)
	}
}
