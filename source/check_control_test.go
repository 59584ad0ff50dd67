package source

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vext/internal/config"
	"vext/reminder"
)

// The control socket is well when it answers and users can reach it.
func TestCheckControl(t *testing.T) {
	dir, err := os.MkdirTemp("", "vext-control-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "c")
	k := &checker{c: &config.Config{}}
	want := func(level reminder.Level, text, hint string) {
		t.Helper()
		found := k.control()
		if len(found) != 1 || found[0].Level != level || !strings.Contains(found[0].Text, text) || !strings.Contains(found[0].Hint, hint) {
			t.Errorf("%+v, want %v, %s, %s", found, level, text, hint)
		}
	}
	if found := k.control(); len(found) > 0 {
		t.Errorf("not configured: %+v", found)
	}
	k.c.Control.Socket = path
	want(reminder.Warning, "no such file", "is vext serve running?")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Write([]byte("{}\n"))
			conn.Read(make([]byte, 10))
			conn.Close()
		}
	}()
	want(reminder.Warning, "users can't reach it: "+dir, "chmod o+x "+dir)
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	want(reminder.OK, path+": answers", "")
}
