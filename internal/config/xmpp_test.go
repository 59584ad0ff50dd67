package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestXMPP(t *testing.T) {
	c, err := load(t, `
[xmpp]
jid = "Vext@Example.org"
password = "s3cret"
server = "xmpp.example.org:5222"
ca = "/etc/ssl/own.pem"
nick = "vext bot"

[irker]
allow = ["xmpp:*@conference.example.org?join"]

[[announce]]
to = ["xmpp:dev@conference.example.org?join;password=x", "ircs://irc.example.org/src"]

[[route]]
to = ["mail", "xmpp:jane@example.org"]
`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.XMPP.Secret(); got != "s3cret" || err != nil || c.XMPP.Account() != "vext@example.org" {
		t.Errorf("%q, %q, %v", c.XMPP.Account(), got, err)
	}
	if _, targets, err := c.Irker.Allowed(); err != nil || len(targets) != 1 {
		t.Errorf("allowed: %v, %v", targets, err)
	}
	files := c.SecretFiles()
	if len(files) != 1 || files[0].String() != "xmpp: password" || files[0].Path != c.Path {
		t.Errorf("secret files: %v", files)
	}
}

func TestXMPPErrors(t *testing.T) {
	const account = "[xmpp]\njid = \"vext@example.org\"\npassword = \"x\"\n"
	for _, test := range []struct{ text, want string }{
		{"[xmpp]\npassword = \"x\"", "xmpp: jid is missing"},
		{"[xmpp]\njid = \"vext@example.org\"", "xmpp: password (or password_file) is missing"},
		{account + "password_file = \"/x\"", "xmpp: password and password_file are both set"},
		{"[xmpp]\njid = \"example.org\"\npassword = \"x\"", "xmpp: jid: no JID such as"},
		{"[xmpp]\njid = \"vext@example.org/here\"\npassword = \"x\"", "xmpp: jid: a JID with a resource"},
		{account + "ca = \"own.pem\"", "xmpp: ca: needs an absolute path"},
		{account + "server = \"xmpp.example.org\"", "xmpp: server: needs a host and a port"},
		{account + "server = \":5222\"", "xmpp: server: needs a host and a port"},
		{account + "server = \"h:0\"", "xmpp: server: needs a host and a port"},
		{account + "nick = \"a\\u0007\"", "xmpp: nick"},
		{account + "resource = \" a\"", "xmpp: resource"},
		{account + "port = 5222", "unknown key xmpp.port"},
		{"[[announce]]\nto = [\"xmpp:dev@conference.example.org?join\"]", "announce 1: to: an xmpp: target needs the account"},
		{"[[route]]\nto = [\"mail\"]\n[[route]]\nto = [\"mail\", \"XMPP:jane@example.org\"]", "route 2: to: an xmpp: target needs the account"},
		{"[irker]\nallow = [\"xmpp:jane@example.org\"]", "irker.allow: an xmpp: target needs the account"},
		{account + "[[route]]\nto = [\"xmpp:jane\"]", "route 1: to: target: no JID"},
		{account + "[[route]]\nto = [\"xmpp:dev@c.example.org?enter;password=s3cret\"]", "neither ?join"},
	} {
		_, err := load(t, test.text)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v, want %q", test.text, err, test.want)
		}
	}
}

func TestXMPPPasswordFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	for content, want := range map[string]string{"s3cret\n": "s3cret", "": "", "a\nb\n": ""} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		x := XMPP{PasswordFile: path}
		if got, err := x.Secret(); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", content, got, err)
		}
	}
}
