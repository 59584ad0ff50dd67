package remote

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Which remotes are watched is what git says, in the clone, a linked worktree and a bare
// repository.
func TestRemotes(t *testing.T) {
	dir := t.TempDir()
	home := filepath.Join(dir, "home")
	for _, sub := range []string{home, filepath.Join(dir, "bare.git")} {
		if err := os.Mkdir(sub, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", "")
	clone := filepath.Join(dir, "clone")
	gitFor(t, dir, "init", "-q", "-b", "main", clone)
	gitFor(t, clone, "commit", "-q", "--allow-empty", "-m", "one")
	gitFor(t, clone, "worktree", "add", "-q", "-b", "wt", filepath.Join(dir, "wt"))
	gitFor(t, dir, "init", "-q", "--bare", filepath.Join(dir, "bare.git"))
	const spec = "\tfetch = +refs/heads/*:refs/remotes/o/*\n"
	text := `[remote "scp"]
	url = srv:/srv/a b.git
` + spec + `[remote "home"]
	url = me@srv:x.git
` + spec + `[remote "six"]
	url = [::1]:~/x.git
` + spec + `[remote "short"]
	url = ex:widget.git
` + spec + `[remote "push"]
	pushurl = srv:/p
	url = /srv/p.git
` + spec + `[remote "relative"]
	url = ../server.git
` + spec + `[remote "ignore"]
	url = https://me:secret@example.org/a.git
	annex-ignore = true
` + spec + `[remote "sync"]
	url = srv:/sync
	annex-sync = false
` + spec + `[remote "vext"]
	url = srv:/vext
	vext = off
` + spec + `[remote "all"]
	url = srv:/all
	skipFetchAll
` + spec + `[remote "default"]
	url = srv:/all
	skipDefaultUpdate = true
` + spec + `[remote "pull.dotted"]
	url = git://srv/pull
	annex-pull = false
` + spec + `[remote "bare"]
	url = srv:/bare
[remote "interval"]
	url = srv:/i
	vextInterval = 2m
` + spec + `[remote "wrong"]
	url = srv:/i
	vextInterval = often
` + spec + `[remote "nothing"]
	prune = true
[url "ssh://git@example.org/srv/"]
	insteadOf = ex:
[includeIf "gitdir:` + dir + `/"]
	path = included
`
	if err := os.WriteFile(filepath.Join(home, ".gitconfig"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "included"), []byte("[remote \"included\"]\n\turl = srv:/inc\n"+spec), 0o600); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"scp": "ssh://srv/srv/a%20b.git", "home": "ssh://me@srv/~/x.git", "six": "ssh://[::1]/~/x.git", "short": "ssh://git@example.org/srv/widget.git",
		"push": "/srv/p.git", "ignore": "https://me@example.org/a.git", "pull.dotted": "git://srv/pull", "interval": "ssh://srv/i", "included": "ssh://srv/inc",
	}
	for where, base := range map[string]string{"clone": dir, "wt": dir, "bare.git": dir} {
		want["relative"] = filepath.Join(base, "server.git")
		c, err := openClone(t.Context(), filepath.Join(dir, where), t.Output())
		if err != nil {
			t.Fatal(err)
		}
		remotes, skipped, err := c.remotes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, r := range remotes {
			got[r.Name] = r.URI
			if r.Pull != (r.Name != "pull.dotted") || (r.Interval == 2*time.Minute) != (r.Name == "interval") {
				t.Errorf("%s: %+v", where, r)
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", where, got, want)
		}
		if names := slices.Sorted(maps.Keys(skipped)); !slices.Equal(names, []string{"bare", "wrong"}) {
			t.Errorf("%s: skipped %v", where, skipped)
		}
		if wantCommon := filepath.Join(dir, strings.ReplaceAll(where, "wt", "clone"), ".git"); where != "bare.git" && c.commonDir != wantCommon {
			t.Errorf("%s: %s, want %s", where, c.commonDir, wantCommon)
		}
	}
}

func TestURI(t *testing.T) {
	c := &clone{top: "/home/me/clone"}
	for url, want := range map[string]string{
		"srv:/p":                        "ssh://srv/p",
		"srv:":                          "ssh://srv/~/",
		"srv:~me/100%.git":              "ssh://srv/~me/100%25.git",
		"ssh://srv/~/a b":               "ssh://srv/~/a%20b",
		"https://u:p@example.org/x.git": "https://u@example.org/x.git",
		"file:///srv/x y":               "file:///srv/x%20y",
		"/srv/x\ty":                     "/srv/x%09y",
		"/srv/\u009b31m\xe4\u202eé\r":   "/srv/%C2%9B31m%E4%E2%80%AEé%0D",
		"./a:b":                         "/home/me/clone/a:b",
		"ext::sh -c x":                  "ext::sh%20-c%20x",
		"../x":                          "/home/me/x",
	} {
		if got := c.uri(url); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
}

func TestSettings(t *testing.T) {
	for value, want := range map[string]bool{"true": true, "Yes": true, "on": true, "1": true, "2": true, "false": false, "no": false, "OFF": false, "0": false, "": false, "perhaps": true} {
		if got := (settings{"k": {"x", value}}).truth("k", true); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
	s := settings{"remote.a.url": nil, "remote.pushdefault": nil, "remote.a.b.url": nil, "branch.x.remote": nil}
	if got := s.names(); !slices.Equal(got, []string{"a", "a.b"}) {
		t.Errorf("%q", got)
	}
	for value, want := range map[string]time.Duration{"30": 30 * time.Second, "5m": 5 * time.Minute, "0": 0, "10ms": time.Second} {
		if got, err := parseInterval(value); err != nil || got != want {
			t.Errorf("%s: %s, %v", value, got, err)
		}
	}
	for _, value := range []string{"-1", "often", ""} {
		if got, err := parseInterval(value); err == nil {
			t.Errorf("%s: %s", value, got)
		}
	}
}

// A change of any file of the configuration is noticed, also of one that was not there.
func TestConfigWatch(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", "")
	clone := t.TempDir()
	gitFor(t, clone, "init", "-q")
	c, err := openClone(t.Context(), clone, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	w := newConfigWatch(c)
	w.changed(t.Context())
	write := func(path, text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString(text)
		f.Close()
	}
	for _, step := range []struct{ path, text string }{
		{filepath.Join(clone, ".git/config"), "[include]\n\tpath = more\n"},
		{filepath.Join(home, ".gitconfig"), "[x]\n\ty = 1\n"},
		{filepath.Join(clone, ".git/more"), "[x]\n\ty = 2\n"},
		{filepath.Join(clone, ".git/more"), "[broken"},
		{filepath.Join(clone, ".git/more"), "]\n"},
	} {
		write(step.path, step.text)
		if !w.changed(t.Context()) {
			t.Errorf("%s: %q not noticed", step.path, step.text)
		}
		if w.changed(t.Context()) {
			t.Errorf("%s: %q noticed twice", step.path, step.text)
		}
	}
}

// A password appears in no text, in whatever form a program has printed it.
func TestHide(t *testing.T) {
	for _, c := range []struct{ url, text, want string }{
		{"ssh://u:se%40cret@h/x", "u:se@cret@h: no such host; u:se%40cret@h", "u@h: no such host; u@h"},
		{"git://u:secret@h/x", "unable to look up u:secret@h (port 9418), secret", "unable to look up u@h (port 9418), ***"},
		{"git://u:abc@h/x", "u:abc@h: abc", "u@h: abc"},
		{"https://h/x", "at https://u:other@h/y", "at https://u@h/y"},
		{"https://ghp_0123456789abcdef@h/x", "for ghp_0123456789abcdef", "for ***"},
		{"h:x", "h: x", "h: x"},
	} {
		if got := (&Remote{URL: c.url}).hide(c.text); got != c.want {
			t.Errorf("%s: %q, want %q", c.url, got, c.want)
		}
	}
}
