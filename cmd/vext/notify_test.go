package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
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
	status = run(t.Context(), -1, append([]string{"--state", state, "--config", config, "notify"}, args...), strings.NewReader(""), &stdout, &stderr)
	return status, stdout.String() + stderr.String()
}

// Of many at once, without a service, the one that keeps the connection leaves
// when its own line is delivered: the others go on, and each is delivered once.
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
	received := map[string]int{}
	for _, h := range server.Said("#ops") {
		received[h.Text]++
	}
	for i := range many {
		if text := fmt.Sprintf("line %d", i); received[text] != 1 {
			t.Errorf("%s was delivered %d times", text, received[text])
		}
	}
}

// A service that is stopped holds nobody up for longer than wanted, and it is
// not said that the line is lost.
func TestNotifyFrozen(t *testing.T) {
	state := testkit.State(t)
	l, err := new(net.ListenConfig).Listen(context.Background(), "unix", filepath.Join(state, "outbox.socket"))
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

// What the server rejects permanently is not kept, and the command says what the
// server said; what it takes later is. A person is like a channel.
func TestNotifyRejected(t *testing.T) {
	for _, test := range []struct {
		to      string
		numeric int
		text    string
		says    string
		waits   string // in the status
	}{
		{"/ops", 417, "hello", `rejected by irc://%s/#ops: the line is too long for the server \(417 .*\n.*hint: it is not kept; change the text`, "  0 "},
		{"/jane,isnick", 417, "hello", `rejected by irc://%s/jane,isnick: the line is too long for the server \(417 .*\n.*hint: it is not kept`, "  0 "},
		{"/ops", 417, "one\ntwo", `rejected by irc://%s/#ops: .*\n.*hint: it is not kept`, "  0 "},
		{"/ops", 263, "hello", `not delivered yet to irc://%s/#ops: the server is too busy \(263 .*\n.*hint: it is kept`, "  1 "},
		{"/jane,isnick", 707, "hello", `not delivered yet to irc://%s/jane,isnick: .*\(707 .*\n.*hint: it is kept`, "  1 "},
	} {
		name := strings.TrimPrefix(strings.TrimSuffix(test.to, ",isnick"), "/")
		if name == "ops" {
			name = "#ops"
		}
		server := ircd.NewScripted(t, ircd.Script{Messages: map[string]int{name: test.numeric}})
		state := testkit.State(t)
		begun := time.Now()
		status, said := notifyFor(t, state, "--wait", "3s", "irc://"+server.Addr+test.to, test.text)
		if says := regexp.MustCompile(fmt.Sprintf(test.says, server.Addr)); status != exitError || !says.MatchString(said) {
			t.Errorf("%s, %d: status %d: %s", test.to, test.numeric, status, said)
		}
		if took := time.Since(begun); test.numeric == 417 && test.text == "hello" && took > 2*time.Second {
			t.Errorf("%s, %d: it took %v to say so", test.to, test.numeric, took)
		}
		var stdout strings.Builder
		run(t.Context(), -1, []string{"--state", state, "irc", "status"}, strings.NewReader(""), &stdout, io.Discard)
		if !strings.Contains(stdout.String(), test.waits) || strings.Contains(stdout.String(), "bounced, the last") != (test.numeric == 417) {
			t.Errorf("%s, %d:\n%s", test.to, test.numeric, stdout.String())
		}
	}
}
