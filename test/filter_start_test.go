//go:build linux

package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"vext/internal/testkit"
)

// scarcities are what keeps Go's runtime from starting, as arguments of
// prlimit(1) or of env(1).
var scarcities = []string{
	"",
	"prlimit --as=600000000",
	"prlimit --as=100000000",
	"prlimit --nofile=3",
	"prlimit --nofile=4",
	"prlimit --nofile=6",
	"prlimit --nproc=1",
	"prlimit --nproc=2",
	"prlimit --nproc=3",
	"prlimit --nproc=4",
	"prlimit --stack=65536",
	"env GOMEMLIMIT=junk",
	"env GOMEMLIMIT=1",
	"env GOGC=junk GOMAXPROCS=junk GODEBUG=junk GOTRACEBACK=crash",
}

// Whatever the machine lacks, the filter ends with 0 and has the mail in its
// spool, or with 75; and takes all that the sender has to say, who would else
// meet a closed pipe.
func TestFilterStart(t *testing.T) {
	testkit.Root(t) // whom --nproc does not bind: the filter runs as nobody
	prlimit, setpriv := testkit.Program(t, "prlimit"), testkit.Program(t, "setpriv")
	mail := []byte(commitMail("MFC after: 2 weeks") + strings.Repeat("+x\n", 1<<18))
	for name, program := range startPrograms(t) {
		for _, scarce := range scarcities {
			if name == "script" && strings.Contains(scarce, "nofile") {
				continue // no shell can read its script then
			}
			t.Run(name+"/"+scarce, func(t *testing.T) {
				s := service{t: t, state: filepath.Join(openDir(t), "state"), as: nobody(t)}
				ok(t, os.Mkdir(s.state, 0o750))
				s.own(s.state)
				args := []string{setpriv, fmt.Sprint("--reuid=", s.as.uid), fmt.Sprint("--regid=", s.as.gid), "--clear-groups"}
				switch words := strings.Fields(scarce); {
				case len(words) == 0:
				case words[0] == "prlimit":
					args = append(append(args, prlimit), words[1:]...)
				default:
					args = append(args, words...)
				}
				cmd := exec.Command(args[0], append(args[1:], program, "-state", s.state)...)
				stdin, err := cmd.StdinPipe()
				ok(t, err)
				ok(t, cmd.Start())
				if _, err := stdin.Write(mail); err != nil {
					t.Errorf("the sender meets %v", err)
				}
				stdin.Close()
				cmd.Wait()
				spooled, _ := os.ReadDir(filepath.Join(s.state, "spool"))
				switch status := cmd.ProcessState.ExitCode(); {
				case status == 75 && scarce != "":
				case status == 0 && len(spooled) == 1:
				default:
					t.Errorf("it ends with %d, with %d messages in the spool", status, len(spooled))
				}
			})
		}
	}
}

// A filter that is killed, by the system that has no memory left for example,
// ends with 75.
func TestFilterKilled(t *testing.T) {
	for name, program := range startPrograms(t) {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(program, "-state", testkit.State(t))
			stdin, err := cmd.StdinPipe()
			ok(t, err)
			ok(t, cmd.Start())
			ok(t, syscall.Kill(childOf(t, cmd.Process.Pid), syscall.SIGKILL))
			stdin.Close()
			cmd.Wait()
			if status := cmd.ProcessState.ExitCode(); status != 75 {
				t.Errorf("it ends with %d", status)
			}
		})
	}
}

// startPrograms returns the filter as make builds it here, and as it builds it
// on systems where it has no entry of its own.
func startPrograms(t *testing.T) map[string]string {
	t.Helper()
	if !testkit.GuardsStart() {
		testkit.Missing(t, "the filter has no entry of its own on this system")
	}
	dir := openDir(t)
	write(t, filepath.Join(dir, "guarded"), 0o755, read(t, filepath.Join(testkit.Programs(t), "vext-filter")))
	write(t, filepath.Join(dir, "vext-filter"), 0o755, read(t, "../contrib/vext-filter.sh"))
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "vext-filter.bin"), "vext/cmd/vext-filter")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return map[string]string{"entry": filepath.Join(dir, "guarded"), "script": filepath.Join(dir, "vext-filter")}
}

// childOf returns the process that another has started, as soon as it has.
func childOf(t *testing.T, pid int) int {
	t.Helper()
	path := "/proc/" + strconv.Itoa(pid) + "/task/" + strconv.Itoa(pid) + "/children"
	for {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Skipf("this kernel does not report children: %v", err)
		}
		if child, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil {
			return child
		}
	}
}
