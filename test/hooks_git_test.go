package test

import (
	"fmt"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"vext/internal/testkit"
)

// A gitWorld is a bare repository with a hook of vext, and a clone of it that is
// pushed from.
type gitWorld struct {
	*service
	dir    string
	server string
	clone  string
	env    []string // that git push needs
}

// newGitWorld makes a repository that holds two commits, the first of which asks for
// a reminder. Its hook is not yet installed.
func newGitWorld(t *testing.T) *gitWorld {
	t.Helper()
	testkit.Program(t, "git")
	dir := openDir(t)
	w := &gitWorld{service: newHooked(t), dir: dir, server: filepath.Join(dir, "widget.git"), clone: filepath.Join(dir, "clone")}
	sh(t, dir, `git init --quiet --bare --initial-branch=main widget.git
git clone --quiet widget.git clone 2>/dev/null
cd clone; git checkout --quiet -B main`)
	w.commit("old 1")
	w.commit("old 2")
	w.push("main")
	return w
}

// installed is newGitWorld with the hook.
func installed(t *testing.T) *gitWorld {
	t.Helper()
	w := newGitWorld(t)
	w.hook("install", w.server)
	return w
}

// git runs a script in the clone.
func (w *gitWorld) git(script string) string {
	w.t.Helper()
	return strings.TrimSpace(sh(w.t, w.clone, script, w.env...))
}

// commit makes a commit that asks for a reminder, and returns its hash.
func (w *gitWorld) commit(subject string) string {
	w.t.Helper()
	return w.git("git commit --quiet --allow-empty -m '" + asking(subject) + "'; git rev-parse HEAD")
}

// push runs git push, which must succeed without a word of the server.
func (w *gitWorld) push(args string) {
	w.t.Helper()
	r := shell(w.t, w.clone, "git push --quiet origin "+args, w.env...)
	r.ok(w.t)
	if strings.Contains(r.stderr, "remote:") {
		w.t.Errorf("%s\nthe server said:\n%s", r.command, r.stderr)
	}
}

// imports makes commits by git fast-import, in the clone.
func (w *gitWorld) imports(stream string) {
	w.t.Helper()
	write(w.t, filepath.Join(w.dir, "import"), 0o644, stream)
	w.git("git fast-import --quiet --force <../import; git reset --quiet --hard")
}

// fastCommit writes a commit that asks for a reminder for git fast-import.
func fastCommit(branch, subject, from string) string {
	message := asking(subject)
	return fmt.Sprintf("commit refs/heads/%s\ncommitter Olivia Example <%s> 1741003200 +0000\ndata %d\n%s\n%s", branch, olivia, len(message), message, from)
}

// gitTransports are the ways by which repositories are pushed to. Each makes
// the clone push that way.
var gitTransports = map[string]func(w *gitWorld){
	"path": func(*gitWorld) {},
	"http": func(w *gitWorld) {
		sh(w.t, w.server, "git config http.receivepack true")
		w.git("git remote set-url origin " + serveGit(w.t, w.dir) + "/widget.git")
	},
	"ssh": func(w *gitWorld) {
		address := startSSH(w.t, w.dir)
		u, err := user.Current()
		ok(w.t, err)
		w.env = append(w.env, "GIT_SSH_COMMAND="+sshCommand(w.dir))
		w.git("git remote set-url origin ssh://" + u.Username + "@" + address + w.server)
	},
}

// serveGit serves the repositories in a directory over HTTP, whoever owns them,
// and returns their URL.
func serveGit(t *testing.T, dir string) (url string) {
	t.Helper()
	server := httptest.NewServer(&cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(sh(t, "", "git --exec-path")), "git-http-backend"),
		Env: []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "HOME=" + dir,
			"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	})
	t.Cleanup(server.Close)
	return server.URL
}

// startSSH starts an sshd that lets in whoever runs the test, with a key that
// was made in dir.
func startSSH(t *testing.T, dir string) (address string) {
	t.Helper()
	sshd := testkit.Program(t, "sshd")
	testkit.Program(t, "ssh")
	sh(t, dir, "ssh-keygen -q -t ed25519 -N '' -f key; ssh-keygen -q -t ed25519 -N '' -f host; cp key.pub authorized")
	if os.Getuid() == 0 && runtime.GOOS == "linux" {
		ok(t, os.MkdirAll("/run/sshd", 0o755)) // where sshd locks itself up; it stays, another may run
	}
	address = listen(t, func(host, port string) *exec.Cmd {
		write(t, filepath.Join(dir, "sshd_config"), 0o644, fmt.Sprintf(`ListenAddress %[2]s:%[3]s
HostKey %[1]s/host
AuthorizedKeysFile %[1]s/authorized
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
SetEnv GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null HGRCPATH=
`, dir, host, port))
		return exec.Command(sshd, "-D", "-e", "-f", filepath.Join(dir, "sshd_config"))
	})
	host, port, _ := strings.Cut(address, ":")
	if shell(t, dir, sshCommand(dir)+" -p "+port+" "+host+" true").status != 0 {
		testkit.Missing(t, "sshd does not let this user in, who may have no shell")
	}
	return address
}

func sshCommand(dir string) string {
	return "ssh -F none -i " + dir + "/key -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=" + dir + "/known -o LogLevel=ERROR"
}

// By whichever way a commit is pushed, it is in the spool: one or a thousand,
// on a new branch, by a forced update, and with tags, which are no commits.
func TestGitPush(t *testing.T) {
	for name, transport := range gitTransports {
		t.Run(name, func(t *testing.T) {
			w := newGitWorld(t)
			transport(w)
			w.hook("install", w.server)

			one := w.commit("one")
			w.push("main")
			w.wantWaiting("main one")
			if items := w.list(); items[0].Repository != "widget" || items[0].Revision != one || items[0].Address != olivia {
				t.Errorf("%+v", items[0])
			}

			// A new branch begins where it left what is known.
			w.git("git checkout --quiet -b trunk main~1")
			w.commit("of the branch")
			w.push("trunk")
			w.wantWaiting("main one", "trunk of the branch")

			// Deleted, and pushed again: nothing of it is new.
			w.push(":trunk")
			w.push("trunk")
			// Tags and branches that do not count are ignored.
			w.git("git checkout --quiet -b topic; git tag light; git tag -a -m '" + asking("tag") + "' heavy")
			w.commit("of a topic")
			w.git("git tag other")
			w.push("topic --tags")
			w.git("git checkout --quiet main")
			two := w.commit("two")
			w.push("main")
			w.wantWaiting("main one", "trunk of the branch", "main two")
			if got, want := w.run(committed), "3 queued\n"; got != want {
				t.Errorf("vext run said %q, want %q", got, want)
			}

			// A forced update: what is gone is marked, what is there is new.
			w.git("git reset --quiet --hard HEAD~1")
			w.commit("instead of two")
			w.push("--force main")
			w.wantWaiting("main one", "trunk of the branch", "main two", "main instead of two")
			eventually(t, "the commit that is gone is marked", func() bool {
				w.run(committed) // it leaves the repository to a worker that has not ended
				return strings.Contains(w.try(committed, "list").ok(t), two[:12]+"  two\n                a forced update took it off main\n")
			})

			// A thousand at once.
			stream := fastCommit("main", "many 1", "from refs/heads/main^0\n")
			for i := 2; i <= 1000; i++ {
				stream += fastCommit("main", fmt.Sprint("many ", i), "")
			}
			w.imports(stream)
			w.push("main")
			w.wantWaiting(append(numbered("main many", 1000), "main one", "trunk of the branch", "main two", "main instead of two")...)
			if got, want := w.run(committed), "1000 queued\n"; got != want {
				t.Errorf("vext run said %q, want %q", got, want)
			}
		})
	}
}

// A thousand branches at once: those that count, or all.
func TestGitThousandRefs(t *testing.T) {
	for _, test := range []struct {
		name     string
		patterns []string
		want     int
	}{
		{"those that count", nil, 0},
		{"all", []string{"*"}, 1000},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newGitWorld(t)
			if test.patterns != nil {
				w.branches(test.patterns...)
			}
			w.hook("install", w.server)
			stream := fastCommit("main", "on main", "from refs/heads/main^0\n")
			for i := 1; i <= 1000; i++ {
				stream += fastCommit(fmt.Sprintf("b%d", i), "new", "from refs/heads/main^0\n")
			}
			w.imports(stream)
			w.push("--all")
			want := []string{"main on main"}
			for i := 1; i <= test.want; i++ {
				want = append(want, fmt.Sprintf("b%d new", i))
			}
			w.wantWaiting(want...)

			// All of them deleted, and one commit more.
			w.commit("the last")
			w.push("--prune 'refs/heads/main:refs/heads/main' $(git for-each-ref --format=':%(refname)' 'refs/heads/b*')")
			w.wantWaiting(append(want, "main the last")...)
		})
	}
}

// The hook that was there before goes on working, whatever it is, and is what
// remains.
func TestGitKeepsTheHook(t *testing.T) {
	const keeps = `cat >>"$LOG"
`
	for _, test := range []struct {
		name   string
		script string
		link   bool
		mode   os.FileMode
		runs   bool
		status int
	}{
		{"reads what was pushed", "#!/bin/sh\n" + keeps, false, 0o755, true, 0},
		{"fails", "#!/bin/sh\n" + keeps + "exit 3\n", false, 0o755, true, 3},
		{"fails without reading", "#!/bin/sh -e\necho went by >>\"$LOG\"; false; exit 5\n", false, 0o700, false, 1},
		{"is not executable", "#!/bin/sh\n" + keeps, false, 0o644, false, 0},
		{"is a link", "#!/bin/sh\n" + keeps, true, 0o755, true, 0},
		{"runs what its name says", "#!/bin/sh\nfor one in \"$0.d\"/* $(dirname \"$0\")/$(basename \"$0\").d/two; do . \"$one\"; done\n", false, 0o755, true, 0},
		{"is of bash", "#! /usr/bin/env bash\n[[ $0 == */post-receive ]] && " + keeps, false, 0o755, true, 0},
		{"is of another language", "#!/usr/bin/awk -f\n{ print >>ENVIRON[\"LOG\"] }\n", false, 0o755, true, 0},
		{"has no interpreter", keeps, false, 0o755, true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newGitWorld(t)
			log := filepath.Join(w.dir, "log")
			w.env = append(w.env, "LOG="+log)
			hook := filepath.Join(w.server, "hooks", "post-receive")
			if test.link {
				ok(t, os.Mkdir(filepath.Join(w.server, "shared"), 0o755))
				write(t, filepath.Join(w.server, "shared", "hook"), test.mode, test.script)
				ok(t, os.Symlink("../shared/hook", hook))
			} else {
				write(t, hook, test.mode, test.script)
			}
			ok(t, os.Mkdir(hook+".d", 0o755))
			write(t, hook+".d/one", 0o644, keeps)
			write(t, hook+".d/two", 0o644, "")
			before := listing(t, w.server, nil)
			w.hook("install", w.server)
			w.hook("install", w.server)

			old := w.git("git rev-parse HEAD")
			pushed := w.commit("one")
			r := shell(t, w.clone, "git push --quiet origin main", w.env...)
			r.want(t, 0)
			w.wantWaiting("main one")
			got := ""
			if _, err := os.Stat(log); err == nil {
				got = read(t, log)
			}
			if want := old + " " + pushed + " refs/heads/main\n"; test.runs && got != want {
				t.Errorf("the hook received %q, want %q; git push said %s", got, want, r.stderr)
			} else if !test.runs && strings.Contains(got, pushed) {
				t.Errorf("the hook ran: %q", got)
			}
			// git does not look at the status of post-receive, others may.
			line := program{dir: w.server, env: w.env, stdin: pushed + " " + pushed + " refs/heads/main\n"}
			line.run(t, hook).want(t, test.status)

			w.hook("remove", w.server)
			now := listing(t, w.server, func(path string) bool { return strings.HasPrefix(path, "objects") || strings.HasPrefix(path, "refs") })
			wantSame(t, before, now+listingOf(before, "objects", "refs"))
		})
	}
}

// listingOf returns the lines of a listing about files with these beginnings.
func listingOf(listing string, beginnings ...string) string {
	var b strings.Builder
	for line := range strings.Lines(listing) {
		if slices.ContainsFunc(beginnings, func(s string) bool { return strings.HasPrefix(line, s) }) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// What is installed and removed leaves no trace.
func TestGitRemoveWithoutATrace(t *testing.T) {
	for name, prepare := range map[string]string{
		"bare":                   `:`,
		"bare with a hook":       `printf '#!/bin/sh\necho hi\n' >widget.git/hooks/post-receive; chmod 750 widget.git/hooks/post-receive`,
		"bare without hooks":     `rm -r widget.git/hooks`,
		"work tree":              `:`,
		"work tree with a hook":  `ln -s ../../my-hook clone/.git/hooks/post-commit; printf 'echo hi\n' >clone/.git/hooks/post-merge`,
		"work tree, hooks in it": `mkdir clone/.githooks; printf '#!/bin/sh\n' >clone/.githooks/post-commit; git -C clone config core.hooksPath .githooks`,
		"linked work tree":       `git -C clone worktree add --quiet ../linked HEAD~1`,
		"of a bare one":          `git -C widget.git worktree add --quiet ../linked main`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newGitWorld(t)
			sh(t, w.dir, prepare)
			install, remove := w.server, w.server
			switch {
			case strings.HasPrefix(name, "work tree"):
				install, remove = w.clone, filepath.Join(w.clone, ".git")
			case name == "linked work tree":
				install, remove = filepath.Join(w.dir, "linked"), w.clone
			case name == "of a bare one":
				install = filepath.Join(w.dir, "linked")
			}
			before := listing(t, w.dir, nil)
			state := listing(t, w.state, nil)
			w.hook("install", install)
			contains(t, w.hook("status", install), ": installed")
			if listing(t, w.dir, nil) == before {
				t.Error("nothing was installed")
			}
			w.hook("remove", remove)
			wantSame(t, before, listing(t, w.dir, nil))
			wantSame(t, state, listing(t, w.state, func(path string) bool { return path == "tmp" })) // which stays
		})
	}
}

// When vext is broken the push succeeds all the same, and what it brought is
// found by the next run, once.
func TestGitPushWhenVextIsBroken(t *testing.T) {
	for name, broken := range map[string]struct{ breakIt, mend string }{
		"the program is gone":         {`mv "$VEXT" "$VEXT.away"`, `mv "$VEXT.away" "$VEXT"`},
		"the program can't be run":    {`chmod 644 "$VEXT"`, `chmod 755 "$VEXT"`},
		"the state directory is gone": {`mv "$STATE" "$STATE.away"`, `mv "$STATE.away" "$STATE"`},
		"the disk is full":            {`rm -rf "$STATE/spool"; : >"$STATE/spool"`, `rm "$STATE/spool"`},
		"and for what is noted":       {`rm -rf "$STATE/tmp"; : >"$STATE/tmp"`, `rm "$STATE/tmp"`},
		"the configuration is wrong":  {`cp "$CONFIG" "$CONFIG.away"; echo wrong >"$CONFIG"`, `mv "$CONFIG.away" "$CONFIG"`},
		"the note is damaged":         {`cd "$STATE/hooks"; cp widget.json ../note; echo '{' >widget.json`, `mv "$STATE/note" "$STATE/hooks/widget.json"`},
	} {
		t.Run(name, func(t *testing.T) {
			w := installed(t)
			env := []string{"VEXT=" + w.vext, "STATE=" + w.state, "CONFIG=" + w.config}
			w.commit("before")
			w.push("main")
			w.wantWaiting("main before")
			w.run(committed)

			sh(t, w.dir, broken.breakIt, env...)
			for i := range 3 { // for so long that other things would be left alone for a while
				w.commit(fmt.Sprint("lost ", i+1))
				w.push("main")
			}
			sh(t, w.dir, broken.mend, env...)
			w.runs(3)
			w.commit("after")
			w.push("main")
			w.wantWaiting("main before", "main lost 1", "main lost 2", "main lost 3", "main after")
			contains(t, w.run(due), "1 queued, 5 sent")
			contains(t, w.hook("status", w.server), "last looked at")
		})
	}
}

// Pushes at the same time, to branches of their own and one after the other to
// the same one, bring each commit once, and nothing is taken for forced.
func TestGitPushesAtOnce(t *testing.T) {
	w := newGitWorld(t)
	w.branches("*")
	w.hook("install", w.server)
	const clones, each = 4, 5
	want := []string{}
	var all sync.WaitGroup
	for i := range clones {
		clone := filepath.Join(w.dir, fmt.Sprint("clone", i))
		sh(t, w.dir, "git clone --quiet widget.git "+clone)
		for n := range each {
			want = append(want, fmt.Sprintf("b%[1]d-%[2]d own %[1]d %[2]d", i, n), fmt.Sprintf("main shared %d %d", i, n))
		}
		all.Go(func() {
			for n := range each {
				r := shell(t, clone, fmt.Sprintf(`git checkout --quiet -b b%[1]d-%[2]d; git commit --quiet --allow-empty -m '%[3]s'
git push --quiet origin b%[1]d-%[2]d
git checkout --quiet main; git commit --quiet --allow-empty -m '%[4]s'
tries=0
until git push --quiet origin main 2>/dev/null; do
	tries=$((tries + 1)); [ $tries -lt 100 ]
	git fetch --quiet; git rebase --quiet origin/main
done`, i, n, asking(fmt.Sprintf("own %d %d", i, n)), asking(fmt.Sprintf("shared %d %d", i, n))))
				if r.status != 0 {
					t.Errorf("%s", r.stderr)
				}
			}
		})
	}
	all.Wait()
	// The branches have commits of main in common, which count on each of them.
	own := func() (subjects []string) {
		for _, s := range w.subjects() {
			if strings.HasPrefix(s, "main ") || strings.Contains(s, " own ") {
				subjects = append(subjects, s)
			}
		}
		return subjects
	}
	slices.Sort(want)
	eventually(t, "all commits are there", func() bool { return slices.Equal(own(), want) })
	w.run(committed)
	if list := w.try(committed, "list").ok(t); strings.Contains(list, "forced") {
		t.Errorf("taken for forced:\n%s", list)
	}
	if note := read(t, filepath.Join(w.state, "hooks", "widget.positions")); strings.Contains(note, "forced") {
		t.Errorf("taken for forced:\n%s", note)
	}
}

// The branches that were named for the hook count, and no others.
func TestGitHookBranches(t *testing.T) {
	w := newGitWorld(t)
	w.hook("install", "--branch", "stable/*", w.server)
	w.commit("on main")
	w.git("git checkout --quiet -b stable/1")
	w.commit("on stable/1")
	w.push("--all")
	w.wantWaiting("stable/1 on main", "stable/1 on stable/1")
	if got, want := w.run(committed), "2 queued\n"; got != want {
		t.Errorf("vext run said %q, want %q", got, want)
	}
	w.hook("install", "--branch", "main", w.server) // from now on
	w.git("git checkout --quiet main")
	w.commit("on main again")
	w.push("--all")
	w.wantWaiting("stable/1 on main", "stable/1 on stable/1", "main on main again")
}

// Paths hold whatever a file system takes.
func TestGitPathsToBeQuoted(t *testing.T) {
	w := newGitWorld(t)
	odd := filepath.Join(w.dir, `it's "a" $HOME; b`)
	ok(t, os.Mkdir(odd, 0o755))
	for _, path := range []*string{&w.server, &w.state, &w.config, &w.vext} {
		to := filepath.Join(odd, "- "+filepath.Base(*path))
		ok(t, os.Rename(*path, to))
		*path = to
	}
	w.hook("install", w.server)
	contains(t, w.hook("status"), "- widget\n", ": installed")
	w.env = append(w.env, "SERVER="+w.server)
	w.git(`git remote set-url origin "$SERVER"`)
	w.commit("one")
	w.push("main")
	w.wantWaiting("main one")
	w.hook("remove", w.server)
}

// A work tree's own commits are found, those that a merge brings, and those of
// its linked work trees. What a rebase makes is found by the next run.
func TestGitWorkTree(t *testing.T) {
	w := newGitWorld(t)
	other := filepath.Join(w.dir, "other")
	sh(t, w.dir, "git clone --quiet widget.git other")
	theirs := func(subject string) {
		t.Helper()
		sh(t, other, "git pull --quiet; git commit --quiet --allow-empty -m '"+asking(subject)+"'; git push --quiet origin main")
	}
	w.git("echo 1 >file; git add file; git commit --quiet -m file; git push --quiet origin main")
	w.hook("install", "--name", "src", w.clone)
	w.commit("one")
	w.wantWaiting("main one")
	if item := w.list()[0]; item.Repository != "src" {
		t.Errorf("%+v", item)
	}

	w.git("git commit --quiet --amend --allow-empty -m '" + asking("one, amended") + "'")
	w.wantWaiting("main one", "main one, amended")
	w.run(committed)
	contains(t, w.try(committed, "list").ok(t), "  one\n                a forced update took it off main\n")

	want := []string{"main one", "main one, amended", "main picked", "main fast", "main merged"}
	w.git("git checkout --quiet -b topic; git commit --quiet --allow-empty -m '" + asking("picked") + "'; git checkout --quiet main; git cherry-pick --allow-empty topic >/dev/null 2>&1 || git commit --quiet --allow-empty -C topic")
	w.push("main")
	theirs("fast")
	w.git("git pull --quiet --ff-only")
	theirs("merged")
	w.git("git commit --quiet --allow-empty -m 'asks for nothing'; git pull --quiet --no-rebase --no-edit")
	w.wantWaiting(want...)

	w.git("git worktree add --quiet -b trunk ../linked; cd ../linked; git commit --quiet --allow-empty -m '" + asking("linked") + "'")
	want = append(want, "trunk linked")
	w.wantWaiting(want...)

	w.push("main")
	w.git("echo mine >mine; git add mine; git commit --quiet -m '" + asking("mine") + "'")
	want = append(want, "main mine")
	w.wantWaiting(want...)
	theirs("theirs")
	w.git("git pull --quiet --rebase")
	want = append(want, "main theirs")
	slices.Sort(want)
	eventually(t, "the reminder of mine moved to what it was rebased to", func() bool {
		w.run(committed) // it leaves the repository to a worker that has not ended
		return slices.Equal(w.subjects(), want)
	}) // the reminder of mine moved to what it was rebased to
	contains(t, w.try(committed, "show", strings.TrimSpace(w.git("git rev-parse HEAD"))).ok(t), "was amended or rebased to it")
}

// What can't be done is refused, with what to do about it, and changes nothing.
func TestGitRefused(t *testing.T) {
	w := newGitWorld(t)
	refused := func(what string, r result, wants ...string) {
		t.Helper()
		if r.status != 1 {
			t.Errorf("%s: exit status %d", what, r.status)
		}
		contains(t, r.stderr, wants...)
	}
	install := func(args ...string) result {
		t.Helper()
		return w.try(committed, append([]string{"hook", "install"}, args...)...)
	}
	before := listing(t, w.dir, nil)

	refused("nowhere", install(filepath.Join(w.dir, "nowhere")), "vext: error: ", "nowhere: no such file or directory")
	refused("no repository", install(w.dir), "vext: error: git rev-parse: not a git repository")
	refused("not of Subversion", install("--vcs", "svn", w.server), "is not a Subversion repository")
	r := install("--vcs", "cvs", w.server)
	r.want(t, 2)

	sh(t, w.dir, "mkdir shared; git -C clone config core.hooksPath ../shared")
	refused("shared hooks", install(w.clone), "its hooks are outside of the repository", "vext: hint: ", "vext follow add "+w.clone+"/.git")
	sh(t, w.dir, "rmdir shared; git -C clone config --unset core.hooksPath")

	ok(t, os.Rename(w.state, w.state+".away"))
	refused("no state", install(w.server), "vext: error: state directory: ", "vext: hint: make it: mkdir -p -m 750 "+w.state)
	ok(t, os.Rename(w.state+".away", w.state))
	wantSame(t, before, listing(t, w.dir, nil))

	w.hook("install", w.server)
	before = listing(t, w.dir, nil)
	refused("of the same name", install("--name", "widget", w.clone), "widget is already the name of "+w.server, "vext: hint: choose another with --name")
	refused("by another name", install("--name", "other", w.server), w.server+" already has a hook, as widget", "vext: hint: remove that hook first: vext hook remove "+w.server)
	wantSame(t, before, listing(t, w.dir, nil))
}

// The status is 1 when anything is wrong, and it says what; to install it again
// mends it.
func TestGitHookStatus(t *testing.T) {
	w := newGitWorld(t)
	status := func(want int, wants ...string) {
		t.Helper()
		r := w.try(committed, "hook", "status", w.clone)
		r.want(t, want)
		contains(t, r.stdout, wants...)
	}
	hooks := filepath.Join(w.clone, ".git", "hooks")
	status(1, "not installed", "post-commit: missing")
	contains(t, w.hook("status"), "no hook is installed")
	w.hook("install", w.clone)
	for name, breakIt := range map[string]string{
		"post-commit: missing":                         "rm post-commit",
		"post-merge: not executable":                   "chmod 644 post-merge",
		"post-receive: not as it was installed":        "echo '# more' >>post-receive",
		"post-commit: missing\n  hook        " + hooks: "printf '#!/bin/sh\\n' >post-commit",
	} {
		status(0, "post-receive: installed", "post-commit: installed", "post-merge: installed", "last looked at")
		sh(t, hooks, breakIt)
		status(1, name)
		w.try(committed, "hook", "status").want(t, 1)
		w.hook("install", w.clone)
	}
	ok(t, os.Remove(filepath.Join(hooks, "post-commit.before-vext"))) // which took the place of vext's
	status(0)

	// A repository that is no more is said to be wrong, and can be forgotten.
	w.hook("install", w.server)
	ok(t, os.RemoveAll(w.clone))
	r := w.try(committed, "hook", "status")
	r.want(t, 1)
	contains(t, r.stdout, "clone\n", "no such file or directory", "widget\n")
	contains(t, w.hook("remove", w.clone), "removed from "+w.clone)
	w.try(committed, "hook", "status").want(t, 0)
	w.try(committed, "hook", "remove", w.clone).want(t, 1)
}
