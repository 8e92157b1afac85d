package signing

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"sync"
	"time"
)

// verified remembers what held, so that one seal does not verify the same signature twice and two seals not the same
// chain of certificates; and certificates as they were read. Only what held is kept, under the digest of everything that the verification depends on: a hit
// is the same computation with the same input, so it proves as much as doing it again. Nothing else is ever skipped.
// Whatever was not verified within rememberFor is verified anew.
//
// The nil pointer remembers nothing; inspections for strangers use that. It is safe for concurrent use.
type verified struct {
	now func() time.Time

	mu           sync.Mutex
	signatures   map[[sha256.Size]byte]time.Time
	chains       map[chainKey]verifiedChain
	certificates map[[sha256.Size]byte]*x509.Certificate // by what they were read from; nobody changes them
}

const (
	rememberFor  = 10 * time.Minute
	rememberMost = 1024 // of each
)

// chainKey is what a chain depends on, but for the time.
type chainKey struct {
	certificates [sha256.Size]byte
	roots        *x509.CertPool
	usage        x509.ExtKeyUsage
}

type verifiedChain struct {
	chain       []*x509.Certificate
	from, until time.Time // in which every certificate of it is valid
	verified    time.Time
}

func newVerified(now func() time.Time) *verified {
	return &verified{now: now, signatures: map[[sha256.Size]byte]time.Time{}, chains: map[chainKey]verifiedChain{},
		certificates: map[[sha256.Size]byte]*x509.Certificate{}}
}

// digestOfAll is one digest of several values, each with its length, so that no two lists give the same.
func digestOfAll(values ...[]byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	var length [8]byte
	for _, v := range values {
		binary.BigEndian.PutUint64(length[:], uint64(len(v)))
		h.Write(length[:])
		h.Write(v)
	}
	h.Sum(sum[:0])
	return sum
}

// certificate does as parseCertificate.
func (v *verified) certificate(der []byte) (*x509.Certificate, error) {
	if v == nil {
		return parseCertificate(der)
	}
	key := sha256.Sum256(der)
	v.mu.Lock()
	cert := v.certificates[key]
	v.mu.Unlock()
	if cert != nil {
		return cert, nil
	}
	cert, err := parseCertificate(der)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.certificates) >= rememberMost {
		clear(v.certificates)
	}
	v.certificates[key] = cert
	return cert, nil
}

func (v *verified) recent(at time.Time) bool {
	age := v.now().Sub(at)
	return age >= 0 && age < rememberFor
}

// signature does as verifySignature.
func (v *verified) signature(cert *x509.Certificate, wantRSA bool, hash crypto.Hash, digest, signature []byte) error {
	if v == nil {
		return verifySignature(cert, wantRSA, hash, digest, signature)
	}
	kind := []byte{0, byte(hash)}
	if wantRSA {
		kind[0] = 1
	}
	key := digestOfAll(kind, cert.RawSubjectPublicKeyInfo, digest, signature)
	v.mu.Lock()
	at, held := v.signatures[key]
	v.mu.Unlock()
	if held && v.recent(at) {
		return nil
	}
	if err := verifySignature(cert, wantRSA, hash, digest, signature); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.signatures) >= rememberMost {
		clear(v.signatures)
	}
	v.signatures[key] = v.now()
	return nil
}

// chain does as chainTo. A chain that was verified is taken for another time as long as each of its certificates is valid
// then: no other part of the verification depends on the time.
func (v *verified) chain(cert *x509.Certificate, others []*x509.Certificate, roots *x509.CertPool, at time.Time, usage x509.ExtKeyUsage) ([]*x509.Certificate, error) {
	if v == nil {
		return chainTo(cert, others, roots, at, usage)
	}
	raw := make([][]byte, 0, 1+len(others))
	raw = append(raw, cert.Raw)
	for _, c := range others {
		raw = append(raw, c.Raw)
	}
	key := chainKey{digestOfAll(raw...), roots, usage}
	v.mu.Lock()
	kept, held := v.chains[key]
	v.mu.Unlock()
	if held && v.recent(kept.verified) && !at.Before(kept.from) && !at.After(kept.until) {
		return kept.chain, nil
	}
	chain, err := chainTo(cert, others, roots, at, usage)
	if err != nil {
		return nil, err
	}
	kept = verifiedChain{chain: chain, from: chain[0].NotBefore, until: chain[0].NotAfter, verified: v.now()}
	for _, c := range chain {
		if c.NotBefore.After(kept.from) {
			kept.from = c.NotBefore
		}
		if c.NotAfter.Before(kept.until) {
			kept.until = c.NotAfter
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.chains) >= rememberMost {
		clear(v.chains)
	}
	v.chains[key] = kept
	return chain, nil
}
