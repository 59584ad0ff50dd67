package config

import (
	"os"
	"path/filepath"
	"testing"

	"vext/internal/weburl"
)

// A change keeps the rest of the file as it is.
func TestEdit(t *testing.T) {
	for _, test := range []struct{ before, after string }{
		{"", "[follow]\nrun = true\n\n[[repository]]\nname = \"w\"\nurl = \"u\"\ncommitters = [\"a@b\"]\n"},
		{"# mine\n[follow] # often\nschedule = \"@hourly\"",
			"# mine\n[follow] # often\nrun = true\nschedule = \"@hourly\"\n\n[[repository]]\nname = \"w\"\nurl = \"u\"\ncommitters = [\"a@b\"]\n"},
		{"[follow]", "[follow]\nrun = true\n\n[[repository]]\nname = \"w\"\nurl = \"u\"\ncommitters = [\"a@b\"]\n"},
	} {
		e := Edit{text: test.before}
		e.Set("follow", "run = true")
		e.Append((&Repository{Name: "w", URL: weburl.Parse("u"), Committers: []string{"a@b"}}).Table())
		if e.text != test.after {
			t.Errorf("%q became\n%s\nwant\n%s", test.before, e.text, test.after)
		}
		c, err := e.Parse(nil)
		if err != nil || !c.Follow.Run || len(c.Repositories) != 1 || c.Repositories[0].Name != "w" {
			t.Errorf("%v, %+v", err, c)
		}
	}
	path := filepath.Join(t.TempDir(), "a", "vext.toml")
	unlock, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if err := (&Edit{text: "x = 1\n"}).Write(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&Edit{text: "y = 1\n"}).Write(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	data, readErr := os.ReadFile(path)
	if err != nil || readErr != nil || info.Mode().Perm() != 0o600 || string(data) != "y = 1\n" {
		t.Errorf("%v, %v: %v %q", err, readErr, info.Mode(), data)
	}
}

// Strings are read as they were written.
func TestQuote(t *testing.T) {
	for _, s := range []string{"", "a", `a"b\c`, "tab\tand\nline", "ü", "\x7f"} {
		c, err := (&Edit{text: "templates = " + Quote("/"+s) + "\n[reminders]\ntrailers = " + QuoteList([]string{s, "b"}) + "\n"}).Parse(nil)
		if err != nil || c.Templates != "/"+s || c.Reminders.Trailers[0] != s {
			t.Errorf("%q: %v, %q", s, err, c.Templates)
		}
	}
}

// An error about a source names it.
func TestWays(t *testing.T) {
	for text, want := range map[string]string{
		"[lmtp]\nlisten = \"0.0.0.0:24\"":                "lmtp.listen: 0.0.0.0 can be reached by other machines, and LMTP has no authentication; use 127.0.0.1 or a socket",
		"[lmtp]\nlisten = \"unix:x\"":                    `lmtp.listen: needs an absolute path, not "x"`,
		"[lmtp]\nlisten = \"24\"":                        `lmtp.listen: needs "unix:/path" or a port such as "127.0.0.1:2424", not "24"`,
		"[http]\nlisten = \"8645\"":                      `http.listen: needs an address and a port such as "127.0.0.1:8645", not "8645"`,
		"[[hook]]\nsecret = \"x\"":                       `hook: needs a name of letters, digits and ._- for /hook/NAME, not ""`,
		"[[hook]]\nname = \"a/b\"":                       `hook: needs a name of letters, digits and ._- for /hook/NAME, not "a/b"`,
		"[[hook]]\nname = \"a\"\n[[hook]]\nname = \"a\"": `hook: there are two of the name "a"`,
		"[[repository]]\nurl = \"x\"":                    `repository: needs a name without blanks, not ""`,
		"[[repository]]\nname = \"a\"\nvcs = \"cvs\"":    `repository a: vcs: "cvs" is none of "git", "hg" and "svn"`,
		"[[repository]]\nname = \"a\"\nurl = \"--x\"":    `repository a: url: "--x" is not a URL`,
		"[[repository]]\nname = \"a\"\ndomain = \"@x\"":  `repository a: domain: needs the part after the @, not "@x"`,
		"[mail-in]\nhold = \"25h\"":                      "mail-in.hold: at most 24h",
		"[[repository]]\nname = \"a\"\naliases = [\"x/y\"]\n[[repository]]\nname = \"b\"\naliases = [\"https://h/X/y.git\"]": `repository b: a has the name "x/y" already`,
	} {
		_, err := (&Edit{text: text + "\n"}).Parse(nil)
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v\nwant %s", text, err, want)
		}
	}
	for _, text := range []string{
		"[lmtp]\nlisten = \"[::1]:24\"", "[lmtp]\nlisten = \"localhost:24\"", "[mail-in]\nhold = \"15m\"", "[http]\nlisten = \":8645\"",
		"[[repository]]\nname = \"a\"\naliases = [\"a.git\", \"A\"]", "[[hook]]\nname = \"a\"",
	} {
		if _, err := (&Edit{text: text + "\n"}).Parse(nil); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}
