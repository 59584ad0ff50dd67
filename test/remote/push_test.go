package remote

import (
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/remotedaemon"
)

// CHANGED pushes what the configuration says to the remotes that want it, and never by
// force.
func TestChanged(t *testing.T) {
	t.Parallel()
	w := remotedaemon.New(t, remotedaemon.Options{})
	w.Sh("cp -R server.git mirror.git; cp -R server.git none.git")
	w.InLocal("git remote add mirror ../mirror.git; git remote add none ../none.git; git fetch -q --all")
	w.InLocal("git config remote.origin.vextPush true; git config remote.mirror.vextPush '+refs/heads/*:refs/heads/backup/*'")
	d := w.Start(remotedaemon.Vext(t))
	for range 3 {
		d.Seek("CONNECTED ", remotedaemon.Patience)
	}
	at := func(dir, ref string) string {
		out, _ := w.Try(dir, "git rev-parse -q --verify "+ref)
		return out
	}
	w.InLocal("git commit -q --allow-empty -m two; git branch other")
	d.Send("CHANGED refs/heads/main refs/heads/other refs/heads/missing")
	two := at("local", "main")
	if !testkit.Eventually(remotedaemon.Patience, func() bool {
		return at("server.git", "main") == two && at("mirror.git", "backup/main") == two && at("mirror.git", "backup/other") == two
	}) {
		t.Error("not pushed")
	}
	if at("server.git", "other") != "" || at("none.git", "main") == two {
		t.Error("pushed to what does not want it")
	}
	fetched(d)
	w.Push("git commit -q --allow-empty -m theirs; git push -q -f origin main")
	theirs := at("server.git", "main")
	w.InLocal("git commit -q --allow-empty -m ours")
	d.Send("CHANGED refs/heads/main")
	if !testkit.Eventually(remotedaemon.Patience, func() bool {
		for _, line := range d.Lines() {
			if strings.HasPrefix(line.Text, "WARNING "+w.URI()+" ") && strings.Contains(line.Text, "rejected") {
				return true
			}
		}
		return false
	}) {
		t.Error("no WARNING of the rejected push")
	}
	time.Sleep(still)
	if at("server.git", "main") != theirs {
		t.Error("forced")
	}
	d.Stop()
}
