package signing

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/digitorus/pdf"
	"github.com/digitorus/pdfsign/sign"
)

// This file adds the revision with the signature. pdfsign lays it out, with a placeholder for the signature; the key
// signs once, afterwards, what pdfsign has put together to be signed.
//
// pdfsign would keep four copies of the document besides, where one is needed, and look for its own marks in all of it. So
// it is given the document to look things up in, but nothing to copy: it lays the revision out as if it stood at the
// beginning of a file, and moveBehind puts it where it belongs. What comes of it is inspected like any document (prove), so a version of pdfsign
// that does otherwise is an error, never a broken document.

// The space reserved for the signature, beyond what pdfsign counts for the certificate and the signature value.
const (
	attributesReserve = 1 << 10  // bytes
	tokenReserve      = 16 << 10 // bytes: real tokens with their chains have 3 to 8 KB
)

// What later steps will most probably add. Memory is taken for it at once, so that they need not copy the document; where
// it is not enough, they do.
const (
	evidenceRoom = 48 << 10 // bytes
	stampRoom    = 40 << 10
)

func (s *Sealer) roomForLater() int {
	room := 0
	if s.config.Level.Includes(BLT) {
		room += evidenceRoom
	}
	if s.config.Level.Includes(BLTA) {
		room += stampRoom
	}
	return room
}

// sign adds the revision with the signature to the document.
func (s *Sealer) sign(ctx context.Context, plan *sealPlan, now time.Time) ([]byte, error) {
	r, err := s.layOut(ctx, plan, now)
	if err != nil {
		return nil, err
	}
	d, err := r.moveBehind(plan.file, s.roomForLater())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsound, err)
	}
	return s.signLaidOut(ctx, d)
}

// A placeholder stands for the key while pdfsign lays the revision out: pdfsign would hand over digests alone, and sign
// again whenever the space it reserved were too small.
type placeholder struct{ public crypto.PublicKey }

func (p placeholder) Public() crypto.PublicKey { return p.public }

func (p placeholder) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return []byte{0}, nil
}

// laidOut is a revision whose positions count from its own beginning.
type laidOut struct {
	tail   []byte
	xref   int      // where its cross-reference begins
	ranges [4]int64 // its /ByteRange
}

// layOut lets pdfsign write the revision with the signature dictionary, its field, the page that lists it, and the form.
func (s *Sealer) layOut(ctx context.Context, plan *sealPlan, now time.Time) (*laidOut, error) {
	reader, err := pdf.NewReader(bytes.NewReader(plan.file), int64(len(plan.file)))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnfit, err)
	}
	reserve := attributesReserve
	for _, issuer := range s.chain[1:] {
		reserve += len(issuer.Raw)
	}
	if s.config.Level.Includes(BT) {
		reserve += tokenReserve
	}
	c := &sign.SignContext{
		PDFReader:  reader,
		InputFile:  bytes.NewReader(nil),
		OutputFile: io.Discard, // what it made stays in its buffer
		SignData: sign.SignData{
			Signature: sign.SignDataSignature{
				CertType: sign.ApprovalSignature,
				Info: sign.SignDataSignatureInfo{
					Name: s.config.Name, Reason: s.config.Reason, Location: s.config.Location, ContactInfo: s.config.Contact,
					Date: now.UTC(),
				},
			},
			// Without the issuers, which come in with the signature: pdfsign would verify the chain for each document.
			Signer:          placeholder{s.cert.PublicKey},
			DigestAlgorithm: crypto.SHA256,
			Certificate:     s.cert,
			SubFilter:       sign.SubFilterETSICAdESDetached,
			Context:         ctx,
			PreSignCallback: func(c *sign.SignContext) error {
				c.InputFile = bytes.NewReader(plan.file) // it has copied its input by now, and reads the trailer later
				return c.UpdateObject(uint32(plan.page.number), plan.pageWith(nextObject(c)+1))
			},
		},
		SignatureMaxLengthBase: uint32(hex.EncodedLen(reserve)),
	}
	if err := c.SignPDF(); err != nil {
		return nil, err
	}
	r := &laidOut{tail: c.OutputBuffer.Buff.Bytes(), xref: int(c.NewXrefStart)}
	if copy(r.ranges[:], c.ByteRangeValues) != len(r.ranges) {
		return nil, fmt.Errorf("%w: pdfsign does not say what is to be signed", ErrUnsound)
	}
	return r, nil
}

// nextObject is the number that pdfsign gives to the next object it adds, the signature; the field comes after it. It
// counts from the highest number of the cross-reference and leaves one out.
func nextObject(c *sign.SignContext) int {
	highest := uint32(0)
	for _, e := range c.PDFReader.Xref() {
		ptr := e.Ptr()
		highest = max(highest, ptr.GetID())
	}
	return int(highest) + 2
}

// moveBehind gives the document with the revision behind it, and with room for more. Three things in a revision count from the beginning of the
// file: the entries of its cross-reference, where that begins, and what the signature covers.
func (r *laidOut) moveBehind(file []byte, room int) (*document, error) {
	body, ok := bytes.CutSuffix(r.tail, fmt.Appendf(nil, "%d\n%%%%EOF\n", r.xref))
	if !ok || r.xref > len(body) {
		return nil, errors.New("pdfsign's revision does not end as expected")
	}
	end := fmt.Appendf(nil, "%d\n%%%%EOF\n", len(file)+r.xref)
	out := make([]byte, 0, len(file)+len(body)+len(end)+room)
	out = append(append(append(out, file...), body...), end...)

	d, err := readDocument(out)
	if err != nil {
		return nil, err
	}
	for _, s := range d.revisions[0].sections {
		for n := range s.count {
			offset := out[s.at+n*entryLength:][:10]
			was, err := strconv.Atoi(string(offset))
			if err != nil {
				return nil, fmt.Errorf("pdfsign's cross-reference: %w", err)
			}
			copy(offset, fmt.Appendf(nil, "%010d", len(file)+was))
		}
	}

	was := fmt.Appendf(nil, "/ByteRange [%d %d %d %d]", r.ranges[0], r.ranges[1], r.ranges[2], r.ranges[3])
	at := len(file) + bytes.Index(body, was)
	stop := at + len(was)
	for stop < len(out) && out[stop] == ' ' { // pdfsign leaves room for longer numbers
		stop++
	}
	start, behind := int64(len(file))+r.ranges[1], int64(len(file))+r.ranges[2]
	now := fmt.Appendf(nil, "/ByteRange [0 %d %d %d]", start, behind, int64(len(out))-behind)
	if bytes.Count(body, was) != 1 || len(now) >= stop-at || r.ranges[0] != 0 {
		return nil, errors.New("pdfsign's /ByteRange is not where it is expected, or has no room")
	}
	for i := copy(out[at:stop], now); i < stop-at; i++ {
		out[at+i] = ' '
	}
	return d, nil
}

// signLaidOut signs: the digest of the document takes the place of the one that pdfsign put among what is signed, and
// the key's signature that of the placeholder's. The bytes of d are changed.
func (s *Sealer) signLaidOut(ctx context.Context, d *document) ([]byte, error) {
	file := d.file
	field, err := d.sealField()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsound, err)
	}
	o, err := openField(d, field, s.seen)
	if err != nil {
		return nil, err
	}
	if err := o.cms.setDigest(digestOf(file[:field.hole.start], file[field.hole.end:])); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsound, err)
	}
	signature, err := signVerified(ctx, s.config.Key, o.cms.signedAttrsDER, o.cms.digest, s.seen)
	if err != nil {
		return nil, err
	}
	der, err := o.cms.withSignature(signature, s.chain)
	if err != nil {
		return nil, err
	}
	if err := fill(file[field.hole.start:field.hole.end], der); err != nil {
		return nil, err
	}
	return file, nil
}

// setDigest puts another digest of the content among what is to be signed.
func (sd *signedData) setDigest(sum []byte) error {
	v, err := single(sd.signedAttrs, oidMessageDigest)
	if err != nil {
		return err
	}
	if len(v) != 2+sha256.Size || len(sum) != sha256.Size {
		return cmsFault("no SHA-256 digest of the content")
	}
	was := bytes.Clone(v[2:])
	for _, part := range []*[]byte{&sd.signedAttrsDER, &sd.signerBody} {
		if bytes.Count(*part, was) != 1 {
			return cmsFault("the digest of the content is not there once")
		}
		*part = bytes.Replace(*part, was, sum, 1)
	}
	return nil
}
