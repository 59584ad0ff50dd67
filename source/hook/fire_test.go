package hook

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// sh is a worker that runs a script.
func sh(script string, args ...string) []string {
	return append([]string{"/bin/sh", "-c", script, "worker"}, args...)
}

// slack is by how much a busy machine may be late.
const slack = 2 * time.Second

// A hook waits for its worker for a moment, for longer when that has found much,
// and not at all for one that hangs; whatever becomes of the worker is no error.
func TestFireWaits(t *testing.T) {
	fire := func(script string, wait bool) (time.Duration, error) {
		pid := filepath.Join(t.TempDir(), "pid")
		begun := time.Now()
		err := Fire(strings.NewReader(""), sh(`echo $$ >"$1.new"; mv "$1.new" "$1"; `+script, pid), wait)
		took := time.Since(begun)
		end(t, pid)
		return took, err
	}
	for _, test := range []struct {
		name, script string
		wait         bool
		least        time.Duration
	}{
		{"done at once", "exit 0", true, 0},
		{"fails", "exit 1", true, 0},
		{"hangs", "exec sleep 60", true, maxWait},
		{"says nonsense", "printf xyz >&3; exec sleep 60", true, maxWait},
		{"is not waited for", "exec sleep 60", false, 0},
	} {
		took, err := fire(test.script, test.wait)
		if took < test.least || took > test.least+slack || err != nil {
			t.Errorf("%s: took %v, %v", test.name, took, err)
		}
	}
	// It has found much: where the machine is busy it may say so too late.
	for tries := 1; ; tries++ {
		took, err := fire("printf m >&3; exec sleep 60", true)
		if err != nil || took > maxWaitSeveral+slack || tries == 100 {
			t.Errorf("with much: took %v, %v", took, err)
		}
		if took >= maxWaitSeveral || t.Failed() {
			break
		}
	}
	if err := Fire(strings.NewReader(""), []string{"/nosuch/vext"}, true); err == nil {
		t.Error("a program that is gone is no error")
	}
}

// end ends the worker that wrote its number into a file.
func end(t *testing.T, path string) {
	t.Helper()
	var pid int
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		data, err := os.ReadFile(path)
		if err == nil {
			if _, err := fmt.Sscan(string(data), &pid); err != nil {
				t.Fatal(err)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the worker did not begin")
		}
	}
	p, err := os.FindProcess(pid)
	if err == nil {
		p.Kill()
		p.Wait()
	}
}

// The worker receives all updates of a push, or none if they are too many,
// and Fire reads it to its end either way: git is not to be kept from writing.
func TestFireReports(t *testing.T) {
	for _, n := range []int{0, 1, maxUpdates, maxUpdates + 1, 10 << 20} {
		report := filepath.Join(t.TempDir(), "report")
		stdin := strings.NewReader(strings.Repeat("x", n))
		if err := Fire(stdin, sh(`cat >"$1.new"; mv "$1.new" "$1"`, report), true); err != nil {
			t.Error(err)
		}
		want := n
		if n > maxUpdates {
			want = 0
		}
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			if info, err := os.Stat(report); err == nil {
				if info.Size() != int64(want) {
					t.Errorf("of %d bytes it received %d", n, info.Size())
				}
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the worker did not end")
			}
		}
		if stdin.Len() > 0 {
			t.Errorf("of %d bytes %d were not read", n, stdin.Len())
		}
	}
}

// The worker has a session of its own, and holds nothing open that the hook was
// given: else sshd would wait for it.
func TestFireDetaches(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("there is no /proc")
	}
	dir := t.TempDir()
	seen, lock := filepath.Join(dir, "seen"), filepath.Join(dir, "lock")
	write(t, lock, "", 0o600)
	held, err := syscall.Open(lock, syscall.O_RDONLY, 0) // and not closed by exec
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(held)
	script := `exec >"$1.new" 2>&1; cut -d" " -f6 /proc/$$/stat; echo $$; for n in /proc/$$/fd/*; do readlink "$n"; done; mv "$1.new" "$1"`
	if err := Fire(strings.NewReader(""), sh(script, seen), true); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(seen); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the worker did not end")
		}
	}
	data, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(data))
	if len(lines) < 2 || lines[0] != lines[1] {
		t.Errorf("session and process: %q", lines)
	}
	if slices.Contains(lines, lock) {
		t.Errorf("it has open: %q", lines)
	}
}
