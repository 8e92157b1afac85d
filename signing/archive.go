package signing

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"hash"
	"time"
)

// sealedPart gives the document as it was when it was sealed: the oldest revision that has a seal, and those before it.
func (d *document) sealedPart() (*document, *sealField, error) {
	for n := len(d.revisions) - 1; n > 0; n-- {
		end := d.revisions[n].end
		if end == 0 || end > len(d.file) {
			continue
		}
		part, err := readDocument(d.file[:end:end])
		if err != nil {
			return nil, nil, err
		}
		field, err := part.sealField()
		if errors.Is(err, ErrUnsealed) {
			continue
		}
		return part, field, err
	}
	field, err := d.sealField()
	return d, field, err
}

// archiveStamp is a document time-stamp of a file: where it is, and what it covers.
type archiveStamp struct {
	field  *sealField
	digest []byte // SHA-256 of the file up to the end of its revision, but for its own value
	before counts // the evidence that it covers
}

// counts says how much of the evidence was there at some time: it only grows.
type counts struct{ certs, ocsps, crls int }

// layers are the revisions after the seal.
type layers struct {
	evidence *dss // after the last revision
	stamps   []archiveStamp
}

var errAfterSeal = errors.New("the file goes on after what the seal covers: something was added or taken away after sealing")

// readLayers follows the revisions behind sealed. Each must be evidence or a document time-stamp, byte for byte as
// Segell writes it, evidence first, and nothing after the last time-stamp.
func (d *document) readLayers(ctx context.Context, sealed *document) (*layers, error) {
	at := sealed
	l := &layers{}
	var err error
	if l.evidence, err = at.readDSS(); err != nil || l.evidence.present {
		return nil, errors.Join(errAfterSeal, err)
	}
	running := sha256.New() // of the file up to hashed
	hashed := 0
	grown := false // evidence came after the last time-stamp
	for len(at.file) < len(d.file) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		end := 0
		for _, rev := range d.revisions { // newest first
			if rev.end > len(at.file) {
				end = rev.end
			}
		}
		if end == 0 || end > len(d.file) {
			return nil, errAfterSeal
		}
		next, err := readDocument(d.file[:end:end])
		if err != nil {
			return nil, err
		}
		tail := d.file[len(at.file):end]
		evidence, err := next.readDSS()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errAfterSeal, err)
		}
		if more := evidence.since(l.evidence); more != nil {
			if more.size() > len(tail) { // many references to one stream: written out, it would fill the memory
				return nil, errAfterSeal
			}
			want, err := at.withEvidence(more)
			if err != nil || !bytes.Equal(want, tail) {
				return nil, errAfterSeal
			}
			l.evidence, grown = evidence, true
		} else {
			stamp, reserve, err := next.lastStamp()
			if err != nil {
				return nil, fmt.Errorf("%w: %w", errAfterSeal, err)
			}
			want, start, stop, err := at.withStamp(reserve)
			offset := len(at.file)
			if err != nil || len(want) != len(tail) || stamp.hole.start != start || stamp.hole.end != stop ||
				!bytes.Equal(want[:start+1-offset], tail[:start+1-offset]) || !bytes.Equal(want[stop-1-offset:], tail[stop-1-offset:]) {
				return nil, errAfterSeal
			}
			if !grown && len(l.stamps) == 0 {
				return nil, errors.New("a document time-stamp without evidence before it")
			}
			running.Write(d.file[hashed:start])
			own, err := running.(hash.Cloner).Clone()
			if err != nil {
				return nil, err
			}
			own.Write(d.file[stop:end])
			running.Write(d.file[start:end])
			hashed = end
			l.stamps = append(l.stamps, archiveStamp{stamp, own.Sum(nil), l.evidence.counts()})
			grown = false
		}
		at = next
	}
	if grown && len(l.stamps) > 0 {
		return nil, errors.New("evidence was added after the last document time-stamp")
	}
	return l, nil
}

func (e *dss) counts() counts { return counts{len(e.certs), len(e.ocsps), len(e.crls)} }

// since gives what e holds more than old, which it must continue; nil when it holds the same.
func (e *dss) since(old *dss) *evidence {
	if len(e.certs) < len(old.certs) || len(e.ocsps) < len(old.ocsps) || len(e.crls) < len(old.crls) {
		return nil
	}
	more := &evidence{e.certs[len(old.certs):], e.ocsps[len(old.ocsps):], e.crls[len(old.crls):]}
	if more.empty() {
		return nil
	}
	return more
}

// lastStamp finds the document time-stamp in the last field of the form, and how many bytes its value has.
func (d *document) lastStamp() (*sealField, int, error) {
	catalog, err := d.catalog()
	if err != nil {
		return nil, 0, err
	}
	fields := catalog.get("AcroForm").get("Fields")
	if fields.kind != kindArray || len(fields.items) == 0 {
		return nil, 0, errors.New("no field")
	}
	field, err := d.dictionary(fields.items[len(fields.items)-1], "the last field")
	if err != nil {
		return nil, 0, err
	}
	sig, err := d.dictionary(field.get("V"), "the last signature")
	if err != nil {
		return nil, 0, err
	}
	hole := sig.get("Contents")
	if !sig.get("Type").isName("DocTimeStamp") || hole.kind != kindString || !hole.hex || len(hole.text) > maxCMS {
		return nil, 0, errors.New("the last field is no document time-stamp")
	}
	return &sealField{file: d.file, hole: hole}, (hole.end - hole.start - 2) / 2, nil
}

// view is the evidence as it was at some time.
func (s *shelf) view(n counts) *shelf {
	return &shelf{
		certs: s.certs[:n.certs], ocsps: s.ocsps[:n.ocsps], crls: s.crls[:n.crls], raw: s.raw,
		usedCerts: s.usedCerts, usedOCSPs: s.usedOCSPs, usedCRLs: s.usedCRLs,
	}
}

// inspectArchive checks the document time-stamps from the last, which is judged now, to the first: each is judged at the
// time of the next. It gives their tokens and their chains; none when one does not hold.
func (i *inspection) inspectArchive(l *layers) (tokens []*token, chains [][]*x509.Certificate, ok bool) {
	if len(l.stamps) == 0 {
		return nil, nil, true
	}
	var err error
	for _, s := range l.stamps {
		var der []byte
		var t *token
		if der, err = s.field.contents(); err == nil {
			t, err = parseToken(der, i.trust.seen)
		}
		if err == nil {
			err = t.coversDigest(crypto.SHA256, s.digest)
		}
		if err == nil && len(tokens) > 0 && t.time.Before(tokens[len(tokens)-1].time.Add(-maxSkew)) {
			err = errors.New("a later document time-stamp shows an earlier time")
		}
		if err != nil {
			break
		}
		tokens = append(tokens, t)
	}
	if !i.check(CheckArchive, err, "Each document time-stamp is over all that was there before it and was signed by its authority.") {
		return nil, nil, false
	}
	chains = make([][]*x509.Certificate, len(tokens))
	for n := len(tokens) - 1; n >= 0 && err == nil; n-- {
		at := i.now
		if n+1 < len(tokens) {
			at = tokens[n+1].time
		}
		chains[n], err = i.trust.stampChain(tokens[n], at)
	}
	if !i.check(CheckArchiveTrusted, err, "The authorities of the document time-stamps lead to a root that is trusted.") {
		return nil, nil, false
	}
	last := tokens[len(tokens)-1]
	i.report.ArchivedAt = last.time
	i.report.ArchivedBy = printable(last.data.certificate.Subject.CommonName)
	return tokens, chains, true
}

// checkEvidence: there is proof that no certificate below a root was revoked when it mattered, and nothing else.
func (i *inspection) checkEvidence(l *layers, seal, stampChain []*x509.Certificate, stamped time.Time, tokens []*token, chains [][]*x509.Certificate) error {
	s, err := readShelf(l.evidence.evidence)
	if err != nil {
		return err
	}
	// What was known until the n-th document time-stamp.
	known := func(n int) (*shelf, time.Time) {
		if n < len(tokens) {
			return s.view(l.stamps[n].before), tokens[n].time
		}
		return s, i.now
	}
	view, until := known(0)
	if err := view.complete(seal, stamped, until); err != nil {
		return err
	}
	if err := view.complete(stampChain, stamped, until); err != nil {
		return err
	}
	for n, t := range tokens {
		view, until := known(n + 1)
		if err := view.complete(chains[n], t.time, until); err != nil {
			return err
		}
	}
	return s.unused()
}
