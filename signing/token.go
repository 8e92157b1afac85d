package signing

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// token is a time-stamp token (RFC 3161) whose own signature was verified. Whether its signer is trusted is another
// question: see trusted.
type token struct {
	der    []byte
	data   *signedData
	hash   crypto.Hash
	digest []byte
	policy asn1.ObjectIdentifier
	time   time.Time
	nonce  *big.Int
}

// parseToken reads a token and verifies that its signer signed it.
func parseToken(der []byte, seen *verified) (*token, error) {
	data, err := parseSignedData(der, seen)
	if err != nil {
		return nil, err
	}
	if !data.contentType.Equal(oidTSTInfo) || data.content == nil {
		return nil, cmsFault("not a time-stamp token")
	}
	t := &token{der: der, data: data}
	if err := t.readInfo(data.content); err != nil {
		return nil, err
	}
	h := data.digest.New()
	h.Write(data.content)
	if err := data.checkDigest(h.Sum(nil)); err != nil {
		return nil, fmt.Errorf("time-stamp: %w", err)
	}
	if err := data.checkSigningCertificate(true); err != nil {
		return nil, fmt.Errorf("time-stamp: %w", err)
	}
	if err := data.checkSignature(seen); err != nil {
		return nil, fmt.Errorf("time-stamp: %w", err)
	}
	return t, nil
}

// readInfo reads a TSTInfo (RFC 3161 section 2.4.2).
func (t *token) readInfo(der []byte) error {
	in := cryptobyte.String(der)
	var info, imprint, digest, generalized cryptobyte.String
	var version int
	serial := new(big.Int)
	if !in.ReadASN1(&info, cbasn1.SEQUENCE) || !in.Empty() ||
		!info.ReadASN1Integer(&version) || version != 1 ||
		!info.ReadASN1ObjectIdentifier(&t.policy) ||
		!info.ReadASN1(&imprint, cbasn1.SEQUENCE) {
		return cmsFault("a broken TSTInfo")
	}
	var err error
	if t.hash, err = readDigest(&imprint); err != nil {
		return fmt.Errorf("imprint of the time-stamp: %w", err)
	}
	if !imprint.ReadASN1(&digest, cbasn1.OCTET_STRING) || !imprint.Empty() || len(digest) != t.hash.Size() {
		return cmsFault("a broken imprint")
	}
	t.digest = append([]byte{}, digest...)
	if !info.ReadASN1Integer(serial) || !info.ReadASN1(&generalized, cbasn1.GeneralizedTime) {
		return cmsFault("a broken TSTInfo")
	}
	// "YYYYMMDDhhmmss[.s...]Z": Go reads the fraction although the layout has none.
	if t.time, err = time.Parse("20060102150405Z", string(generalized)); err != nil || strings.Contains(string(generalized), ",") {
		return cmsFault("a broken time")
	}
	t.time = t.time.UTC()

	var skip cryptobyte.String
	var present bool
	if !info.SkipOptionalASN1(cbasn1.SEQUENCE) || // accuracy
		!info.SkipOptionalASN1(cbasn1.BOOLEAN) { // ordering
		return cmsFault("a broken TSTInfo")
	}
	if info.PeekASN1Tag(cbasn1.INTEGER) {
		t.nonce = new(big.Int)
		if !info.ReadASN1Integer(t.nonce) {
			return cmsFault("a broken nonce")
		}
	}
	if !info.SkipOptionalASN1(cbasn1.Tag(0).ContextSpecific().Constructed()) || // tsa
		!info.ReadOptionalASN1(&skip, &present, cbasn1.Tag(1).ContextSpecific().Constructed()) || !info.Empty() {
		return cmsFault("a broken TSTInfo")
	}
	for !skip.Empty() { // extensions: none of the critical kind is known
		var extension cryptobyte.String
		var oid asn1.ObjectIdentifier
		var critical bool
		if !skip.ReadASN1(&extension, cbasn1.SEQUENCE) || !extension.ReadASN1ObjectIdentifier(&oid) ||
			!extension.ReadOptionalASN1Boolean(&critical, cbasn1.BOOLEAN, false) {
			return cmsFault("broken extensions")
		}
		if critical {
			return cmsFault("critical extension %s is not known", oid)
		}
	}
	return nil
}

// covers says whether the token's imprint is that of data.
func (t *token) covers(data []byte) error {
	h := t.hash.New()
	h.Write(data)
	return t.coversDigest(t.hash, h.Sum(nil))
}

func (t *token) coversDigest(hash crypto.Hash, digest []byte) error {
	if t.hash != hash || !bytes.Equal(digest, t.digest) {
		return errors.New("the time-stamp is over other bytes (wrong imprint)")
	}
	return nil
}

var (
	oidExtKeyUsage    = asn1.ObjectIdentifier{2, 5, 29, 37}
	timeStampingUsage = []byte{0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08}
)

// trusted verifies the certificate that signed the token: its only extended key usage is time-stamping, critical
// (RFC 3161 section 2.3), and it leads to the roots both at the time stamped and at now, for no later proof covers it.
func (t *token) trusted(roots *x509.CertPool, now time.Time, seen *verified) ([]*x509.Certificate, error) {
	ok := false
	for _, e := range t.data.certificate.Extensions {
		if e.Id.Equal(oidExtKeyUsage) {
			ok = e.Critical && bytes.Equal(e.Value, timeStampingUsage)
		}
	}
	if !ok {
		return nil, errors.New("the certificate is not one of a time-stamping authority (extended key usage)")
	}
	if u := t.data.certificate.KeyUsage; u != 0 && u&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0 {
		return nil, errors.New("the time-stamping certificate's key usage does not allow signing")
	}
	if _, err := seen.chain(t.data.certificate, t.data.certificates, roots, t.time, x509.ExtKeyUsageTimeStamping); err != nil {
		return nil, err
	}
	return seen.chain(t.data.certificate, t.data.certificates, roots, now, x509.ExtKeyUsageTimeStamping)
}

// chainTo builds the chain from cert to one of the roots, all valid at that time, nearest first, root last.
func chainTo(cert *x509.Certificate, others []*x509.Certificate, roots *x509.CertPool, at time.Time, usage x509.ExtKeyUsage) ([]*x509.Certificate, error) {
	if roots == nil { // x509 would ask the operating system
		return nil, errors.New("no root is configured to trust")
	}
	pool := x509.NewCertPool()
	for _, c := range others {
		pool.AddCert(c)
	}
	chains, err := cert.Verify(x509.VerifyOptions{Roots: roots, Intermediates: pool, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{usage}})
	if err != nil {
		return nil, fmt.Errorf("at %s: %w", at.UTC().Format(time.RFC3339), err)
	}
	return chains[0], nil
}
