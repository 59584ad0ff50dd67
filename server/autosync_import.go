package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"vext/internal/config"
)

// Preview returns what Write would add to a file.
func (i *AutosyncImport) Preview(file string) (string, error) {
	_, c, err := readConfig(file)
	if err != nil {
		return "", err
	}
	text := ""
	if i.JID != "" && c.XMPP == (config.XMPP{}) {
		text = "[xmpp]\njid = " + config.Quote(i.JID) + "\npassword_file = " + config.Quote(config.TildePath(freePath(passwordPath(file)))) + "\n\n"
	}
	if hasTable(c, i.Table.Path) {
		return text, nil
	}
	return text + i.Table.Table(), nil
}

func passwordPath(file string) string { return filepath.Join(filepath.Dir(file), "xmpp-password") }

// freePath returns the path, or with a number behind it, at which there is no file.
func freePath(path string) string {
	free := path
	for n := 2; ; n++ {
		if _, err := os.Lstat(free); errors.Is(err, fs.ErrNotExist) {
			return free
		}
		free = path + "-" + strconv.Itoa(n)
	}
}

// Write adds what was read to the configuration file, and the password to a file beside it.
// It changes no key that is there, and returns what it did, and what it did not.
func (i *AutosyncImport) Write(file string) (did, left []string, err error) {
	unlock, err := config.Lock(file)
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	edit, c, err := readConfig(file)
	if err != nil {
		return nil, nil, err
	}
	secret := ""
	switch {
	case i.JID == "":
	case c.XMPP == (config.XMPP{}):
		secret = freePath(passwordPath(file))
		edit.Set("xmpp", "jid = "+config.Quote(i.JID), "password_file = "+config.Quote(config.TildePath(secret)))
		did = append(did, "[xmpp] is added to "+file, "the password is in "+secret+", which only you can read")
	default:
		left = append(left, fmt.Sprintf("[xmpp] is in %s already, with jid = %q: nothing in it is changed", file, c.XMPP.JID))
	}
	if hasTable(c, i.Table.Path) {
		left = append(left, "[[autosync]] for "+i.Table.Path+" is in "+file+" already: nothing in it is changed")
	} else {
		edit.Append(i.Table.Table())
		did = append(did, "[[autosync]] for "+i.Table.Path+" is added to "+file)
	}
	if _, err := edit.Parse(nil); err != nil {
		return nil, left, err
	}
	if len(did) == 0 {
		return nil, left, nil
	}
	if secret != "" {
		if err := writeSecret(secret, i.Password); err != nil {
			return nil, left, err
		}
	}
	if err := edit.Write(file); err != nil {
		if secret != "" {
			os.Remove(secret)
		}
		return nil, left, err
	}
	return did, left, nil
}

// writeSecret makes a file that only its owner can read.
func writeSecret(path, secret string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(secret + "\n")
	return errors.Join(err, f.Sync(), f.Close())
}
