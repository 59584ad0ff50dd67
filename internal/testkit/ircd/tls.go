package ircd

import (
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

// A CA issues certificates that nobody but the test trusts.
type CA struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// A Certificate is one with its key.
type Certificate struct {
	Cert, Key []byte // PEM
}

// Files of a certificate, as Write names them.
const (
	certFile = "cert.pem"
	keyFile  = "key.pem"
)

// NewCA makes a CA.
func NewCA(t testing.TB) *CA {
	t.Helper()
	ca := &CA{t: t, key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	ca.cert = ca.sign(template, template, &ca.key.PublicKey)
	return ca
}

// Server issues a certificate for these host names and addresses; for the
// loopback when there are none.
func (ca *CA) Server(names ...string) Certificate {
	ca.t.Helper()
	if len(names) == 0 {
		names = []string{"localhost", "127.0.0.1", "::1"}
	}
	template := leaf(names[0], x509.ExtKeyUsageServerAuth)
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	return ca.issue(template)
}

// Expired issues a certificate for a host name that is not valid any more.
func (ca *CA) Expired(name string) Certificate {
	ca.t.Helper()
	template := leaf(name, x509.ExtKeyUsageServerAuth)
	template.DNSNames, template.NotAfter = []string{name}, time.Now().Add(-time.Minute)
	return ca.issue(template)
}

// Client issues a certificate for a client.
func (ca *CA) Client(name string) Certificate {
	ca.t.Helper()
	return ca.issue(leaf(name, x509.ExtKeyUsageClientAuth))
}

// Write writes the certificate and the key to files in a directory.
func (c Certificate) Write(t testing.TB, dir string) (cert, key string) {
	t.Helper()
	cert, key = filepath.Join(dir, certFile), filepath.Join(dir, keyFile)
	for path, data := range map[string][]byte{cert: c.Cert, key: c.Key} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// ServerTLS returns how a server in the test uses the certificate. Clients may
// show one of their own.
func (c Certificate) ServerTLS(t testing.TB) *tls.Config {
	t.Helper()
	pair, err := tls.X509KeyPair(c.Cert, c.Key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert}
}

// ClientTLS returns how a client trusts the CA.
func (ca *CA) ClientTLS() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return &tls.Config{RootCAs: pool}
}

// File writes the CA's own certificate to a file.
func (ca *CA) File() string {
	ca.t.Helper()
	path := filepath.Join(ca.t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw}), 0o600); err != nil {
		ca.t.Fatal(err)
	}
	return path
}

func leaf(name string, usage x509.ExtKeyUsage) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(12 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
}

func (ca *CA) issue(template *x509.Certificate) Certificate {
	ca.t.Helper()
	key := newKey(ca.t)
	cert := ca.sign(template, ca.cert, &key.PublicKey)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		ca.t.Fatal(err)
	}
	return Certificate{
		Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}),
		Key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	}
}

func (ca *CA) sign(template, parent *x509.Certificate, public *ecdsa.PublicKey) *x509.Certificate {
	ca.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, ca.key)
	if err != nil {
		ca.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		ca.t.Fatal(err)
	}
	return cert
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
