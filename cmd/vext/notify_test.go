package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/ircd"
)

// notifyFor runs vext notify with a state directory and returns its status and
// what it says.
func notifyFor(t *testing.T, state string, args ...string) (status int, said string) {
	config := filepath.Join(state, "vext.toml")
	if err := os.WriteFile(config, []byte("[irc]\nrate = 0\n"), 0o600); err != nil {
		t.Error(err)
	}
	var stdout, stderr strings.Builder
	status = run(t.Context(), append([]string{"--state", state, "--config", config, "notify"}, args...), strings.NewReader(""), &stdout, &stderr)
	return status, stdout.String() + stderr.String()
}

// Of many at once, without a service, the one that keeps the connection leaves
// when its own line is told: the others go on, and each is told once.
func TestNotifyTogether(t *testing.T) {
	server := ircd.NewScripted(t, ircd.Script{})
	state := testkit.State(t)
	const many = 20
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			status, said := notifyFor(t, state, "irc://"+server.Addr+"/ops", fmt.Sprintf("line %d", i))
			if status != exitOK {
				t.Errorf("line %d: status %d: %s", i, status, said)
			}
		})
	}
	all.Wait()
	heard := map[string]int{}
	for _, h := range server.Said("#ops") {
		heard[h.Text]++
	}
	for i := range many {
		if text := fmt.Sprintf("line %d", i); heard[text] != 1 {
			t.Errorf("%s was told %d times", text, heard[text])
		}
	}
}

// A service that is stopped holds nobody up for longer than wanted, and it is
// not said that the line is lost.
func TestNotifyFrozen(t *testing.T) {
	state := testkit.State(t)
	if err := os.Mkdir(filepath.Join(state, "irc"), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "unix", filepath.Join(state, "irc", "door"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	begun := time.Now()
	status, said := notifyFor(t, state, "--wait", "100ms", "irc://127.0.0.1:9/ops", "x")
	if status != exitError || !strings.Contains(said, "does not answer within 100ms") || !strings.Contains(said, "hint: it may be kept") {
		t.Errorf("status %d: %s", status, said)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}
