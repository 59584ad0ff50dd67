package main

import (
	"io"
	"net"
	"sync"

	"github.com/emersion/go-smtp"
)

// A demoServer is a mail server on this machine that keeps what it receives.
type demoServer struct {
	server   *smtp.Server
	listener net.Listener
	served   chan error

	mu       sync.Mutex
	received []string
}

func startDemoServer() (*demoServer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &demoServer{listener: listener, served: make(chan error, 1)}
	s.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &demoSession{s}, nil }))
	s.server.Domain = "localhost"
	go func() { s.served <- s.server.Serve(listener) }()
	return s, nil
}

func (s *demoServer) addr() string { return s.listener.Addr().String() }

func (s *demoServer) stop() {
	s.server.Close()
	<-s.served
}

func (s *demoServer) mails() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.received...)
}

// demoSession is one client's conversation with the server.
type demoSession struct{ server *demoServer }

func (*demoSession) Mail(string, *smtp.MailOptions) error { return nil }
func (*demoSession) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (*demoSession) Reset()                               {}
func (*demoSession) Logout() error                        { return nil }

func (d *demoSession) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	d.server.mu.Lock()
	defer d.server.mu.Unlock()
	d.server.received = append(d.server.received, string(data))
	return err
}
