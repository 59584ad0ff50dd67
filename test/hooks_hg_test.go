package test

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"vext/internal/testkit"
)

// An hgWorld is a Mercurial repository with a hook of vext, and a clone of it
// that is pushed from.
type hgWorld struct {
	*service
	dir    string
	server string
	clone  string
}

// newHgWorld makes a repository that holds a changeset which asks for a
// reminder. Its hook is not yet installed.
func newHgWorld(t *testing.T) *hgWorld {
	t.Helper()
	testkit.Program(t, "hg")
	dir := openDir(t)
	w := &hgWorld{service: newHooked(t), dir: dir, server: filepath.Join(dir, "widget"), clone: filepath.Join(dir, "clone")}
	sh(t, dir, "hg init widget; hg clone --quiet widget clone")
	w.commit(w.clone, "old")
	w.hg(w.clone, "push --quiet")
	return w
}

// hg runs an hg command in a repository. It must succeed, and the server must
// have said nothing.
func (w *hgWorld) hg(dir, args string) string {
	w.t.Helper()
	r := shell(w.t, dir, "hg "+args)
	if strings.Contains(r.stderr+r.stdout, "remote: ") || strings.Contains(r.stderr, "warning: ") {
		w.t.Errorf("%s\n%s%s", r.command, r.stdout, r.stderr)
	}
	return strings.TrimSpace(r.ok(w.t))
}

// commit makes a changeset that asks for a reminder, and returns its hash.
func (w *hgWorld) commit(dir, subject string) string {
	w.t.Helper()
	write(w.t, filepath.Join(dir, "file"), 0o644, subject)
	w.hg(dir, "commit --quiet --addremove --date '2025-03-03 12:00 +0000' --message '"+asking(subject)+"'")
	return w.hg(dir, "identify --id --debug")
}

// hgTransports are the ways by which repositories are pushed to. Each returns
// the URL.
var hgTransports = map[string]func(w *hgWorld) (url, options string){
	"path": func(w *hgWorld) (string, string) { return w.server, "" },
	"http": func(w *hgWorld) (string, string) {
		address := listen(w.t, func(host, port string) *exec.Cmd {
			cmd := exec.Command(testkit.Program(w.t, "hg"), "serve", "--address", host, "--port", port,
				"--config", "web.push_ssl=false", "--config", "web.allow_push=*")
			cmd.Dir, cmd.Env = w.server, append(os.Environ(), "HGRCPATH=")
			return cmd
		})
		return "http://" + address + "/", ""
	},
	"ssh": func(w *hgWorld) (string, string) {
		address := startSSH(w.t, w.dir)
		u, err := user.Current()
		ok(w.t, err)
		return "ssh://" + u.Username + "@" + address + "/" + w.server, " --ssh '" + sshCommand(w.dir) + "'"
	},
}

// By whichever way a changeset is pushed, it is in the spool: one or a thousand,
// of its branch if that counts, with several heads and on a new branch.
func TestHgPush(t *testing.T) {
	for name, transport := range hgTransports {
		t.Run(name, func(t *testing.T) {
			w := newHgWorld(t)
			w.branches("default", "stable")
			w.hook("install", w.server)
			url, options := transport(w) // hg serve reads hgrc when it starts

			one := w.commit(w.clone, "one")
			w.hg(w.clone, "push --quiet"+options+" "+url)
			w.wantWaiting("default one")
			if item := w.list()[0]; item.Repository != "widget" || item.Revision != one || item.Address != olivia {
				t.Errorf("%+v", item)
			}

			w.hg(w.clone, "branch --quiet stable")
			w.commit(w.clone, "of stable")
			w.hg(w.clone, "update --quiet default")
			w.hg(w.clone, "branch --quiet topic")
			w.commit(w.clone, "of a topic")
			w.hg(w.clone, "update --quiet 0")
			w.commit(w.clone, "another head")
			w.hg(w.clone, "push --quiet --force --new-branch"+options+" "+url)
			want := []string{"default one", "stable of stable", "default another head"}
			w.wantWaiting(want...)
			if got, want := w.run(committed), "3 queued\n"; got != want {
				t.Errorf("vext run said %q, want %q", got, want)
			}

			if name != "http" {
				return // hg takes its time
			}
			// A thousand at once.
			w.hgImport(1000)
			w.hg(w.clone, "push --quiet --force"+options+" "+url)
			w.wantWaiting(append(numbered("default many", 1000), want...)...)
		})
	}
}

// hgImport makes n changesets that ask for a reminder.
func (w *hgWorld) hgImport(n int) {
	w.t.Helper()
	var b strings.Builder
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "# HG changeset patch\n# User Olivia Example <%s>\n# Date 1741003200 0\n%s\ndiff --git a/many b/many\n", olivia, asking(fmt.Sprint("many ", i)))
		if i == 1 {
			b.WriteString("new file mode 100644\n--- /dev/null\n+++ b/many\n@@ -0,0 +1,1 @@\n+1\n")
		} else {
			fmt.Fprintf(&b, "--- a/many\n+++ b/many\n@@ -1,1 +1,1 @@\n-%d\n+%d\n", i-1, i)
		}
	}
	write(w.t, filepath.Join(w.dir, "patches"), 0o644, b.String())
	w.hg(w.clone, "import --quiet --bypass ../patches")
}

// One's own commits are found as well, and what is pulled.
func TestHgWorkTree(t *testing.T) {
	w := newHgWorld(t)
	w.hook("install", w.clone)
	w.commit(w.clone, "own")
	w.wantWaiting("default own")
	other := filepath.Join(w.dir, "other")
	w.hg(w.dir, "clone --quiet widget other")
	w.commit(other, "theirs")
	w.hg(other, "push --quiet")
	w.hg(w.clone, "pull --quiet")
	w.wantWaiting("default own", "default theirs")
	w.hg(w.clone, "update --quiet --clean tip")
	w.commit(w.clone, "draft")
	w.wantWaiting("default own", "default theirs", "default draft")
	w.hg(w.clone, "commit --amend --quiet --date now --message '"+asking("draft, amended")+"'") // which removes the other
	w.wantWaiting("default own", "default theirs", "default draft", "default draft, amended")
	if got, want := w.run(committed), "4 queued\n"; got != want {
		t.Errorf("vext run said %q, want %q", got, want)
	}
}

// Whatever is in hgrc stays as it is, and what is installed and removed leaves
// no trace. Other hooks of the same events go on working.
func TestHgrc(t *testing.T) {
	log := "[hooks]\nchangegroup.log = echo changegroup >>\"$HG_LOG\"\nchangegroup = echo plain >>\"$HG_LOG\"\n"
	for name, text := range map[string]string{
		"missing":            "",
		"with other hooks":   log,
		"without last end":   "[ui]\nverbose = false\n" + strings.TrimSuffix(log, "\n"),
		"with Windows lines": strings.ReplaceAll(log, "\n", "\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			w := newHgWorld(t)
			hgrc := filepath.Join(w.server, ".hg", "hgrc")
			if name != "missing" {
				write(t, hgrc, 0o640, text)
				if os.Getuid() == 0 {
					ok(t, os.Chown(hgrc, 0, 4242)) // somebody's, whom the hook must not take it from
				}
			}
			w.hg(w.server, "heads --quiet") // which leaves a cache
			before := listing(t, w.server, nil)
			state := listing(t, w.state, nil)
			w.hook("install", w.server)
			first := read(t, hgrc)
			w.hook("install", w.server)
			if got := read(t, hgrc); got != first {
				t.Errorf("the second time made it\n%s\nof\n%s", got, first)
			}
			if !strings.HasPrefix(first, text) {
				t.Errorf("it begins with something else:\n%s", first)
			}
			contains(t, w.hook("status", w.server), hgrc+": installed")
			w.hook("remove", w.server)
			wantSame(t, before, listing(t, w.server, nil))
			wantSame(t, state, listing(t, w.state, func(path string) bool { return path == "tmp" }))

			w.hook("install", w.server)
			w.commit(w.clone, "one")
			logged := filepath.Join(w.dir, "log")
			sh(t, w.clone, "hg push --quiet", "HG_LOG="+logged)
			w.wantWaiting("default one")
			if strings.Contains(text, "changegroup") && len(strings.Fields(read(t, logged))) != 2 {
				t.Errorf("the other hooks did %q", read(t, logged))
			}

			// What somebody adds meanwhile stays.
			write(t, hgrc, 0o640, read(t, hgrc)+"[ui]\nquiet = true\n")
			contains(t, w.hook("status", w.server), hgrc+": installed")
			w.hook("remove", w.server)
			want := text
			if want != "" && !strings.HasSuffix(want, "\n") {
				want += "\n"
			}
			if got := read(t, hgrc); got != want+"[ui]\nquiet = true\n" {
				t.Errorf("what remains is %q", got)
			}
		})
	}
}

// When vext is broken the push succeeds all the same, and what it brought is
// found by the next run, once.
func TestHgPushWhenVextIsBroken(t *testing.T) {
	w := newHgWorld(t)
	w.hook("install", w.server)
	for i, broken := range []struct{ breakIt, mend string }{
		{`mv "$VEXT" "$VEXT.away"`, `mv "$VEXT.away" "$VEXT"`},
		{`rm -rf "$STATE/spool"; : >"$STATE/spool"`, `rm "$STATE/spool"`},
		{`mv "$STATE" "$STATE.away"`, `mv "$STATE.away" "$STATE"`},
	} {
		env := []string{"VEXT=" + w.vext, "STATE=" + w.state}
		sh(t, w.dir, broken.breakIt, env...)
		w.commit(w.clone, fmt.Sprint("lost ", i))
		w.hg(w.clone, "push --quiet")
		sh(t, w.dir, broken.mend, env...)
		w.runs(1)
	}
}

// An hgrc that is shared is left alone, and so are paths that would have to be
// quoted more than once.
func TestHgOddPlaces(t *testing.T) {
	w := newHgWorld(t)
	odd := filepath.Join(w.dir, `it's "a"; 100%`)
	ok(t, os.Mkdir(odd, 0o755))
	for _, path := range []*string{&w.server, &w.state, &w.config, &w.vext} {
		to := filepath.Join(odd, "- "+filepath.Base(*path))
		ok(t, os.Rename(*path, to))
		*path = to
	}
	w.hook("install", w.server)
	w.commit(w.server, "one")
	w.wantWaiting("default one")
	w.hook("remove", w.server)

	write(t, filepath.Join(w.dir, "shared"), 0o644, "[ui]\n")
	hgrc := filepath.Join(w.server, ".hg", "hgrc")
	ok(t, os.Symlink("../../../shared", hgrc))
	r := w.try(committed, "hook", "install", w.server)
	r.want(t, 1)
	contains(t, r.stderr, "shared with others", "vext: hint: ")
}
