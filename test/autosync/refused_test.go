package autosync

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/machines"
)

// What git cannot take does not hold up the rest, and each is named once.
func TestRefused(t *testing.T) {
	t.Parallel()
	w := machines.New(t, machines.Options{Files: map[string]string{"sub/.keep": ""}, Table: "max_file = \"50 MB\"\n"})
	w.A.Sh("git init -q ../other; git -C ../other commit -q --allow-empty -m other; git -c protocol.file.allow=always submodule --quiet add $PWD/../other module; git commit -qm module; git push -q")
	w.A.Start()
	bad := "mkdir empty && git init -q empty; git init -q nested && (cd nested; echo n >n; git add n; git commit -qm n); mkfifo pipe; truncate -s 60M huge; echo changed >module/new;"
	good := []string{"one", "two three", "new\nline", `quo"te`, "é", "trailing ", "-dash", "sub/deep/er", "back\\slash", "*star"}
	w.A.Sh(bad)
	for _, name := range good {
		w.A.Write(name, "good\n")
	}
	missing := ""
	if !testkit.Eventually(machines.Patience, func() bool {
		missing = ""
		tree, _ := w.A.Try("git -C " + w.Server + " ls-tree -rz --name-only main")
		for _, name := range good {
			if !strings.Contains("\x00"+tree, "\x00"+name+"\x00") {
				missing += fmt.Sprintf(" %q", name)
			}
		}
		return missing == ""
	}) {
		t.Errorf("not pushed:%s", missing)
	}
	time.Sleep(still)
	if links := w.A.Git("ls-tree -r HEAD | grep -c ^160000"); links != "1" { // the submodule
		t.Errorf("%s gitlinks", links)
	}
	if files := w.A.Git("ls-files"); strings.Contains(files, "huge") || strings.Contains(files, "nested/") {
		t.Errorf("%s", files)
	}
	for _, name := range []string{"huge", "nested"} {
		testkit.Eventually(machines.Patience, func() bool { return strings.Contains(w.A.Log(), name) })
		if n := strings.Count(w.A.Log(), name); n == 0 || n > 2 {
			t.Errorf("%s is named %d times", name, n)
		}
	}
	w.A.Stop()
}

// One unreadable file does not hold up the rest.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	testkit.Root(t) // who can become another user
	w := machines.New(t, machines.Options{Scratch: openDir(t)})
	w.A.User = 65534
	w.A.Sh("chown -R 65534:65534 " + w.Dir)
	w.A.Start()
	w.A.Sh("echo secret >secret; chmod 0 secret; chown 0:0 secret; echo good >good; chown 65534 good")
	if !testkit.Eventually(machines.Patience, func() bool {
		out, _ := w.A.Try("git -c safe.directory='*' ls-tree --name-only HEAD")
		return strings.Contains(out, "good")
	}) {
		t.Error("the good file is held up")
	}
	if !testkit.Eventually(machines.Patience, func() bool { return strings.Contains(w.A.Log(), "secret") }) {
		t.Error("the unreadable file is not named")
	}
	w.A.Stop()
}

// openDir returns a directory that other users can enter.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "vext-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A tree that lost everything is not committed, before a person says so.
func TestWiped(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for n := range 1200 {
		files[fmt.Sprintf("d/%d", n)] = "x\n"
	}
	w := machines.New(t, machines.Options{Files: files})
	w.A.Start()
	w.A.Sh("rm -r d")
	time.Sleep(2 * still)
	if commits := w.A.Commits(); commits != "1" {
		t.Errorf("%s commits", commits)
	}
	if !strings.Contains(w.A.Log(), "vext autosync now") {
		t.Error("no warning says what to do")
	}
	if out, err := w.A.Vext("autosync", "now").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	w.A.Committed()
	w.A.Stop()
}

// A tree that is not there any more is an error, and no deletion.
func TestUnmounted(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{"moved": "mv ../tree ../away", "emptied": "mv ../tree ../away; mkdir ../tree"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := machines.New(t, machines.Options{})
			w.A.Start()
			w.Sh("cd a/tree; " + script)
			time.Sleep(still)
			if !w.A.Running() {
				t.Error("it has ended")
			}
			w.Sh("cd a; rmdir tree 2>/dev/null || true; mv away tree")
			w.A.Write("back", "back\n")
			if !testkit.Eventually(2*machines.Patience, func() bool {
				out, _ := w.A.Try("git ls-tree --name-only HEAD")
				return strings.Contains(out, "back")
			}) {
				t.Error("it does not go on")
			}
			if w.A.Read("README") != "readme\n" {
				t.Error("a file is gone")
			}
			w.A.Signal(syscall.SIGTERM)
		})
	}
}

// Where the kernel allows few watches, the rest is polled, and a warning says what to do.
func TestWatchLimit(t *testing.T) {
	t.Parallel()
	testkit.Root(t)
	if err := exec.Command(testkit.Program(t, "unshare"), "--user", "--map-root-user", "true").Run(); err != nil { // as in a chroot, clone(2)
		t.Skip("a process may have no namespaces of its own here")
	}
	w := machines.New(t, machines.Options{Table: "poll = \"1s\"\n"})
	w.A.Sh("mkdir d; cd d; for n in $(seq 300); do mkdir $n; echo $n >$n/f; done; git add .; git commit -qm many; git push -q")
	w.A.Watches = 100
	w.A.Start()
	if !strings.Contains(w.A.Log(), "fs.inotify.max_user_watches") {
		t.Errorf("no warning: %s", w.A.Log())
	}
	w.A.Write("d/300/f", "changed\n")
	w.A.Write("d/1/f", "changed\n")
	w.A.Committed()
	w.A.Stop()
}

// What git ignores is neither committed nor watched.
func TestIgnored(t *testing.T) {
	t.Parallel()
	w := machines.New(t, machines.Options{Table: "ignore = [\"*.bak\", \"/private/\"]\n", Files: map[string]string{".gitignore": "*.o\nbuild/\n!keep.o\n", "deep/.gitignore": "local\n"}})
	w.A.Sh("echo hidden >.git/info/exclude; git config core.excludesFile ../excludes; echo global >../excludes; mkdir build; cd build; for n in $(seq 500); do mkdir $n; done")
	w.A.Start()
	if n := w.A.InotifyWatches(); n > 60 {
		t.Errorf("%d watches", n)
	}
	for _, name := range []string{"a.o", "build/7/x", "deep/local", "hidden", "global", "x.bak", "private/x", ".good.swp", "good~", "#good#", ".#good", "4913", ".~lock.a.odt#"} {
		w.A.Write(name, "bad\n")
	}
	w.A.Write("keep.o", "good\n")
	w.A.Write("deep/good", "good\n")
	if !testkit.Eventually(machines.Patience, func() bool {
		out, _ := w.A.Try("git ls-tree -r --name-only HEAD")
		return strings.Contains(out, "keep.o") && strings.Contains(out, "deep/good")
	}) {
		t.Error("the good files are not committed")
	}
	time.Sleep(still / 2)
	if found := w.A.Git("grep -l bad HEAD -- || true"); found != "" {
		t.Errorf("committed: %s", found)
	}
	w.A.Stop()
}
