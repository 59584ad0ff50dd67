package config

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"vext/internal/disk"
)

// A SecretFile is a file with a secret in it, and the keys that name it.
type SecretFile struct {
	Path string
	Keys []string // "hook github: secret_file"
}

// SecretFiles returns the files that hold secrets, in the order in which the
// configuration names them. The configuration file is one of them when it has a
// secret itself.
func (c *Config) SecretFiles() []SecretFile {
	var files []SecretFile
	add := func(path, key string) {
		if path == "" {
			return
		}
		for i := range files {
			if files[i].Path == path {
				files[i].Keys = append(files[i].Keys, key)
				return
			}
		}
		files = append(files, SecretFile{path, []string{key}})
	}
	inline := func(isSet bool, key string) {
		if isSet {
			add(c.Path, key)
		}
	}
	inline(c.Mail.Password != "", "mail: password")
	inline(hasPassword(c.Mail.Via), "mail: via")
	add(c.Mail.PasswordFile, "mail: password_file")
	for i := range c.Hooks {
		h := &c.Hooks[i]
		inline(h.Secret != "", "hook "+h.Name+": secret")
		add(h.SecretFile, "hook "+h.Name+": secret_file")
	}
	for i := range c.Repositories {
		inline(hasPassword(c.Repositories[i].URL.Reveal()), "repository "+c.Repositories[i].Name+": url")
	}
	for i := range c.Autosync {
		t := &c.Autosync[i]
		inline(t.Token != "", "autosync "+t.Path+": token")
		add(t.TokenFile, "autosync "+t.Path+": token_file")
	}
	inline(c.Hub.Token != "", "autosync-hub: token")
	add(c.Hub.TokenFile, "autosync-hub: token_file")
	inline(c.XMPP.Password != "", "xmpp: password")
	add(c.XMPP.PasswordFile, "xmpp: password_file")
	all := []*IRC{&c.IRC} // first, because the networks inherit from it
	names := []string{"irc"}
	for i := range c.Networks {
		all, names = append(all, &c.Networks[i].IRC), append(names, "network "+c.Networks[i].URL)
	}
	for i, irc := range all {
		own := func(value, base string) bool { return value != "" && (i == 0 || value != base) }
		inline(own(irc.Password, c.IRC.Password), names[i]+": password")
		inline(own(irc.ServerPassword, c.IRC.ServerPassword), names[i]+": server_password")
		inline(own(irc.Proxy, c.IRC.Proxy) && hasPassword(irc.Proxy), names[i]+": proxy")
		for _, f := range []struct{ key, path, base string }{
			{"password_file", irc.PasswordFile, c.IRC.PasswordFile}, {"server_password_file", irc.ServerPasswordFile, c.IRC.ServerPasswordFile},
			{"key", irc.Key, c.IRC.Key}, {"certificate", irc.withKey(), c.IRC.withKey()},
		} {
			if own(f.path, f.base) {
				add(f.path, names[i]+": "+f.key)
			}
		}
	}
	return files
}

// withKey returns the file of the certificate if that contains the key.
func (i *IRC) withKey() string {
	if i.Key != "" || i.Certificate == "" {
		return ""
	}
	if data, err := os.ReadFile(i.Certificate); err != nil || !bytes.Contains(data, []byte("PRIVATE KEY-----")) {
		return ""
	}
	return i.Certificate
}

func hasPassword(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.User == nil {
		return false
	}
	password, _ := u.User.Password()
	return password != ""
}

// ForOthers reports whether every user of the machine may read or change the
// file. It also returns the file's path with symbolic links resolved.
func (f *SecretFile) ForOthers() (path string, open bool, err error) {
	path, err = filepath.EvalSymlinks(f.Path)
	if err != nil {
		return f.Path, false, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return f.Path, false, err
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o006 == 0 {
		return path, false, err
	}
	return path, disk.ClosedDir(filepath.Dir(path)) == "", nil
}

// String lists the keys: "hook a: secret_file, hook b: secret_file".
func (f *SecretFile) String() string {
	const max = 3
	if n := len(f.Keys) - max; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(f.Keys[:max], ", "), n)
	}
	return strings.Join(f.Keys, ", ")
}
