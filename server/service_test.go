package server

import (
	"os"
	"os/user"
	"path/filepath"
	"testing"

	"vext/internal/config"
	"vext/internal/testkit"
	"vext/spool"
)

// The commands in a mail name the configuration and the state directory only if a
// plain vext would use others.
func TestCommandInMail(t *testing.T) {
	home := filepath.Join(t.TempDir(), "jane miller")
	own := filepath.Join(home, ".config", "vext", "vext.toml")
	if err := os.MkdirAll(filepath.Dir(own), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(own, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("VEXT_CONFIG", "/elsewhere.toml")
	t.Setenv("VEXT_STATE", "/elsewhere")
	if config.Usual() != own {
		t.Skip("this machine has " + config.Usual())
	}
	usual, err := spool.UsualState()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ path, configured, state, socket, want string }{
		{own, "", usual, "", "vext"},
		{own, "/srv/vext", "/srv/vext", "", "vext"},
		{"", "", usual, "", "vext"},
		{home + "/my.toml", "", usual, "", "vext --config '" + home + "/my.toml'"},
		{own, "", "/srv/vext", "", "vext --state /srv/vext"},
		{"/srv/vext.toml", "/srv/a", "/srv/b", "", "vext --config /srv/vext.toml --state /srv/b"},
		{own, "", "/srv/vext", "/run/vext/control", "vext"},
	} {
		c := config.Default(nil)
		c.Path, c.State, c.Control.Socket = test.path, test.configured, test.socket
		if got, err := commandInMail(test.state, c); got != test.want || err != nil {
			t.Errorf("%+v: %s, %v", test, got, err)
		}
	}
}

// A mail says that the commands work to users with its address, if there is a
// control socket, and to the user of a private vext.
func TestWorksFor(t *testing.T) {
	for _, name := range []string{"daemon", "nobody", "games"} {
		if _, err := user.Lookup(name); err != nil {
			testkit.Missing(t, "there is no user "+name)
		}
	}
	home := t.TempDir()
	c := config.Default(nil)
	c.Path = filepath.Join(home, "vext.toml")
	c.Control = config.Control{Socket: "/run/vext/control", Domain: "example.org"}
	c.Users = config.Users{"daemon": {"jane.miller@example.org", "jane@example.org"}, "nobody": {"ida@example.org"}}
	for address, want := range map[string]bool{
		"jane@example.org": true, "ida@example.org": true, "games@example.org": true,
		"nobody@example.org": false, "tom.nobody.knows@example.org": false, "games@example.net": false,
	} {
		if got := worksFor(c)(address); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	c.Control.Socket = ""
	if worksFor(c)("jane@example.org") {
		t.Error("without a socket")
	}
	t.Setenv("HOME", home)
	for allow, want := range map[string]bool{"jane@example.org": true, "JANE@example.org": true, "*@example.org": false, "tom@example.org": false} {
		c.Reminders.Allow = []string{allow}
		if got := worksFor(c)("jane@example.org"); got != want {
			t.Errorf("a private vext that may write to %s: %v", allow, got)
		}
	}
}
