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
	"time"
	"unicode/utf8"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"vext/notify"
)

// Time limits for a server. RFC 5321, section 4.5.3.2, allows more, but a waiting run
// delays all other mails.
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
	conn           *boundedConn // of client
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
	reused := s.client != nil
	err := s.begin(ctx, m)
	if err != nil && reused && s.client == nil && ctx.Err() == nil {
		err = s.begin(ctx, m)
	}
	if err != nil {
		return err
	}
	return s.deliver(ctx, m)
}

// begin opens the connection where there is none, and the transaction.
func (s *smtpSender) begin(ctx context.Context, m *notify.Mail) error {
	if s.client == nil {
		if err := s.connect(ctx); err != nil {
			return &notify.UnavailableError{Err: fmt.Errorf("%s: %w", s, err)}
		}
	}
	defer s.conn.closeAfter(ctx)()
	isWide := func(r rune) bool { return r >= utf8.RuneSelf }
	opts := &smtp.MailOptions{UTF8: strings.ContainsFunc(m.Sender+m.Recipient, isWide)}
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
		if s.client != nil && s.client.Reset() != nil {
			s.drop()
		}
		return err
	}
	return nil
}

// deliver sends the mail. Once the server's answer has been read, there is
// nothing more here that could fail. When the final dot was sent and no answer
// came, the outcome is unknown.
func (s *smtpSender) deliver(ctx context.Context, m *notify.Mail) error {
	defer s.conn.closeAfter(ctx)()
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
	isSent := !s.conn.failed.Load()
	var reply *smtp.SMTPError
	isAnswer := errors.As(err, &reply) && reply.Code >= 400 && reply.Code <= 599
	if err = s.failed(what, err); isSent && !isAnswer {
		return &notify.UnconfirmedError{Err: err}
	}
	return err
}

// failed classifies an error by the server's answer, and drops a connection that can't
// be used any more. A connection that is lost during a mail is an error of that mail
// only: the next mail opens another, and if that fails the server is unavailable.
func (s *smtpSender) failed(what string, err error) error {
	var reply *smtp.SMTPError
	if !errors.As(err, &reply) {
		s.drop()
		err = fmt.Errorf("%s: %s: %w", s, what, err)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return &notify.UnavailableError{Err: err} // every mail would wait as long
		}
		return err // this mail may be the cause
	}
	err = fmt.Errorf("%s: %s: %s", s, what, answer(reply))
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

// answer returns what the server said, as it said it but on one line.
func answer(reply *smtp.SMTPError) string {
	text := strings.Join(strings.Fields(reply.Message), " ")
	if code := reply.EnhancedCode; code[0] > 0 {
		text = fmt.Sprintf("%d.%d.%d %s", code[0], code[1], code[2], text)
	}
	return fmt.Sprintf("%d %s", reply.Code, text)
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
	defer conn.closeAfter(ctx)()
	client, err := s.greet(conn)
	if err != nil {
		conn.Close()
		return err
	}
	s.client, s.conn = client, conn
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
	if err := sayHello(client); err != nil {
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
	// go-smtp turns to TLS only as it greets the server, so it is greeted once more; servers
	// take a second EHLO at any time (RFC 5321, section 4.1.4).
	client, err := smtp.NewClientStartTLS(&greetedConn{Conn: conn}, s.tls)
	if err != nil {
		return nil, err
	}
	return client, sayHello(client)
}

func sayHello(c *smtp.Client) error {
	c.CommandTimeout, c.SubmissionTimeout = commandTimeout, dataTimeout
	return c.Hello(LocalName())
}

// Check implements notify.Sender: it connects, says who it is, and leaves.
func (s *smtpSender) Check(ctx context.Context) error {
	if s.client != nil {
		return nil
	}
	if err := s.connect(ctx); err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	defer s.conn.closeAfter(ctx)()
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

// LocalName returns what this machine calls itself.
func LocalName() string {
	if name, err := os.Hostname(); err == nil && name != "" {
		return name
	}
	return "localhost"
}
