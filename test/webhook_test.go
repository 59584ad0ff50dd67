package test

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
)

const hookSecret = "6b1f0c2a9e7d4358"

// push posts a push to a hook, signed with a secret, and returns the status; 0
// when there is no answer.
func push(t *testing.T, address, hook, text, secret string) int {
	t.Helper()
	mac := hmac.New(sha256.New, []byte(secret))
	io.WriteString(mac, text)
	r, err := http.NewRequest("POST", "http://"+address+"/hook/"+hook, strings.NewReader(text))
	ok(t, err)
	r.Header.Set("X-GitHub-Event", "push")
	r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(r)
	if err != nil {
		t.Log(err)
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

func githubPush(t *testing.T) string {
	t.Helper()
	return read(t, filepath.Join("..", "testdata", "payloads", "github-push.json"))
}

// say says something to a server that speaks lines, and returns its last line.
func say(t *testing.T, address, text string) string {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, patience)
	ok(t, err)
	defer c.Close()
	ok(t, c.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(c, text)
	ok(t, err)
	ok(t, c.(*net.TCPConn).CloseWrite())
	last := ""
	for lines := bufio.NewScanner(c); lines.Scan(); {
		last = lines.Text()
	}
	return last
}

// While another directory is in the place of the state directory, vext serve
// takes nothing in, however it comes, and vext check is CRITICAL. Once
// the directory is back, all goes on.
func TestStateReplaced(t *testing.T) {
	s := newService(t, account{uint32(os.Getuid()), uint32(os.Getgid())})
	hooks, irker := freeAddress(t), freeAddress(t)
	write(t, s.config, 0o600, read(t, s.config)+fmt.Sprintf("[http]\nlisten = %q\n[[hook]]\nname = \"forge\"\nsecret = %q\n[irker]\nlisten = %q\n", hooks, hookSecret, irker))
	d := newDaemon(t, s, freeAddress(t))
	mail := "LHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n" + strings.ReplaceAll(commitMail("MFC after: 2 weeks"), "\n", "\r\n") + ".\r\n"
	notice := `{"to": "irc://127.0.0.1:9/x", "privmsg": "x", "ack": true}` + "\n"
	takes := func(what string, want bool) {
		t.Helper()
		status, lmtp, answer := push(t, hooks, "forge", githubPush(t), hookSecret), say(t, d.listen, mail), say(t, irker, notice)
		if (status == 200) != want || strings.HasPrefix(lmtp, "250 ") != want || strings.Contains(answer, `"ok":true`) != want {
			t.Errorf("%s: %d, %q, %s", what, status, lmtp, answer)
		}
		if !want && (status != 503 || !strings.HasPrefix(lmtp, "4")) { // 421 in the end, as a client that ignores 451 goes on
			t.Errorf("%s: %d, %q", what, status, lmtp)
		}
	}
	takes("at first", true)
	ok(t, os.Rename(s.state, s.state+".away"))
	ok(t, os.Mkdir(s.state, 0o750))
	takes("an empty directory", false)
	check := program{}.run(t, s.vext, "--config", s.config, "--state", s.state, "check")
	check.want(t, 2)
	contains(t, check.stdout, "CRITICAL  http", "CRITICAL  lmtp", "everything is rejected")
	if got := names(t, s.state); len(got) > 0 {
		t.Errorf("in the empty directory: %q", got)
	}
	s.try(before, "run").ok(t) // another process has nothing to compare with, and begins anew
	takes("a new state directory", false)

	id := strings.TrimSpace(read(t, filepath.Join(s.state+".away", "id")))
	write(t, s.config, 0o600, fmt.Sprintf("state_id = %q\n", id)+read(t, s.config))
	for _, command := range []string{"run", "list", "check"} {
		r := s.try(before, command)
		if r.status == 0 || !strings.Contains(r.stdout+r.stderr, "is not the state directory that it was") {
			t.Errorf("%s, with state_id: %d, %s%s", command, r.status, r.stdout, r.stderr)
		}
	}
	ok(t, os.RemoveAll(s.state))
	ok(t, os.Rename(s.state+".away", s.state))
	takes("back again", true)
	s.try(before, "list").ok(t)
}

// One repository whose forge has the wrong secret is noticed, though the others
// of its hook have the right one; a stray request is not.
func TestWrongSecret(t *testing.T) {
	s := newService(t, account{})
	hooks := freeAddress(t)
	write(t, s.config, 0o600, read(t, s.config)+fmt.Sprintf("[http]\nlisten = %q\n[[hook]]\nname = \"forge\"\nsecret = %q\n", hooks, hookSecret))
	s.serve()
	check := func(now, want string) {
		t.Helper()
		eventually(t, now+": "+want, func() bool { // what is refused is stored a moment later
			r := program{}.run(t, s.vext, "--config", s.config, "--state", s.state, "check")
			for line := range strings.Lines(r.stdout) {
				if strings.Contains(line, "webhook forge") && strings.Contains(line, want) {
					return true
				}
			}
			return false
		})
	}
	widget := githubPush(t)
	gadget := strings.ReplaceAll(widget, "acme/widget", "acme/gadget")
	push(t, hooks, "forge", widget, "wrong")
	check("a wrong one and never a right one", "no request with the right signature has come yet")
	push(t, hooks, "forge", widget, hookSecret)
	push(t, hooks, "forge", widget, "wrong")
	check("a stray one", "OK        webhook forge")
	push(t, hooks, "forge", gadget, "wrong")
	push(t, hooks, "forge", widget, hookSecret)
	check("the other repository", `WARNING   webhook forge    1 request that named the repository "acme/gadget" had a wrong signature`)
	push(t, hooks, "forge", gadget, hookSecret)
	check("it has the right one now", "OK        webhook forge")
}

// A secret that every user of the machine can read is said, with what to do.
func TestSecretForOthers(t *testing.T) {
	s := newService(t, account{})
	secret := filepath.Join(filepath.Dir(s.config), "secret")
	write(t, secret, 0o644, hookSecret+"\n")
	write(t, s.config, 0o644, read(t, s.config)+fmt.Sprintf("[http]\nlisten = %q\n[[hook]]\nname = \"forge\"\nsecret_file = %q\n", freeAddress(t), secret))
	check := func() string {
		return program{}.run(t, s.vext, "--config", s.config, "--state", s.state, "check").stdout
	}
	contains(t, check(), "WARNING   secrets", "can read or change "+secret+" (hook forge: secret_file)", "chmod o-rwx "+secret)
	ok(t, os.Chmod(secret, 0o640))
	if out := check(); strings.Contains(out, "secrets") {
		t.Error(out)
	}
}

// More clients that stall than vext may open files keep no push waiting.
func TestStalledClientsAtFileLimit(t *testing.T) {
	s := newService(t, account{})
	hooks := freeAddress(t)
	write(t, s.config, 0o600, read(t, s.config)+fmt.Sprintf("[http]\nlisten = %q\n[[hook]]\nname = \"forge\"\nsecret = %q\n", hooks, hookSecret))
	few := filepath.Join(filepath.Dir(s.vext), "few")
	write(t, few, 0o755, "#!"+testkit.Program(t, "sh")+"\nulimit -n 200\nexec "+s.vext+" \"$@\"\n")
	vext := s.vext
	s.vext = few
	s.serve()
	s.vext = vext
	const header = "POST /hook/forge HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: sha256=00\r\nContent-Length: 1000\r\n"
	for name, text := range map[string]string{"before the request": "", "within the header": header, "within the body": header + "\r\n{"} {
		var stalled []net.Conn
		for range 600 {
			c, err := net.DialTimeout("tcp", hooks, patience)
			ok(t, err)
			io.WriteString(c, text)
			stalled = append(stalled, c)
		}
		begun := time.Now()
		if status := push(t, hooks, "forge", githubPush(t), hookSecret); status != 200 {
			t.Errorf("%s: %d", name, status)
		}
		if took := time.Since(begun); took > 3*time.Second { // it is less than one where the machine is idle
			t.Errorf("%s: a push took %v", name, took)
		}
		for _, c := range stalled {
			c.Close()
		}
	}
}
