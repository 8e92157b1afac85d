package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha1" // names issuers and responders (RFC 5019 section 2.1.1), signs nothing
	"encoding/asn1"
	"errors"
	"math/big"
	"net/http"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// This file answers OCSP requests (RFC 6960) for one certificate. golang.org/x/crypto/ocsp also writes replies, but takes
// producedAt from the clock of the machine and cuts it to the minute, so that it lies before thisUpdate, which NSS
// refuses; and it does not see the nonce.

// Reply statuses (RFC 6960 section 4.2.1).
const (
	ocspMalformed    = 1
	ocspInternal     = 2
	ocspTryLater     = 3
	ocspUnauthorized = 6
)

var (
	oidBasicOCSP = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}
	oidNonce     = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}

	certIDHashes = map[string]crypto.Hash{
		"1.3.14.3.2.26":          crypto.SHA1,
		"2.16.840.1.101.3.4.2.1": crypto.SHA256,
	}
)

// ocspQuestion is what a request asks.
type ocspQuestion struct {
	certID   []byte // DER, echoed in the reply
	hash     crypto.Hash
	nameHash []byte
	keyHash  []byte
	serial   *big.Int
	nonce    []byte // the extension, DER; nil when there is none
}

func (a *Authority) serveOCSP(w http.ResponseWriter, r *http.Request, c *ca, encoded string) {
	body, err := ocspRequest(r, encoded)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	how := a.ocspFault
	a.mu.Unlock()
	if a.fail(w, r, how, "application/ocsp-response") {
		return
	}
	a.ocspReplies.Add(1)
	w.Header().Set("Content-Type", "application/ocsp-response")
	q, err := parseQuestion(body)
	if err != nil {
		w.Write(ocspFailure(ocspMalformed))
		return
	}
	if !q.asksAbout(c) {
		w.Write(ocspFailure(ocspUnauthorized))
		return
	}
	if how == Rejection {
		w.Write(ocspFailure(ocspTryLater))
		return
	}
	der, err := a.answer(c, q, how)
	if err != nil {
		w.Write(ocspFailure(ocspInternal))
		return
	}
	if how == TrailingData {
		der = append(der, "and more"...)
	}
	w.Write(der)
}

// parseQuestion reads an OCSPRequest for one certificate (RFC 6960 section 4.1.1). A signature is not looked at.
func parseQuestion(der []byte) (*ocspQuestion, error) {
	fault := errors.New("not an OCSP request for one certificate")
	in := cryptobyte.String(der)
	var request, tbs, list, one, id, algorithm cryptobyte.String
	var oid asn1.ObjectIdentifier
	q := &ocspQuestion{serial: new(big.Int)}
	if !in.ReadASN1(&request, cbasn1.SEQUENCE) || !in.Empty() || !request.ReadASN1(&tbs, cbasn1.SEQUENCE) ||
		!tbs.SkipOptionalASN1(cbasn1.Tag(0).ContextSpecific().Constructed()) || // version
		!tbs.SkipOptionalASN1(cbasn1.Tag(1).ContextSpecific().Constructed()) || // requestorName
		!tbs.ReadASN1(&list, cbasn1.SEQUENCE) || !list.ReadASN1(&one, cbasn1.SEQUENCE) || !list.Empty() {
		return nil, fault
	}
	whole := one
	var element cryptobyte.String
	if !whole.ReadASN1Element(&element, cbasn1.SEQUENCE) {
		return nil, fault
	}
	q.certID = element
	var nameHash, keyHash cryptobyte.String
	if !one.ReadASN1(&id, cbasn1.SEQUENCE) || !id.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) ||
		!id.ReadASN1(&nameHash, cbasn1.OCTET_STRING) || !id.ReadASN1(&keyHash, cbasn1.OCTET_STRING) || !id.ReadASN1Integer(q.serial) || !id.Empty() {
		return nil, fault
	}
	q.hash, q.nameHash, q.keyHash = certIDHashes[oid.String()], nameHash, keyHash

	var wrapped, extensions cryptobyte.String
	var present bool
	if !tbs.ReadOptionalASN1(&wrapped, &present, cbasn1.Tag(2).ContextSpecific().Constructed()) {
		return nil, fault
	}
	if present && !wrapped.ReadASN1(&extensions, cbasn1.SEQUENCE) {
		return nil, fault
	}
	for !extensions.Empty() {
		var element, extension cryptobyte.String
		if !extensions.ReadASN1Element(&element, cbasn1.SEQUENCE) {
			return nil, fault
		}
		der := []byte(element)
		if !element.ReadASN1(&extension, cbasn1.SEQUENCE) || !extension.ReadASN1ObjectIdentifier(&oid) {
			return nil, fault
		}
		if oid.Equal(oidNonce) {
			q.nonce = der
		}
	}
	return q, nil
}

func (q *ocspQuestion) asksAbout(c *ca) bool {
	if !q.hash.Available() {
		return false
	}
	sum := func(b []byte) []byte {
		h := q.hash.New()
		h.Write(b)
		return h.Sum(nil)
	}
	return bytes.Equal(q.nameHash, sum(c.cert.RawSubject)) && bytes.Equal(q.keyHash, sum(publicKeyBits(c.cert.RawSubjectPublicKeyInfo)))
}

// publicKeyBits gives the key of a SubjectPublicKeyInfo, which is what OCSP hashes.
func publicKeyBits(info []byte) []byte {
	in := cryptobyte.String(info)
	var spki cryptobyte.String
	var bits asn1.BitString
	if !in.ReadASN1(&spki, cbasn1.SEQUENCE) || !spki.SkipASN1(cbasn1.SEQUENCE) || !spki.ReadASN1BitString(&bits) {
		return nil
	}
	return bits.RightAlign()
}

// answer signs a reply with the authority's delegated responder. Any serial number that is not revoked is good.
func (a *Authority) answer(c *ca, q *ocspQuestion, how Misbehaviour) ([]byte, error) {
	now := a.opts.Now().UTC().Truncate(time.Second)
	responder := c.responder
	life := ocspLife
	var err error
	switch how {
	case Stale:
		now, life = now.Add(-backdate/2), backdate/4
	case SkewedAhead:
		now = now.Add(skew)
	case OpenEnded:
		life = 0
	case WrongImprint: // an answer to the question about another certificate
		q = &ocspQuestion{certID: bytes.Clone(q.certID), serial: new(big.Int).Add(q.serial, big.NewInt(1)), nonce: q.nonce}
		q.certID[len(q.certID)-1] ^= 1
	case ForeignChain:
		if responder, err = a.foreignTSA(); err != nil {
			return nil, err
		}
	case SealCertSigned:
		responder = a.seal
	case ResponderToCheck, ExpiredSigner:
		if responder, err = a.otherResponder(c, how == ExpiredSigner); err != nil {
			return nil, err
		}
	}
	a.mu.Lock()
	rev, revoked := a.revoked[q.serial.String()]
	a.mu.Unlock()
	revoked = revoked && rev.Issuer == c.name

	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // ResponseData
		b.AddASN1(cbasn1.Tag(2).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { // byKey
			sum := sha1.Sum(publicKeyBits(responder.Certificate.RawSubjectPublicKeyInfo))
			b.AddASN1OctetString(sum[:])
		})
		b.AddASN1GeneralizedTime(now) // producedAt
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // SingleResponse
				b.AddBytes(q.certID)
				if how == UnknownStatus {
					b.AddASN1(cbasn1.Tag(2).ContextSpecific(), func(*cryptobyte.Builder) {})
				} else if revoked {
					b.AddASN1(cbasn1.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(rev.At) })
				} else {
					b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(*cryptobyte.Builder) {})
				}
				b.AddASN1GeneralizedTime(now) // thisUpdate
				if life > 0 {
					b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(now.Add(life)) })
				}
			})
		})
		if q.nonce != nil {
			b.AddASN1(cbasn1.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(q.nonce) })
			})
		}
	})
	tbs, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	digest := crypto.SHA256.New()
	digest.Write(tbs)
	signature, err := responder.Key.Sign(rand.Reader, digest.Sum(nil), crypto.SHA256)
	if err != nil {
		return nil, err
	}

	if how == BrokenToken {
		signature[len(signature)-1] ^= 1
	}
	var basic cryptobyte.Builder
	basic.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			if _, ok := responder.Key.Public().(*ecdsa.PublicKey); ok {
				b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}) // ecdsa-with-SHA256
			} else {
				b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}) // sha256WithRSAEncryption
				b.AddASN1NULL()
			}
		})
		b.AddASN1BitString(signature)
		b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(responder.Certificate.Raw) })
		})
	})
	body, err := basic.Bytes()
	if err != nil {
		return nil, err
	}
	var reply cryptobyte.Builder
	reply.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Enum(0) // successful
		b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidBasicOCSP)
				b.AddASN1OctetString(body)
			})
		})
	})
	return reply.Bytes()
}

// otherResponder appoints a responder that has to be checked itself, or one whose time is over.
func (a *Authority) otherResponder(c *ca, expired bool) (*Leaf, error) {
	key, err := newKey(P256)
	if err != nil {
		return nil, err
	}
	t := a.responderTemplate(c)
	if expired {
		t.NotAfter = a.opts.Now().Add(-time.Minute)
	} else {
		t.ExtraExtensions = nil
	}
	cert, err := issue(t, c.cert, key.Public(), c.key)
	if err != nil {
		return nil, err
	}
	return &Leaf{Certificate: cert, Key: key}, nil
}

func ocspFailure(status byte) []byte { return []byte{0x30, 0x03, 0x0a, 0x01, status} }
