package testkit

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "embed"
)

// testdata/clock.go is to be a file of Go's package time. It reads clockVariable.
//
//go:embed testdata/clock.go
var clockSource []byte

const clockVariable = "VEXT_TEST_CLOCK"

// ClockedPrograms is Programs with a clock that can be set, which costs half a
// minute when Go has not cached it. AtTime sets it.
func ClockedPrograms(t testing.TB) string {
	t.Helper()
	dir, err := buildClocked()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// AtTime returns the environment variable with which a clocked program that is
// started now begins at a time.
func AtTime(at time.Time) string {
	return fmt.Sprintf("%s=%d", clockVariable, int64(time.Until(at)/time.Second))
}

// clockOverlay writes what go build -overlay takes, and returns its path. The
// monotonic clock, by which timers and deadlines go, stays as it is.
func clockOverlay(dir string) (string, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	source, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	const reading = "\tsec, nsec, mono := runtimeNow()\n"
	if strings.Count(string(source), reading) != 1 {
		return "", errors.New(original + " reads the clock otherwise than it did")
	}
	changed, added := filepath.Join(dir, "time.go"), filepath.Join(dir, "clock.go")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed, filepath.Join(filepath.Dir(original), "clock.go"): added}})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, errors.Join(
		os.WriteFile(changed, []byte(strings.Replace(string(source), reading, reading+"\tsec += testShift\n", 1)), 0o600),
		os.WriteFile(added, clockSource, 0o600), os.WriteFile(path, overlay, 0o600))
}
