package weburl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	const token = "ghp_0123456789abcdefghij"
	for _, test := range []struct{ in, plain, user, password string }{
		{"", "", "", ""},
		{"/srv/git/widget.git", "/srv/git/widget.git", "", ""},
		{"git@git.example.org:acme/widget.git", "git@git.example.org:acme/widget.git", "", ""},
		{"https://git.example.org/widget.git", "https://git.example.org/widget.git", "", ""},
		{"https://jane@git.example.org/widget.git", "https://jane@git.example.org/widget.git", "", ""},
		{"https://jane:@git.example.org/widget.git", "https://jane:@git.example.org/widget.git", "", ""},
		{"https://jane:secret@git.example.org/widget.git", "https://jane@git.example.org/widget.git", "jane", "secret"},
		{"https://jane:se%40c%2Fret@git.example.org:8443/w", "https://jane@git.example.org:8443/w", "jane", "se@c/ret"},
		{"https://jane:se@cret@git.example.org/w", "https://jane@git.example.org/w", "jane", "se@cret"},
		{"https://jane:se/cret@git.example.org/w", "https://jane@git.example.org/w", "jane", "se/cret"},
		{"https://jane:se%zzcret@git.example.org/w", "https://jane@git.example.org/w", "jane", "se%zzcret"},
		{"https://:secret@git.example.org/w", "https://@git.example.org/w", "", "secret"},
		{"svn+ssh://jane:secret@svn.example.org/w", "svn+ssh://jane@svn.example.org/w", "jane", "secret"},
		{"svn://svn.example.org:3690/w/trunk@12", "svn://svn.example.org:3690/w/trunk@12", "", ""},
		{"https://[::1]:8443/w@1", "https://[::1]:8443/w@1", "", ""},
		{"https://jane:secret@svn.example.org/w?p=x@y", "https://jane@svn.example.org/w?p=x@y", "jane", "secret"},
		{"https://" + token + "@git.example.org/w", "https://git.example.org/w", token, ""},
		{"https://" + token + ":x-oauth-basic@git.example.org/w", "https://" + token + "@git.example.org/w", token, "x-oauth-basic"},
		{"https://x-access-token:" + token + "@git.example.org/w", "https://x-access-token@git.example.org/w", "x-access-token", token},
	} {
		u := Parse(test.in)
		if user, password, ok := u.Login(); u.String() != test.plain || user != test.user || password != test.password || ok != (user+password != "") {
			t.Errorf("%s: %s, %q, %q, %v", test.in, u, user, password, ok)
		}
		if u.Reveal() != test.in || u.IsZero() != (test.in == "") {
			t.Errorf("%s: revealed as %s", test.in, u.Reveal())
		}
	}
}

// However a URL is printed, its password is not seen.
func TestNothingIsShown(t *testing.T) {
	const password = "hunter2"
	u := Parse("https://jane:" + password + "@git.example.org/widget.git")
	type outer struct {
		URL    URL
		hidden URL
		At     *URL
	}
	whole := outer{u, u, &u}
	var out bytes.Buffer
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%T"} {
		fmt.Fprintf(&out, format+"\n"+format+"\n"+format+"\n", u, whole, []any{&whole, map[string]URL{"a": u}})
	}
	data, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(data)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "url", u, "whole", whole)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "url", u, "whole", whole)
	if strings.Contains(out.String(), password) || strings.Contains(out.String(), fmt.Sprintf("%x", password)) {
		t.Errorf("shown: %s", out.String())
	}
	var again URL
	if err := json.Unmarshal([]byte(`"https://jane:hunter2@git.example.org/widget.git"`), &again); err != nil || again.Reveal() != u.Reveal() {
		t.Errorf("%s, %v", again.Reveal(), err)
	}
}

func TestServer(t *testing.T) {
	for in, want := range map[string]string{
		"https://jane:x@git.example.org:8443/w@2": "https://git.example.org:8443", "http://[::1]:80": "http://[::1]:80", "/srv/git": "",
	} {
		if got := Parse(in).Server(); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}

func TestIsLocal(t *testing.T) {
	for in, want := range map[string]bool{
		"/srv/git": true, "file:///srv/git": true, "./a:b": true, "w.git": true, "git@host:w": false, "host:/srv": false, "https://host/w": false,
	} {
		if got := Parse(in).IsLocal(); got != want {
			t.Errorf("%s: %v", in, got)
		}
	}
}

func TestHide(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "nothing": "nothing",
		"unable to access 'https://jane:secret@host/w/': 403":  "unable to access 'https://jane@host/w/': 403",
		"a https://j:s@h and http://h/x@2, svn://u:p%40q@h:1/": "a https://j@h and http://h/x@2, svn://u@h:1/",
		"https://github_pat_0123456789abcdef@github.com/a/b":   "https://github.com/a/b",
		"no route to https://[::1]:80/ (from jane@host:path)":  "no route to https://[::1]:80/ (from jane@host:path)",
	} {
		if got := Hide(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("https://jane:secret@git.example.org/w")
	f.Add("a://b:c/d@e")
	f.Fuzz(func(t *testing.T, s string) {
		u := Parse(s)
		if u.Reveal() != s {
			t.Errorf("%q is revealed as %q", s, u.Reveal())
		}
		if again := Parse(u.String()); again.String() != u.String() && !strings.Contains(u.String(), "@") {
			t.Errorf("%q: of %q something is hidden still: %q", s, u, again)
		}
		Hide(s)
	})
}

// All spellings of a URL have one place.
func TestPlace(t *testing.T) {
	for want, spellings := range map[string][]string{
		"git.example.org/jane/widget": {
			"https://git.example.org/jane/widget", "https://git.example.org/jane/widget.git", "https://jane:secret@Git.example.org:8443/jane/widget.git/",
			"ssh://git@git.example.org:2222/Jane/Widget.git", "git@git.example.org:jane/widget.git", "git.example.org:/jane/widget", "git://git.example.org/jane/widget/",
		},
		"[::1]/srv/widget":     {"git@[::1]:srv/widget.git", "ssh://[::1]:22/srv/widget"},
		"/srv/git/a b":         {"/srv/git/a b.git", "file:///srv/git/a%20b.git/", "/srv/git/a b/"},
		"/home/jane/src":       {"/home/jane/src/.git", "/home/jane/src"},
		"git.example.org/":     {"https://git.example.org"},
		"../widget":            {"../widget.git"},
		"git.example.org/~a/b": {"git@git.example.org:~a/b.git", "ssh://git.example.org/~a/b"},
	} {
		for _, s := range spellings {
			if got := Parse(s).Place(); got != want {
				t.Errorf("%s: %s, not %s", s, got, want)
			}
		}
	}
}
