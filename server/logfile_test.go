package server

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
)

// The log and the one before it are bounded.
func TestLogFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	log := new(LogFile)
	log.Write([]byte("lost\n"))
	defer debug.SetCrashOutput(nil, debug.CrashOptions{})
	for range 2 { // it is opened again
		if err := log.Open(path); err != nil {
			t.Fatal(err)
		}
		for range 3000 {
			log.Write(bytes.Repeat([]byte("x"), 1000))
		}
	}
	for _, name := range []string{path, path + ".old"} {
		info, err := os.Stat(name)
		if err != nil || info.Size() > maxLog+1000 || info.Mode().Perm() != 0o600 {
			t.Error(info, err)
		}
	}
}
