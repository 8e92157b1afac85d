// Package pki is a throw-away public key infrastructure for the sandbox and the tests: a root, two issuing authorities,
// the certificate of an electronic seal, a time-stamping authority (RFC 3161), OCSP responders (RFC 6960), revocation
// lists and caIssuers downloads (RFC 5280), all answered over HTTP on 127.0.0.1.
//
// It is never linked into the production binary. Its keys lie unprotected in a folder, and every subject says
// "PROVA - sense valor" (test, without value), so that nothing made with it can pass as official.
//
//	root ─┬─ seal authority ── seal certificates
//	      └─ TSA authority ─── time-stamping certificate
//
// Each of the three authorities has its own delegated OCSP responder certificate.
//
// The folder keeps everything, so that a restarted sandbox has the same root and the same seal. The responders' port is
// part of the certificates (AIA and CRL addresses), so it is kept too; see [ErrPortTaken].
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ErrPortTaken says that another process listens on the port that the certificates in the folder name. Stop that process
// (most likely another sandbox on the same folder), or delete the file "port" in the folder: the next start then draws a
// new port and issues every certificate but the root anew.
var ErrPortTaken = errors.New("the port of the test PKI is taken")

// KeyKind is a kind of key pair.
type KeyKind string

// The kinds of key pair that Segell seals with.
const (
	P256    KeyKind = "P-256"
	RSA3072 KeyKind = "RSA-3072"
)

// Options are the choices of a new authority. The zero value is good.
type Options struct {
	// Seal is the kind of the seal's key; P-256 when empty. A folder that holds another kind gets a new seal certificate.
	Seal KeyKind
	// Authorities is the kind of every other key (root, authorities, TSA, OCSP); P-256 when empty.
	Authorities KeyKind
	// NoOCSP leaves the OCSP responder out of the seal's certificate; the revocation list stays. pdfsig (poppler 22.12)
	// asks the responder that the leaf names and does not trust a seal whose responder does not answer, so a document
	// that is judged when the sandbox has ended must name none.
	NoOCSP bool
	// TSALife is how long the certificate of the time-stamping authority lives; five years when zero. With a short one,
	// [Authority.RenewTSA] gives a later one, which is what archives are renewed for.
	TSALife time.Duration
	// Now tells the time; time.Now when nil.
	Now func() time.Time
}

// Authority is a running test PKI. Its methods are safe for concurrent use.
type Authority struct {
	dir  string
	opts Options
	base string // http://127.0.0.1:port

	root, sealCA, tsaCA *ca
	seal, tsa           *Leaf

	listener net.Listener
	server   *http.Server
	served   chan struct{}
	stopping chan struct{} // closed by Close: ends the replies that hang on purpose
	closing  sync.Once

	stamps      atomic.Int64
	hung        atomic.Int64
	ocspReplies atomic.Int64
	crlReplies  atomic.Int64

	mu           sync.Mutex            // guards what follows, and tsa once it serves
	revoked      map[string]revocation // by serial number, decimal
	crlNumber    int64
	misbehaviour Misbehaviour
	ocspFault    Misbehaviour
	crlFault     Misbehaviour
	foreign      *Leaf // a TSA under a root nobody trusts, made on first use
}

// ca is a certification authority and its delegated OCSP responder.
type ca struct {
	name      string // in file names and URLs
	cert      *x509.Certificate
	key       crypto.Signer
	responder *Leaf
}

type revocation struct {
	At     time.Time `json:"at"`
	Issuer string    `json:"issuer"`
}

// Life times. A certificate is renewed at start when it has less than a day left.
const (
	rootLife      = 20 * 365 * 24 * time.Hour
	caLife        = 15 * 365 * 24 * time.Hour
	tsaLife       = 5 * 365 * 24 * time.Hour
	sealLife      = 2 * 365 * 24 * time.Hour
	responderLife = 365 * 24 * time.Hour
	renewBefore   = 24 * time.Hour
	backdate      = time.Hour // so that a judge whose clock is a little behind accepts a fresh certificate
)

// New makes a test PKI in dir, or loads the one that lies there, and starts its responders on 127.0.0.1. The root and
// its key survive every restart; certificates that have ended (or that name another port) are issued anew.
func New(dir string, opts Options) (*Authority, error) {
	if opts.Seal == "" {
		opts.Seal = P256
	}
	if opts.Authorities == "" {
		opts.Authorities = P256
	}
	if opts.TSALife == 0 {
		opts.TSALife = tsaLife
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder of the test PKI: %w", err)
	}
	a := &Authority{dir: dir, opts: opts, revoked: map[string]revocation{}, served: make(chan struct{}), stopping: make(chan struct{})}
	if err := a.listen(); err != nil {
		return nil, err
	}
	if err := a.load(); err != nil {
		a.listener.Close()
		return nil, fmt.Errorf("test PKI in %s: %w", dir, err)
	}
	a.server = &http.Server{Handler: http.HandlerFunc(a.serve), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		defer close(a.served)
		a.server.Serve(a.listener) // returns when Close closes the listener
	}()
	return a, nil
}

// Close stops the responders. What lies in the folder stays.
func (a *Authority) Close() error {
	var err error
	a.closing.Do(func() {
		close(a.stopping)
		err = a.server.Close()
		<-a.served
	})
	return err
}

// listen opens the port kept in the folder, or a free one, and keeps it.
func (a *Authority) listen() error {
	path := filepath.Join(a.dir, "port")
	kept, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("port of the test PKI: %w", err)
	}
	port := 0
	if err == nil {
		if port, err = strconv.Atoi(strings.TrimSpace(string(kept))); err != nil || port < 1 || port > 65535 {
			return fmt.Errorf("%s does not hold a port number; delete it to draw a new one", path)
		}
	}
	a.listener, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		if port != 0 {
			return fmt.Errorf("%w: %d, kept in %s: stop the process that has it, or delete the file to draw a new port: %w", ErrPortTaken, port, path, err)
		}
		return fmt.Errorf("port of the test PKI: %w", err)
	}
	port = a.listener.Addr().(*net.TCPAddr).Port
	a.base = "http://127.0.0.1:" + strconv.Itoa(port)
	if err := os.WriteFile(path, []byte(strconv.Itoa(port)+"\n"), 0o600); err != nil {
		a.listener.Close()
		return fmt.Errorf("port of the test PKI: %w", err)
	}
	return nil
}

// load reads what the folder holds and issues what is missing, ended or at another address.
func (a *Authority) load() error {
	if body, err := os.ReadFile(a.path("revoked.json")); err == nil {
		if err := json.Unmarshal(body, &a.revoked); err != nil {
			return fmt.Errorf("revoked.json: %w", err)
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}

	now := a.opts.Now()
	root, err := a.keep("root", a.opts.Authorities, nil, func(c *x509.Certificate) bool {
		return now.Before(c.NotAfter.Add(-renewBefore))
	}, func(pub crypto.PublicKey) (*x509.Certificate, error) {
		return &x509.Certificate{
			Subject:   subject("Arrel"),
			NotBefore: now.Add(-backdate), NotAfter: now.Add(rootLife),
			KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
			BasicConstraintsValid: true, IsCA: true,
		}, nil
	})
	if err != nil {
		return err
	}
	a.root = &ca{name: "root", cert: root.Certificate, key: root.Key}

	if a.sealCA, err = a.keepCA("seal-authority", "Autoritat de segells"); err != nil {
		return err
	}
	if a.tsaCA, err = a.keepCA("tsa-authority", "Autoritat de segells de temps"); err != nil {
		return err
	}
	for _, c := range []*ca{a.root, a.sealCA, a.tsaCA} {
		c.responder, err = a.keep(c.name+"-ocsp", a.opts.Authorities, c, a.fresh(c, nil), func(pub crypto.PublicKey) (*x509.Certificate, error) {
			return a.responderTemplate(c), nil
		})
		if err != nil {
			return err
		}
	}
	if a.tsa, err = a.keepTSA(a.opts.TSALife); err != nil {
		return err
	}
	a.seal, err = a.keep("seal", a.opts.Seal, a.sealCA, a.fresh(a.sealCA, func(c *x509.Certificate) bool {
		return kindOf(c.PublicKey) == a.opts.Seal && !a.isRevoked(c) && (len(c.OCSPServer) == 0) == a.opts.NoOCSP
	}), func(pub crypto.PublicKey) (*x509.Certificate, error) {
		return a.sealTemplate(LeafOptions{}), nil
	})
	return err
}

// keepTSA loads the time-stamping certificate, or issues one with that life.
func (a *Authority) keepTSA(life time.Duration) (*Leaf, error) {
	return a.keep("tsa", a.opts.Authorities, a.tsaCA, a.fresh(a.tsaCA, nil), func(crypto.PublicKey) (*x509.Certificate, error) {
		return a.tsaTemplate(a.tsaCA, a.opts.Now().Add(life)), nil
	})
}

// RenewTSA gives the time-stamping authority a new key and a certificate that lives five years, kept in the folder, as
// authorities do long before their certificate ends.
func (a *Authority) RenewTSA() error {
	if err := os.Remove(a.path("tsa.key")); err != nil {
		return fmt.Errorf("renew the time-stamping certificate: %w", err)
	}
	tsa, err := a.keepTSA(tsaLife)
	if err != nil {
		return fmt.Errorf("renew the time-stamping certificate: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tsa = tsa
	return nil
}

func (a *Authority) path(name string) string { return filepath.Join(a.dir, name) }

// fresh is the test of a kept certificate: not ended, issued by c's present certificate, and naming the present address.
func (a *Authority) fresh(c *ca, also func(*x509.Certificate) bool) func(*x509.Certificate) bool {
	return func(cert *x509.Certificate) bool {
		now := a.opts.Now()
		if !now.Before(cert.NotAfter.Add(-renewBefore)) || now.Before(cert.NotBefore) || cert.CheckSignatureFrom(c.cert) != nil {
			return false
		}
		for _, url := range append(append([]string{}, cert.IssuingCertificateURL...), cert.CRLDistributionPoints...) {
			if !strings.HasPrefix(url, a.base+"/") {
				return false
			}
		}
		return also == nil || also(cert)
	}
}

func (a *Authority) keepCA(name, words string) (*ca, error) {
	now := a.opts.Now()
	leaf, err := a.keep(name, a.opts.Authorities, a.root, a.fresh(a.root, nil), func(pub crypto.PublicKey) (*x509.Certificate, error) {
		t := &x509.Certificate{
			Subject:   subject(words),
			NotBefore: now.Add(-backdate), NotAfter: now.Add(caLife),
			KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
			BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
			Policies: []x509.OID{anyPolicy},
		}
		a.addresses(t, a.root)
		return t, nil
	})
	if err != nil {
		return nil, err
	}
	return &ca{name: name, cert: leaf.Certificate, key: leaf.Key}, nil
}

// keep loads name.pem and name.key from the folder, or issues them when they are missing or keep says no.
// issuer nil means self-signed.
func (a *Authority) keep(name string, kind KeyKind, issuer *ca, good func(*x509.Certificate) bool, template func(crypto.PublicKey) (*x509.Certificate, error)) (*Leaf, error) {
	certPath, keyPath := a.path(name+".pem"), a.path(name+".key")
	cert, err := readCertificate(certPath)
	if err != nil {
		return nil, err
	}
	key, err := readKey(keyPath)
	if err != nil {
		return nil, err
	}
	if cert == nil || key == nil || !good(cert) || !matches(cert, key) {
		if key == nil || kindOf(key.Public()) != kind {
			if key, err = newKey(kind); err != nil {
				return nil, err
			}
			if err := writeKey(keyPath, key); err != nil {
				return nil, err
			}
		}
		t, err := template(key.Public())
		if err != nil {
			return nil, err
		}
		parent, signer := t, key
		if issuer != nil {
			parent, signer = issuer.cert, issuer.key
		}
		if cert, err = issue(t, parent, key.Public(), signer); err != nil {
			return nil, fmt.Errorf("issue %s: %w", name, err)
		}
		if err := writePEM(certPath, "CERTIFICATE", cert.Raw, 0o644); err != nil {
			return nil, err
		}
	}
	leaf := &Leaf{Certificate: cert, Key: key}
	if issuer != nil && issuer != a.root {
		leaf.Chain = []*x509.Certificate{issuer.cert}
	}
	return leaf, nil
}

func issue(t, parent *x509.Certificate, pub crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	serial := make([]byte, 16)
	if _, err := rand.Read(serial); err != nil {
		return nil, err
	}
	serial[0] = serial[0]&0x7f | 0x40 // positive, and of one length
	t.SerialNumber = new(big.Int).SetBytes(serial)
	der, err := x509.CreateCertificate(rand.Reader, t, parent, pub, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func newKey(kind KeyKind) (crypto.Signer, error) {
	switch kind {
	case P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	}
	return nil, fmt.Errorf("no such kind of key: %q (P-256 or RSA-3072)", kind)
}

func kindOf(pub crypto.PublicKey) KeyKind {
	switch pub := pub.(type) {
	case *ecdsa.PublicKey:
		return KeyKind(pub.Curve.Params().Name)
	case *rsa.PublicKey:
		return KeyKind("RSA-" + strconv.Itoa(pub.N.BitLen()))
	}
	return ""
}

func matches(cert *x509.Certificate, key crypto.Signer) bool {
	pub, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && pub.Equal(key.Public())
}

func readPEM(path, kind string) ([]byte, error) {
	body, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(body)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("%s does not hold a PEM %s", path, kind)
	}
	return block.Bytes, nil
}

func readCertificate(path string) (*x509.Certificate, error) {
	der, err := readPEM(path, "CERTIFICATE")
	if der == nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func readKey(path string) (crypto.Signer, error) {
	der, err := readPEM(path, "PRIVATE KEY")
	if der == nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s holds a key that cannot sign", path)
	}
	return signer, nil
}

func writeKey(path string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, "PRIVATE KEY", der, 0o600)
}

func writePEM(path, kind string, der []byte, mode os.FileMode) error {
	return replaceFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}

// replaceFile writes whole or not at all, so that a sandbox killed at its first start can start again.
func replaceFile(path string, body []byte, mode os.FileMode) error {
	next := path + ".next"
	if err := os.WriteFile(next, body, mode); err != nil {
		return err
	}
	return os.Rename(next, path)
}

// RootPEM is the path of the root certificate, PEM.
func (a *Authority) RootPEM() string { return a.path("root.pem") }

// Root is the root certificate: the trust anchor of the seals and of the time-stamps.
func (a *Authority) Root() *x509.Certificate { return a.root.cert }

// Roots is a pool with the root certificate.
func (a *Authority) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.root.cert)
	return pool
}

// Seal is the seal certificate kept in the folder, valid and not revoked when the authority was started.
func (a *Authority) Seal() *Leaf { return a.seal }

// TSA is the certificate of the time-stamping authority.
func (a *Authority) TSA() *x509.Certificate {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.tsa.Certificate
}

// Intermediates are the certificates of the two issuing authorities.
func (a *Authority) Intermediates() []*x509.Certificate {
	return []*x509.Certificate{a.sealCA.cert, a.tsaCA.cert}
}

// TSAURL is the address of the time-stamping authority (RFC 3161 over HTTP, section 3.4).
func (a *Authority) TSAURL() string { return a.base + "/tsa" }

// Host is the host and port of every address in the certificates.
func (a *Authority) Host() string { return strings.TrimPrefix(a.base, "http://") }

// Stamps is how many time-stamps have been given.
func (a *Authority) Stamps() int64 { return a.stamps.Load() }

// Hung is how many requests were left without an answer by [Hang], ended or not.
func (a *Authority) Hung() int64 { return a.hung.Load() }

// OCSPReplies is how often OCSP was answered.
func (a *Authority) OCSPReplies() int64 { return a.ocspReplies.Load() }

// CRLs is how often a revocation list was given.
func (a *Authority) CRLs() int64 { return a.crlReplies.Load() }

// Revoke revokes a certificate that this authority issued, from now on, in OCSP and in the revocation lists. It is kept
// in the folder.
func (a *Authority) Revoke(cert *x509.Certificate) error {
	issuer := a.issuerOf(cert)
	if issuer == nil {
		return errors.New("revoke: the certificate is not from this test PKI")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	serial := cert.SerialNumber.String()
	if _, ok := a.revoked[serial]; ok {
		return nil
	}
	a.revoked[serial] = revocation{At: a.opts.Now().UTC().Truncate(time.Second), Issuer: issuer.name}
	body, err := json.MarshalIndent(a.revoked, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(a.path("revoked.json"), body, 0o600)
}

func (a *Authority) isRevoked(cert *x509.Certificate) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.revoked[cert.SerialNumber.String()]
	return ok
}

func (a *Authority) issuerOf(cert *x509.Certificate) *ca {
	for _, c := range []*ca{a.root, a.sealCA, a.tsaCA} {
		if cert.CheckSignatureFrom(c.cert) == nil {
			return c
		}
	}
	return nil
}
