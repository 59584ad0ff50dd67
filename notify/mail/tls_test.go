package mail

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// certificate makes a certificate for 127.0.0.1, and the file of its CA.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, path
}

// TLS is verified, at the start of a connection and by STARTTLS.
func TestTLS(t *testing.T) {
	cert, ca := certificate(t)
	config := &tls.Config{Certificates: []tls.Certificate{cert}}

	starttls := newServer(t, &backend{})
	starttls.srv.TLSConfig = config
	plain := newServer(t, &backend{})
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	implicit := serveOn(t, l, &backend{})

	for _, test := range []struct {
		name, via string
		ok        bool
	}{
		{"smtps with the CA", "smtps://" + implicit.addr + "?ca=" + ca, true},
		{"smtps with an unknown CA", "smtps://" + implicit.addr, false},
		{"required, with the CA", "smtp://" + starttls.addr + "?starttls=require&ca=" + ca, true},
		{"required, with an unknown CA", "smtp://" + starttls.addr + "?starttls=require", false},
		{"required, not offered", "smtp://" + plain.addr + "?starttls=require", false},
		{"to this machine it is not needed", "smtp://" + starttls.addr, true},
	} {
		s, err := Open(test.via, Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Send(context.Background(), newMail("a@b"))
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", test.name, err)
		}
		s.Close()
	}
}
