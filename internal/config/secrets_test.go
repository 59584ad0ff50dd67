package config

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Every key that holds a secret, or names a file with one, is known.
func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	pem := filepath.Join(dir, "both.pem")
	if err := os.WriteFile(pem, []byte("-----BEGIN CERTIFICATE-----\n-----BEGIN EC PRIVATE KEY-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := load(t, `
[mail]
user = "u"
password_file = "/p"
[[hook]]
name = "a"
secret = "x"
[[hook]]
name = "b"
secret_file = "/s"
[[hook]]
name = "c"
secret_file = "/s"
[[repository]]
name = "r"
url = "https://u:p@git.example.org/r.git"
[irc]
password = "x"
proxy = "socks5://u:p@127.0.0.1:1"
server_password_file = "/sp"
[[network]]
url = "ircs://one.example.org"
certificate = "`+pem+`"
[[network]]
url = "ircs://two.example.org"
certificate = "/c"
key = "/k"
password_file = "/np"
`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range c.SecretFiles() {
		got = append(got, f.Path+" "+f.String())
	}
	want := []string{
		"/p mail: password_file", c.Path + " hook a: secret, repository r: url, irc: password and 1 more",
		"/s hook b: secret_file, hook c: secret_file", "/sp irc: server_password_file",
		pem + " network ircs://one.example.org: certificate",
		"/np network ircs://two.example.org: password_file", "/k network ircs://two.example.org: key",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// A file is open to others when its mode says so, and every directory above it
// lets them through.
func TestForOthers(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "vext-secret-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path, link := filepath.Join(dir, "secret"), filepath.Join(t.TempDir(), "link")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		dir, file os.FileMode
		want      bool
	}{
		{0o755, 0o600, false}, {0o755, 0o640, false}, {0o755, 0o660, false},
		{0o755, 0o644, true}, {0o755, 0o642, true}, {0o700, 0o644, false}, {0o750, 0o644, false}, {0o711, 0o604, true},
	} {
		if err := os.Chmod(path, test.file); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, test.dir); err != nil {
			t.Fatal(err)
		}
		f := SecretFile{Path: link}
		if at, open, err := f.ForOthers(); open != test.want || at != path || err != nil {
			t.Errorf("%o in %o: %s, %v, %v", test.file, test.dir, at, open, err)
		}
	}
	if _, open, err := (&SecretFile{Path: "/nonexistent/x"}).ForOthers(); open || err == nil {
		t.Errorf("one that is not there: %v, %v", open, err)
	}
}
