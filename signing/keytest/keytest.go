// Package keytest is the conformance suite of signing.Key: what a key must do wherever it is kept. Every kind of key store
// runs all of it, against the real thing.
package keytest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"segell/pki"
	"segell/signing"
)

// Store is a kind of key store.
type Store struct {
	// Make makes a key, and lets authority certify it.
	Make func(t *testing.T, authority *pki.Authority, kind pki.KeyKind) Made
	// Cut takes the store out of reach: what is asked of it fails. Silence lets it answer no more. Mend makes both good.
	// Each may be nil where it cannot happen.
	Cut, Silence, Mend func(t *testing.T)
}

// Made is a key in its store.
type Made struct {
	Leaf *pki.Leaf // Key is not looked at
	// Open opens the key as that of leaf, which may be the leaf of another.
	Open func(ctx context.Context, leaf *pki.Leaf) (signing.Key, error)
}

// The time that a call may take after its context has ended, on a machine that is busy with other tests.
const grace = 10 * time.Second

// Run runs the suite with a key of each kind.
func Run(t *testing.T, store Store) {
	authority, err := pki.New(filepath.Join(t.TempDir(), "pki"), pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { authority.Close() })
	kinds := []pki.KeyKind{pki.P256, pki.RSA3072}
	var others []*pki.Leaf
	for _, kind := range kinds {
		other, err := authority.Issue(pki.LeafOptions{Key: kind})
		if err != nil {
			t.Fatal(err)
		}
		others = append(others, other)
	}
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			made := store.Make(t, authority, kind)
			s := &suite{store: store, made: made, others: others, authority: authority, kind: kind, key: open(t, made)}
			defer s.key.Close()
			t.Run("signs", s.signs)
			t.Run("signs for many at a time", s.signsForMany)
			t.Run("refuses what no key signs", s.refuses)
			t.Run("ends with its context", s.endsWithContext)
			t.Run("is refused with another certificate", s.anotherCertificate)
			t.Run("seals", s.seals)
			if store.Cut != nil {
				t.Run("comes back after it was cut off", s.cutOff)
			}
			if store.Silence != nil {
				t.Run("does not hang with its store", s.silent)
			}
			t.Run("closes", s.closes)
		})
	}
}

type suite struct {
	store     Store
	made      Made
	others    []*pki.Leaf // of keys that are not this one
	authority *pki.Authority
	kind      pki.KeyKind
	key       signing.Key
}

func open(t *testing.T, made Made) signing.Key {
	t.Helper()
	key, err := made.Open(t.Context(), made.Leaf)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return key
}

// sign wants a signature that verifies.
func sign(ctx context.Context, key signing.Key, message []byte, hash crypto.Hash) error {
	signature, err := key.Sign(ctx, message, hash)
	if err != nil {
		return err
	}
	algorithm := map[crypto.Hash]x509.SignatureAlgorithm{crypto.SHA256: x509.SHA256WithRSA, crypto.SHA384: x509.SHA384WithRSA, crypto.SHA512: x509.SHA512WithRSA}[hash]
	if _, elliptic := key.Certificate().PublicKey.(*ecdsa.PublicKey); elliptic {
		algorithm = x509.ECDSAWithSHA256
	}
	if err := key.Certificate().CheckSignature(algorithm, message, signature); err != nil {
		return fmt.Errorf("what was signed does not verify: %w", err)
	}
	return nil
}

func (s *suite) signs(t *testing.T) {
	if !s.key.Certificate().Equal(s.made.Leaf.Certificate) {
		t.Errorf("the certificate is that of %q", s.key.Certificate().Subject)
	}
	if chain := s.key.Chain(); len(chain) != 1 || !chain[0].Equal(s.made.Leaf.Chain[0]) {
		t.Errorf("the chain has %d certificates, or another", len(chain))
	}
	hashes := []crypto.Hash{crypto.SHA256}
	if s.kind == pki.RSA3072 {
		hashes = append(hashes, crypto.SHA384, crypto.SHA512)
	}
	for _, hash := range hashes {
		for _, size := range []int{1, 32, 200, signing.MaxMessage} {
			if err := sign(t.Context(), s.key, bytes.Repeat([]byte{0xa5}, size), hash); err != nil {
				t.Errorf("%d bytes with %v: %v", size, hash, err)
			}
		}
	}
}

func (s *suite) signsForMany(t *testing.T) {
	faults := s.many(t.Context(), 24)
	for i, err := range faults {
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// many signs different messages at the same time.
func (s *suite) many(ctx context.Context, n int) []error {
	faults := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { faults[i] = sign(ctx, s.key, fmt.Appendf(nil, "message %d", i), crypto.SHA256) })
	}
	all.Wait()
	return faults
}

func (s *suite) refuses(t *testing.T) {
	for name, c := range map[string]struct {
		message []byte
		hash    crypto.Hash
	}{
		"nothing":        {nil, crypto.SHA256},
		"a long message": {make([]byte, signing.MaxMessage+1), crypto.SHA256},
		"SHA-1":          {[]byte("x"), crypto.SHA1},
		"no hash":        {[]byte("x"), 0},
	} {
		if _, err := s.key.Sign(t.Context(), c.message, c.hash); err == nil || errors.Is(err, signing.ErrKeyUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func (s *suite) endsWithContext(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.key.Sign(cancelled, []byte("x"), crypto.SHA256); !errors.Is(err, context.Canceled) || errors.Is(err, signing.ErrKeyUnavailable) {
		t.Errorf("cancelled: %v", err)
	}
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if _, err := s.key.Sign(late, []byte("x"), crypto.SHA256); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("too late: %v", err)
	}
	// Contexts that end at any moment of a signature leave the key sound.
	for i := range 12 {
		short, cancel := context.WithTimeout(t.Context(), time.Duration(i)*200*time.Microsecond)
		if err := sign(short, s.key, []byte("x"), crypto.SHA256); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("within %d × 200 µs: %v", i, err)
		}
		cancel()
	}
	if err := sign(t.Context(), s.key, []byte("x"), crypto.SHA256); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func (s *suite) anotherCertificate(t *testing.T) {
	for _, other := range s.others {
		kind := other.Certificate.PublicKeyAlgorithm
		key, err := s.made.Open(t.Context(), other)
		if err == nil {
			key.Close()
			t.Errorf("the certificate of another key (%s) is accepted", kind)
		} else if errors.Is(err, signing.ErrKeyUnavailable) {
			t.Errorf("the certificate of another key (%s) is taken for a store that is away: %v", kind, err)
		}
	}
	if err := sign(t.Context(), s.key, []byte("x"), crypto.SHA256); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// counted counts the operations of a key.
type counted struct {
	signing.Key
	operations atomic.Int64
}

func (k *counted) Sign(ctx context.Context, message []byte, hash crypto.Hash) ([]byte, error) {
	k.operations.Add(1)
	return k.Key.Sign(ctx, message, hash)
}

func (s *suite) sealer(t *testing.T, key signing.Key) *signing.Sealer {
	t.Helper()
	sealer, err := signing.NewSealer(signing.Config{Key: key, Roots: s.authority.Roots(), Level: signing.BB, Name: "PROVA"})
	if err != nil {
		t.Fatal(err)
	}
	return sealer
}

func (s *suite) seals(t *testing.T) {
	key := &counted{Key: s.key}
	sealer := s.sealer(t, key)
	before := key.operations.Load()
	sealed, err := sealer.Seal(t.Context(), page())
	if err != nil {
		t.Fatal(err)
	}
	if n := key.operations.Load() - before; n != 1 {
		t.Errorf("%d operations of the key for one seal", n)
	}
	report, err := signing.Inspect(t.Context(), sealed, signing.Trust{Roots: s.authority.Roots()})
	if err != nil || !report.Valid || report.Level != signing.BB {
		t.Errorf("inspection: level %s, valid %v: %v %v", report.Level, report.Valid, err, report.Err())
	}
}

func (s *suite) cutOff(t *testing.T) {
	sealer := s.sealer(t, s.key)
	for range 2 { // the second time with what the first repair left
		s.store.Cut(t)
		for i, err := range s.many(t.Context(), 8) {
			if !errors.Is(err, signing.ErrKeyUnavailable) || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("cut off, %d of many: %v", i, err)
			}
		}
		if _, err := sealer.Seal(t.Context(), page()); !errors.Is(err, signing.ErrKeyUnavailable) {
			t.Errorf("cut off, to seal: %v", err)
		}
		key, err := s.made.Open(t.Context(), s.made.Leaf)
		if err == nil {
			key.Close()
		}
		if !errors.Is(err, signing.ErrKeyUnavailable) {
			t.Errorf("cut off, to open: %v", err)
		}
		s.store.Mend(t)
		s.wantBack(t, sealer)
	}
}

// wantBack wants the same key to sign and seal for everybody at once.
func (s *suite) wantBack(t *testing.T, sealer *signing.Sealer) {
	t.Helper()
	for i, err := range s.many(t.Context(), 8) {
		if err != nil {
			t.Errorf("back again, %d of many: %v", i, err)
		}
	}
	if _, err := sealer.Seal(t.Context(), page()); err != nil {
		t.Errorf("back again, to seal: %v", err)
	}
}

func (s *suite) silent(t *testing.T) {
	sealer := s.sealer(t, s.key)
	s.store.Silence(t)
	// More callers than there are sessions, some of whom find all taken.
	limited, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	before := time.Now()
	for i, err := range s.many(limited, 12) {
		if !errors.Is(err, signing.ErrKeyUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("silent, %d of many: %v", i, err)
		}
	}
	if took := time.Since(before); took > grace {
		t.Errorf("with 300 ms to go, they came back after %v", took)
	}
	stopped, stop := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, stop)
	if _, err := s.key.Sign(stopped, []byte("x"), crypto.SHA256); !errors.Is(err, context.Canceled) || errors.Is(err, signing.ErrKeyUnavailable) {
		t.Errorf("silent, and cancelled: %v", err)
	}
	// The key has a limit of its own, which is no limit of the caller's.
	if _, err := sealer.Seal(t.Context(), page()); !errors.Is(err, signing.ErrKeyUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("silent, to seal: %v", err)
	}
	s.store.Mend(t)
	s.wantBack(t, sealer)
}

func (s *suite) closes(t *testing.T) {
	key := open(t, s.made)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := sign(t.Context(), key, []byte("x"), crypto.SHA256); err != nil && !errors.Is(err, signing.ErrKeyClosed) {
				t.Errorf("while it is closed: %v", err)
			}
		})
	}
	if err := key.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	all.Wait()
	if _, err := key.Sign(t.Context(), []byte("x"), crypto.SHA256); !errors.Is(err, signing.ErrKeyClosed) {
		t.Errorf("closed: %v", err)
	}
	if err := key.Close(); err != nil {
		t.Errorf("close again: %v", err)
	}
	if err := sign(t.Context(), s.key, []byte("x"), crypto.SHA256); err != nil {
		t.Errorf("another key of the same store: %v", err)
	}
}

// page is an empty page.
func page() []byte {
	pdf := []byte("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	var at []int
	for _, object := range []string{"<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << >> >>"} {
		at = append(at, len(pdf))
		pdf = fmt.Appendf(pdf, "%d 0 obj\n%s\nendobj\n", len(at), object)
	}
	start := len(pdf)
	pdf = append(pdf, "xref\n0 4\n0000000000 65535 f \n"...)
	for _, offset := range at {
		pdf = fmt.Appendf(pdf, "%010d 00000 n \n", offset)
	}
	return fmt.Appendf(pdf, "trailer\n<< /Size 4 /Root 1 0 R /ID [<%032[1]x> <%032[1]x>] >>\nstartxref\n%[2]d\n%%%%EOF\n", 1, start)
}
