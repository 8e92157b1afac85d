package pki

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

// Leaf is an end-entity certificate with its key and the authorities above it.
type Leaf struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
	// Chain holds the issuers above the certificate, nearest first, without the root.
	Chain []*x509.Certificate
}

// PKCS12 gives key, certificate and chain as a PKCS#12 file under password (RFC 7292, PBES2 with AES-256).
func (l *Leaf) PKCS12(password string) ([]byte, error) {
	body, err := pkcs12.Modern.Encode(l.Key, l.Certificate, l.Chain, password)
	if err != nil {
		return nil, fmt.Errorf("PKCS#12: %w", err)
	}
	return body, nil
}

// LeafOptions are the choices of a seal certificate. The zero value is a good certificate.
type LeafOptions struct {
	Key                 KeyKind   // P-256 when empty
	NotBefore, NotAfter time.Time // an hour ago and two years ahead when zero
	KeyUsage            x509.KeyUsage
	CommonName          string // follows "PROVA - "
}

// Issue makes a seal certificate that is not kept in the folder.
func (a *Authority) Issue(o LeafOptions) (*Leaf, error) {
	if o.Key == "" {
		o.Key = P256
	}
	key, err := newKey(o.Key)
	if err != nil {
		return nil, err
	}
	leaf, err := a.Certify(key.Public(), o)
	if err != nil {
		return nil, err
	}
	leaf.Key = key
	return leaf, nil
}

// Certify makes a seal certificate for a key that is kept elsewhere; the Key of the Leaf is nil.
func (a *Authority) Certify(public crypto.PublicKey, o LeafOptions) (*Leaf, error) {
	cert, err := issue(a.sealTemplate(o), a.sealCA.cert, public, a.sealCA.key)
	if err != nil {
		return nil, fmt.Errorf("issue a seal certificate: %w", err)
	}
	return &Leaf{Certificate: cert, Chain: []*x509.Certificate{a.sealCA.cert}}, nil
}

// Expired is a seal certificate that ended a day ago.
func (a *Authority) Expired(key KeyKind) (*Leaf, error) {
	now := a.opts.Now()
	return a.Issue(LeafOptions{Key: key, NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(-24 * time.Hour)})
}

// NotYetValid is a seal certificate that begins tomorrow.
func (a *Authority) NotYetValid(key KeyKind) (*Leaf, error) {
	return a.Issue(LeafOptions{Key: key, NotBefore: a.opts.Now().Add(24 * time.Hour)})
}

// ShortLived is a seal certificate that ends at notAfter.
func (a *Authority) ShortLived(key KeyKind, notAfter time.Time) (*Leaf, error) {
	return a.Issue(LeafOptions{Key: key, NotAfter: notAfter})
}

// Revoked is a seal certificate that is revoked already.
func (a *Authority) Revoked(key KeyKind) (*Leaf, error) {
	leaf, err := a.Issue(LeafOptions{Key: key})
	if err != nil {
		return nil, err
	}
	return leaf, a.Revoke(leaf.Certificate)
}

// WrongUsage is a certificate whose key may encipher keys but not sign.
func (a *Authority) WrongUsage(key KeyKind) (*Leaf, error) {
	return a.Issue(LeafOptions{Key: key, KeyUsage: x509.KeyUsageKeyEncipherment})
}

// Policies live under 2.999, the arc that ITU-T X.660 sets aside for examples: nobody can mistake them for a real one.
var (
	anyPolicy  = mustOID(2, 5, 29, 32, 0)
	sealPolicy = mustOID(2, 999, 1, 1)
	// TSAPolicy is the policy of the time-stamps of this test PKI.
	TSAPolicy = asn1.ObjectIdentifier{2, 999, 1, 2}
)

func mustOID(arcs ...uint64) x509.OID {
	oid, err := x509.OIDFromInts(arcs)
	if err != nil {
		panic(err)
	}
	return oid
}

// organizationIdentifier is id-at-organizationIdentifier (ITU-T X.520), which ETSI EN 319 412-3 clause 4.2.1 wants in
// the subject of a seal certificate.
var organizationIdentifier = asn1.ObjectIdentifier{2, 5, 4, 97}

const noValue = "PROVA - sense valor"

func subject(words string) pkix.Name {
	return pkix.Name{Country: []string{"AD"}, Organization: []string{noValue}, CommonName: "PROVA - " + words}
}

func (a *Authority) addresses(t *x509.Certificate, issuer *ca) {
	t.OCSPServer = []string{a.base + "/ocsp/" + issuer.name}
	t.IssuingCertificateURL = []string{a.base + "/ca/" + issuer.name + ".cer"}
	t.CRLDistributionPoints = []string{a.base + "/crl/" + issuer.name + ".crl"}
}

// sealTemplate carries digitalSignature and nonRepudiation, and the extended key usages documentSigning (RFC 9336) and
// emailProtection. The second is for NSS, and so for pdfsig: it verifies a document signer as a mail signer. Tried with
// poppler 22.12: without any extended key usage, or with documentSigning alone, pdfsig says "Unknown issue with
// Certificate" about a good chain; pyHanko and openssl are content with each.
func (a *Authority) sealTemplate(o LeafOptions) *x509.Certificate {
	now := a.opts.Now()
	if o.NotBefore.IsZero() {
		o.NotBefore = now.Add(-backdate)
	}
	if o.NotAfter.IsZero() {
		o.NotAfter = now.Add(sealLife)
	}
	if o.KeyUsage == 0 {
		o.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	}
	if o.CommonName == "" {
		o.CommonName = "Segell electronic"
	}
	name := subject(o.CommonName)
	name.ExtraNames = []pkix.AttributeTypeAndValue{{Type: organizationIdentifier, Value: "NTRAD-PROVA000000"}}
	t := &x509.Certificate{
		Subject:   name,
		NotBefore: o.NotBefore, NotAfter: o.NotAfter,
		KeyUsage:              o.KeyUsage,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
		UnknownExtKeyUsage:    []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 36}},
		BasicConstraintsValid: true,
		Policies:              []x509.OID{sealPolicy},
	}
	a.addresses(t, a.sealCA)
	if a.opts.NoOCSP {
		t.OCSPServer = nil
	}
	return t
}

// tsaTemplate carries the one extended key usage that RFC 3161 section 2.3 demands, critical.
func (a *Authority) tsaTemplate(issuer *ca, notAfter time.Time) *x509.Certificate {
	t := &x509.Certificate{
		Subject:   subject("Segell de temps"),
		NotBefore: a.opts.Now().Add(-backdate), NotAfter: notAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		ExtraExtensions: []pkix.Extension{{
			Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true,
			Value: []byte{0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08}, // { id-kp-timeStamping }
		}},
		Policies: []x509.OID{mustOID(2, 999, 1, 2)},
	}
	a.addresses(t, issuer)
	return t
}

// responderTemplate is a delegated responder (RFC 6960 section 4.2.2.2) that need not be checked itself (4.2.2.2.1).
func (a *Authority) responderTemplate(issuer *ca) *x509.Certificate {
	now := a.opts.Now()
	t := &x509.Certificate{
		Subject:   subject("OCSP " + issuer.name),
		NotBefore: now.Add(-backdate), NotAfter: now.Add(responderLife),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning},
		BasicConstraintsValid: true,
		ExtraExtensions: []pkix.Extension{{
			Id:    asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, // id-pkix-ocsp-nocheck
			Value: []byte{0x05, 0x00},
		}},
	}
	a.addresses(t, issuer) // the address also ties the certificate to this port: see fresh
	t.OCSPServer = nil
	return t
}
