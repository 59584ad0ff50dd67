package weburl

import (
	"strings"
	"testing"
)

func TestIsFetch(t *testing.T) {
	for _, s := range []string{
		"ssh://host/path", "ssh://jane@host:22/~/notes", "https://host", "http://host/a::b", "git://host/x", "host:path", "jane@host:path", "host:/srv/x",
		"host:~jane/notes", "ssh://[::1]/x", "[::1]:notes", "jane@[fe80::1]:/srv/notes", "höst:x", "host:a@b", "host:x:y",
	} {
		if !IsFetch(s) {
			t.Errorf("%s is rejected", s)
		}
	}
	for _, s := range []string{
		"", "-x", "--upload-pack=x", "/path", "path", "./a:b", "a/b:c", `a\b:c`, "file:///path", "foo://host/x", "SSH://host/x", "ext::sh", "ext::sh://x", "a::b", "::x",
		"host:", "host:://x", "host://x", "ssh://", "ssh:///path", "ssh://-oProxyCommand=x/y", "ssh://jane@-oProxyCommand=x/y", "-oX=y:path", "jane@-oX:path", "-l@host:path",
		"jane@:path", "@host:path", "ssh://jane@/x", "host:two words", "host:a\tb", "host:a\nb", "host:a\x00", "host:a\u00a0b", "host:a\u202eb", "host:\xff", "[]:x", "[::1]", "ext://host::x",
		"host:" + strings.Repeat("x", MaxFetch),
	} {
		if IsFetch(s) {
			t.Errorf("%q is accepted", s)
		}
	}
}

func TestCheckService(t *testing.T) {
	for s, want := range map[string]string{
		"https://h": "", "https://h:8443/x/": "", "http://localhost:1": "", "http://127.0.0.1": "", "http://[::1]:1/x": "",
		"h": "must begin", "ftp://h": "must begin", "https:///x": "must begin", "https://:1": "must begin", "https://h:x": "cannot be parsed",
		"https://jane@h": "no user", "https://h?token=secret": "no user", "https://h/?": "no user", "https://h#secret": "no user", "http://h": "in the clear", "http://10.0.0.1": "in the clear",
	} {
		err := CheckService(s)
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: %v, want %q", s, err, want)
		}
	}
}

// What IsFetch accepts, git takes for no option, no program and no file.
func FuzzIsFetch(f *testing.F) {
	for _, s := range []string{"ssh://jane@host/x", "jane@[::1]:x", "host:x", "ext::sh -c x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !IsFetch(s) {
			return
		}
		helper, _, isHelper := strings.Cut(s, "::")
		if s[0] == '-' || strings.ContainsAny(s, " \n\x00") || isHelper && strings.Trim(helper, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.") == "" || Parse(s).IsLocal() {
			t.Errorf("%q", s)
		}
	})
}
