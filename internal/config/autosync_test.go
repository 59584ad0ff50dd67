package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A table that sets nothing but its path has the defaults.
func TestAutosyncDefaults(t *testing.T) {
	t.Setenv("HOME", "/home/jane")
	c, err := (&Edit{text: "[xmpp]\njid = \"jane@example.org\"\npassword_file = \"/x\"\n[[autosync]]\npath = \"~/notes/\"\n[[autosync]]\npath = \"/srv/b\"\npeers = []\nquiet = \"0.2s\"\nnotify = false\n"}).Parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	a, b := &c.Autosync[0], &c.Autosync[1]
	if a.Path != "/home/jane/notes" || a.Quiet.Duration != 2*time.Second || a.Longest.Duration != time.Minute || a.PushAfter.Duration != 5*time.Second ||
		a.PullEvery.Duration != 10*time.Minute || a.Conflict != "copy" || a.Integrate != "rebase" || !*a.Notify || len(a.Peers) != 1 || a.Peers[0] != "xmpp" {
		t.Errorf("%+v", a)
	}
	if b.Quiet.Duration != 200*time.Millisecond || *b.Notify || len(b.Peers) != 0 {
		t.Errorf("%+v", b)
	}
}

// An error of a table names its path and the key.
func TestAutosyncErrors(t *testing.T) {
	t.Setenv("HOME", "/home/jane")
	const some = "[autosync.commands]\nstatus = [\"s\"]\nadd = [\"a\"]\nremove = [\"r\"]\ncommit = [\"c\"]\npush = [\"p\"]\n"
	for text, want := range map[string]string{
		"":                                     "autosync: path is missing: the work tree",
		"path = \"notes\"":                     `autosync notes: path: needs an absolute path, or one that begins with ~/, not "notes"`,
		"path = \"~joe/x\"":                    `autosync ~joe/x: path: "~joe/x": the home directory of another user must be written out`,
		"path = \"/a\"\nquiet = \"x\"":         `line 3, column 9: autosync.quiet: not a duration such as "15m", "36h" or "30d": "x"`,
		"path = \"/a\"\nquiet = 2 # s":         `line 3: autosync.quiet: not a duration such as "15m", "36h" or "30d": "2"`,
		"path = \"/a\"\nquiet = \"0s\"":        "autosync /a: quiet: at least 10ms, not 0s",
		"path = \"/a\"\nquiet = \"2m\"":        "autosync /a: longest: at least as long as quiet, which is 2m0s, not 1m0s",
		"path = \"/a\"\npull_every = \"0s\"":   "autosync /a: pull_every: at least 1s, not 0s",
		"path = \"/a\"\nmax_file = \"50 XB\"":  `autosync /a: max_file: not a size such as "50 MB", or "0" for no bound: "50 XB"`,
		"path = \"/a\"\nmax_change = \"many\"": `autosync /a: max_change: not bounds such as "1000 files, 500 MB", or "0" for none: "many"`,
		"path = \"/a\"\nvcs = \"cvs\"":         `autosync /a: vcs: "cvs" is none of git, hg, commands`,
		"path = \"/a\"\nconflict = \"mine\"":   `autosync /a: conflict: "mine" is none of copy, ours, theirs, stop`,
		"path = \"/a\"\nintegrate = \"pull\"":  `autosync /a: integrate: "pull" is none of rebase, merge`,
		"path = \"/a\"\nbranch = \"--x\"":      `autosync /a: branch: "--x" is not the name of a branch`,
		"path = \"/a\"\nbranch = \"../x\"":     `autosync /a: branch: "../x" is not the name of a branch`,
		"path = \"/a\"\nurls = [\"far:notes\", \"ssh://far/~/notes\", \"ext::sh\"]": `autosync /a: urls: "ext::sh" is no URL from which another machine can fetch: ssh://host/path, host:path, https://, http:// or git://`,
		"path = \"/a\"\nurls = [\"ext::sh://x\"]":                                   `autosync /a: urls: "ext::sh://x" is no URL from which another machine can fetch: ssh://host/path, host:path, https://, http:// or git://`,
		"path = \"/a\"\ntoken = \"x\"\npeers = [\"https://h/?x=y\"]":                "autosync /a: peers: the URL must have no user, password, query or fragment",
		"path = \"/a\"\nurls = [\"-x\"]":                                            `autosync /a: urls: "-x" is no URL from which another machine can fetch: ssh://host/path, host:path, https://, http:// or git://`,
		"path = \"/a\"\nurls = [\"file:///etc\"]":                                   `autosync /a: urls: "file:///etc" is no URL from which another machine can fetch: ssh://host/path, host:path, https://, http:// or git://`,
		"path = \"/a\"\nignore = [\"\"]":                                            `autosync /a: ignore: "" is not a pattern as in .gitignore`,
		"path = \"/a\"\nmessage = \"x\"\nmessage_command = [\"y\"]":                 "autosync /a: message and message_command are both set",
		"path = \"/a\"\npeers = [\"xmpp\"]":                                         `autosync /a: peers: "xmpp" needs the account: jid and password_file under [xmpp]`,
		"path = \"/a\"\npeers = [\"remote\", \"remote\"]":                           `autosync /a: peers: "remote" is there twice`,
		"path = \"/a\"\npeers = [\"irc\"]":                                          `autosync /a: peers: needs "xmpp", "remote" or the URL of a vext serve such as "https://vext.example.org", not "irc"`,
		"path = \"/a\"\npeers = [\"https://h\"]":                                    "autosync /a: peers: https://h needs token_file: the token of its [autosync-hub]",
		"path = \"/a\"\ntoken = \"x\"\npeers = [\"http://h.org\"]":                  "autosync /a: peers: http would send the token in the clear; use https",
		"path = \"/a\"\ntoken = \"x\"\npeers = [\"https://a:b@h\"]":                 "autosync /a: peers: the URL must have no user, password, query or fragment",
		"path = \"/a\"\nvcs = \"commands\"":                                         `autosync /a: vcs: "commands" needs a table [autosync.commands]`,
		"path = \"/a\"\n" + some:                                                    `autosync /a: commands: pull, remote_url missing: a list of words, such as ["tool", "add", "%s"]`,
		"path = \"/a\"\nvcs = \"git\"\n" + some:                                     `autosync /a: commands: they are used only with vcs = "commands", not with "git"`,
		"path = \"/a\"\n" + some + "pull = [\"x=%s\"]":                              "autosync /a: commands.pull: %s must be a word of its own",
		"path = \"~/a\"\n[[autosync]]\npath = \"/home/jane/./a/\"":                  "autosync /home/jane/./a/: there are two tables for this path",
		"path = \"/a\"\n[autosync-hub]\ntoken = \"x\"":                              "autosync-hub: http.listen is not set: the hub is reached there",
	} {
		_, err := (&Edit{text: "[[autosync]]\n" + text + "\n"}).Parse(nil)
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v\nwant %s", text, err, want)
		}
	}
	for _, text := range []string{
		"message_command = [\"x\"]\nmax_file = \"0\"\nmax_change = \"0\"", "token = \"x\"\npeers = [\"https://h.org/v\", \"http://127.0.0.1:8645\", \"remote\"]",
		some + "pull = [\"x\", \"%s\"]\nremote_url = [\"u\"]",
	} {
		c, err := (&Edit{text: "[[autosync]]\npath = \"/a\"\n" + text + "\n"}).Parse(nil)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if strings.Contains(text, "commands") && c.Autosync[0].VCS != ByCommands {
			t.Errorf("%q: vcs is %q", text, c.Autosync[0].VCS)
		}
	}
}

// Two spellings of one directory are one path.
func TestAutosyncSamePath(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(dir, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	_, err := (&Edit{text: "[[autosync]]\npath = " + Quote(dir) + "\n[[autosync]]\npath = " + Quote(dir+"/link") + "\n"}).Parse(nil)
	if err == nil || !strings.HasSuffix(err.Error(), "there are two tables for this path") {
		t.Error(err)
	}
}

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "50 MB": 50e6, "50MB": 50e6, "50 mb": 50e6, "1.5 GiB": 3 << 29, "10 KiB": 10 << 10, "7": 7, "3 bytes": 3, " 2 T ": 2e12,
	} {
		if n, err := ParseSize(s); err != nil || n != want {
			t.Errorf("%q: %d, %v", s, n, err)
		}
	}
	for _, s := range []string{"", "MB", "-1 MB", "1 XB", "1 MB 2", "nan", "inf", "0x10", "1e9", "99999999999 TB"} {
		if n, err := ParseSize(s); err == nil {
			t.Errorf("%q: %d", s, n)
		}
	}
}

func TestParseChange(t *testing.T) {
	for s, want := range map[string]struct {
		files int
		bytes int64
	}{
		"1000 files, 500 MB": {1000, 500e6}, "1000 files or 500 MB": {1000, 500e6}, "1 file": {1, 0}, "500 MB": {0, 500e6}, "0": {}, "20 files,1GB": {20, 1e9},
		"1,000 files, 500 MB": {1000, 500e6},
	} {
		if files, bytes, err := ParseChange(s); err != nil || files != want.files || bytes != want.bytes {
			t.Errorf("%q: %d, %d, %v", s, files, bytes, err)
		}
	}
	for _, s := range []string{"", "files", "-1 files", "1 MB, 3 files", "1 MB, 2 MB", "1 files, 2 files", "1 files, 1 MB, 2 MB", "x"} {
		if files, bytes, err := ParseChange(s); err == nil {
			t.Errorf("%q: %d, %d", s, files, bytes)
		}
	}
}

// No size and no change that is accepted is below 0.
func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"50 MB", "1.5 GiB", "0", "1,000 files, 500 MB", "1000 files or 1 TB"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := ParseSize(s); err == nil && n < 0 {
			t.Errorf("%q is %d bytes", s, n)
		}
		if files, bytes, err := ParseChange(s); err == nil && (files < 0 || bytes < 0) {
			t.Errorf("%q is %d files, %d bytes", s, files, bytes)
		}
	})
}
