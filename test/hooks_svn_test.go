package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
)

// An svnWorld is a Subversion repository with a hook of vext, and a working copy
// of all of it.
type svnWorld struct {
	*service
	dir    string
	server string
	tree   string
	auth   string // options of svn
	year   string // a day on which all is due
}

// newSvnWorld makes a repository with trunk, branches and tags. Its hook is not
// yet installed.
func newSvnWorld(t *testing.T) *svnWorld {
	t.Helper()
	testkit.Program(t, "svn")
	testkit.Program(t, "svnadmin")
	dir := openDir(t)
	w := &svnWorld{
		service: newHooked(t), dir: dir, server: filepath.Join(dir, "widget"), tree: filepath.Join(dir, "tree"),
		auth: " --username olivia", year: time.Now().AddDate(1, 0, 0).Format(time.DateOnly), // the server dates commits
	}
	sh(t, dir, "svnadmin create widget; svn checkout --quiet file://"+w.server+" tree")
	w.svn("mkdir --quiet trunk branches branches/1 tags")
	w.commit("old")
	return w
}

// svn runs an svn command in the working copy. It must succeed, without a word
// about hooks.
func (w *svnWorld) svn(args string) string {
	w.t.Helper()
	r := shell(w.t, w.tree, "svn --non-interactive --no-auth-cache --config-dir "+w.dir+"/config"+w.auth+" "+args)
	if strings.Contains(r.stderr, "arning") || strings.Contains(r.stdout, "arning") {
		w.t.Errorf("%s\n%s%s", r.command, r.stdout, r.stderr)
	}
	return strings.TrimSpace(r.ok(w.t))
}

// commit commits what was changed, and asks for a reminder.
func (w *svnWorld) commit(subject string) {
	w.t.Helper()
	w.svn("commit --quiet --message '" + asking(subject) + "'")
}

// change changes files and commits that.
func (w *svnWorld) change(subject string, paths ...string) {
	w.t.Helper()
	for _, path := range paths {
		ok(w.t, os.MkdirAll(filepath.Join(w.tree, filepath.Dir(path)), 0o755))
		write(w.t, filepath.Join(w.tree, path), 0o644, subject)
		w.svn("add --quiet --force --parents " + path)
	}
	w.commit(subject)
}

// svnTransports are the ways by which repositories are committed to.
var svnTransports = map[string]func(w *svnWorld){
	"file": func(*svnWorld) {},
	"svnserve": func(w *svnWorld) {
		conf := filepath.Join(w.server, "conf")
		write(w.t, filepath.Join(conf, "svnserve.conf"), 0o644, "[general]\nanon-access = none\nauth-access = write\npassword-db = passwd\n")
		write(w.t, filepath.Join(conf, "passwd"), 0o644, "[users]\nolivia = secret\n")
		w.auth += " --password secret"
		address := listen(w.t, func(host, port string) *exec.Cmd {
			return exec.Command(testkit.Program(w.t, "svnserve"), "--daemon", "--foreground", "--listen-host", host, "--listen-port", port, "--root", w.dir)
		})
		w.svn("relocate svn://" + address + "/widget")
	},
	"svn+ssh": func(w *svnWorld) {
		address := startSSH(w.t, w.dir)
		host, port, _ := strings.Cut(address, ":")
		ok(w.t, os.MkdirAll(filepath.Join(w.dir, "config"), 0o755))
		write(w.t, filepath.Join(w.dir, "config", "config"), 0o644, "[tunnels]\nvext = "+sshCommand(w.dir)+" -p "+port+"\n")
		key := filepath.Join(w.dir, "authorized")
		write(w.t, key, 0o644, `command="svnserve --tunnel --tunnel-user=olivia" `+read(w.t, key)) // as one account for all has it
		w.svn("relocate svn+vext://" + host + w.server)
	},
}

// By whichever way a change is committed, it is in the spool, with the branch
// that its paths lie on and the address of its author.
func TestSvnCommit(t *testing.T) {
	for name, transport := range svnTransports {
		t.Run(name, func(t *testing.T) {
			w := newSvnWorld(t)
			transport(w)
			w.branches("trunk", "branches/1")
			w.hook("install", "--domain", "example.org", w.server)

			w.change("one", "trunk/file")
			w.wantWaiting("trunk one")
			if item := w.list()[0]; item.Repository != "widget" || item.Revision != "r2" || item.Address != olivia {
				t.Errorf("%+v", item)
			}
			w.change("on a branch", "branches/1/file")
			w.change("on one that does not count", "branches/2/file")
			w.change("on both", "trunk/file", "branches/2/file")
			w.change("on no branch", "file")
			w.svn("copy --quiet --message '" + asking("a tag") + "' ^/trunk ^/tags/1.0")
			w.svn("update --quiet")
			w.svn("propset --quiet svn:ignore '*.o' trunk")
			w.commit("a property")
			want := []string{"trunk one", "branches/1 on a branch", "trunk on both", " on no branch", "trunk a property"}
			w.wantWaiting(want...)
			if got, want := w.try(w.year, "run").ok(t), "5 queued, 5 sent\n"; got != want {
				t.Errorf("vext run said %q, want %q", got, want)
			}
			w.change("the last", "trunk/file")
			w.wantWaiting("trunk the last")
		})
	}
}

// A commit on several branches that count is one reminder, that names them.
func TestSvnCommitOnSeveralBranches(t *testing.T) {
	w := newSvnWorld(t)
	w.branches("branches/*")
	w.hook("install", "--domain", "example.org", w.server)
	w.change("two", "branches/1/file", "branches/2/file", "trunk/file")
	w.wantWaiting("branches/1 two", "branches/2 two")
	w.try(w.year, "run").ok(t)
	if got := mails(t, w.maildir); len(got) != 1 {
		t.Errorf("%d reminders, want 1", len(got))
	}
}

// A hook that was there before gets its arguments, and its words and its status
// reach the committer as before.
func TestSvnKeepsTheHook(t *testing.T) {
	for name, status := range map[string]int{"succeeds": 0, "fails": 7} {
		t.Run(name, func(t *testing.T) {
			w := newSvnWorld(t)
			log := filepath.Join(w.dir, "log")
			hook := filepath.Join(w.server, "hooks", "post-commit")
			write(t, hook, 0o755, fmt.Sprintf("#!/bin/sh\necho \"$#: $1 $2 $3\" >>%s\necho a word >&2\nexit %d\n", log, status))
			before := listing(t, filepath.Join(w.server, "hooks"), nil)
			w.hook("install", "--domain", "example.org", w.server)
			w.hook("install", w.server)

			write(t, filepath.Join(w.tree, "trunk", "file"), 0o644, "1")
			r := shell(t, w.tree, "svn add --quiet trunk/file; svn commit --username olivia --message '"+asking("one")+"'")
			r.want(t, 0)
			if said := strings.Contains(r.stdout+r.stderr, "a word"); said != (status != 0) {
				t.Errorf("svn commit said %s%s", r.stdout, r.stderr)
			}
			w.wantWaiting("trunk one")
			if item := w.list()[0]; item.Address != olivia { // the domain is kept at the second installation
				t.Errorf("%+v", item)
			}
			if got := read(t, log); !strings.HasPrefix(got, "3: "+w.server+" 2 1-") {
				t.Errorf("the hook received %q", got)
			}
			w.hook("remove", w.server)
			wantSame(t, before, listing(t, filepath.Join(w.server, "hooks"), nil))
		})
	}
}

// What is installed and removed leaves no trace.
func TestSvnRemoveWithoutATrace(t *testing.T) {
	for name, prepare := range map[string]string{
		"plain":         `:`,
		"without hooks": `rm -r widget/hooks; mkdir widget/hooks`,
		"with a link":   `ln -s post-commit.tmpl widget/hooks/post-commit`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newSvnWorld(t)
			sh(t, w.dir, prepare)
			before, state := listing(t, w.dir, nil), listing(t, w.state, nil)
			w.hook("install", "--vcs", "svn", w.server)
			contains(t, w.hook("status", w.server), "post-commit: installed")
			w.hook("remove", w.server)
			wantSame(t, before, listing(t, w.dir, nil))
			wantSame(t, state, listing(t, w.state, func(path string) bool { return path == "tmp" }))
		})
	}
}

// When vext is broken the commit succeeds all the same, without a warning, and
// is found by the next run, once.
func TestSvnCommitWhenVextIsBroken(t *testing.T) {
	w := newSvnWorld(t)
	w.hook("install", "--domain", "example.org", w.server)
	for i, broken := range []struct{ breakIt, mend string }{
		{`mv "$VEXT" "$VEXT.away"`, `mv "$VEXT.away" "$VEXT"`},
		{`rm -rf "$STATE/spool"; : >"$STATE/spool"`, `rm "$STATE/spool"`},
		{`mv "$STATE" "$STATE.away"`, `mv "$STATE.away" "$STATE"`},
	} {
		env := []string{"VEXT=" + w.vext, "STATE=" + w.state}
		sh(t, w.dir, broken.breakIt, env...)
		w.change(fmt.Sprint("lost ", i), "trunk/file")
		w.change(fmt.Sprint("lost too ", i), "trunk/file")
		sh(t, w.dir, broken.mend, env...)
		w.runs(2)
	}
}

// Paths hold whatever a file system takes.
func TestSvnPathsToBeQuoted(t *testing.T) {
	w := newSvnWorld(t)
	odd := filepath.Join(w.dir, `it's "a" $HOME; 100% @ #`)
	ok(t, os.Mkdir(odd, 0o755))
	for _, path := range []*string{&w.server, &w.state, &w.config, &w.vext} {
		to := filepath.Join(odd, "- "+filepath.Base(*path))
		ok(t, os.Rename(*path, to))
		*path = to
	}
	w.hook("install", "--domain", "example.org", w.server)
	url := "file://" + strings.NewReplacer("%", "%25", " ", "%20", "#", "%23", "$", "%24", "\"", "%22", "'", "%27").Replace(w.server)
	w.svn("relocate '" + url + "'")
	w.change("one", "trunk/file")
	w.wantWaiting("trunk one")
	w.hook("remove", w.server)
}
