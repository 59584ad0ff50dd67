package autosync

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/machines"
)

// hgPatience is how long hg may take for what git does at once.
const hgPatience = 3 * machines.Patience

// ofHg makes machines with clones of a repository of Mercurial.
func ofHg(t *testing.T, table string) *machines.World {
	t.Helper()
	if testing.Short() {
		t.Skip("hg takes long to start")
	}
	testkit.Program(t, "hg")
	w := machines.New(t, machines.Options{Table: table})
	for _, m := range w.All {
		text := "[ui]\nusername = Jane <jane@" + m.Name + ".example.org>\n"
		if err := os.WriteFile(filepath.Join(m.Home, ".hgrc"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.Sh(`rm -rf a/tree b/tree; hg init server; hg clone -q server a/tree
cd a/tree; echo readme >README; hg commit -qAm one; hg push -q; hg clone -q ../../server ../../b/tree`)
	return w
}

// hgEqual waits until both have the same commit, and nothing to commit.
func hgEqual(t *testing.T, w *machines.World) {
	t.Helper()
	var seen string
	if !testkit.Eventually(hgPatience, func() bool {
		a, _ := w.A.Try("hg identify --id; hg status")
		b, _ := w.B.Try("hg identify --id; hg status")
		server, _ := w.A.Try("hg identify --id -r tip ../../server")
		time.Sleep(time.Second) // hg takes the processor from itself
		seen = strings.Join([]string{a, b, server}, " | ")
		return a == b && a == server && len(a) == 12
	}) {
		t.Fatalf("a | b | server: %s", seen)
	}
}

// Trees of Mercurial are kept in sync like those of git, and a conflict loses nothing.
func TestHg(t *testing.T) {
	t.Parallel()
	w := ofHg(t, "")
	w.Start()
	w.A.Write("notes/todo.md", "one\ntwo\n")
	hgEqual(t, w)
	w.B.Await("notes/todo.md", "one\ntwo\n")
	w.B.Sh("mv notes/todo.md 'to do.md'; echo three >>README")
	hgEqual(t, w)
	w.A.Await("to do.md", "one\ntwo\n")
	w.A.Sh("rm 'to do.md'; printf 'first\\nsecond\\n' >f")
	hgEqual(t, w)
	if w.B.Read("to do.md") != "" {
		t.Error("a file that was deleted is still there")
	}
	w.Stop()

	w.A.Write("f", "first of a\nsecond\n")
	w.B.Write("f", "first of b\nsecond\n")
	w.Start()
	hgEqual(t, w)
	w.Stop()
	for _, m := range w.All {
		all := m.Sh("hg cat f; cat *conflict*")
		if !strings.Contains(all, "first of a\n") || !strings.Contains(all, "first of b\n") || strings.Contains(all, "<<<<") {
			t.Errorf("%s: %s", m.Name, m.Sh("head * | cat"))
		}
		if out := m.Sh("hg verify -q; hg log -r 'head() and not secret()' -T x; ls -A .hg/*lock .hg/store/lock 2>/dev/null || true"); out != "x" {
			t.Errorf("%s: %s", m.Name, out)
		}
	}
}

// While a person merges, nothing is committed.
func TestHgBusy(t *testing.T) {
	t.Parallel()
	w := ofHg(t, "push_after = \"1h\"\npull_every = \"1h\"\n")
	w.A.Start()
	w.A.Sh("echo a >a; hg commit -qAm a; hg update -q 0; echo b >b; hg commit -qAm b; hg merge -q")
	before := w.A.Sh("hg log -r tip -T '{node}'")
	w.A.Write("new", "new\n")
	time.Sleep(2 * still)
	if now := w.A.Sh("hg log -r tip -T '{node}'"); now != before {
		t.Errorf("%s was committed", now)
	}
	if out, _ := w.A.Vext("autosync", "status").CombinedOutput(); !strings.Contains(string(out), "merge") {
		t.Errorf("the status does not say why:\n%s", out)
	}
	w.A.Sh("hg commit -qm merged")
	if !testkit.Eventually(hgPatience, func() bool {
		time.Sleep(time.Second)
		out, err := w.A.Try("hg status")
		return out == "" && err == nil
	}) {
		t.Error("the new file is not committed")
	}
	w.A.Stop()
}

// Any other version control is kept by its commands, for which git's stand here.
func TestCommands(t *testing.T) {
	t.Parallel()
	w := machines.New(t, machines.Options{})
	w.A.Configure("vcs = \"commands\"\n", `[autosync.commands]
status = ["git", "status", "--porcelain"]
add = ["git", "add", "--", "%s"]
remove = ["git", "rm", "-q", "-r", "--cached", "--ignore-unmatch", "--", "%s"]
commit = ["git", "commit", "-q", "-m", "%s"]
push = ["git", "push", "-q"]
pull = ["git", "pull", "-q", "--rebase"]
remote_url = ["git", "config", "remote.origin.url"]
`)
	w.Start()
	w.A.Write("dir/a file; $(touch pwned)", "one\n")
	w.Equal(machines.Patience)
	w.B.Write("b", "b\n")
	w.A.Await("b", "b\n")
	w.A.Sh("rm b; mv dir moved; echo more >>README")
	w.Equal(machines.Patience)
	if files := w.B.Git("ls-files"); files != "README\nmoved/a file; $(touch pwned)" {
		t.Errorf("%s", files)
	}
	w.A.Write("same", "a\n") // both sides add
	w.B.Write("other", "b\n")
	w.Equal(machines.Patience)
	w.Stop()
	w.Check()
}
