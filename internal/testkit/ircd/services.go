package ircd

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
)

// How the services are known to inspircd.
const (
	servicesName     = "services.example.org"
	servicesID       = "0SV"
	servicesPassword = "link"
)

// A services stands in for the program that holds an IRC network's accounts. It
// is a server in InspIRCd's spanning tree (protocol 1205) that answers SASL and
// nothing else: PLAIN for its accounts, EXTERNAL for any certificate.
type services struct {
	conn     net.Conn
	accounts []string          // name:password
	begun    map[string]string // mechanisms, by the user's ID
	done     chan struct{}
}

// link links services to a server, and returns when it knows them.
func link(t testing.TB, addr string, accounts []string) *services {
	t.Helper()
	if !testkit.Listens(addr, patience) {
		t.Fatalf("inspircd does not listen for servers on %s", addr)
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &services{conn: conn, accounts: accounts, begun: map[string]string{}, done: make(chan struct{})}
	s.sendf("CAPAB START 1205")
	s.sendf("CAPAB CAPABILITIES :CASEMAPPING=rfc1459")
	s.sendf("CAPAB END")
	s.sendf("SERVER %s %s 0 %s :Services", servicesName, servicesPassword, servicesID)
	linked := make(chan struct{})
	go s.read(linked)
	select {
	case <-linked:
	case <-s.done:
		t.Fatal("inspircd does not take its services")
	case <-time.After(patience):
		t.Fatal("inspircd is silent about its services")
	}
	return s
}

func (s *services) close() {
	s.conn.Close()
	<-s.done
}

func (s *services) sendf(format string, args ...any) { fmt.Fprintf(s.conn, format+"\r\n", args...) }

// read answers what the server says; it closes linked when the server has said
// all that it knows.
func (s *services) read(linked chan struct{}) {
	defer close(s.done)
	in := bufio.NewScanner(s.conn)
	for in.Scan() {
		m := parse(in.Text())
		switch m.Command {
		case "SERVER":
			s.sendf(":%s BURST %d", servicesID, time.Now().Unix())
			s.sendf(":%s METADATA * saslmechlist :PLAIN,EXTERNAL", servicesID)
			s.sendf(":%s ENDBURST", servicesID)
		case "ENDBURST":
			close(linked)
		case "PING":
			s.sendf(":%s PONG %s", servicesID, m.From)
		case "ENCAP": // target, SASL, user, agent, kind, data
			if m.Param(1) == "SASL" {
				s.sasl(m.From, m.Param(2), m.Param(4), m.Params[min(5, len(m.Params)):])
			}
		}
	}
}

// sasl answers a step of a user's authentication: S begins it, with the
// mechanism and the fingerprints of the certificate, C continues it.
func (s *services) sasl(server, user, kind string, data []string) {
	if len(data) == 0 {
		return
	}
	answer := func(kind, data string) {
		s.sendf(":%s ENCAP %s SASL %[1]s %[3]s %[4]s %[5]s", servicesID, server, user, kind, data)
	}
	account := ""
	switch {
	case kind == "S" && (data[0] == "PLAIN" || data[0] == "EXTERNAL" && len(data) > 1):
		s.begun[user] = data[0]
		answer("C", "+")
		return
	case kind == "C" && s.begun[user] == "EXTERNAL":
		account = "certified"
	case kind == "C":
		text, _ := base64.StdEncoding.DecodeString(data[0])
		if fields := strings.Split(string(text), "\x00"); len(fields) == 3 && slices.Contains(s.accounts, fields[1]+":"+fields[2]) {
			account = fields[1]
		}
	case kind != "S": // the user's host, or the end
		return
	}
	delete(s.begun, user)
	if account == "" {
		answer("D", "F")
		return
	}
	s.sendf(":%s METADATA %s accountname :%s", servicesID, user, account)
	answer("D", "S")
}
