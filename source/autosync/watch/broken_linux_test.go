package watch

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vext/internal/testkit"
	"vext/internal/watchable"
)

// A queue that overflows while the process is stopped loses nothing.
func TestOverflow(t *testing.T) {
	root := t.TempDir()
	for _, path := range []string{"old/a", "moved/deep/b", "gone/c"} {
		writeFile(t, filepath.Join(root, path))
	}
	c := startChild(t, root, time.Hour, nil)
	c.signal(syscall.SIGSTOP)
	for i := range 20_000 {
		c.must(os.WriteFile(c.abs(fmt.Sprintf("old/%d", i)), nil, 0o644))
	}
	c.write("new/deep/a")
	c.must(os.Rename(c.abs("moved"), c.abs("old/moved")))
	c.must(os.RemoveAll(c.abs("gone")))
	c.write("gone/again/c")
	c.signal(syscall.SIGCONT)
	c.wait("everything", func() bool { return c.all > 0 })
	c.forget()
	paths := []string{"new/deep/a", "old/moved/deep/b", "gone/again/c", "old/1"}
	c.write(paths...)
	for _, path := range paths {
		c.wait(path, func() bool { _, ok := c.seen[path]; return ok })
	}
}

// namespaces skips a test where a process may have no namespaces of its own.
func namespaces(t *testing.T) {
	t.Helper()
	testkit.Program(t, "unshare")
	testkit.Program(t, "nsenter")
	if err := exec.Command("unshare", "-Urm", "true").Run(); err != nil { // as in a chroot, clone(2)
		t.Skip("a process may have no namespaces of its own here")
	}
}

// enter runs a command in the namespaces of the process.
func (c *child) enter(command ...string) {
	c.t.Helper()
	out, err := exec.Command("nsenter", append([]string{"-t", fmt.Sprint(c.pid), "-U", "-m", "--preserve-credentials"}, command...)...).CombinedOutput()
	if err != nil {
		c.t.Fatalf("%q: %s", command, out)
	}
}

// When no watch is left, the rest is polled, until there are more.
func TestLimit(t *testing.T) {
	namespaces(t)
	root := t.TempDir()
	var paths []string
	for i := range 100 {
		paths = append(paths, fmt.Sprintf("%d/x/f", i))
		writeFile(t, filepath.Join(root, paths[i]))
	}
	c := startChild(t, root, 100*time.Millisecond, nil, "unshare", "-Urm", "sh", "-c", `echo 50 > /proc/sys/user/max_inotify_watches && exec "$0"`)
	c.write("0/x/f", "99/x/f")
	c.reports("files", "0/x/f", "99/x/f")
	c.quietly(func() { c.write(paths...) })
	c.reports("all files", paths...)
	c.quietly(func() { c.write("new/deep/f") })
	c.reports("a file in a new directory", "new/deep/f")
	if len(c.warns) != 1 || !strings.Contains(c.warns[0], " directories are not watched, but read every 100ms: no space left on device; the limit of watches is reached: sysctl fs.inotify.max_user_watches=") {
		t.Errorf("%q", c.warns)
	}
	if c.mode != "inotify and polling: no space left on device" || c.count > 50 {
		t.Errorf("%d watches, %s", c.count, c.mode)
	}
	c.enter("sh", "-c", "echo 5000 > /proc/sys/user/max_inotify_watches")
	c.wait("more watches", func() bool { c.write("0/x/f"); return c.mode == "inotify" && c.count == 203 })
	c.quietly(func() { c.write(paths...) })
	for _, path := range paths {
		c.wait(path, func() bool { _, ok := c.seen[path]; return ok })
	}
}

// Without any inotify instance, everything is polled.
func TestNoInstance(t *testing.T) {
	namespaces(t)
	root := t.TempDir()
	writeFile(t, filepath.Join(root, "a/b"))
	c := startChild(t, root, 50*time.Millisecond, nil, "unshare", "-Urm", "sh", "-c", `echo 0 > /proc/sys/user/max_inotify_instances && exec "$0"`)
	for _, path := range []string{"a/b", "c/d/e", "f"} {
		c.forget()
		c.write(path)
		c.reports(path, path)
	}
	c.forget()
	c.must(os.RemoveAll(c.abs("c")))
	c.reports("a removed directory", "c")
	c.write("f")
	c.reports("a file", "f")
	if len(c.warns) != 1 || !strings.HasSuffix(c.warns[0], ": all directories are read every 50ms: inotify_init: too many open files; too many programs watch files: raise the sysctl fs.inotify.max_user_instances") {
		t.Errorf("%q", c.warns)
	}
	if !strings.HasPrefix(c.mode, "polling: inotify_init") {
		t.Error(c.mode)
	}
	c.must(os.RemoveAll(root))
	c.ends("a removed root", "does not exist any more")
}

func TestUnmounted(t *testing.T) {
	namespaces(t)
	root := t.TempDir()
	c := startChild(t, root, time.Hour, nil, "unshare", "-Urm", "sh", "-c", `mount -t tmpfs x "$`+childRoot+`" && mkdir "$`+childRoot+`"/sub && mount -t tmpfs y "$`+childRoot+`"/sub && mkdir -p "$`+childRoot+`"/sub/a && exec "$0"`)
	c.enter("sh", "-c", "echo > "+root+"/sub/a/b")
	c.reports("a file", "sub/a/b")
	c.forget()
	c.enter("umount", root+"/sub")
	c.wait("a part that was unmounted", func() bool { return c.all > 0 })
	c.enter("sh", "-c", "echo > "+root+"/sub/c")
	c.wait("what is below it", func() bool { _, ok := c.seen["sub/c"]; return ok })
	c.enter("umount", root)
	c.ends("an unmounted root", ": its file system was unmounted")
}

func TestGone(t *testing.T) {
	for name, s := range map[string]struct {
		do   func(root string) error
		want string
	}{
		"removed":          {os.RemoveAll, "does not exist any more"},
		"moved":            {func(root string) error { return os.Rename(root, root+"2") }, "does not exist any more"},
		"its parent moved": {func(root string) error { return os.Rename(filepath.Dir(root), filepath.Dir(root)+"2") }, "does not exist any more"},
		"replaced": {func(root string) error {
			if err := os.Rename(root, root+"2"); err != nil {
				return err
			}
			return os.Mkdir(root, 0o755)
		}, ""},
		"a file now": {func(root string) error {
			if err := os.RemoveAll(root); err != nil {
				return err
			}
			return os.WriteFile(root, nil, 0o644)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "above/root")
			writeFile(t, filepath.Join(root, "a/b"))
			tr := watchTree(t, options(root))
			tr.must(s.do(root))
			tr.ends(name, s.want)
		})
	}
	if err := New(options(t.TempDir() + "/none")).Run(t.Context()); !strings.HasSuffix(fmt.Sprint(err), "/none: the directory does not exist") {
		t.Error(err)
	}
}

// A directory that cannot be read is reported once, and keeps nothing else from being
// watched.
func TestUnreadable(t *testing.T) {
	testkit.Root(t)
	root := filepath.Join(t.TempDir(), "root")
	for _, path := range []string{"a/b", "secret/c/d", "later/e/f"} {
		writeFile(t, filepath.Join(root, path))
	}
	for _, dir := range []string{filepath.Dir(filepath.Dir(root)), filepath.Dir(root)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	self, _ := os.Executable()
	os.Chmod(filepath.Dir(self), 0o755)
	os.Chmod(filepath.Dir(filepath.Dir(self)), 0o755)
	if err := os.Chmod(filepath.Join(root, "secret"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := startChild(t, root, 50*time.Millisecond, func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	})
	c.write("a/b", "secret/c/d")
	c.reports("a readable one", "a/b")
	c.quiet("an unreadable one", "a/b")
	c.must(os.Chmod(c.abs("later"), 0o700))
	c.wait("one that has become unreadable", func() bool { _, ok := c.seen["later"]; return ok && len(c.warns) == 2 })
	c.must(os.Chmod(c.abs("secret"), 0o755))
	c.wait("one that has become readable", func() bool { return c.seen["secret"].Dir })
	c.quietly(func() { c.write("secret/c/d") })
	c.reports("one that has become readable", "secret/c/d")
	want := []string{c.abs("secret") + ": changes in it are not noticed: permission denied", c.abs("later") + ": changes in it are not noticed: permission denied"}
	if strings.Join(c.warns, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q", c.warns)
	}
}

// What inotify does not report is found by polling, where the file system is one of a
// network.
func TestNetwork(t *testing.T) {
	root := t.TempDir()
	writeFile(t, filepath.Join(root, "a/b"))
	file, err := os.OpenFile(filepath.Join(root, "a/b"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	data, err := unix.Mmap(int(file.Fd()), 0, 4, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(data)
	var stat unix.Statfs_t
	if err := unix.Statfs(root, &stat); err != nil {
		t.Fatal(err)
	}
	watchable.NetworkFileSystems[uint32(stat.Type)] = "test"
	t.Cleanup(func() { delete(watchable.NetworkFileSystems, uint32(stat.Type)) })
	o := options(root)
	o.Poll = 50 * time.Millisecond
	tr := watchTree(t, o)
	data[0]++
	if err := unix.Msync(data, unix.MS_SYNC); err != nil {
		t.Fatal(err)
	}
	tr.reports("a write that inotify does not report", "a/b")
	if mode := tr.w.Mode(); mode != "inotify and polling: the file system (test) does not report what other machines change" {
		t.Error(mode)
	}
}

// A file that is written through a mapping is reported when it is closed.
func TestMapping(t *testing.T) {
	root := t.TempDir()
	writeFile(t, filepath.Join(root, "a/b"))
	tr := watchTree(t, options(root))
	file, err := os.OpenFile(tr.abs("a/b"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	data, err := unix.Mmap(int(file.Fd()), 0, 4, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	data[0]++
	tr.must(unix.Munmap(data))
	tr.must(file.Close())
	tr.reports("a write through a mapping", "a/b")
}
