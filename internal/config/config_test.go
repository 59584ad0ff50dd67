package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func load(t *testing.T, text string) (*Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vext.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path, []string{"main"})
}

// The example of the manual works as written.
func TestLoad(t *testing.T) {
	c, err := load(t, `timezone = "America/New_York"
operator = "ops@example.org"
[reminders]
allow = ["*@freebsd.org", "*@example.org"]
recipient = "author"
[mail]
from = "MFC reminders <mfc@example.org>"
via = "maildir:/var/mail/mfc"
`)
	if err != nil {
		t.Fatal(err)
	}
	if c.Zone.String() != "America/New_York" || len(c.Reminders.Allow) != 2 || c.Reminders.Recipient != Author ||
		c.Mail.Via != "maildir:/var/mail/mfc" || c.Schedule != "22 0 * * *" || c.Reminders.Branches[0] != "main" {
		t.Errorf("%+v", c)
	}
}

func TestDefaults(t *testing.T) {
	for _, name := range []string{"VEXT_CONFIG", "XDG_CONFIG_HOME", "HOME"} {
		t.Setenv(name, "")
	}
	if Usual() != "" {
		t.Skip("this machine has a configuration of its own")
	}
	c, err := Load("", nil)
	if err != nil || c.Zone.String() != "UTC" || c.Path != "" {
		t.Errorf("%+v, %v", c, err)
	}
}

// What is wrong is said with its line and where it belongs.
func TestErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"[mail]\nform = \"x\"", "line 2: unknown key mail.form"},
		{"[mail]\nvia = \"stdout:\"\noperator = \"a@b\"", "line 3: unknown key mail.operator; it belongs above the first [table]"},
		{"allow = []", "line 1: unknown key allow; it belongs under [reminders]"},
		{"timezone = ", "line 1, column "},
		{"timezone = 1", "line 1, column "},
		{"timezone = \"Mars\"", "timezone: no such time zone: \"Mars\""},
		{"timezone = \"Local\"", "no such time zone"},
		{"operator = \"nobody\"", "operator: not an address"},
		{"[reminders]\nrecipient = \"both\"", "neither \"committer\" nor \"author\""},
		{"[reminders]\nallow = [\"*\"]", "mail.from is missing"},
		{"[reminders]\nallow = \"*@example.org\"", "reminders.allow must be a list of strings"},
		{"[reminders]\ndigest = \"yes\"", "reminders.digest must be true or false"},
		{"[reminders]\nallow = [\"@example.org\"]", "\"@example.org\" matches no address"},
		{"[reminders]\nallow = [\"example.org\"]", "matches no address"},
		{"[mail]\nuser = \"a\"", "go together"},
		{"state = \"here\"", "state: needs an absolute path"},
		{"[mail]\nfrom = \"a b c\"", "mail.from: not an address"},
		{"[mail]\nfrom = \"a@b\"\nuser = \"u\"\npassword = \"x\"\npassword_file = \"y\"", "both set"},
	} {
		_, err := load(t, test.text)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %q", test.text, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: more than one line: %v", test.text, err)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none"), nil); err == nil {
		t.Error("a file that was named need not exist")
	}
}

func TestSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, m := range []Mail{{Password: "s3cret"}, {PasswordFile: path}} {
		if got, err := m.Secret(); got != "s3cret" || err != nil {
			t.Errorf("%+v: %q, %v", m, got, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("timezone = \"UTC\"\n[mail]\nfrom = \"a@b\"\n"))
	f.Add([]byte("[reminders]\nallow = [1]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := Default(nil)
		if err := c.decode(data); err == nil {
			c.check()
		}
	})
}
