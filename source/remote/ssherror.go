package remote

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"vext/internal/program"
	"vext/internal/text"
)

// sshFailed is the status with which ssh ends when it fails itself.
const sshFailed = 255

// explain returns the reason for which an ssh has ended, and what to do about it. When the
// master, which may be nil, has ended too, it knows the reason.
func (l *sshLink) explain(p *process, master *sshMaster) error {
	<-p.exited
	stderr, status := p.stderr.String(), p.status()
	if status != sshFailed && status != -1 {
		return fmt.Errorf("%s: %s", l.host, lastLine(stderr, "the far side has ended its process"))
	}
	if master != nil {
		select {
		case <-master.process.exited:
			if words := master.process.stderr.String(); words != "" {
				stderr = words
			}
		case <-time.After(inheritDelay): // a session may end first
		}
	}
	return l.reason(stderr)
}

var removal = regexp.MustCompile(`(?m)^\s*(ssh-keygen -f .*)$`)

// reason explains what ssh has printed.
func (l *sshLink) reason(stderr string) error {
	login := "ssh "
	if l.port != "" {
		login += "-p " + l.port + " "
	}
	login += l.host
	switch {
	case strings.Contains(stderr, "HOST IDENTIFICATION HAS CHANGED"), strings.Contains(stderr, "Host key for") && strings.Contains(stderr, "has changed"):
		remove := "remove the old one from known_hosts"
		if found := removal.FindStringSubmatch(stderr); found != nil {
			remove = "remove the old one with: " + strings.TrimSpace(found[1])
		}
		return fmt.Errorf("%s: the host key has changed; if that was to be expected, %s, and log in once with: %s", l.host, remove, login)
	case strings.Contains(stderr, "Host key verification failed"), strings.Contains(stderr, "host key is known for"):
		return fmt.Errorf("%s: the host key is unknown; compare and accept it with: %s", l.host, login)
	case strings.Contains(stderr, "Permission denied ("), strings.Contains(stderr, "Too many authentication failures"):
		if key := l.lockedKey(); key != "" {
			return fmt.Errorf("%s: permission denied; the key %s needs a passphrase: give it to the agent with ssh-add %[2]s, and have vext run with SSH_AUTH_SOCK", l.host, key)
		}
		return fmt.Errorf("%s: permission denied; check the login with: ssh -o BatchMode=yes %s", l.host, strings.TrimPrefix(login, "ssh "))
	}
	return fmt.Errorf("%s: %s", l.host, lastLine(stderr, "the connection was lost"))
}

// lastLine returns the last line of what a program has printed that says something.
func lastLine(stderr, otherwise string) string {
	for _, line := range slices.Backward(strings.Split(stderr, "\n")) {
		line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "remote:"))
		isNoise := strings.HasPrefix(line, "**") || strings.HasPrefix(line, "Warning: Permanently added")
		if !isNoise && strings.ContainsFunc(line, unicode.IsLetter) {
			return text.Shorten(text.OneLine(strings.TrimPrefix(line, "ssh: ")), program.MaxMessage)
		}
	}
	return otherwise
}

// lockedKey returns the first key that ssh would use, if that needs a passphrase and no key
// does without.
func (l *sshLink) lockedKey() string {
	home := ""
	if me, err := user.LookupId(strconv.Itoa(os.Getuid())); err == nil { // ssh ignores $HOME
		home = me.HomeDir
	}
	locked := ""
	for _, path := range l.identities {
		if rest, ok := strings.CutPrefix(path, "~/"); ok {
			path = filepath.Join(home, rest)
		}
		switch isLocked, err := isLockedKey(path); {
		case err != nil:
		case !isLocked:
			return ""
		case locked == "":
			locked = path
		}
	}
	return locked
}

// isLockedKey reports whether a file has a private key that needs a passphrase.
func isLockedKey(path string) (bool, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return false, fmt.Errorf("%s: not a private key", path)
	}
	const magic = "openssh-key-v1\x00"
	if rest, ok := bytes.CutPrefix(block.Bytes, []byte(magic)); ok { // the name of a cipher follows
		return !bytes.HasPrefix(rest, []byte("\x00\x00\x00\x04none")), nil
	}
	return block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "", nil
}
