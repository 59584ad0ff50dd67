package remote

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/remotedaemon"
	"vext/internal/testkit/sshd"
)

// Whatever the user has ssh do, and whatever the server allows, changes are reported.
func TestSSHConfigurations(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		client string // lines of ssh_config
		server string // a line of sshd_config
		env    func(s *sshd.Server) []string
	}{
		{name: "ControlMaster of the user", client: "ControlMaster auto\n  ControlPath %s/%%C\n  ControlPersist 5\n"},
		{name: "ControlMaster of the user, which is dead", client: "ControlMaster no\n  ControlPath %s/dead\n"},
		{name: "no ControlMaster at the server", server: "MaxSessions 1"},
		{name: "no AcceptEnv"},
		{name: "AcceptEnv", server: "AcceptEnv GIT_PROTOCOL"},
		{name: "GIT_SSH_COMMAND", env: func(s *sshd.Server) []string { return []string{"GIT_SSH_COMMAND=ssh -F " + s.Config} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := remotedaemon.New(t, remotedaemon.Options{})
			s := sshd.Start(t, c.server)
			w.Sh("cp home/.gitconfig " + s.Home)
			w.SSH = s
			w.UseSSH(s, fars[2].options(t).Far)
			if c.client != "" {
				dir, err := os.MkdirTemp("/tmp", "m") // short enough for a socket
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { os.RemoveAll(dir) })
				appendTo(t, s.Config, "  "+fmt.Sprintf(c.client, dir))
			}
			if c.env != nil {
				w.InLocal("git config core.sshCommand false")
				w.Env = append(w.Env, c.env(s)...)
			}
			w.InLocal("git config remote.origin.prune true; git remote set-url origin " + w.URL())
			d := w.Start(remotedaemon.Vext(t))
			d.Connected()
			begun := time.Now()
			for _, change := range []string{
				"git commit -q --allow-empty -m two; git push -q origin main HEAD:refs/heads/x", "git push -q origin :x", "git push -q -f origin HEAD~1:main",
			} {
				w.Push(change)
				w.Equal()
			}
			if took := time.Since(begun); took > 14*time.Second {
				t.Errorf("it was polled: %s", took)
			}
			d.Stop()
		})
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(text)
		f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Remotes of one host, more than one connection may have sessions, all report changes,
// over few connections.
func TestManyRemotesOfOneHost(t *testing.T) {
	t.Parallel()
	const n = 24
	w := remotedaemon.New(t, remotedaemon.Options{SSH: true, Far: fars[2].options(t).Far})
	w.Sh(fmt.Sprintf("for n in $(seq %d); do cp -R server.git s$n.git; git -C local remote add s$n far:$PWD/s$n.git; done", n))
	w.InLocal("git remote remove origin")
	d := w.Start(remotedaemon.Vext(t))
	for range n {
		d.Seek("CONNECTED ", remotedaemon.Patience)
	}
	if c := w.SSH.Connections(); c > n/4 {
		t.Errorf("%d connections", c)
	}
	w.Sh(fmt.Sprintf("for n in $(seq %d); do git -C s$n.git branch new main; done", n))
	if !testkit.Eventually(remotedaemon.Patience, func() bool {
		return strings.Count(w.InLocal("git for-each-ref refs/remotes"), "/new\n") >= n-1
	}) {
		t.Error(w.InLocal("git for-each-ref refs/remotes"))
	}
	d.Stop()
}

// A key with a passphrase, and a remote whose host does not exist, ask for nothing, are
// said in a WARNING, and hold up no other remote.
func TestNothingIsAsked(t *testing.T) {
	t.Parallel()
	w := remotedaemon.New(t, remotedaemon.Options{SSH: true})
	w.SSH.Lock("secret")
	w.Sh("cp -R server.git good.git")
	w.InLocal("git remote add good ../good.git; git remote add nowhere ssh://127.0.0.1:1/x.git")
	w.Env = append(w.Env, "DISPLAY=:9", "SSH_ASKPASS="+w.Dir+"/ask", "SSH_ASKPASS_REQUIRE=force", "GIT_ASKPASS="+w.Dir+"/ask")
	if err := os.WriteFile(w.Dir+"/ask", []byte("#!/bin/sh\necho >"+w.Dir+"/asked\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	d := w.Start(remotedaemon.Vext(t))
	d.Seek("DONESYNCING "+w.Dir+"/good.git 1", remotedaemon.Patience)
	said := func() bool {
		denied, refused := false, false
		for _, line := range d.Lines() {
			denied = denied || strings.HasPrefix(line.Text, "WARNING "+w.URI()+" ") && strings.Contains(line.Text, "ermission denied")
			refused = refused || strings.HasPrefix(line.Text, "WARNING ssh://127.0.0.1:1/x.git ")
		}
		return denied && refused
	}
	if !testkit.Eventually(remotedaemon.Patience, said) {
		t.Error("not said")
	}
	if _, err := os.Stat(w.Dir + "/asked"); err == nil {
		t.Error("something was asked")
	}
	d.Stop()
}
