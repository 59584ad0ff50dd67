package repo_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/source/autosync/repo"
)

// What git itself would overwrite, or mix up.
func TestGuard(t *testing.T) {
	person(t)
	for _, test := range []struct{ name, base, theirs, ours, want, solve string }{
		{"an ignored file", "echo '*.env' >.gitignore", "echo theirs >a.env; git add -f a.env", "echo ours >a.env", "stopped: a.env is ignored here", "mv a.env mine.env"},
		{"an ignored file with the same content", "echo '*.env' >.gitignore", "echo same >a.env; git add -f a.env", "echo same >a.env", "", ""},
		{"an ignored file where a directory comes", "echo out >.gitignore", "mkdir out; echo theirs >out/a; git add -f out/a", "echo ours >out", "stopped: out is ignored here", "mv out x"},
		{"ignored files where a file comes", "echo out >.gitignore", "echo theirs >out; git add -f out", "mkdir out; echo ours >out/a", "stopped: out/a is ignored here", "mv out x"},
		{"ignored files in a directory that becomes a file", "echo '*.o' >.gitignore; mkdir d; echo a >d/a", "rm -r d; echo theirs >d", "echo ours >d/a.o", "stopped: d/a.o is ignored here", "rm d/a.o"},
		{"marked as unchanged", "echo base >a", "echo theirs >a", "git update-index --assume-unchanged a; echo ours >a", "stopped: a is marked as unchanged", "git update-index --no-assume-unchanged a; git checkout -q a"},
		{"marked and unchanged", "echo base >a", "echo theirs >a", "git update-index --assume-unchanged a", "", ""},
		{"staged", "echo base >a", "echo theirs >a", "echo ours >a; git add a; echo base >a", "a is staged, and the remote has changed it, too", "git reset -q a"},
		{"only touched", "echo base >a", "echo theirs >a", "touch -d 2001-01-01 a", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, repo.Options{})
			p.share(test.base)
			p.sh(p.a, test.theirs+"; git add -A; git commit -qm theirs")
			p.push(p.a)
			p.sh(p.b, test.ours)
			before := p.files(p.b)
			_, err := p.b.Pull(t.Context(), repo.PullOptions{})
			if got := kind(err); !strings.HasPrefix(got, test.want) || test.want == "" && got != "" {
				t.Errorf("pull: %s", got)
			}
			if test.want == "" {
				return
			}
			if after := p.files(p.b); after != before {
				t.Errorf("files:\n%s\nbefore:\n%s", after, before)
			}
			p.check(p.b.Ready(t.Context()))
			p.sh(p.b, test.solve)
			p.pull(p.b)
		})
	}
}

// A checkout that fails in the middle is undone.
func TestCheckoutFails(t *testing.T) {
	person(t)
	p := newPair(t, repo.Options{})
	p.share("mkdir full; for f in a b c z; do echo base >$f; done; echo base >full/f; echo '*.x filter=bad' >.gitattributes; echo base >m.x")
	p.part("for f in a b c z; do echo theirs >$f; done; rm -r full; echo new >n; echo theirs >m.x", "echo ours >ours")
	p.sh(p.b, "git config filter.bad.smudge 'grep -v theirs'; git config filter.bad.clean cat; git config filter.bad.required true")
	before, head := p.files(p.b), p.git(p.b, "rev-parse", "HEAD")
	if _, err := p.b.Pull(t.Context(), repo.PullOptions{}); err == nil {
		t.Error("a filter that is required failed, and the pull did not")
	} else {
		t.Log(err)
	}
	if after := p.files(p.b); after != before || p.git(p.b, "rev-parse", "HEAD") != head {
		t.Errorf("files:\n%s\nbefore:\n%s", after, before)
	}
	p.sound(p.b)
	p.sh(p.b, "git config filter.bad.smudge 'sed s/theirs/smudged/'; git config filter.bad.clean 'sed s/smudged/theirs/'")
	p.pull(p.b)
	p.meet()
	if got := p.files(p.b); !strings.Contains(got, "m.x: smudged") {
		t.Errorf("files:\n%s", got)
	}
}

// A commit that is made again keeps its author, its date, its message and the encoding of it,
// and what was there before stays reachable.
func TestRebased(t *testing.T) {
	person(t)
	p := newPair(t, repo.Options{})
	p.share("echo a >a")
	p.part("echo theirs >a", "git config i18n.commitEncoding ISO-8859-1; git config user.name 'M\u00fcller, O.'")
	p.sh(p.b, "echo one >one")
	p.save(p.b)
	p.sh(p.b, "echo two >two; echo theirs >a")
	p.save(p.b)
	p.sh(p.b, "echo a >a")
	p.save(p.b)
	const format = "--format=%an <%ae> %ai%n%B%e"
	before, head := p.git(p.b, "log", "-3", format), p.git(p.b, "rev-parse", "HEAD")
	pulled := p.pull(p.b)
	if after := p.git(p.b, "log", "-3", format); after != before || pulled.Rebased != 3 || pulled.Before != head {
		t.Errorf("%+v\n%s\nbefore:\n%s", pulled, after, before)
	}
	if kept := p.git(p.b, "for-each-ref", "--format=%(refname) %(objectname)", "refs/vext/autosync/before"); kept != "refs/vext/autosync/before/20261130T140500.000Z "+head {
		t.Errorf("kept: %s", kept)
	}
	if log := p.git(p.b, "reflog", "-1", "--format=%gs"); log != "vext autosync: integrate origin/main" {
		t.Errorf("reflog: %s", log)
	}
	p.meet()
}

// A person's commit is never made again.
func TestPersonsCommit(t *testing.T) {
	person(t)
	p := newPair(t, repo.Options{})
	p.share("echo a >a; echo b >b")
	p.part("echo theirs >a", "echo ours >b")
	p.sh(p.b, "echo c >c; git add c; git commit -qm 'by hand'")
	mine := p.git(p.b, "rev-parse", "HEAD")
	pulled := p.pull(p.b)
	if parents := p.git(p.b, "log", "-1", "--format=%P"); pulled.Rebased != 0 || parents != mine+" "+pulled.Upstream {
		t.Errorf("%+v, parents %s", pulled, parents)
	}
	p.meet()
}

// A commit is signed again, and a program that cannot sign stops nothing but the integration.
func TestSigned(t *testing.T) {
	person(t)
	testkit.Program(t, "ssh-keygen")
	p := newPair(t, repo.Options{})
	p.share("echo a >a")
	p.sh(p.b, "ssh-keygen -q -t ed25519 -N '' -f ../key; git config gpg.format ssh; git config user.signingKey $PWD/../key.pub; git config commit.gpgSign true")
	p.part("echo theirs >a", "echo ours >b")
	p.sh(p.b, "mv ../key ../away")
	var hook *repo.HookError
	if _, err := p.b.Pull(t.Context(), repo.PullOptions{}); !errors.As(err, &hook) {
		t.Errorf("pull: %v", err)
	}
	p.sh(p.b, "mv ../away ../key")
	p.pull(p.b)
	if commit := p.git(p.b, "cat-file", "commit", "HEAD"); !strings.Contains(commit, "gpgsig") {
		t.Errorf("not signed: %s", commit)
	}
	p.meet()
}

// The refs that keep what was there do not grow without end.
func TestBefore(t *testing.T) {
	person(t)
	now := someTime
	p := newPair(t, repo.Options{Now: func() time.Time { return now }})
	p.share("echo a >a")
	var refs strings.Builder
	for i := range 150 {
		fmt.Fprintf(&refs, "update refs/vext/autosync/before/%s HEAD\n", someTime.AddDate(0, 0, i-160).Format("20060102T150405.000Z"))
	}
	p.check(os.WriteFile(filepath.Join(p.dir, "refs"), []byte(refs.String()), 0o666))
	p.sh(p.b, "git update-ref --stdin <../refs")
	p.part("echo theirs >a", "true")
	p.pull(p.b)
	if n := strings.Count(p.git(p.b, "for-each-ref", "refs/vext/autosync/before")+"\n", "\n"); n != 100 {
		t.Errorf("%d refs", n)
	}
}

// A submodule is a commit, and theirs.
func TestSubmodule(t *testing.T) {
	person(t)
	p := newPair(t, repo.Options{})
	p.sh(p.a, "git init -q ../sub; for n in 1 2 3; do git -C ../sub commit -q --allow-empty -m $n; done; git submodule -q add ../sub sub; git commit -qm sub")
	p.push(p.a)
	p.pull(p.b)
	p.sh(p.b, "git submodule -q update --init")
	p.sh(p.a, "git -C sub checkout -q HEAD~1; git commit -qam theirs")
	p.push(p.a)
	p.sh(p.b, "git -C sub checkout -q HEAD~2; git commit -qam ours; git -C sub checkout -q main")
	pulled, err := p.b.Pull(t.Context(), repo.PullOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", pulled)
	if a, b := p.git(p.a, "rev-parse", "HEAD:sub"), p.git(p.b, "rev-parse", "HEAD:sub"); a != b {
		t.Errorf("%s and %s", a, b)
	}
	if head := p.git(p.b, "-C", "sub", "log", "-1", "--format=%s"); head != "3" {
		t.Errorf("the work tree of the submodule was changed: %s", head)
	}
}
