// Package signing seals PDF documents with an electronic seal (PAdES, ETSI EN 319 142-1) and inspects sealed documents.
//
// [Sealer.Seal] signs with github.com/digitorus/pdfsign and adds what pdfsign leaves open; [Inspect] trusts none of it
// and reads the finished bytes with a reader of its own. Seal inspects every document it makes: one that does not reach
// the level asked is an error, never a lower document.
//
// # What pdfsign does, and what is done here
//
// pdfsign writes the incremental update and puts the CMS signature together (SubFilter ETSI.CAdES.detached). Here:
//
//   - The revision is moved behind the document, the digest of the document and the key's signature are put in, and the
//     certificates of the issuers (signature.go): pdfsign would copy and digest the document several times, verify the
//     chain for each, and hand the key digests alone.
//   - The page lists the signature field in its /Annots, which pdfsign does only for visible fields. The page's
//     dictionary is copied byte for byte and the reference is added.
//   - The time-stamp is asked by a client of our own and put as an unsigned attribute into the signature, in the space
//     reserved for it. pdfsign can ask a TSA itself, but does not check its policy, clock, or certificate, follows
//     redirects to any host, and would sign again whenever the token is longer than it guessed. The bytes that the
//     signature covers do not change by this: PAdES excludes the value of /Contents.
//   - The key signs once pdfsign has laid the document out. pdfsign would hand over a digest alone, where a service may want
//     the message, and has no context for a key that does not answer.
//   - pdfsign writes Name, Reason, Location and contact unescaped, so these are plain ASCII or refused, and it copies the
//     catalog by printing it again, so the finished catalog is compared with the first.
//   - Its own verification is not used (it calls zeroed signatures valid), nor is its reader used on foreign files.
//
// # The promise
//
// What is sealed today verifies with every later version: Inspect may learn levels and algorithms, and may only refuse
// what it accepted before when an algorithm is broken.
//
// Revocation is not asked at levels B-B and B-T: neither carries a proof of it. A seal certificate that was revoked is
// found by validators that ask the authority (pyHanko, Acrobat, EU DSS), and at seal time from level B-LT on.
//
// # What comes after the signature
//
// pdfsign has no part in levels B-LT and B-LTA. The evidence (DSS) and the document time-stamp are each a revision of
// their own, written here in exactly one form, which inspection writes again and compares (update.go). Proof is collected
// for every certificate below a root, the time-stamping authority's included, and that of the seal after its time-stamp.
package signing

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What a caller does differently about.
var (
	// ErrKeyUnavailable: the key is out of reach for now. Try again later.
	ErrKeyUnavailable = errors.New("the seal's key is out of reach")
	// ErrKeyRefused: the key is there and is not to be had: PIN, permission, credentials, a key that was disabled. Staff must
	// mend it.
	ErrKeyRefused = errors.New("the store of the seal's key refuses")
	// ErrKeyClosed: the key was closed before. A fault of the caller.
	ErrKeyClosed = errors.New("the seal's key was closed")
	// ErrTSAUnavailable: no time-stamping authority gave a sound time-stamp. Try again later.
	ErrTSAUnavailable = errors.New("no time-stamping authority gave a sound time-stamp")
	// ErrCertificateExpired: the seal certificate has ended. Staff must install another.
	ErrCertificateExpired = errors.New("the seal certificate has ended")
	// ErrCertificateNotYetValid: the seal certificate has not begun, or the clock is behind. Try again later.
	ErrCertificateNotYetValid = errors.New("the seal certificate has not begun")
	// ErrCertificateRevoked: the seal certificate, or an authority above it, was revoked. Staff must install another.
	// Levels B-B and B-T do not ask.
	ErrCertificateRevoked = errors.New("the seal certificate was revoked")
	// ErrRevocationUnavailable: no authority gave proof that a certificate was not revoked. Try again later.
	ErrRevocationUnavailable = errors.New("no proof can be had that the certificates were not revoked")
	// ErrUnfit: the document to seal lacks something the seal needs; see [CheckDocument]. For good.
	ErrUnfit = errors.New("the document cannot be sealed as it is")
	// ErrUnsound: our own output failed inspection. For good, and a fault of ours or of the key store.
	ErrUnsound = errors.New("the sealed document failed its own inspection")
	// ErrBelowLevel: our own output holds, but not up to the level asked. It is an ErrUnsound too, but one to try again and to
	// raise an alarm about.
	ErrBelowLevel = fmt.Errorf("%w: below the level asked", ErrUnsound)
)

// Config says how to seal. Roots and every TSA's Roots must be given: the operating system's roots are never used.
type Config struct {
	Key   Key
	Roots *x509.CertPool // the root that the seal certificate must lead to
	Level Level
	TSAs  []TSA // asked in this order; needed from B-T on

	Revocation Revocation // needed from B-LT on

	// What the signature dictionary says, all optional, printable ASCII only. Name is who seals; readers show it until
	// they have read the certificate.
	Name, Reason, Location, Contact string

	Now func() time.Time // time.Now when nil
}

// Sealer seals documents. It is safe for concurrent use.
type Sealer struct {
	config Config
	cert   *x509.Certificate
	chain  []*x509.Certificate // the certificate and its issuers, without the root: what a document embeds
	archiver
}

// keyTrial bounds the trial signature at the start.
const keyTrial = 30 * time.Second

// NewSealer checks everything that can be checked before the first document, and gives every fault at once: the key
// signs and matches its certificate, the certificate is valid now, may sign, is strong enough and leads to Roots, the
// words are ASCII, the authorities are well configured. It signs once with the key; it asks no TSA.
func NewSealer(c Config) (*Sealer, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if !c.Level.Includes(BB) {
		fault("Level: %q is not a level (B-B, B-T, B-LT or B-LTA)", c.Level)
	}
	for _, w := range []struct{ field, words string }{{"Name", c.Name}, {"Reason", c.Reason}, {"Location", c.Location}, {"Contact", c.Contact}} {
		if !printableASCII(w.words) {
			fault("%s: only printable ASCII can be written in the signature (no accents)", w.field)
		}
	}
	if c.Level.Includes(BT) && len(c.TSAs) == 0 {
		fault("TSAs: level %s needs a time-stamping authority", c.Level)
	}
	seen := newVerified(c.Now)
	stamper, err := newStamper(c.TSAs, c.Now, seen)
	if err != nil {
		faults = append(faults, err)
	}
	collector, err := newCollector(c.Revocation, c.Now)
	if err != nil {
		faults = append(faults, err)
	}
	s := &Sealer{config: c, archiver: archiver{stamper, collector, seen}}
	if c.Roots == nil {
		fault("Roots: the root to trust is needed")
	}
	if c.Key == nil || c.Key.Certificate() == nil {
		fault("Key: a key with a certificate is needed")
		return nil, fmt.Errorf("seal: %w", errors.Join(faults...))
	}

	s.cert = c.Key.Certificate()
	s.chain = []*x509.Certificate{s.cert}
	for _, issuer := range inOrder(s.cert, c.Key.Chain()) {
		if !selfIssued(issuer) {
			s.chain = append(s.chain, issuer)
		}
	}
	if err := checkStrength(s.cert.PublicKey); err != nil {
		fault("Key: %w", err)
	}
	if err := checkSealUsage(s.cert); err != nil {
		fault("Key: %w", err)
	}
	now := c.Now()
	if err := s.checkValidity(now); err != nil {
		fault("Key: %w", err)
	} else if c.Roots != nil {
		if _, err := chainTo(s.cert, s.chain[1:], c.Roots, now, x509.ExtKeyUsageAny); err != nil {
			fault("Key: the certificate does not lead to Roots: %w", err)
		}
	}
	if c.Level.Includes(BLT) {
		for _, cert := range s.chain {
			if !collector.reachable(cert) {
				fault("Revocation.Hosts: none of the addresses at which the revocation of %q can be asked is named: %s",
					cert.Subject.CommonName, strings.Join(slices.Concat(cert.OCSPServer, cert.CRLDistributionPoints), ", "))
			}
		}
	}
	if err := s.tryKey(); err != nil {
		fault("Key: %w", err)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return s, nil
}

func (s *Sealer) tryKey() error {
	ctx, cancel := context.WithTimeout(context.Background(), keyTrial)
	defer cancel()
	message := make([]byte, 32)
	rand.Read(message)
	_, err := signVerified(ctx, s.config.Key, message, crypto.SHA256, nil)
	return err
}

func (s *Sealer) checkValidity(now time.Time) error {
	if now.After(s.cert.NotAfter) {
		return fmt.Errorf("%w: it ended on %s", ErrCertificateExpired, s.cert.NotAfter.UTC().Format(time.RFC3339))
	}
	if now.Before(s.cert.NotBefore) {
		return fmt.Errorf("%w: it begins on %s", ErrCertificateNotYetValid, s.cert.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

// checkSealUsage requires an end-entity certificate whose key usage names digitalSignature or nonRepudiation
// (ETSI EN 319 412-2, clause 4.3.2).
func checkSealUsage(cert *x509.Certificate) error {
	if cert.IsCA {
		return errors.New("the certificate is one of an authority, not of a seal")
	}
	if cert.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0 {
		return errors.New("the certificate's key usage does not allow sealing (digitalSignature or nonRepudiation)")
	}
	return nil
}

func printableASCII(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// Certificate is the certificate that seals.
func (s *Sealer) Certificate() *x509.Certificate { return s.cert }

// Level is the level that every sealed document has.
func (s *Sealer) Level() Level { return s.config.Level }

// Inspect does as the function of this name, with what the sealer itself trusts. What it verified when it sealed is not
// verified twice, so the caller learns cheaply what he was given.
func (s *Sealer) Inspect(ctx context.Context, pdf []byte) (Report, error) {
	return Inspect(ctx, pdf, s.trust())
}

// prove inspects the sealed document as a stranger would, and that nothing but the seal was added.
func (s *Sealer) prove(ctx context.Context, plan *sealPlan, sealed []byte) error {
	found, err := examine(ctx, sealed, s.trust())
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsound, err)
	}
	report := found.report
	if report.Level != "" && !report.Level.Includes(s.config.Level) {
		return fmt.Errorf("%w: level %s measured, %s asked: %w", ErrBelowLevel, report.Level, s.config.Level, report.errOr("each check holds"))
	}
	if !report.Valid {
		return fmt.Errorf("%w: %w", ErrUnsound, report.Err())
	}
	if err := plan.unchanged(sealed, found.sealed); err != nil {
		return fmt.Errorf("%w: %w", ErrUnsound, err)
	}
	return nil
}

// trust is what the sealer itself believes: a time-stamp may be of any of its authorities.
func (s *Sealer) trust() Trust {
	t := Trust{Roots: s.config.Roots, Now: s.config.Now, seen: s.seen}
	for _, a := range s.stamper.authorities {
		t.tsaRoots = append(t.tsaRoots, a.Roots)
	}
	return t
}
