package remote

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vext/internal/testkit"
	"vext/internal/testkit/remotedaemon"
)

// watched are remotes in every form: what git config gets for each, and the URI of
// those that are to be watched. FAR is the directory over ssh, HTTP the web server.
var watched = []struct{ name, config, uri string }{
	{"scp", "url=far:DIR/scp.git", "ssh://farDIR/scp.git"},
	{"ssh", "url=ssh://far/DIR/ssh.git", "ssh://far/DIR/ssh.git"},
	{"instead", "url=short:instead.git", "ssh://farDIR/instead.git"},
	{"pushurl", "url=DIR/pushurl.git pushurl=far:DIR/scp.git", "DIR/pushurl.git"},
	{"several", "url=DIR/several.git url=DIR/missing.git", "DIR/several.git"},
	{"ignore", "url=far:DIR/ignore.git annex-ignore=true", "ssh://farDIR/ignore.git"},
	{"nosync", "url=far:DIR/nosync.git annex-sync=false", ""},
	{"skipped", "url=DIR/skipped.git skipFetchAll=true", ""},
	{"off", "url=DIR/off.git vext=false", ""},
	{"nopull", "url=DIR/nopull.git annex-pull=false", "DIR/nopull.git"},
	{"http", "url=HTTP/http.git", "HTTP/http.git"},
	{"path", "url=DIR/path.git", "DIR/path.git"},
	{"file", "url=file://DIR/file.git", "file://DIR/file.git"},
	{"included", "", "DIR/included.git"},
	{"norefspec", "url=DIR/norefspec.git", ""},
}

// Those remotes are watched that should be, from a clone, a worktree and a bare
// repository; the configuration and the hooks stay as they were, and so does the file
// .git of the worktree.
func TestWhichRemotes(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"clone", "worktree", "bare"} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			w := remotedaemon.New(t, remotedaemon.Options{SSH: true, Far: []string{}, NoRemote: true})
			dir := "local"
			switch place {
			case "worktree":
				w.InLocal("git commit -q --allow-empty -m x; git worktree add -q --detach ../tree")
				dir = "tree"
			case "bare":
				ssh := w.InLocal("git config core.sshCommand")
				w.Sh("rm -rf local; git init -q --bare local; git -C local config core.sshCommand '" + ssh + "'")
			}
			uris := addRemotes(w, w.HTTP().URL)
			before := untouched(w, dir)
			d := w.StartIn(dir, remotedaemon.Vext(t))
			var missing []string
			if !testkit.Eventually(2*remotedaemon.Patience, func() bool {
				missing = missingOf(d.Lines(), uris)
				return len(missing) == 0
			}) {
				t.Errorf("missing: %q", missing)
			}
			d.Stop()
			for _, line := range d.Lines() {
				if kind, uri, _ := strings.Cut(line.Text, " "); kind == "CONNECTED" && !slices.Contains(uris, line.Text) {
					t.Errorf("%s is watched", uri)
				}
			}
			if after := untouched(w, dir); after != before {
				t.Errorf("before\n%s\nafter\n%s", before, after)
			}
			if refs := w.InLocal("git for-each-ref refs/remotes/nopull"); refs != "" {
				t.Errorf("fetched in spite of annex-pull=false: %s", refs)
			}
			want := w.InServer("git rev-parse main")
			for _, r := range watched {
				if r.uri == "" || r.name == "nopull" {
					continue
				}
				if got, _ := w.Try("local", "git rev-parse refs/remotes/"+r.name+"/main"); got != want {
					t.Errorf("%s: %s", r.name, got)
				}
			}
		})
	}
}

// addRemotes adds all of watched, and returns the lines that they are to cause.
func addRemotes(w *remotedaemon.World, http string) (lines []string) {
	fill := strings.NewReplacer("DIR", w.Dir, "HTTP", http).Replace
	for _, r := range watched {
		w.Sh("cp -R server.git " + r.name + ".git")
		refspec := fmt.Sprintf("fetch=+refs/heads/*:refs/remotes/%s/*", r.name)
		switch {
		case r.config == "":
			file := filepath.Join(w.Dir, "included")
			os.WriteFile(file, fmt.Appendf(nil, "[remote %q]\nurl = %s\n%s\n", r.name, fill(r.uri), refspec), 0o600)
			w.InLocal("git config includeIf.gitdir:" + w.Dir + "/.path " + file)
		case r.name != "norefspec":
			r.config += " " + refspec
		}
		for setting := range strings.FieldsSeq(fill(r.config)) {
			key, value, _ := strings.Cut(setting, "=")
			w.InLocal(fmt.Sprintf("git config --add remote.%s.%s '%s'", r.name, key, value))
		}
		if r.uri != "" {
			lines = append(lines, "CONNECTED "+fill(r.uri))
			if r.name != "nopull" {
				lines = append(lines, "DONESYNCING "+fill(r.uri)+" 1")
			}
		}
	}
	w.InLocal("git config url.far:" + w.Dir + "/.insteadOf short:")
	return lines
}

// missingOf returns the lines that have not come.
func missingOf(got []remotedaemon.Line, want []string) (missing []string) {
	for _, line := range want {
		if !slices.ContainsFunc(got, func(l remotedaemon.Line) bool { return l.Text == line }) {
			missing = append(missing, line)
		}
	}
	if !slices.ContainsFunc(got, func(l remotedaemon.Line) bool {
		return strings.HasPrefix(l.Text, "WARNING ") && strings.Contains(l.Text, "norefspec")
	}) {
		missing = append(missing, "WARNING of norefspec")
	}
	return missing
}

// untouched returns what a daemon must not change.
func untouched(w *remotedaemon.World, dir string) string {
	return w.InLocal("git config --list --show-origin; git_dir=$(git rev-parse --git-common-dir); cat $git_dir/config; ls -l $git_dir/hooks $git_dir/info") +
		w.Sh("cd "+dir+"; stat -c %F .git 2>/dev/null || :")
}

// Remotes that come, go and change follow RELOAD, and the file of the configuration
// without it.
func TestConfigurationFollows(t *testing.T) {
	t.Parallel()
	w := remotedaemon.New(t, remotedaemon.Options{})
	d := w.Start(remotedaemon.Vext(t))
	d.Connected()
	w.Sh("git clone -q --bare server.git second.git")
	uri := w.Dir + "/second.git"
	w.InLocal("git remote add second " + uri)
	d.Expect("CONNECTED "+uri, "SYNCING "+uri, "DONESYNCING "+uri+" 1") // without RELOAD
	w.InLocal("git remote set-url second ../third.git; git config remote.second.vext false")
	d.Send("RELOAD")
	d.Expect("DISCONNECTED " + uri)
	w.Sh("git clone -q --bare server.git third.git; git -C third.git branch more main")
	w.InLocal("git config remote.second.vext true")
	d.Send("RELOAD")
	uri = w.Dir + "/third.git"
	d.Expect("CONNECTED "+uri, "SYNCING "+uri, "DONESYNCING "+uri+" 1")
	w.InLocal("git remote rename second third 2>/dev/null")
	d.Send("RELOAD")
	d.Expect("DISCONNECTED "+uri, "CONNECTED "+uri)
	w.InLocal("git remote remove third")
	d.Send("PAUSE", "RELOAD", "RESUME")
	d.Seek("CONNECTED "+w.URI(), remotedaemon.Patience)
	d.Quiet(still)
	d.Stop()
}

// A broken configuration leaves the old one in force.
func TestBrokenConfiguration(t *testing.T) {
	t.Parallel()
	w := remotedaemon.New(t, remotedaemon.Options{})
	d := w.Start(remotedaemon.Vext(t))
	d.Connected()
	w.InLocal("cp .git/config ../good; echo '[broken' >>.git/config")
	d.Send("RELOAD")
	d.Seek("WARNING ", remotedaemon.Patience)
	d.Send("RELOAD")
	d.Quiet(still)
	w.Commit("main")
	w.InLocal("cp ../good .git/config")
	d.Send("RELOAD")
	d.Seek("DONESYNCING "+w.URI()+" 1", remotedaemon.Patience)
	w.Equal()
	d.Stop()
}
