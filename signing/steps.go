package signing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Step is how far a document has come.
type Step string

// The steps of a seal, in order. How many there are follows from the level.
const (
	Signed   Step = "signed"    // B-B: the one operation of the key
	Stamped  Step = "stamped"   // B-T
	LongTerm Step = "long-term" // B-LT
	Archived Step = "archived"  // B-LTA
)

// steps says which step makes which level.
var steps = map[Level]Step{BB: Signed, BT: Stamped, BLT: LongTerm, BLTA: Archived}

// Journal keeps an unfinished document between two tries, so that an authority that is away costs no second operation
// of the key. What it keeps must not be published: it is below its level. The document belongs to the journal's owner
// alone, such as one request; its bytes say how far it has come.
type Journal interface {
	// Last gives the document that was kept, or nil when there is none.
	Last(ctx context.Context) ([]byte, error)
	// Keep keeps the document in place of the one before. It is called when a step failed and only then: a document that is
	// sealed at the first try costs no write.
	Keep(ctx context.Context, done Step, document []byte) error
}

// keepWithin bounds a Keep, which is tried even when the context has ended: the key's work is worth it.
const keepWithin = 10 * time.Second

// errStampRevoked: the time-stamp that a document carries already comes from a certificate that was revoked since.
var errStampRevoked = errors.New("the certificate of the time-stamping authority was revoked")

// errMoreEvidence: the document needs evidence about another authority before that authority can stamp it.
var errMoreEvidence = errors.New("evidence is missing for the time-stamping authority")

// Seal signs pdf and gives the sealed document, which begins with the very bytes of pdf. pdf must pass [CheckDocument].
// Errors wrap ErrUnfit, ErrKeyUnavailable, ErrKeyRefused, ErrTSAUnavailable, ErrRevocationUnavailable, ErrCertificateExpired, ErrCertificateNotYetValid,
// ErrCertificateRevoked or ErrUnsound, or are the context's; any other comes from the key or from pdfsign and is for good.
func (s *Sealer) Seal(ctx context.Context, pdf []byte) ([]byte, error) {
	return s.SealInSteps(ctx, pdf, nil)
}

// SealInSteps does as Seal, and goes on where an earlier try stopped: with what the journal kept, if that is a seal of
// this very pdf under the same certificate. Otherwise it begins anew. Errors are those of Seal; those of the journal
// are given as they are when it cannot be read, and joined when it cannot be written.
func (s *Sealer) SealInSteps(ctx context.Context, pdf []byte, j Journal) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	plan, err := planSeal(pdf)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	var document []byte
	var reached Level
	if j != nil {
		kept, err := j.Last(ctx)
		if err != nil {
			return nil, fmt.Errorf("seal: what an earlier try kept: %w", err)
		}
		document, reached = s.resume(ctx, plan, kept)
	}
	sealed, err := s.finish(ctx, plan, document, reached, j)
	if document != nil && (errors.Is(err, ErrUnsound) || errors.Is(err, errStampRevoked)) {
		sealed, err = s.finish(ctx, plan, nil, "", j) // what was kept leads nowhere
	}
	if errors.Is(err, errStampRevoked) {
		err = fmt.Errorf("%w: %w", ErrTSAUnavailable, err)
	}
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return sealed, nil
}

// resume gives the kept document and its level when it can be gone on with.
func (s *Sealer) resume(ctx context.Context, plan *sealPlan, kept []byte) ([]byte, Level) {
	if len(kept) == 0 || !bytes.HasPrefix(kept, plan.file) {
		return nil, ""
	}
	found, err := examine(ctx, kept, s.trust())
	sum := sha256.Sum256(s.cert.Raw)
	if err != nil || !found.report.Valid || found.report.Certificate != hex.EncodeToString(sum[:]) || plan.unchanged(kept, found.sealed) != nil {
		return nil, ""
	}
	return bytes.Clone(kept), found.report.Level
}

// finish takes the steps from reached to the sealer's level.
func (s *Sealer) finish(ctx context.Context, plan *sealPlan, document []byte, reached Level, j Journal) ([]byte, error) {
	for _, level := range levels {
		if reached.Includes(level) || !s.config.Level.Includes(level) {
			continue
		}
		next, err := s.step(ctx, plan, document, level)
		if err != nil {
			if j != nil && document != nil && !errors.Is(err, ErrUnsound) && !errors.Is(err, errStampRevoked) {
				keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepWithin)
				defer cancel()
				if kept := j.Keep(keep, steps[reached], document); kept != nil {
					err = errors.Join(err, fmt.Errorf("keep what is done: %w", kept))
				}
			}
			return nil, err
		}
		document, reached = next, level
	}
	if err := s.prove(ctx, plan, document); err != nil {
		return nil, err
	}
	return document, nil
}

// step brings the document to level from the one below. It takes the document over: what it gives may be the same bytes
// with more behind them. When it fails, document is as it was.
func (s *Sealer) step(ctx context.Context, plan *sealPlan, document []byte, level Level) ([]byte, error) {
	switch level {
	case BB:
		now := s.config.Now()
		if err := s.checkValidity(now); err != nil {
			return nil, err
		}
		return s.sign(ctx, plan, now)
	case BT:
		return s.addTimeStamp(ctx, document)
	case BLT:
		return s.addEvidence(ctx, document)
	default:
		return s.addStamp(ctx, document)
	}
}

// opened is a document of ours in the making, with its signature.
type opened struct {
	*document
	field *sealField
	cms   *signedData
}

func open(file []byte, seen *verified) (*opened, error) {
	d, err := readDocument(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsound, err)
	}
	_, field, err := d.sealedPart()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsound, err)
	}
	return openField(d, field, seen)
}

func openField(d *document, field *sealField, seen *verified) (*opened, error) {
	der, err := field.contents()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsound, err)
	}
	cms, err := parseSignedData(der, seen)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsound, err)
	}
	return &opened{d, field, cms}, nil
}

// addTimeStamp stamps the signature value and writes the token into the space of the signature, which is not covered by
// it. At B-LT and above an authority whose certificates cannot be proven good is passed over.
func (s *Sealer) addTimeStamp(ctx context.Context, file []byte) ([]byte, error) {
	d, err := open(file, s.seen)
	if err != nil {
		return nil, err
	}
	var vet func(context.Context, *stamp) error
	if s.config.Level.Includes(BLT) {
		vet = func(ctx context.Context, st *stamp) error {
			_, err := s.revoked.collect(ctx, st.chain, false)
			return err
		}
	}
	sum := sha256.Sum256(d.cms.signature)
	st, err := s.stamper.stamp(ctx, sum[:], vet)
	if err != nil {
		return nil, err
	}
	der, err := d.cms.withUnsigned(oidSignatureTimeStamp, st.der)
	if err != nil {
		return nil, err
	}
	if err := fill(file[d.field.hole.start:d.field.hole.end], der); err != nil {
		return nil, err
	}
	return file, nil
}

// fill writes der into the value of a /Contents, brackets included, and zeros behind it.
func fill(hole, der []byte) error {
	digits := hole[1 : len(hole)-1]
	if hex.EncodedLen(len(der)) > len(digits) {
		return fmt.Errorf("%w: the value needs %d bytes, %d are reserved", ErrUnsound, len(der), len(digits)/2)
	}
	for i := hex.Encode(digits, der); i < len(digits); i++ {
		digits[i] = '0'
	}
	return nil
}

// addEvidence collects proof about every certificate of the seal and of its time-stamp and writes it behind the document.
func (s *Sealer) addEvidence(ctx context.Context, file []byte) ([]byte, error) {
	d, err := open(file, s.seen)
	if err != nil {
		return nil, err
	}
	der, err := single(d.cms.unsigned, oidSignatureTimeStamp)
	var t *token
	if err == nil {
		t, err = parseToken(der, s.seen)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsound, err)
	}
	stampChain, err := s.trust().stampChain(t, s.config.Now())
	if err != nil {
		return nil, fmt.Errorf("%w: the time-stamp is not trusted any more: %w", errStampRevoked, err)
	}
	sealChain, err := s.seen.chain(s.cert, d.cms.certificates, s.config.Roots, t.time, x509.ExtKeyUsageAny)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsound, err)
	}
	// The seal's own proof is asked now, after the time-stamp: only so does it speak of a time when the seal existed.
	proofs, err := s.revoked.collect(ctx, sealChain, true)
	if errors.Is(err, errRevoked) {
		err = fmt.Errorf("%w: %w", ErrCertificateRevoked, err)
	}
	if err != nil {
		return nil, err
	}
	var more evidence
	more.add(&evidence{}, sealChain, proofs)
	if proofs, err = s.revoked.collect(ctx, stampChain, false); errors.Is(err, errRevoked) {
		err = fmt.Errorf("%w: %w", errStampRevoked, err)
	}
	if err != nil {
		return nil, err
	}
	more.add(&evidence{}, stampChain, proofs)
	tail, err := d.withEvidence(&more)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsound, err)
	}
	return append(file, tail...), nil
}

func digestOf(parts ...[]byte) []byte {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}
