package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"vext/notify"
)

// Times a server is given (RFC 5321, section 4.5.3.2, allows more; a run that
// waits holds up the others).
const (
	dialTimeout    = 30 * time.Second
	commandTimeout = 2 * time.Minute
	dataTimeout    = 10 * time.Minute
)

// STARTTLS, the parameter of the URL.
const (
	starttlsAuto    = "auto"    // where offered; not to this machine itself
	starttlsRequire = "require" // or send nothing
	starttlsNever   = "never"
)

// smtpSender sends by SMTP, all mails of a run over one connection. It belongs
// to one goroutine.
type smtpSender struct {
	addr, host     string
	implicitTLS    bool
	starttls       string
	tls            *tls.Config
	user, password string
	client         *smtp.Client

	mu   sync.Mutex // guards conn, which abort closes
	conn *boundedConn
}

func newSMTP(u *url.URL, opts Options) (*smtpSender, error) {
	s := &smtpSender{
		host: u.Hostname(), implicitTLS: u.Scheme == "smtps",
		starttls: starttlsAuto, user: opts.User, password: opts.Password,
	}
	if s.host == "" {
		return nil, errors.New("the URL of the mail server names no host")
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"smtp": "25", "smtps": "465"}[u.Scheme]
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return nil, fmt.Errorf("not a port: %s", port)
	}
	s.addr = net.JoinHostPort(s.host, port)
	if u.User != nil {
		s.user = u.User.Username()
		if password, ok := u.User.Password(); ok {
			s.password = password
		}
	}
	s.tls = &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12}
	for name, values := range u.Query() {
		if err := s.parameter(name, values[0]); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *smtpSender) parameter(name, value string) error {
	switch name {
	case "starttls":
		if value != starttlsAuto && value != starttlsRequire && value != starttlsNever {
			return fmt.Errorf("starttls=%s: auto, require or never", value)
		}
		s.starttls = value
	case "ca":
		pem, err := os.ReadFile(value)
		if err != nil {
			return err
		}
		s.tls.RootCAs = x509.NewCertPool()
		if !s.tls.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("ca=%s: no certificate in it", value)
		}
	default:
		return fmt.Errorf("unknown parameter of the mail server: %s (starttls, ca)", name)
	}
	return nil
}

func (s *smtpSender) String() string {
	if s.implicitTLS {
		return "smtps://" + s.addr
	}
	return "smtp://" + s.addr
}

// Send implements notify.Sender. When a connection that was open has died, it
// tries once more over a new one: nothing was sent on the old.
func (s *smtpSender) Send(ctx context.Context, m *notify.Mail) error {
	stop := context.AfterFunc(ctx, s.abort)
	defer stop()
	reused := s.client != nil
	err := s.begin(ctx, m)
	if err != nil && reused && s.client == nil && ctx.Err() == nil {
		err = s.begin(ctx, m)
	}
	if err != nil {
		return err
	}
	return s.deliver(m)
}

// abort ends a Send whose context has ended, from another goroutine. The
// connection is not used again.
func (s *smtpSender) abort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		s.conn.Close()
	}
}

func (s *smtpSender) setConn(conn *boundedConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = conn
}

// begin opens the connection where there is none, and the transaction.
func (s *smtpSender) begin(ctx context.Context, m *notify.Mail) error {
	if s.client == nil {
		if err := s.connect(ctx); err != nil {
			return &notify.UnavailableError{Err: fmt.Errorf("%s: %w", s, err)}
		}
	}
	opts := &smtp.MailOptions{UTF8: !isASCII(m.Sender + m.Recipient)}
	if ok, _ := s.client.Extension("SMTPUTF8"); opts.UTF8 && !ok {
		return &notify.PermanentError{Err: fmt.Errorf("%s: can't take an address that is not ASCII (SMTPUTF8)", s)}
	}
	if err := s.client.Mail(m.Sender, opts); err != nil {
		// A server that rejects the sender rejects it for every mail.
		err = s.failed("sender "+m.Sender, err)
		var refused *notify.PermanentError
		if errors.As(err, &refused) {
			s.drop()
			err = refused.Err
		}
		if s.client == nil { // dropped
			return &notify.UnavailableError{Err: err}
		}
		return err
	}
	if err := s.client.Rcpt(m.Recipient, nil); err != nil {
		err = s.failed("recipient "+m.Recipient, err)
		s.reset()
		return err
	}
	return nil
}

// deliver sends the mail. Once the server's answer has been read, there is
// nothing more here that could fail. When the final dot was sent and no answer
// came, the outcome is unknown.
func (s *smtpSender) deliver(m *notify.Mail) error {
	what := "message for " + m.Recipient
	w, err := s.client.Data()
	if err == nil {
		_, err = w.Write(m.Data)
	}
	if err != nil {
		return s.failed(what, err)
	}
	err = w.Close()
	if err == nil {
		return nil
	}
	isSent := s.conn.sent()
	var reply *smtp.SMTPError
	isAnswer := errors.As(err, &reply) && reply.Code >= 400 && reply.Code <= 599
	if err = s.failed(what, err); isSent && !isAnswer {
		return &notify.UnconfirmedError{Err: err}
	}
	return err
}

// failed sorts an error by what the server said, and gives up a connection
// that can't be used any more. One that is lost over a mail is an error of this
// mail: the next opens another, and if that fails the server is unavailable.
func (s *smtpSender) failed(what string, err error) error {
	var reply *smtp.SMTPError
	if !errors.As(err, &reply) {
		s.drop()
		err = fmt.Errorf("%s: %s: %w", s, what, err)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return &notify.UnavailableError{Err: err} // every mail would wait as long
		}
		return err // it may be this mail that the server can't bear
	}
	err = fmt.Errorf("%s: %s: %w", s, what, answer{reply})
	switch {
	case reply.Code < 400 || reply.Code > 599: // an answer to something else
		s.drop()
		return &notify.UnavailableError{Err: fmt.Errorf("%w, which is out of step", err)}
	case reply.Code == 421: // RFC 5321, section 3.8: the server is closing
		s.drop()
	case reply.Code >= 500:
		return &notify.PermanentError{Err: err}
	}
	return err
}

// answer is what the server said, as it said it but on one line.
type answer struct{ *smtp.SMTPError }

func (a answer) Error() string {
	text := strings.Join(strings.Fields(a.Message), " ")
	if code := a.EnhancedCode; code[0] > 0 {
		text = fmt.Sprintf("%d.%d.%d %s", code[0], code[1], code[2], text)
	}
	return fmt.Sprintf("%d %s", a.Code, text)
}

func (a answer) Unwrap() error { return a.SMTPError }

func (s *smtpSender) reset() {
	if s.client != nil && s.client.Reset() != nil {
		s.drop()
	}
}

func (s *smtpSender) drop() {
	if s.client != nil {
		s.client.Close()
		s.client = nil
	}
}

func (s *smtpSender) connect(ctx context.Context) error {
	dialer := &net.Dialer{Timeout: dialTimeout}
	dialed, err := dialer.DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return err
	}
	conn := &boundedConn{Conn: dialed}
	s.setConn(conn)
	client, err := s.greet(conn)
	if err != nil {
		conn.Close()
		return err
	}
	s.client = client
	return nil
}

// greet brings a new connection as far as the first mail: TLS, EHLO, AUTH.
func (s *smtpSender) greet(conn net.Conn) (*smtp.Client, error) {
	if s.implicitTLS {
		conn = tls.Client(conn, s.tls)
	}
	client, err := s.hello(conn)
	if err != nil {
		return nil, err
	}
	if _, encrypted := client.TLSConnectionState(); s.user != "" {
		if !encrypted && !isLoopback(conn) {
			return nil, errors.New("the password would be sent unencrypted; use smtps:// or starttls=require")
		}
		if err := client.Auth(sasl.NewPlainClient("", s.user, s.password)); err != nil {
			return nil, fmt.Errorf("user %s: %w", s.user, err)
		}
	}
	return client, nil
}

func (s *smtpSender) hello(conn net.Conn) (*smtp.Client, error) {
	client := smtp.NewClient(conn)
	s.setTimeouts(client)
	if err := client.Hello(LocalName()); err != nil {
		return nil, err
	}
	offered, _ := client.Extension("STARTTLS")
	switch {
	case s.implicitTLS || s.starttls == starttlsNever:
		return client, nil
	case s.starttls == starttlsRequire && !offered:
		return nil, errors.New("the server does not offer STARTTLS, which is required")
	case !offered || (s.starttls == starttlsAuto && isLoopback(conn)):
		return client, nil
	}
	return s.startTLS(conn)
}

// startTLS turns to TLS on a connection that has seen an EHLO. go-smtp does so
// only as it greets the server, so it is greeted once more; servers take a
// second EHLO at any time (RFC 5321, section 4.1.4).
func (s *smtpSender) startTLS(conn net.Conn) (*smtp.Client, error) {
	client, err := smtp.NewClientStartTLS(&greetedConn{Conn: conn}, s.tls)
	if err != nil {
		return nil, err
	}
	s.setTimeouts(client)
	if err := client.Hello(LocalName()); err != nil {
		return nil, err
	}
	return client, nil
}

func (s *smtpSender) setTimeouts(c *smtp.Client) {
	c.CommandTimeout, c.SubmissionTimeout = commandTimeout, dataTimeout
}

// Check implements notify.Sender: it connects, says who it is, and leaves.
func (s *smtpSender) Check(ctx context.Context) error {
	if s.client != nil {
		return nil
	}
	stop := context.AfterFunc(ctx, s.abort)
	defer stop()
	if err := s.connect(ctx); err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	return s.Close()
}

// Close implements notify.Sender.
func (s *smtpSender) Close() error {
	if s.client == nil {
		return nil
	}
	err := s.client.Quit()
	s.drop()
	return err
}

func isLoopback(conn net.Conn) bool {
	addr, ok := conn.RemoteAddr().(*net.TCPAddr)
	return ok && addr.IP.IsLoopback()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// LocalName returns what this machine calls itself.
func LocalName() string {
	if name, err := os.Hostname(); err == nil && name != "" {
		return name
	}
	return "localhost"
}
