package vcs

import (
	"os/exec"
	"strings"
	"testing"
)

// What a program says of its failure is one line, without a password,
// and with advice that helps a user without a home.
func TestFailed(t *testing.T) {
	for stderr, want := range map[string]string{
		"fatal: unable to access 'https://jane:hunter2@git.example.org/w/': 403\n":                                                                                                  "git fetch: unable to access 'https://jane@git.example.org/w/': 403",
		"fatal: detected dubious ownership in repository at '/srv/w.git'\nTo add an exception for this directory, call:\n\n\tgit config --global --add safe.directory /srv/w.git\n": "git fetch: detected dubious ownership in repository at '/srv/w.git'; as root: git config --system --add safe.directory /srv/w.git",
		"": "git fetch: exit status 1",
	} {
		err := failed(exec.Command("git", "-c", "a=b", "fetch"), stderr, exec.Command("false").Run())
		if err.Error() != want || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q, want %q", err, want)
		}
	}
}
