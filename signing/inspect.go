package signing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// What inspection cannot report on.
var (
	// ErrNotPDF: the file is no PDF.
	ErrNotPDF = errors.New("the file is not a PDF")
	// ErrUnsealed: the file is a PDF that nobody sealed.
	ErrUnsealed = errors.New("the PDF carries no seal")
	// ErrTooLarge: the file has more than MaxSize bytes.
	ErrTooLarge = fmt.Errorf("the file is larger than %d MB", MaxSize>>20)
)

// Trust says what inspection believes. The operating system's roots are never used.
type Trust struct {
	Roots    *x509.CertPool   // of seal certificates; needed
	TSARoots *x509.CertPool   // of time-stamping authorities; a time-stamp without them is not trusted
	Now      func() time.Time // time.Now when nil

	tsaRoots []*x509.CertPool // as TSARoots, each by itself
	seen     *verified        // nil: everything is verified here and now
}

// stampChain gives the chain of a time-stamp's signer, judged at the time stamped and at another.
func (t Trust) stampChain(tok *token, at time.Time) (chain []*x509.Certificate, err error) {
	chain, err = tok.trusted(t.TSARoots, at, t.seen)
	for _, roots := range t.tsaRoots {
		if err == nil {
			break
		}
		chain, err = tok.trusted(roots, at, t.seen)
	}
	return chain, err
}

// Report is what inspection found.
type Report struct {
	Valid bool `json:"valid"` // every check holds
	// Level is the highest level whose checks all hold; empty when the signature itself does not hold.
	Level Level `json:"level,omitempty"`

	// The rest is what the document says. It is proven only when Valid is true.

	Signer         string    `json:"signer,omitempty"`             // common name of the seal certificate
	Organization   string    `json:"organization,omitempty"`       // its organization
	Certificate    string    `json:"certificate_sha256,omitempty"` // its SHA-256, hexadecimal
	CertificateEnd time.Time `json:"certificate_end,omitzero"`
	SignedAt       time.Time `json:"signed_at,omitzero"`  // as the sealing machine claims (/M)
	StampedAt      time.Time `json:"stamped_at,omitzero"` // as a time-stamping authority proves
	StampedBy      string    `json:"stamped_by,omitempty"`
	ArchivedAt     time.Time `json:"archived_at,omitzero"` // the last document time-stamp
	ArchivedBy     string    `json:"archived_by,omitempty"`
	// ProofEnd is when the first certificate ends that the outermost proof stands on: of the last document time-stamp, of
	// the time-stamp, or of the seal. Afterwards nothing is proven unless a document time-stamp was added before.
	ProofEnd time.Time `json:"proof_end,omitzero"`

	Checks []Check  `json:"checks"` // in the order made; after one that fails, those that build on it are left out
	Notes  []string `json:"notes,omitempty"`
}

// Check is one thing that was looked at.
type Check struct {
	Name   string `json:"name"` // one of the Check… constants
	OK     bool   `json:"ok"`
	Detail string `json:"detail"` // a sentence for people
}

// The names of the checks, for machines.
const (
	CheckStructure        = "structure"
	CheckField            = "field"
	CheckCoverage         = "coverage"
	CheckEncoding         = "encoding"
	CheckDigest           = "digest"
	CheckSignature        = "signature"
	CheckCertificate      = "signing_certificate"
	CheckTimestamp        = "timestamp"
	CheckTimestampTrusted = "timestamp_trust"
	CheckClaimedTime      = "claimed_time"
	CheckTrusted          = "trust"
	CheckArchive          = "archive_timestamp"
	CheckArchiveTrusted   = "archive_timestamp_trust"
	CheckRevocation       = "revocation"
)

// Err gives the checks that failed as an error; nil when the document is valid.
func (r Report) Err() error {
	if r.Valid {
		return nil
	}
	var faults []string
	for _, c := range r.Checks {
		if !c.OK {
			faults = append(faults, c.Name+": "+c.Detail)
		}
	}
	return errors.New(strings.Join(faults, "; "))
}

// Inspect judges a sealed PDF by its bytes alone, without the network. It reads strictly the form that Segell writes, so
// a document sealed by others may fail although their seal is good. Any file is safe to give: time and memory are
// bounded by its size.
//
// The error is ErrNotPDF, ErrUnsealed, ErrTooLarge, a nil Roots, or the context's; whatever else is wrong with the file
// is in the report. A certificate is judged at the time the time-stamp proves, or now when there is none; the
// time-stamping authority's is judged both then and at the time of the document time-stamp over it, or now when there is
// none. Revocation is judged by the evidence inside, from B-LT on.
func Inspect(ctx context.Context, pdf []byte, t Trust) (Report, error) {
	i, err := examine(ctx, pdf, t)
	if err != nil {
		return Report{}, err
	}
	return i.report, nil
}

func examine(ctx context.Context, pdf []byte, t Trust) (*inspection, error) {
	if t.Roots == nil {
		return nil, errors.New("inspect: no root is configured to trust")
	}
	if t.Now == nil {
		t.Now = time.Now
	}
	if len(pdf) > MaxSize {
		return nil, fmt.Errorf("inspect: %w", ErrTooLarge)
	}
	i := &inspection{trust: t, now: t.Now(), pdf: pdf}
	if err := i.run(ctx); err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	return i, nil
}

type inspection struct {
	trust  Trust
	now    time.Time
	pdf    []byte
	sealed *document // the file as it was when it was sealed; nil when that cannot be told
	report Report
}

// check notes a check: good when err is nil.
func (i *inspection) check(name string, err error, good string) bool {
	c := Check{Name: name, OK: err == nil, Detail: good}
	if err != nil {
		c.Detail = sentence(err.Error())
	}
	i.report.Checks = append(i.report.Checks, c)
	return c.OK
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(printable(s[1:]), ".") + "."
}

// printable takes control characters out of what a foreign file says of itself: it ends up on terminals.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// run makes the checks. Each needs those before it, so the first failure of the signature ends it.
func (i *inspection) run(ctx context.Context) error {
	d, err := readDocument(i.pdf)
	if errors.Is(err, ErrNotPDF) {
		return err
	}
	if !i.check(CheckStructure, err, "The file is a whole PDF whose cross-reference can be read to its end.") {
		return nil
	}
	sealed, field, err := d.sealedPart()
	if errors.Is(err, ErrUnsealed) {
		return err
	}
	if !i.check(CheckField, err, "The document has one signature, of the kind ETSI.CAdES.detached, listed in the form and on its page.") {
		return nil
	}
	i.sealed, i.report.SignedAt = sealed, field.claimed
	var later *layers
	if err = field.coverage(len(sealed.file)); err == nil {
		later, err = d.readLayers(ctx, sealed)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	good := "The seal covers every byte of the file but its own value; nothing was added after it."
	if later != nil && later.evidence.present {
		good = "The seal covers every byte that was there but its own value; nothing was added after it but evidence and time-stamps."
	}
	if !i.check(CheckCoverage, err, good) {
		return nil
	}
	der, err := field.contents()
	var cms *signedData
	if err == nil {
		cms, err = parseSignedData(der, i.trust.seen)
	}
	if err == nil {
		err = checkBaseline(cms)
	}
	if !i.check(CheckEncoding, err, "The signature has the form that PAdES baseline prescribes.") {
		return nil
	}
	i.report.Signer = printable(cms.certificate.Subject.CommonName)
	i.report.Organization = printable(strings.Join(cms.certificate.Subject.Organization, ", "))
	sum := sha256.Sum256(cms.certificate.Raw)
	i.report.Certificate = hex.EncodeToString(sum[:])
	i.report.CertificateEnd = cms.certificate.NotAfter.UTC()
	if err := ctx.Err(); err != nil {
		return err
	}

	h := cms.digest.New()
	h.Write(i.pdf[:field.hole.start])
	h.Write(sealed.file[field.hole.end:])
	if !i.check(CheckDigest, cms.checkDigest(h.Sum(nil)), "The document's bytes are those that were sealed.") {
		return nil
	}
	if !i.check(CheckSignature, cms.checkSignature(i.trust.seen), "The signature was made with the key of the certificate inside.") {
		return nil
	}
	if !i.check(CheckCertificate, cms.checkSigningCertificate(false), "The signature itself names that certificate.") {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}

	tokens, chains, archiveOK := i.inspectArchive(later)
	judged := i.now
	if len(tokens) > 0 {
		judged = tokens[0].time
	}
	stampChain, stamped, stampOK := i.inspectTimestamp(cms, judged)
	claimedOK := i.checkClaimed(cms.certificate)
	at, proof := i.now, "now, for the document has no time-stamp that proves an earlier time"
	if stamped && stampOK {
		at, proof = i.report.StampedAt, "at the time stamped"
	}
	err = checkSealUsage(cms.certificate)
	var chain []*x509.Certificate
	if err == nil {
		chain, err = i.trust.seen.chain(cms.certificate, cms.certificates, i.trust.Roots, at, x509.ExtKeyUsageAny)
	}
	trusted := i.check(CheckTrusted, err, "The certificate leads to a root that is trusted and was valid "+proof+".")

	i.report.Valid = claimedOK && trusted && (!stamped || stampOK) && archiveOK
	if claimedOK && trusted {
		i.report.Level = BB
		if stamped && stampOK {
			i.report.Level = BT
		}
	}
	if !later.evidence.present {
		i.report.Notes = append(i.report.Notes, "Whether the certificate was revoked is not judged at this level.")
	} else if i.report.Level == BT && archiveOK {
		err := i.checkEvidence(later, chain, stampChain, i.report.StampedAt, tokens, chains)
		if i.check(CheckRevocation, err, "The evidence inside proves that no certificate had been revoked.") {
			i.report.Level = BLT
			if len(tokens) > 0 {
				i.report.Level = BLTA
			}
		} else {
			i.report.Valid = false
		}
	} else {
		i.report.Valid = i.check(CheckRevocation, errors.New("evidence without a time-stamp that holds proves nothing"), "")
	}
	switch outer := append([][]*x509.Certificate{chain, stampChain}, chains...); i.report.Level {
	case BLTA:
		i.report.ProofEnd = earliestEnd(outer[len(outer)-1])
	case BLT, BT:
		i.report.ProofEnd = earliestEnd(stampChain)
	case BB:
		i.report.ProofEnd = earliestEnd(chain)
	}
	if !i.report.Valid {
		i.report.ProofEnd = time.Time{}
	}
	return nil
}

// earliestEnd is when the first certificate of a chain ends.
func earliestEnd(chain []*x509.Certificate) time.Time {
	end := chain[0].NotAfter
	for _, c := range chain {
		if c.NotAfter.Before(end) {
			end = c.NotAfter
		}
	}
	return end.UTC()
}

// inspectTimestamp checks the signature time-stamp, if there is one, and that its authority is trusted at the time judged.
func (i *inspection) inspectTimestamp(cms *signedData, judged time.Time) (chain []*x509.Certificate, present, ok bool) {
	der, err := single(cms.unsigned, oidSignatureTimeStamp)
	if der == nil && err == nil {
		return nil, false, false
	}
	var t *token
	if err == nil {
		t, err = parseToken(der, i.trust.seen)
	}
	if err == nil {
		err = t.covers(cms.signature)
	}
	if !i.check(CheckTimestamp, err, "The time-stamp is over this very signature and was signed by its authority.") {
		return nil, true, false
	}
	i.report.StampedAt = t.time
	i.report.StampedBy = printable(t.data.certificate.Subject.CommonName)
	chain, err = i.trust.stampChain(t, judged)
	return chain, true, i.check(CheckTimestampTrusted, err, "The time-stamping authority leads to a root that is trusted.")
}

// checkClaimed: the time that the sealing machine claims lies in the life of the certificate, and before the proven time.
func (i *inspection) checkClaimed(cert *x509.Certificate) bool {
	var err error
	switch claimed := i.report.SignedAt; {
	case claimed.Before(cert.NotBefore.Truncate(time.Second)) || claimed.After(cert.NotAfter):
		err = errors.New("the time claimed by the sealing machine is outside the life of the certificate")
	case !i.report.StampedAt.IsZero() && claimed.After(i.report.StampedAt.Add(maxSkew)):
		err = errors.New("the time claimed by the sealing machine is after the time stamped")
	case claimed.After(i.now.Add(maxSkew)):
		err = errors.New("the time claimed by the sealing machine has not come yet")
	}
	return i.check(CheckClaimedTime, err, "The time that the sealing machine claims is possible.")
}

// checkBaseline: the attributes are those of PAdES baseline (ETSI EN 319 142-1, clause 6.3, table 1), detached, and the
// certificates inside are the signer's chain and nothing else.
func checkBaseline(cms *signedData) error {
	if !cms.contentType.Equal(oidData) || cms.content != nil {
		return cmsFault("not a detached signature over data")
	}
	for _, a := range cms.signedAttrs {
		switch {
		case a.oid.Equal(oidSigningTime):
			return cmsFault("a signing-time attribute, which PAdES forbids")
		case !a.oid.Equal(oidContentType) && !a.oid.Equal(oidMessageDigest) && !a.oid.Equal(oidSigningCertificateV2):
			return cmsFault("signed attribute %s is not one of ours", a.oid)
		}
	}
	for _, a := range cms.unsigned {
		if !a.oid.Equal(oidSignatureTimeStamp) {
			return cmsFault("unsigned attribute %s is not one of ours", a.oid)
		}
	}
	// Anyone can add certificates to a signature without breaking it, so each must have its place in the chain.
	if !cms.certificates[0].Equal(cms.certificate) {
		return cmsFault("the signer's certificate is not the first")
	}
	for n := 1; n < len(cms.certificates); n++ {
		if !bytes.Equal(cms.certificates[n-1].RawIssuer, cms.certificates[n].RawSubject) {
			return cmsFault("a certificate inside does not belong to the signer's chain")
		}
	}
	return nil
}

// sealField is the signature field of a document and its signature dictionary.
type sealField struct {
	file    []byte
	hole    value // the value of /Contents
	ranges  value // the value of /ByteRange
	claimed time.Time
}

// sealField finds the one signature. ErrUnsealed when there is none.
func (d *document) sealField() (*sealField, error) {
	catalog, err := d.catalog()
	if err != nil {
		return nil, err
	}
	form, err := d.resolve(catalog.get("AcroForm"))
	if err != nil {
		return nil, err
	}
	if form.kind == kindNull {
		return nil, ErrUnsealed
	}
	fields, err := d.resolve(form.get("Fields"))
	if err != nil {
		return nil, err
	}
	if form.kind != kindDictionary || fields.kind != kindArray {
		return nil, fmt.Errorf("%w: a broken form", errSyntax)
	}
	if len(fields.items) == 0 {
		return nil, ErrUnsealed
	}
	if len(fields.items) > 1 {
		return nil, errors.New("the form has more than one field")
	}
	field, err := d.dictionary(fields.items[0], "the signature field")
	if err != nil {
		return nil, err
	}
	if !field.get("FT").isName("Sig") {
		return nil, errors.New("the form's field is not a signature")
	}
	if field.get("V").kind == kindNull {
		return nil, ErrUnsealed
	}
	if field.get("Kids").kind != kindNull || !field.get("Subtype").isName("Widget") {
		return nil, errors.New("the signature field is not its own annotation")
	}
	if flags := form.get("SigFlags"); flags.kind != kindInteger || flags.number != 3 {
		return nil, errors.New("the form does not announce an append-only signature (/SigFlags 3)")
	}
	if flags := field.get("F"); flags.kind != kindInteger || flags.number != 132 {
		return nil, errors.New("the signature field is not printed and locked (/F 132)")
	}
	rect := field.get("Rect")
	if rect.kind != kindArray || len(rect.items) != 4 {
		return nil, errors.New("the signature field has no place (/Rect)")
	}
	for _, side := range rect.items {
		if n, ok := side.float(); !ok || n != 0 {
			return nil, errors.New("the signature field is visible")
		}
	}
	if err := d.checkListed(fields.items[0], field.get("P")); err != nil {
		return nil, err
	}

	sig, err := d.dictionary(field.get("V"), "the signature")
	if err != nil {
		return nil, err
	}
	if !sig.get("Type").isName("Sig") || !sig.get("Filter").isName("Adobe.PPKLite") || !sig.get("SubFilter").isName("ETSI.CAdES.detached") {
		return nil, errors.New("the signature is not of the kind ETSI.CAdES.detached")
	}
	s := &sealField{file: d.file, hole: sig.get("Contents"), ranges: sig.get("ByteRange")}
	if s.hole.kind != kindString || !s.hole.hex {
		return nil, errors.New("the signature has no value in hexadecimal (/Contents)")
	}
	if s.claimed, err = parseDate(sig.get("M")); err != nil {
		return nil, err
	}
	return s, nil
}

// checkListed: the page that the field names lists it among its annotations.
func (d *document) checkListed(field, pageRef value) error {
	page, err := d.dictionary(pageRef, "the page of the signature field")
	if err != nil {
		return err
	}
	annots, err := d.resolve(page.get("Annots"))
	if err != nil {
		return err
	}
	for _, a := range annots.items {
		if a.kind == kindReference && a.number == field.number && a.generation == field.generation {
			return nil
		}
	}
	return errors.New("the page does not list the signature field")
}

// parseDate reads a date of ISO 32000-1, 7.9.4, with seconds and offset, as PAdES readers expect it.
func parseDate(v value) (time.Time, error) {
	t, err := time.Parse("D:20060102150405-07'00'", v.text)
	if v.kind != kindString || err != nil {
		return time.Time{}, errors.New("the signature does not say when it was made (/M)")
	}
	return t.UTC(), nil
}

// coverage: the byte range is the whole file, as it was when it was sealed, but the value of /Contents. What came later is
// readLayers' matter.
func (s *sealField) coverage(size int) error {
	want := [4]int64{0, int64(s.hole.start), int64(s.hole.end), int64(size - s.hole.end)}
	if s.ranges.kind != kindArray || len(s.ranges.items) != 4 {
		return errors.New("the signature does not say which bytes it covers (/ByteRange)")
	}
	var got [4]int64
	for i, item := range s.ranges.items {
		if item.kind != kindInteger {
			return errors.New("the signature does not say which bytes it covers (/ByteRange)")
		}
		got[i] = item.number
	}
	switch {
	case got == want:
		return nil
	case got[0] != 0:
		return errors.New("the seal does not cover the beginning of the file")
	case got[1] != want[1] || got[2] != want[2]:
		return errors.New("what the seal leaves out is not exactly its own value")
	}
	return errAfterSeal
}

// contents gives the CMS signature: strict lower-case hexadecimal of one DER element, padded with zeros. Any other
// spelling of the same bytes is refused, so that no byte of the file can change unnoticed.
func (s *sealField) contents() ([]byte, error) {
	digits := s.file[s.hole.start+1 : s.hole.end-1]
	for _, c := range digits {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return nil, cmsFault("the value is not lower-case hexadecimal without spaces")
		}
	}
	if len(digits)%2 != 0 {
		return nil, cmsFault("half a byte at the end of the value")
	}
	padded := cryptobyte.String(s.hole.text)
	var der cryptobyte.String
	if !padded.ReadASN1Element(&der, cbasn1.SEQUENCE) {
		return nil, cmsFault("the value is no DER structure")
	}
	for _, c := range padded {
		if c != 0 {
			return nil, cmsFault("bytes after the signature")
		}
	}
	return der, nil
}
