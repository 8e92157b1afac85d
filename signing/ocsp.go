package signing

import (
	"bytes"
	"crypto"
	"crypto/sha1" // names issuers and responders (RFC 5019 section 2.1.1), signs nothing
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

// This file asks and reads OCSP (RFC 6960), strictly DER. golang.org/x/crypto/ocsp finds an answer by its serial number
// alone and takes any certificate of the issuer for a responder's; here the answer must name the issuer, and a responder
// must have been made one.

const (
	maxOCSP        = 64 << 10 // bytes of one reply: real ones have 1 to 4 KB
	maxOCSPAnswers = 16
)

var errOCSP = errors.New("not the strict form of an OCSP reply")

func ocspFault(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errOCSP, fmt.Sprintf(format, args...))
}

var (
	oidBasicOCSP   = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}
	oidOCSPNoCheck = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}
	oidSHA1        = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
)

// ocspRequest asks about one certificate. It carries no nonce, so that an authority may answer from a cache (RFC 5019):
// an old answer is good until it says itself that it ends.
func ocspRequest(cert, issuer *x509.Certificate) ([]byte, error) {
	name, key := sha1.Sum(issuer.RawSubject), sha1.Sum(publicKeyBits(issuer))
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // OCSPRequest
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // TBSRequest
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // requestList
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // Request
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // CertID
						b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
							b.AddASN1ObjectIdentifier(oidSHA1)
							b.AddASN1NULL()
						})
						b.AddASN1OctetString(name[:])
						b.AddASN1OctetString(key[:])
						b.AddASN1BigInt(cert.SerialNumber)
					})
				})
			})
		})
	})
	return b.Bytes()
}

// publicKeyBits gives the key of a certificate as OCSP hashes it: without its algorithm, tag and length.
func publicKeyBits(cert *x509.Certificate) []byte {
	in := cryptobyte.String(cert.RawSubjectPublicKeyInfo)
	var info cryptobyte.String
	var bits asn1.BitString
	if !in.ReadASN1(&info, cbasn1.SEQUENCE) || !info.SkipASN1(cbasn1.SEQUENCE) || !info.ReadASN1BitString(&bits) {
		return nil
	}
	return bits.RightAlign()
}

type ocspStatus uint8

const (
	ocspGood ocspStatus = iota
	ocspRevoked
	ocspUnknown
)

// ocspReply is a reply that was read; whether its signer may say so is checked by verify.
type ocspReply struct {
	tbs             []byte
	responderName   []byte // one of the two names the signer
	responderKey    []byte
	producedAt      time.Time
	answers         []ocspAnswer
	signatureRSA    bool
	signatureDigest crypto.Hash
	signature       []byte
	certificates    []*x509.Certificate
}

type ocspAnswer struct {
	hash                   crypto.Hash
	nameHash, keyHash      []byte
	serial                 *big.Int
	status                 ocspStatus
	thisUpdate, nextUpdate time.Time // nextUpdate is zero when the answer does not end
}

// about says whether the answer is about cert of issuer.
func (a *ocspAnswer) about(cert, issuer *x509.Certificate) bool {
	if a.serial.Cmp(cert.SerialNumber) != 0 {
		return false
	}
	sum := func(b []byte) []byte {
		h := a.hash.New()
		h.Write(b)
		return h.Sum(nil)
	}
	return bytes.Equal(a.nameHash, sum(issuer.RawSubject)) && bytes.Equal(a.keyHash, sum(publicKeyBits(issuer)))
}

func parseOCSP(der []byte) (*ocspReply, error) {
	if len(der) > maxOCSP {
		return nil, ocspFault("larger than %d bytes", maxOCSP)
	}
	explicit := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }
	in := cryptobyte.String(der)
	var reply, wrapped, responseBytes, body cryptobyte.String
	var status int
	if !in.ReadASN1(&reply, cbasn1.SEQUENCE) || !in.Empty() || !reply.ReadASN1Enum(&status) {
		return nil, ocspFault("no OCSPResponse")
	}
	if status != 0 {
		return nil, fmt.Errorf("the responder refuses to answer (status %d)", status)
	}
	var oid asn1.ObjectIdentifier
	if !reply.ReadASN1(&wrapped, explicit(0)) || !reply.Empty() ||
		!wrapped.ReadASN1(&responseBytes, cbasn1.SEQUENCE) || !wrapped.Empty() ||
		!responseBytes.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(oidBasicOCSP) ||
		!responseBytes.ReadASN1(&body, cbasn1.OCTET_STRING) || !responseBytes.Empty() {
		return nil, ocspFault("no BasicOCSPResponse")
	}
	var basic, tbs cryptobyte.String
	if !body.ReadASN1(&basic, cbasn1.SEQUENCE) || !body.Empty() || !basic.ReadASN1Element(&tbs, cbasn1.SEQUENCE) {
		return nil, ocspFault("a broken BasicOCSPResponse")
	}
	r := &ocspReply{tbs: tbs}
	var err error
	if r.signatureRSA, r.signatureDigest, err = readSignatureAlgorithm(&basic); err != nil {
		return nil, err
	}
	var bits asn1.BitString
	if r.signatureDigest == 0 || !basic.ReadASN1BitString(&bits) || bits.BitLength%8 != 0 {
		return nil, ocspFault("a broken signature")
	}
	r.signature = bits.Bytes
	var certs, list cryptobyte.String
	var present bool
	if !basic.ReadOptionalASN1(&certs, &present, explicit(0)) || !basic.Empty() || present && (!certs.ReadASN1(&list, cbasn1.SEQUENCE) || !certs.Empty()) {
		return nil, ocspFault("broken certificates")
	}
	for !list.Empty() {
		var one cryptobyte.String
		if len(r.certificates) == maxCertificates || !list.ReadASN1Element(&one, cbasn1.SEQUENCE) {
			return nil, ocspFault("broken or too many certificates")
		}
		cert, err := parseCertificate(one)
		if err != nil {
			return nil, err
		}
		r.certificates = append(r.certificates, cert)
	}
	return r, r.readData(tbs)
}

// readData reads ResponseData (RFC 6960 section 4.2.1).
func (r *ocspReply) readData(in cryptobyte.String) error {
	explicit := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }
	var data, id, answers cryptobyte.String
	var version int
	if !in.ReadASN1(&data, cbasn1.SEQUENCE) || !data.ReadOptionalASN1Integer(&version, explicit(0), 0) || version != 0 {
		return ocspFault("broken ResponseData")
	}
	switch {
	case data.PeekASN1Tag(explicit(1)):
		var name cryptobyte.String
		if !data.ReadASN1(&id, explicit(1)) || !id.ReadASN1Element(&name, cbasn1.SEQUENCE) || !id.Empty() {
			return ocspFault("a broken responder")
		}
		r.responderName = name
	case data.PeekASN1Tag(explicit(2)):
		var key cryptobyte.String
		if !data.ReadASN1(&id, explicit(2)) || !id.ReadASN1(&key, cbasn1.OCTET_STRING) || !id.Empty() || len(key) != sha1.Size {
			return ocspFault("a broken responder")
		}
		r.responderKey = key
	default:
		return ocspFault("a broken responder")
	}
	var ok bool
	if r.producedAt, ok = readTime(&data); !ok || !data.ReadASN1(&answers, cbasn1.SEQUENCE) || answers.Empty() {
		return ocspFault("broken ResponseData")
	}
	for !answers.Empty() {
		var one, certID, algorithm, skip cryptobyte.String
		a := ocspAnswer{serial: new(big.Int)}
		var oid asn1.ObjectIdentifier
		if len(r.answers) == maxOCSPAnswers || !answers.ReadASN1(&one, cbasn1.SEQUENCE) || !one.ReadASN1(&certID, cbasn1.SEQUENCE) ||
			!certID.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) || !emptyParameters(&algorithm) {
			return ocspFault("broken or too many answers")
		}
		if a.hash = digestOIDs[oid.String()]; oid.Equal(oidSHA1) {
			a.hash = crypto.SHA1
		}
		var name, key cryptobyte.String
		if a.hash == 0 || !certID.ReadASN1(&name, cbasn1.OCTET_STRING) || !certID.ReadASN1(&key, cbasn1.OCTET_STRING) ||
			!certID.ReadASN1Integer(a.serial) || !certID.Empty() {
			return ocspFault("a broken answer")
		}
		a.nameHash, a.keyHash = name, key
		var tag cbasn1.Tag
		if !one.ReadAnyASN1(&skip, &tag) {
			return ocspFault("a broken status")
		}
		switch tag {
		case cbasn1.Tag(0).ContextSpecific():
			a.status, ok = ocspGood, skip.Empty()
		case explicit(1):
			a.status = ocspRevoked
		case cbasn1.Tag(2).ContextSpecific():
			a.status = ocspUnknown
		default:
			ok = false
		}
		if !ok {
			return ocspFault("a broken status")
		}
		if a.thisUpdate, ok = readTime(&one); !ok {
			return ocspFault("a broken time")
		}
		var next cryptobyte.String
		var present bool
		if !one.ReadOptionalASN1(&next, &present, explicit(0)) {
			return ocspFault("a broken time")
		}
		if present {
			if a.nextUpdate, ok = readTime(&next); !ok || !next.Empty() || a.nextUpdate.Before(a.thisUpdate) {
				return ocspFault("a broken time")
			}
		}
		if !readExtensions(&one, explicit(1)) {
			return ocspFault("broken or unknown critical extensions")
		}
		r.answers = append(r.answers, a)
	}
	if !readExtensions(&data, explicit(1)) {
		return ocspFault("broken or unknown critical extensions")
	}
	return nil
}

// readExtensions skips optional extensions and what follows must be nothing; none of the critical kind is known.
func readExtensions(in *cryptobyte.String, tag cbasn1.Tag) bool {
	var wrapped, list cryptobyte.String
	var present bool
	if !in.ReadOptionalASN1(&wrapped, &present, tag) || !in.Empty() || present && (!wrapped.ReadASN1(&list, cbasn1.SEQUENCE) || !wrapped.Empty()) {
		return false
	}
	for !list.Empty() {
		var extension cryptobyte.String
		var oid asn1.ObjectIdentifier
		var critical bool
		if !list.ReadASN1(&extension, cbasn1.SEQUENCE) || !extension.ReadASN1ObjectIdentifier(&oid) ||
			!extension.ReadOptionalASN1Boolean(&critical, cbasn1.BOOLEAN, false) || critical {
			return false
		}
	}
	return true
}

// readTime reads a GeneralizedTime "YYYYMMDDhhmmss[.s...]Z": Go reads the fraction although the layout has none.
func readTime(in *cryptobyte.String) (time.Time, bool) {
	var text cryptobyte.String
	if !in.ReadASN1(&text, cbasn1.GeneralizedTime) || strings.Contains(string(text), ",") {
		return time.Time{}, false
	}
	t, err := time.Parse("20060102150405Z", string(text))
	return t.UTC(), err == nil
}

// verify checks that issuer, or a responder that issuer appointed (RFC 6960 section 4.2.2.2), signed the reply. It gives
// the appointed responder; nil when the issuer signed itself.
func (r *ocspReply) verify(issuer *x509.Certificate) (*x509.Certificate, error) {
	names := func(c *x509.Certificate) bool {
		if r.responderKey == nil {
			return bytes.Equal(c.RawSubject, r.responderName)
		}
		sum := sha1.Sum(publicKeyBits(c))
		return bytes.Equal(sum[:], r.responderKey)
	}
	h := r.signatureDigest.New()
	h.Write(r.tbs)
	digest := h.Sum(nil)
	if names(issuer) && verifySignature(issuer, r.signatureRSA, r.signatureDigest, digest, r.signature) == nil {
		return nil, nil
	}
	for _, c := range r.certificates {
		if !names(c) {
			continue
		}
		if !bytes.Equal(c.RawIssuer, issuer.RawSubject) || c.CheckSignatureFrom(issuer) != nil {
			return nil, errors.New("the responder's certificate is not from the authority that it speaks for")
		}
		appointed := false
		for _, usage := range c.ExtKeyUsage {
			appointed = appointed || usage == x509.ExtKeyUsageOCSPSigning
		}
		if !appointed {
			return nil, errors.New("the responder's certificate is not one for OCSP (extended key usage)")
		}
		if r.producedAt.Before(c.NotBefore.Truncate(time.Second)) || r.producedAt.After(c.NotAfter) {
			return nil, errors.New("the responder's certificate was not valid when it answered")
		}
		if err := verifySignature(c, r.signatureRSA, r.signatureDigest, digest, r.signature); err != nil {
			return nil, fmt.Errorf("OCSP reply: %w", err)
		}
		return c, nil
	}
	return nil, errors.New("the OCSP reply's signer is neither the authority nor one that it appointed")
}

// needsNoCheck: the authority vouches for its responder for the life of the responder's certificate.
func needsNoCheck(responder *x509.Certificate) bool {
	for _, e := range responder.Extensions {
		if e.Id.Equal(oidOCSPNoCheck) {
			return true
		}
	}
	return false
}
