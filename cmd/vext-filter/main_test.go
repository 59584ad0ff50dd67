package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const asks = "From: ida@example.org\nMessage-ID: <a@b>\n\nfoo\n\nMFC after: 1 week\n"

func newState(t *testing.T) string {
	state := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(state, 0o750); err != nil {
		t.Fatal(err)
	}
	return state
}

// The exit status is 0 or 75; -e adds others.
func TestStatus(t *testing.T) {
	state := newState(t)
	none := filepath.Join(t.TempDir(), "none")
	for _, test := range []struct {
		name  string
		args  []string
		input string
		want  int
	}{
		{"asks", nil, asks, 0},
		{"does not", nil, "Subject: x\n\nx\n", 0},
		{"garbage", nil, "garbage", 0},
		{"asks, -e", []string{"-e"}, asks, 0},
		{"does not, -e", []string{"-e"}, "Subject: x\n\nx\n", 1},
		{"garbage, -e", []string{"-e"}, "garbage", 65},
		{"bad JSON, -e", []string{"-e"}, "{", 65},
		{"no state directory", []string{"-state", none}, asks, 75},
		{"no state directory, -e", []string{"-e", "-state", none}, asks, 75},
		{"no state directory, but nothing to store", []string{"-state", none}, "Subject: x\n\nx\n", 0},
		{"unknown flag", []string{"-x"}, asks, 75},
		{"an argument", []string{"x"}, asks, 75},
		{"help", []string{"-h"}, asks, 75},
		{"bad trailer", []string{"-trailer", "a:b"}, asks, 75},
	} {
		stdin := strings.NewReader(test.input)
		var stderr bytes.Buffer
		if got := run(append([]string{"-state", state}, test.args...), stdin, &stderr); got != test.want {
			t.Errorf("%s: %d, want %d: %s", test.name, got, test.want, &stderr)
		}
		if stdin.Len() > 0 {
			t.Errorf("%s: input was not read to its end", test.name)
		}
		if (stderr.Len() > 0) != (test.want == 75) {
			t.Errorf("%s: standard error: %q", test.name, &stderr)
		}
	}
}

// A state directory of another user is named, with what to do.
func TestPermissionHint(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write anywhere")
	}
	state := newState(t)
	if err := os.Chmod(state, 0o500); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	if got := run([]string{"-state", state}, strings.NewReader(asks), &stderr); got != 75 || !strings.Contains(stderr.String(), "hint: run vext-filter as the user") {
		t.Errorf("%d, %s", got, &stderr)
	}
}

// panicReader is a reader with a bug.
type panicReader struct{}

func (panicReader) Read([]byte) (int, error) { panic("a fault") }

func TestPanic(t *testing.T) {
	var stderr bytes.Buffer
	if got := run([]string{"-state", newState(t)}, panicReader{}, &stderr); got != 75 || !strings.Contains(stderr.String(), "a fault") {
		t.Errorf("%d: %s", got, &stderr)
	}
}

type closedWriter struct{}

func (closedWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestClosedStderr(t *testing.T) {
	if got := run([]string{"-v", "-state", newState(t)}, strings.NewReader(asks), closedWriter{}); got != 0 {
		t.Errorf("%d", got)
	}
}

// The filter is started for every mail: what it imports costs time each time.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "vext/cmd/vext-filter").Output()
	if err != nil {
		t.Fatal(err)
	}
	forbidden := map[string]string{
		"regexp":                                 "compiling expressions costs more than reading a mail",
		"log/slog":                               "the filter says one line at most",
		"net/http":                               "no network",
		"crypto/tls":                             "no network",
		"net/mail":                               "go-message reads mails",
		"os/exec":                                "the filter runs nothing",
		"text/template":                          "words are the processor's",
		"github.com/emersion/go-message/charset": "it costs a quarter of the filter's time",
		"github.com/emersion/go-smtp":            "no network",
		"github.com/spf13/cobra":                 "the standard flag package is enough",
		"github.com/pelletier/go-toml/v2":        "no configuration: the processor applies it",
		"vext/internal/config":                   "no configuration: the processor applies it",
		"vext/internal/history":                  "only the processor writes it",
		"vext/queue":                             "only the processor knows days",
		"vext/reminder":                          "only the processor sends",
		"vext/notify":                            "only the processor sends",
		"time/tzdata":                            "the filter knows no zones",
	}
	for dep := range strings.Lines(string(out)) {
		if why, ok := forbidden[strings.TrimSpace(dep)]; ok {
			t.Errorf("imports %s: %s", strings.TrimSpace(dep), why)
		}
	}
}
