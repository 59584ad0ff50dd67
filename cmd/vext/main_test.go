package main

import (
	"context"
	"os"
	"path/filepath"
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
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			state := filepath.Join(e.WorkDir, "state")
			e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("MAILS", mails)
			e.Setenv("VEXT_STATE", state)
			e.Setenv("VEXT_CONFIG", filepath.Join(e.WorkDir, "vext.toml"))
			e.Setenv("SUDO_USER", "ops")
			e.Setenv("HOME", e.WorkDir)
			return os.Mkdir(state, 0o750)
		},
		UpdateScripts: os.Getenv("UPDATE") != "",
	})
}

// A panic says what it is and leaves with a status like any error.
func TestPanic(t *testing.T) {
	t.Setenv("VEXT_STATE", testkit.State(t)) // or root becomes the owner of the machine's own
	t.Setenv("VEXT_CONFIG", os.DevNull)
	if status := run(context.Background(), []string{"list"}, nil, nil, os.NewFile(^uintptr(0), "none")); status == exitOK {
		t.Error("a panic is no error")
	}
}
