package remote

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/remotedaemon"
)

// A far side that can't report changes is polled: one WARNING at most, no new
// connection for each look, and a change comes within two intervals.
func TestFarSidesThatCannotNotify(t *testing.T) {
	t.Parallel()
	const annex = "case $SSH_ORIGINAL_COMMAND in *git-annex-shell*) %s ;; *) exec sh -c \"$SSH_ORIGINAL_COMMAND\" ;; esac"
	for _, c := range []struct {
		name  string
		force string   // the command that sshd runs
		far   []string // or the programs that it has
		most  int      // WARNINGs, if not one
	}{
		{name: "nothing installed", far: []string{}},
		{name: "git-annex without a repository of its own", far: []string{"git-annex-shell"}},
		{name: "git-shell", force: "exec git-shell -c \"$SSH_ORIGINAL_COMMAND\""},
		{name: "git-annex too old", force: strings.Replace(annex, "%s", "echo 'git-annex-shell: git-shell failed' >&2; exit 1", 1)},
		{name: "a program that says nothing", force: strings.Replace(annex, "%s", "exit 0", 1)},
		{name: "lines, and no READY", force: strings.Replace(annex, "%s", "echo welcome; echo to the machine; exit 127", 1), most: 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := remotedaemon.New(t, remotedaemon.Options{SSH: true, Far: c.far})
			if c.force != "" {
				w.SSH.Force("PATH=" + onlyGit(t) + "; export PATH; " + c.force)
			}
			w.InLocal("git config remote.origin.vextInterval 1")
			before := w.SSH.Logins()
			d := w.Start(remotedaemon.Vext(t))
			d.Connected()
			time.Sleep(4 * time.Second) // looks
			w.Commit("main")
			d.Synced()
			w.Equal()
			d.Stop()
			warnings := 0
			for _, line := range d.Lines() {
				if strings.HasPrefix(line.Text, "WARNING ") {
					warnings++
				}
			}
			if n := w.SSH.Logins() - before; warnings > max(c.most, 1) || n > 3 {
				t.Errorf("%d warnings, %d logins", warnings, n)
			}
		})
	}
}

// onlyGit returns a directory with git's programs.
func onlyGit(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"git", "git-shell", "git-upload-pack", "git-receive-pack", "sh"} {
		link(t, testkit.Program(t, name), filepath.Join(dir, name))
	}
	return dir
}

// A far side that prints other lines before READY reports changes all the same.
func TestMessageOfTheDay(t *testing.T) {
	t.Parallel()
	w := remotedaemon.New(t, remotedaemon.Options{SSH: true, Annex: true})
	w.SSH.Force(`case $SSH_ORIGINAL_COMMAND in *notifychanges*) echo Welcome; echo;; esac; exec sh -c "$SSH_ORIGINAL_COMMAND"`)
	d := w.Start(remotedaemon.Vext(t))
	d.Connected()
	begun := time.Now()
	w.Commit("main")
	d.Synced()
	w.Equal()
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it was polled: %s", took)
	}
	d.Stop()
}

// Over http the interval holds.
func TestHTTP(t *testing.T) {
	t.Parallel()
	w := remotedaemon.New(t, remotedaemon.Options{})
	h := w.HTTP()
	w.InLocal("git remote set-url origin " + h.URL + "/server.git; git config remote.origin.vextInterval 1; git config remote.origin.prune true")
	d := w.Start(remotedaemon.Vext(t))
	d.Expect("CONNECTED " + h.URL + "/server.git")
	for _, change := range []string{
		"git commit -q --allow-empty -m two; git push -q origin main HEAD:refs/heads/x", "git push -q origin :x", "git push -q -f origin HEAD~1:main",
		"git -C ../server.git pack-refs --all; git push -q origin HEAD:main",
	} {
		w.Push(change)
		d.Expect("SYNCING "+h.URL+"/server.git", "DONESYNCING "+h.URL+"/server.git 1")
		w.Equal()
	}
	begun := h.Requests.Load()
	time.Sleep(3 * time.Second)
	if n := h.Requests.Load() - begun; n > 10 {
		t.Errorf("%d requests in 3 s", n)
	}
	d.Stop()
}
