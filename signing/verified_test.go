package signing

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"testing"
	"time"

	"segell/pki"
)

// What is remembered is taken for the very same question alone, and not for long.
func TestWhatWasVerifiedIsRememberedExactly(t *testing.T) {
	a, other := sharedPKI(t, pki.P256), ownAuthority(t, pki.Options{})
	key := keyOf(t, a.Seal())
	cert := key.Certificate()
	message := []byte("what is signed")
	signature, err := key.Sign(context.Background(), message, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(message)
	now := time.Now()
	seen := newVerified(func() time.Time { return now })
	for range 2 {
		if err := seen.signature(cert, false, crypto.SHA256, digest[:], signature); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen.signatures) != 1 {
		t.Fatalf("%d signatures are remembered", len(seen.signatures))
	}
	wrong := sha256.Sum256([]byte("something else"))
	changed := flipped(signature, len(signature)-1, 1)
	for name, err := range map[string]error{
		"another digest":      seen.signature(cert, false, crypto.SHA256, wrong[:], signature),
		"another value":       seen.signature(cert, false, crypto.SHA256, digest[:], changed),
		"another key":         seen.signature(other.Seal().Certificate, false, crypto.SHA256, digest[:], signature),
		"another kind of key": seen.signature(cert, true, crypto.SHA256, digest[:], signature),
		"a longer digest":     seen.signature(cert, false, crypto.SHA256, digest[:31], append([]byte{digest[31]}, signature...)),
	} {
		if err == nil {
			t.Errorf("%s: taken for what was verified", name)
		}
	}
	if len(seen.signatures) != 1 {
		t.Error("what does not hold is remembered")
	}

	chain := func(roots *x509.CertPool, at time.Time, usage x509.ExtKeyUsage) error {
		_, err := seen.chain(cert, key.Chain(), roots, at, usage)
		return err
	}
	roots := a.Roots()
	if err := chain(roots, now, x509.ExtKeyUsageAny); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"other roots":     chain(other.Roots(), now, x509.ExtKeyUsageAny),
		"no roots":        chain(nil, now, x509.ExtKeyUsageAny),
		"before it":       chain(roots, cert.NotBefore.Add(-time.Second), x509.ExtKeyUsageAny),
		"after its end":   chain(roots, cert.NotAfter.Add(time.Second), x509.ExtKeyUsageAny),
		"for time-stamps": chain(roots, now, x509.ExtKeyUsageTimeStamping),
	} {
		if err == nil {
			t.Errorf("%s: taken for the chain that was verified", name)
		}
	}
	if _, err := seen.chain(cert, nil, roots, now, x509.ExtKeyUsageAny); err == nil {
		t.Error("without the authority between: taken for the chain that was verified")
	}

	// Afterwards everything is verified anew: roots that were taken away are missed.
	if _, err := seen.chain(cert, key.Chain(), roots, now, x509.ExtKeyUsageAny); err != nil {
		t.Fatal(err)
	}
	if !seen.recent(now.Add(time.Second-rememberFor)) || seen.recent(now.Add(-rememberFor)) || seen.recent(now.Add(time.Second)) {
		t.Error("remembered for another time than rememberFor, or from the future")
	}
}

// However much goes by, no more than rememberMost is kept.
func TestMemoryOfWhatWasVerifiedIsBounded(t *testing.T) {
	key := keyOf(t, sharedPKI(t, pki.P256).Seal())
	seen := newVerified(time.Now)
	for n := range rememberMost + 10 {
		message := []byte{byte(n), byte(n >> 8)}
		signature, err := key.Sign(context.Background(), message, crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		digest := sha256.Sum256(message)
		if err := seen.signature(key.Certificate(), false, crypto.SHA256, digest[:], signature); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(seen.signatures); n > rememberMost {
		t.Errorf("%d signatures are remembered", n)
	}
}
