package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestControl(t *testing.T) {
	c, err := load(t, `[control]
socket = "/run/vext/control"
domain = "example.org"
[users]
jane = "jane.miller@example.org"
ida = ["ida@example.org", "ida@example.net"]
root = []
`)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(c.Users); got != "map[ida:[ida@example.org ida@example.net] jane:[jane.miller@example.org] root:[]]" ||
		c.Control != (Control{"/run/vext/control", "example.org"}) {
		t.Errorf("%v, %s", c.Control, got)
	}
	if c, err := load(t, ""); err != nil || len(c.Users) > 0 || c.Control != (Control{}) {
		t.Errorf("by default: %v, %v, %v", c.Control, c.Users, err)
	}
}

func TestControlErrors(t *testing.T) {
	const socket = "[control]\nsocket = \"/s\"\n"
	for _, test := range []struct{ text, want string }{
		{socket, "gives the addresses of users"},
		{"[control]\ndomain = \"example.org\"", "control.domain is set, but control.socket is not"},
		{"[users]\njane = []", "control.socket is not set"},
		{"[control]\nsocket = \"s\"\ndomain = \"example.org\"", "control.socket: needs an absolute path"},
		{"[control]\nsocket = \"/" + strings.Repeat("s", 100) + "\"\ndomain = \"example.org\"", "at most 100 bytes"},
		{socket + "domain = \"*.example.org\"", "control.domain: needs the part after the @"},
		{socket + "domain = \"@example.org\"", "control.domain: needs the part after the @"},
		{socket + "users = []", "unknown key control.users"},
		{socket + "[users]\njane = 1", "users.jane: needs an address"},
		{socket + "[users]\njane = [\"jane@example.org\", 1]", "users.jane: needs an address"},
		{socket + "[users]\njane = \"jane\"", "users.jane: needs an address"},
		{socket + "[users]\njane = \"*@example.org\"", "without patterns"},
		{socket + "[users]\njane = \"Jane <jane@example.org>\"", "users.jane: needs an address"},
		{socket + "[users.jane]\na = \"jane@example.org\"", "users.jane: needs an address"},
		{socket + "[users]\n\"jane@example.org\" = \"jane\"", "is not a login"},
		{socket + "[users]\n\"\" = \"jane@example.org\"", "is not a login"},
		{"socket = \"/s\"", "unknown key socket; it belongs under [control]"},
	} {
		if _, err := load(t, test.text); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %q", test.text, err, test.want)
		}
	}
}
