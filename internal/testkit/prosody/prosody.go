// Package prosody runs the XMPP server Prosody on loopback, for tests of XMPP.
package prosody

import (
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/ircd"
)

// What a Server serves.
const (
	Domain   = "localhost"
	MUC      = "conference." + Domain // its component of XEP-0045
	Password = "correct horse"        // of every user
)

// A Certificate says which one the server shows.
type Certificate int

// The certificates.
const (
	Good      Certificate = iota // for Domain, of the CA
	WrongName                    // for another domain, of the CA
	Untrusted                    // for Domain, of another CA
	Expired                      // for Domain, of the CA
)

// Options are how a Server differs from the usual one, which offers SCRAM-SHA-1 and
// SCRAM-SHA-256 after STARTTLS, and to which nobody else can connect.
type Options struct {
	Users       []string // local parts; romeo and juliet if there are none
	Certificate Certificate
	Plaintext   bool     // does not offer STARTTLS
	TLS12       bool     // knows no later TLS, and offers SCRAM-SHA-...-PLUS
	Settings    []string // further lines of the configuration, which is Lua
	Modules     []string // further modules
}

// A Server is a prosody.
type Server struct {
	Addr string // host:port of connections with STARTTLS
	TLS  string // host:port of connections that begin with TLS
	CA   *ircd.CA
	Dir  string

	t   testing.TB
	cmd *exec.Cmd
}

// Start starts a prosody, which ends with the test.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	if len(o.Users) == 0 {
		o.Users = []string{"romeo", "juliet"}
	}
	s := &Server{Addr: testkit.FreeAddr(t, "127.0.0.1"), TLS: testkit.FreeAddr(t, "127.0.0.1"), CA: ircd.NewCA(t), Dir: t.TempDir(), t: t}
	testkit.Program(t, "prosody")
	for _, user := range o.Users {
		s.Register(user, Password)
	}
	s.Certify(o.Certificate)
	s.write("prosody.cfg.lua", s.config(o))
	t.Cleanup(s.Stop)
	t.Cleanup(func() {
		if log := s.Log(); t.Failed() {
			t.Logf("the end of the log of prosody:\n%s", log[max(0, len(log)-6000):])
		}
	})
	s.Restart()
	return s
}

func (s *Server) config(o Options) string {
	modules := []string{"roster", "saslauth", "disco", "ping", "carbons", "smacks", "offline", "stanza_debug"}
	encryption := "c2s_require_encryption = true"
	if o.Plaintext {
		encryption = "c2s_require_encryption = false\nallow_unencrypted_plain_auth = true"
	} else {
		modules = append(modules, "tls")
	}
	certificate, key := filepath.Join(s.Dir, "cert.pem"), filepath.Join(s.Dir, "key.pem")
	protocol := "tlsv1_2+"
	if o.TLS12 {
		protocol = "tlsv1_2"
	}
	ssl := fmt.Sprintf("{ certificate = %q, key = %q, protocol = %q }", certificate, key, protocol)
	return strings.Join(append([]string{
		"run_as_root = true", `interfaces = { "127.0.0.1" }`, `modules_disabled = { "s2s" }`,
		fmt.Sprintf("c2s_ports = { %d }", testkit.Port(s.Addr)), fmt.Sprintf("c2s_direct_tls_ports = { %d }", testkit.Port(s.TLS)),
		fmt.Sprintf("c2s_direct_tls_ssl = %s", ssl), fmt.Sprintf("data_path = %q", filepath.Join(s.Dir, "data")),
		fmt.Sprintf("modules_enabled = { %s }", quoted(append(modules, o.Modules...))), encryption,
		fmt.Sprintf(`log = { { levels = { min = "debug" }, to = "file", filename = %q } }`, s.log()),
		`authentication = "internal_plain"`, // which can do every SCRAM
		`limits = {}`, fmt.Sprintf("ssl = %s", ssl),
	}, o.Settings...), "\n") + fmt.Sprintf(`
VirtualHost %q
Component %q "muc"
	muc_room_default_persistent = true
	muc_room_locking = false
`, Domain, MUC)
}

// quoted returns a list of Lua's strings.
func quoted(words []string) string {
	out := make([]string, len(words))
	for i, word := range words {
		out[i] = strconv.Quote(word)
	}
	return strings.Join(out, ", ")
}

// JID returns the bare JID of a user.
func JID(user string) string { return user + "@" + Domain }

// ClientTLS returns how a client trusts the CA.
func (s *Server) ClientTLS() *tls.Config { return s.CA.ClientTLS() }

// Register adds a user, or sets the password.
func (s *Server) Register(user, password string) {
	s.t.Helper()
	dir := filepath.Join(s.Dir, "data", Domain, "accounts")
	s.ok(os.MkdirAll(dir, 0o755))
	s.ok(os.WriteFile(filepath.Join(dir, user+".dat"), fmt.Appendf(nil, "return { [\"password\"] = %q };\n", password), 0o600))
}

// Certify changes the certificate, after Restart.
func (s *Server) Certify(c Certificate) {
	s.t.Helper()
	ca, name := s.CA, Domain
	var issued ircd.Certificate
	switch c {
	case Expired:
		issued = ca.Expired(name)
	case WrongName:
		issued = ca.Server("example.org")
	case Untrusted:
		issued = ircd.NewCA(s.t).Server(name)
	default:
		issued = ca.Server(name, MUC)
	}
	issued.Write(s.t, s.Dir)
}

// patience is how long the server may take to start.
const patience = 20 * time.Second

// Restart stops the server if it runs, and starts it at the same ports.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	s.cmd = exec.Command(testkit.Program(s.t, "prosody"), "-F", "--config", filepath.Join(s.Dir, "prosody.cfg.lua"))
	out, err := os.Create(filepath.Join(s.Dir, "out"))
	s.ok(err)
	defer out.Close()
	s.cmd.Stdout, s.cmd.Stderr, s.cmd.Dir = out, out, s.Dir
	s.ok(s.cmd.Start())
	if testkit.Listens(s.Addr, patience) && testkit.Listens(s.TLS, patience) {
		return
	}
	said, _ := os.ReadFile(out.Name())
	s.t.Fatalf("prosody does not listen: %s", said)
}

// Stop ends the server, which cuts all connections.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	s.cmd.Process.Kill()
	s.cmd.Wait()
	s.cmd = nil
}

// Freeze stops the process, whose connections stay open, as those to a machine that
// sleeps.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw continues it.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	s.ok(s.cmd.Process.Signal(sig))
}

// Log returns what the server has logged, with each stanza that it got ("RECV: ") and sent
// ("SEND: ").
func (s *Server) Log() string {
	s.t.Helper()
	log, err := os.ReadFile(s.log())
	if err != nil && !os.IsNotExist(err) {
		s.t.Error(err)
	}
	return string(log)
}

// Logins returns how many clients have logged in.
func (s *Server) Logins() int { return strings.Count(s.Log(), "\tAuthenticated as ") }

// Attempts returns how many clients have begun to log in.
func (s *Server) Attempts() int { return strings.Count(s.Log(), "RECV: <auth ") }

func (s *Server) log() string { return filepath.Join(s.Dir, "log") }

func (s *Server) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) write(name, text string) {
	s.t.Helper()
	s.ok(os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o600))
}
