package main

import (
	"os"
	"path/filepath"
	"testing"

	"vext/internal/config"
	"vext/spool"
)

// A mail's commands name what a plain vext would not find, and nothing else.
func TestBegins(t *testing.T) {
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
		if got := (&app{}).begins(test.state, c); got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
}
