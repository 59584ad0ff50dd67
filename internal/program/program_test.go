package program

import (
	"errors"
	"strings"
	"testing"
)

func TestMessages(t *testing.T) {
	for text, want := range map[string]string{
		"remote: x\nfatal: https://u:secret@example.org/ not found\nhint: y\n": "https://u@example.org/ not found",
		"ssh: connect to host a port 22: Connection refused\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.\n": "connect to host a port 22: Connection refused",
		"Permission denied\n": "Permission denied", "": "",
		"fatal: unable to connect to a:\na[0: ::1]: errno=Connection refused\n": "unable to connect to a: a[0: ::1]: errno=Connection refused",
		"From /x\n ! [rejected] a -> b (non-fast-forward)\n":                    "! [rejected] a -> b (non-fast-forward)",
	} {
		if got := Messages(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
	cut := errors.New("cut")
	if err := (&Error{"git", "fetch", "", cut}); err.Error() != "git fetch: cut" || !errors.Is(err, cut) {
		t.Error(err)
	}
	for stderr, want := range map[string]string{
		"fatal: could not read Username for 'https://a': terminal prompts disabled": "gitcredentials(7)",
		"fatal: Authentication failed for 'https://a/'":                             "by hand",
	} {
		if err := (&Error{"git", "fetch", stderr, cut}); !strings.Contains(err.Error(), want) {
			t.Error(err)
		}
	}
	if err := (&Error{"make", "", "no rule\n", cut}); err.Error() != "make: no rule" {
		t.Error(err)
	}
	for name, want := range map[string]string{"no-such-program": "no-such-program is not installed", "false": "false x: exit status 1"} {
		if _, err := Output(t.Context(), Command(t.Context(), name, "x"), nil); err == nil || err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := subcommand([]string{"-C", "/a", "-c", "a=b", "fetch", "x"}); got != "fetch" {
		t.Error(got)
	}
}
