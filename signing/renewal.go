package signing

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// archiver adds document time-stamps and the evidence that they need.
type archiver struct {
	stamper *stamper
	revoked *collector
	seen    *verified
}

// addStamp adds a document time-stamp over everything. Its authority must be one that the evidence speaks of; for
// another, evidence is added before, so that the document never holds a stamp that nothing proves. It takes file over.
func (a *archiver) addStamp(ctx context.Context, file []byte) ([]byte, error) {
	for range 1 + len(a.stamper.authorities) {
		d, err := readDocument(file)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnsound, err)
		}
		old, err := d.readDSS()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnsound, err)
		}
		shelf, err := readShelf(old.evidence)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnsound, err)
		}
		tail, start, end, err := d.withStamp(tokenReserve)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnsound, err)
		}
		var more evidence
		digest := digestOf(file, tail[:start-len(file)], tail[end-len(file):])
		st, err := a.stamper.stamp(ctx, digest, func(ctx context.Context, st *stamp) error {
			if shelf.complete(st.chain, st.token.time, st.token.time) == nil {
				return nil
			}
			proofs, err := a.revoked.collect(ctx, st.chain, false)
			if err != nil {
				return err
			}
			more.add(&old.evidence, st.chain, proofs)
			if more.empty() {
				return errors.New("the evidence about its certificates does not cover the time stamped")
			}
			return errMoreEvidence
		})
		if errors.Is(err, errMoreEvidence) {
			if tail, err = d.withEvidence(&more); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrUnsound, err)
			}
			file = append(file, tail...)
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := fill(tail[start-len(file):end-len(file)], st.der); err != nil {
			return nil, err
		}
		return append(file, tail...), nil
	}
	return nil, fmt.Errorf("%w: no authority stays with what is proven about it", ErrTSAUnavailable)
}

// What renewal reports besides what sealing does.
var (
	// ErrNotRenewable: the document does not hold any more, or is below B-LT. A time-stamp would prove nothing about it.
	ErrNotRenewable = errors.New("the document's proof does not hold")
	// ErrNoLater: a new time-stamp would not prove the document for longer than it is proven already. Try again when an
	// authority has a new certificate, or name another authority.
	ErrNoLater = errors.New("no time-stamping authority's certificates last longer than what the document has")
)

// RenewerConfig says how to renew. No key is needed: who sealed does not change.
type RenewerConfig struct {
	Trust      Trust // what the documents are inspected with; those of TSAs below are trusted too
	TSAs       []TSA // asked in this order
	Revocation Revocation
}

// Renewer adds document time-stamps to archived documents. It is safe for concurrent use.
type Renewer struct {
	archiver
	trust Trust
}

// NewRenewer checks the configuration and gives every fault at once. It asks nobody.
func NewRenewer(c RenewerConfig) (*Renewer, error) {
	if c.Trust.Now == nil {
		c.Trust.Now = time.Now
	}
	seen := newVerified(c.Trust.Now)
	stamper, err1 := newStamper(c.TSAs, c.Trust.Now, seen)
	collector, err2 := newCollector(c.Revocation, c.Trust.Now)
	faults := []error{err1, err2}
	if len(c.TSAs) == 0 {
		faults = append(faults, errors.New("TSAs: a time-stamping authority is needed"))
	}
	if c.Trust.Roots == nil {
		faults = append(faults, errors.New("Trust.Roots: the root to trust is needed"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("renewal: %w", err)
	}
	for _, t := range c.TSAs {
		c.Trust.tsaRoots = append(c.Trust.tsaRoots, t.Roots)
	}
	c.Trust.seen = seen
	return &Renewer{archiver{stamper, collector, seen}, c.Trust}, nil
}

// Inspect does as the function of this name, with what the renewer trusts.
func (r *Renewer) Inspect(ctx context.Context, pdf []byte) (Report, error) {
	return Inspect(ctx, pdf, r.trust)
}

// Renew adds evidence about the last time-stamp and a document time-stamp over everything, and gives the new document,
// which begins with the very bytes of pdf, and the report on it. A document at B-LT becomes one at B-LTA.
//
// Errors wrap ErrNotRenewable, ErrNoLater, ErrTSAUnavailable, ErrRevocationUnavailable, ErrCertificateRevoked (of the
// authority that made the last time-stamp: what it proved is lost unless its revocation says otherwise; staff must
// judge) or ErrUnsound, are those of Inspect, or are the context's.
func (r *Renewer) Renew(ctx context.Context, pdf []byte) ([]byte, Report, error) {
	fail := func(err error) ([]byte, Report, error) { return nil, Report{}, fmt.Errorf("renew: %w", err) }
	pdf = slices.Clip(pdf) // what may lie behind it is the caller's
	before, err := Inspect(ctx, pdf, r.trust)
	if err != nil {
		return fail(err)
	}
	if !before.Valid || !before.Level.Includes(BLT) {
		return fail(fmt.Errorf("%w: level %q: %w", ErrNotRenewable, before.Level, before.errOr("it carries no evidence")))
	}
	d, err := open(pdf, r.seen)
	if err != nil {
		return fail(err)
	}
	chain, err := r.lastChain(ctx, d)
	if err != nil {
		return fail(fmt.Errorf("%w: %w", ErrNotRenewable, err))
	}
	proofs, err := r.revoked.collect(ctx, chain, true)
	if errors.Is(err, errRevoked) {
		err = fmt.Errorf("%w: %w", ErrCertificateRevoked, err)
	}
	if err != nil {
		return fail(err)
	}
	old, err := d.readDSS()
	if err != nil {
		return fail(fmt.Errorf("%w: %w", ErrNotRenewable, err))
	}
	renewed := pdf
	var more evidence
	if more.add(&old.evidence, chain, proofs); !more.empty() {
		tail, err := d.withEvidence(&more)
		if err != nil {
			return fail(fmt.Errorf("%w: %w", ErrUnsound, err))
		}
		renewed = append(pdf, tail...)
	}
	if renewed, err = r.addStamp(ctx, renewed); err != nil {
		return fail(err)
	}

	after, err := Inspect(ctx, renewed, r.trust)
	switch {
	case ctx.Err() != nil:
		return fail(ctx.Err())
	case err != nil:
		return fail(fmt.Errorf("%w: %w", ErrUnsound, err))
	case !after.Valid || !after.Level.Includes(BLTA):
		return fail(fmt.Errorf("%w: level %q: %w", ErrUnsound, after.Level, after.errOr("it is not archived")))
	case !bytes.HasPrefix(renewed, pdf) || after.Certificate != before.Certificate || !after.SignedAt.Equal(before.SignedAt):
		return fail(fmt.Errorf("%w: what was there before changed", ErrUnsound))
	case !after.ProofEnd.After(before.ProofEnd):
		return fail(fmt.Errorf("%w: until %s", ErrNoLater, before.ProofEnd.Format(time.DateOnly)))
	}
	return renewed, after, nil
}

// errOr is Err, or why when every check holds.
func (r Report) errOr(why string) error {
	if err := r.Err(); err != nil {
		return err
	}
	return errors.New(why)
}

// lastChain gives the chain of the last time-stamp: of the document, or of the signature when there is none.
func (r *Renewer) lastChain(ctx context.Context, d *opened) ([]*x509.Certificate, error) {
	sealed, _, err := d.sealedPart()
	if err != nil {
		return nil, err
	}
	l, err := d.readLayers(ctx, sealed)
	if err != nil {
		return nil, err
	}
	var der []byte
	if n := len(l.stamps); n > 0 {
		der, err = l.stamps[n-1].field.contents()
	} else {
		der, err = single(d.cms.unsigned, oidSignatureTimeStamp)
	}
	if err != nil {
		return nil, err
	}
	t, err := parseToken(der, r.seen)
	if err != nil {
		return nil, err
	}
	return r.trust.stampChain(t, r.trust.Now())
}
