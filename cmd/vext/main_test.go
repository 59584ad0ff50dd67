package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"vext/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// The scripts in testdata are the manual of what a person types and sees.
func TestScripts(t *testing.T) {
	bin := testkit.Programs(t)
	mails, err := filepath.Abs("../../testdata/mails")
	if err != nil {
		t.Fatal(err)
	}
	history, err := filepath.Abs("testdata/history.sh")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Defer(func() { endWatched(e.WorkDir) })
			state := filepath.Join(e.WorkDir, "state")
			e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("MAILS", mails)
			e.Setenv("HISTORY", history)
			e.Setenv("VEXT_STATE", state)
			e.Setenv("VEXT_CONFIG", filepath.Join(e.WorkDir, "vext.toml"))
			e.Setenv("SUDO_USER", "ops")
			e.Setenv("HOME", e.WorkDir)
			return os.Mkdir(state, 0o750)
		},
		UpdateScripts: os.Getenv("UPDATE") != "",
	})
}

// A shell gets so many completions that it can show them.
func TestCompletionBound(t *testing.T) {
	var values []string
	for i := range 2 * maxCompletions {
		values = append(values, fmt.Sprint(i), fmt.Sprint(i))
	}
	if got, _ := completion(values, ""); len(got) != maxCompletions {
		t.Errorf("%d completions", len(got))
	}
}

// What could not be printed is reported, whatever the exit status is.
func TestCheckNotPrinted(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	t.Setenv("VEXT_STATE", testkit.State(t))
	t.Setenv("VEXT_CONFIG", os.DevNull)
	var said strings.Builder
	status := run(t.Context(), -1, []string{"check"}, nil, full, &said)
	if status == exitOK || !strings.Contains(said.String(), "no space left") {
		t.Errorf("status %d, %s", status, said.String())
	}
}

// A question is a line of its own, below what it is about.
func TestPrintableLines(t *testing.T) {
	if got := printableLines("can't\x1b be read\nfollow it?"); got != "can't? be read\nfollow it?" {
		t.Errorf("%q", got)
	}
}

// A panic says what it is and leaves with a status like any error.
func TestPanic(t *testing.T) {
	t.Setenv("VEXT_STATE", testkit.State(t)) // or root becomes the owner of the machine's own
	t.Setenv("VEXT_CONFIG", os.DevNull)
	if status := run(context.Background(), -1, []string{"list"}, nil, nil, os.NewFile(^uintptr(0), "none")); status == exitOK {
		t.Error("a panic is no error")
	}
}
