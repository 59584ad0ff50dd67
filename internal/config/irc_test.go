package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestIRC(t *testing.T) {
	c, err := load(t, `
[irc]
nick = "vext*"
rate = 2
sasl = "plain"
account = "vext"
password = "s3cret"
backlog_age = "2h"
certificate = "/a"
key = "/b"

[[network]]
url = "ircs://irc.example.org"
rate = 0.5
backlog_lines = 0

[[network]]
url = "irc://127.0.0.1:6668/"
nickserv = true
certificate = "/c"

[[network]]
url = "irc://[::1]"
sasl = "none"

[irker]
listen = "0.0.0.0:6659"
allow = ["192.0.2.0/24", "127.0.0.1", "::1", "irc://irc.example.org/*", "ircs://irc.example.org/#src*"]

[[announce]]
to = ["ircs://irc.example.org/src"]
colors = "mirc"
max_commits = 0

[[route]]
committers = ["*@example.org"]
to = ["mail", "irc://irc.example.org/jane,isnick"]
`)
	if err != nil {
		t.Fatal(err)
	}
	one, two, three := c.Networks[0].IRC, c.Networks[1].IRC, c.Networks[2].IRC
	if one.Nick != "vext*" || *one.Rate != 0.5 || *one.BacklogLines != 0 || one.BacklogAge.Hours() != 2 || one.SASL != "plain" || one.Password != "s3cret" || one.Key != "/b" {
		t.Errorf("the first network: %+v", one)
	}
	if *two.Rate != 2 || two.SASL != "" || !*two.NickServ || two.Password != "s3cret" || two.Certificate != "/c" || two.Key != "" {
		t.Errorf("the second network: %+v", two)
	}
	if three.SASL != "none" || three.NickServ != nil {
		t.Errorf("the third network: %+v", three)
	}
	for i, want := range []string{"irc.example.org:6697", "127.0.0.1:6668", "[::1]:6667"} {
		if got, err := c.Networks[i].Server(); got != want || err != nil {
			t.Errorf("network %d: %s, %v", i, got, err)
		}
	}
	clients, targets, err := c.Irker.Allowed()
	if err != nil || len(clients) != 3 || clients[0].String() != "192.0.2.0/24" || clients[2].String() != "::1/128" || len(targets) != 2 {
		t.Errorf("allowed: %v, %v, %v", clients, targets, err)
	}
}

func TestIRCErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"[irc]\nnick = \"1st\"", "irc: nick: needs letters"},
		{"[irc]\nnick = \"a b\"", "irc: nick: needs letters"},
		{"[irc]\nnick = \"*\"", "irc: nick: needs letters"},
		{"[irc]\nnick = \"*?bot\"", "irc: nick: needs letters"},
		{"[irc]\nuser = \"a@b\"", "irc: user"},
		{"[irc]\ncommand = \"me\"", "neither \"privmsg\" nor \"notice\""},
		{"[irc]\ncolors = \"mirc\"", "irc: colors"},
		{"[irc]\nburst = 0", "irc: burst: at least 1"},
		{"[irc]\nburst = \"5\"", "irc.burst must be a whole number"},
		{"[irc]\nrate = \"5\"", "irc.rate must be a number"},
		{"[irc]\nrate = -1", "irc: rate"},
		{"[irc]\nbacklog_lines = -1", "irc: backlog_lines"},
		{"[irc]\nbacklog_age = \"long\"", "not a duration"},
		{"[irc]\nconnections = -1", "irc: connections"},
		{"[irc]\nsasl = \"digest\"", "irc: sasl"},
		{"[irc]\naccount = \"a\"", "neither sasl nor nickserv"},
		{"[irc]\nsasl = \"plain\"", "needs account"},
		{"[irc]\nsasl = \"plain\"\naccount = \"a\"", "password (or password_file) is missing"},
		{"[irc]\nsasl = \"external\"", "needs certificate"},
		{"[irc]\nsasl = \"external\"\ncertificate = \"/c\"\nnickserv = true", "both set"},
		{"[irc]\npassword = \"a\"\npassword_file = \"b\"", "both set"},
		{"[irc]\nserver_password = \"a\"\nserver_password_file = \"b\"", "both set"},
		{"[irc]\nca = \"rel\"", "irc: ca: needs an absolute path"},
		{"[irc]\nkey = \"/k\"", "key needs certificate"},
		{"[irc]\nproxy = \"http://127.0.0.1:1\"", "irc: proxy"},
		{"[irc]\nurl = \"x\"", "it belongs under [[repository]] or [[network]]"},
		{"nick = \"x\"", "it belongs under [irc], [[network]] or [xmpp]"},
		{"[[network]]\nurl = \"irc.example.org\"", "network: url"},
		{"[[network]]\nurl = \"irc://irc.example.org/#c\"", "network: url"},
		{"[[network]]\nurl = \"irc://u:p@irc.example.org\"", `not "irc://u@irc.example.org"`},
		{"[[network]]\nurl = \"irc://a\"\n[[network]]\nurl = \"irc://A:6667/\"", "there are two"},
		{"[[network]]\nurl = \"irc://a\"\nsasl = \"plain\"", "network irc://a: sasl"},
		{"[irker]\nlisten = \"6659\"", "irker.listen: needs an address"},
		{"[irker]\nlisten = \":6659\"", "can be reached by other machines"},
		{"[irker]\nlisten = \"192.0.2.1:6659\"\nallow = [\"irc://a/*\"]", "can be reached by other machines"},
		{"[irker]\nallow = [\"example.org\"]", "neither a network"},
		{"[[announce]]\nrepositories = [\"src\"]", "announce 1: to is missing"},
		{"[[announce]]\nto = [\"mail\"]", "announce 1: to: target"},
		{"[[announce]]\nto = [\"irc://a/b\"]\ncolors = \"red\"", "announce 1: colors"},
		{"[[announce]]\nto = [\"irc://a/b\"]\nmax_commits = -1", "announce 1: max_commits"},
		{"[[route]]\nto = []", "route 1: to is missing"},
		{"[[route]]\nto = [\"irc://a\"]", "route 1: to: target"},
		{"[[route]]\nto = [\"mail\"]\ncommitters = [\"jane\"]", "route 1: \"jane\" matches no address"},
	} {
		_, err := load(t, test.text)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %q", test.text, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: more than one line: %v", test.text, err)
		}
	}
}

// A secret that can't be sent is an error, which does not say it.
func TestIRCSecrets(t *testing.T) {
	for value, good := range map[string]string{
		"s3cret\r\n": "s3cret", "two words": "two words",
		"": "?", "\n": "?", "s3cret\nof two lines\n": "?", "s3cret\x00": "?", "s3cret\u2028": "?", "\ufeffs3cret": "?", "a\ts3cret": "?",
	} {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
		i := IRC{PasswordFile: path, ServerPasswordFile: path}
		for key, read := range map[string]func() (string, error){"password: ": i.Secret, "server_password: ": i.ServerSecret} {
			got, err := read()
			if good != "?" {
				if got != good || err != nil {
					t.Errorf("%q: %q, %v", value, got, err)
				}
			} else if got != "" || err == nil || !strings.HasPrefix(err.Error(), strings.TrimSuffix(key, ": ")) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%q: %q, %v", value, got, err)
			}
		}
		inline := IRC{Password: value}
		if got, err := inline.Secret(); value != "\n" && (err != nil) != strings.ContainsAny(value, "\r\n\x00\u2028\ufeff\t") {
			t.Errorf("%q: %q, %v", value, got, err)
		}
	}
	if _, err := (&IRC{PasswordFile: "/nonexistent/x"}).Secret(); err == nil || !strings.HasPrefix(err.Error(), "password_file: ") {
		t.Errorf("a file that is not there: %v", err)
	}
}
