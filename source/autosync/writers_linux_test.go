package autosync

import (
	"bufio"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// holder starts a shell that opens files and keeps them open.
func holder(t testing.TB, redirections string) {
	t.Helper()
	cmd := exec.Command("sh", "-c", "exec "+redirections+"; echo ready; read x")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); cmd.Wait() })
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatalf("sh -c %q: %v", redirections, err)
	}
}

func TestOpenForWriting(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	var paths []string
	for _, name := range []string{"read", "written", "appended", "both", "idle", "two words", "ours", "renamed", "linked", "replaced"} {
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, filepath.Join(dir, name))
	}
	own, err := os.OpenFile("ours", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	holder(t, `3<read 4>written 5>>appended 6<>both 7>'two words' 8>renamed 9>linked`)
	holder(t, `3>replaced`)
	for _, err := range []error{
		os.Rename("renamed", "other"), os.Link("linked", "link"), os.Remove("linked"), os.Remove("replaced"), os.WriteFile("replaced", nil, 0o644),
		os.Symlink("written", "symlink"), os.Mkdir("dir", 0o755),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"other", "link", "symlink", "dir", "none"} {
		paths = append(paths, filepath.Join(dir, name))
	}
	got, err := OpenForWriting(paths)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, name := range []string{"written", "appended", "both", "two words", "other", "link"} {
		want[filepath.Join(dir, name)] = true
	}
	if !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if got, err := OpenForWriting(nil); len(got) != 0 || err != nil {
		t.Errorf("no files: %v, %v", got, err)
	}
}

func BenchmarkOpenForWriting(b *testing.B) {
	for range 300 {
		holder(b, `3</dev/null 4</ 5</etc 6</etc/passwd 7</bin/sh 8</usr 9</usr/bin`)
	}
	path := filepath.Join(b.TempDir(), "a")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := OpenForWriting([]string{path}); err != nil {
			b.Fatal(err)
		}
	}
}

// A file system without a file that is wanted is not asked, because it may hang.
func TestMayBeWanted(t *testing.T) {
	s := search{mounts: map[uint64]bool{27: true}, inodes: map[uint64]bool{99: true}}
	fdinfo := filepath.Join(t.TempDir(), "fdinfo")
	for text, want := range map[string]bool{
		"pos:\t0\nflags:\t0100001\nmnt_id:\t27\nino:\t5\n":   true,
		"pos:\t0\nflags:\t0100002\nmnt_id:\t31\nino:\t99\n":  true,  // mounted twice
		"pos:\t0\nflags:\t0100001\nmnt_id:\t31\nino:\t5\n":   false, // elsewhere
		"pos:\t0\nflags:\t0100000\nmnt_id:\t27\nino:\t99\n":  false, // for reading
		"pos:\t0\nflags:\t0100001\nmnt_id:\t31\n":            true,  // Linux 5.13
		"pos:\t0\nflags:\t010000001\nmnt_id:\t27\nino:\t5\n": false, // O_PATH
	} {
		if err := os.WriteFile(fdinfo, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := s.mayBe(fdinfo); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}

// A file system whose server does not answer holds up nothing, although another process has
// a file of it open.
func TestOpenForWritingStuck(t *testing.T) {
	bindfs, err := exec.LookPath("bindfs")
	if err != nil || os.Getuid() != 0 {
		t.Skip("only root, with bindfs, can have such a file system")
	}
	dir := t.TempDir()
	from, to, own := filepath.Join(dir, "from"), filepath.Join(dir, "to"), filepath.Join(dir, "own")
	for _, made := range []string{from, to} {
		if err := os.Mkdir(made, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	fuse := exec.Command(bindfs, "-f", from, to)
	if err := fuse.Start(); err != nil {
		t.Fatal(err)
	}
	other := exec.Command("sh", "-c", `while ! mountpoint -q "$0"; do sleep 0.1; done; exec 3>"$0/file" 4>"$1"; echo ready; exec sleep 60`, to, own)
	out, err := other.StdoutPipe()
	if err == nil {
		err = other.Start()
	}
	t.Cleanup(func() {
		fuse.Process.Kill()
		exec.Command("umount", "-l", to).Run()
		fuse.Wait()
		if other.Process != nil {
			other.Process.Kill() // it can end now
			other.Wait()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 5)); err != nil {
		t.Skip("no FUSE here")
	}
	fuse.Process.Signal(syscall.SIGSTOP)
	time.Sleep(1500 * time.Millisecond) // what it has said is too old now
	open := make(chan map[string]bool, 1)
	go func() {
		found, _ := OpenForWriting([]string{own})
		open <- found
	}()
	select {
	case found := <-open:
		if !found[own] {
			t.Error("not found")
		}
	case <-time.After(20 * time.Second):
		t.Error("it does not return")
	}
}
