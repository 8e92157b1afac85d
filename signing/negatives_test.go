package signing

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"segell/internal/judges"
	"segell/pki"
)

// negative is a document that must be refused, and what each judge must say of it.
type negative struct {
	pdf      []byte
	by       *pki.Authority
	ours     string // the check that fails
	dss      string
	pyHanko  string
	pdfsig   string // empty: pdfsig cannot know
	evidence bool   // carries evidence: judged without the network where the judge can
	stamped  bool
	expired  bool // pyHanko asks nobody about a certificate that has ended
}

// What can be wrong with a seal, before every judge: each must refuse, and for the right reason. Flipped bytes of a seal
// alone are in TestJudgesCatchAFlippedByte.
func TestNegativesBeforeEveryJudge(t *testing.T) {
	for name, make := range map[string]func(*testing.T) negative{
		"a flipped byte of an archive":    flippedByteOfAnArchive,
		"a page replaced":                 pageReplaced,
		"a page of an archive replaced":   pageOfAnArchiveReplaced,
		"a zeroed signature":              zeroedSignature,
		"a time-stamp of another imprint": wrongImprint,
		"a revoked certificate":           revokedCertificate,
		"a revoked one, with evidence":    revokedWithEvidence,
		"an expired certificate":          expiredCertificate,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := make(t)
			if n.ours != "" {
				wantCaught(t, n.pdf, trustOf(n.by), n.ours)
			}
			file, root := write(t, n.pdf), n.by.RootPEM()
			judges.RefusedByDSS(t, file, root, judges.Options{Offline: n.evidence}, n.dss)
			judges.RefusedByPyHanko(t, file, root, judges.Options{Stamped: n.stamped, Extended: n.evidence, Offline: n.expired}, n.pyHanko)
			if n.pdfsig != "" {
				judges.RefusedByPDFSig(t, file, root, n.pdfsig)
			}
		})
	}
}

func flippedByteOfAnArchive(t *testing.T) negative {
	a := sharedPKI(t, pki.P256)
	sealed := seal(t, a, BLTA, minimalPDF(1, 100))
	return negative{pdf: flipped(sealed, bytes.Index(sealed, []byte("sense valor, page")), 0x20), by: a, evidence: true, stamped: true,
		ours: CheckDigest, dss: "HASH_FAILURE", pyHanko: "INVALID", pdfsig: "Digest Mismatch"}
}

// anotherPage is a revision that shows another page in place of the one that was sealed.
func anotherPage(t *testing.T, sealed []byte) []byte {
	content := "BT /F1 12 Tf 72 720 Td (PROVA - sense valor, another page) Tj ET"
	forged := withRevision(t, sealed, map[int]string{6: fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(content), content)})
	judges.QPDF(t, write(t, forged)) // the forgery is a sound PDF
	return forged
}

func pageReplaced(t *testing.T) negative {
	a := sharedPKI(t, pki.P256)
	return negative{pdf: anotherPage(t, seal(t, a, BB, minimalPDF(1, 0))), by: a,
		ours: CheckCoverage, dss: "undefined changes", pyHanko: "ILLEGAL_MODIFICATIONS", pdfsig: "Not total document signed"}
}

// pdfsig says of every archive that not the total document is signed: it cannot tell evidence from a forgery.
func pageOfAnArchiveReplaced(t *testing.T) negative {
	a := sharedPKI(t, pki.P256)
	return negative{pdf: anotherPage(t, seal(t, a, BLTA, minimalPDF(1, 0))), by: a, evidence: true, stamped: true,
		ours: CheckCoverage, dss: "undefined changes", pyHanko: "ILLEGAL_MODIFICATIONS"}
}

func zeroedSignature(t *testing.T) negative {
	a := sharedPKI(t, pki.P256)
	forged := seal(t, a, BB, minimalPDF(1, 0))
	hole, _ := holeOf(t, forged)
	for i := hole.start + 1; i < hole.end-1; i++ {
		forged[i] = '0'
	}
	return negative{pdf: forged, by: a,
		ours: CheckEncoding, dss: "0 signatures", pyHanko: "processing error", pdfsig: "couldn't be parsed as a CMS signature"}
}

// A good time-stamp of another document has the wrong imprint for this one.
func wrongImprint(t *testing.T) negative {
	a := sharedPKI(t, pki.P256)
	sealed := seal(t, a, BT, minimalPDF(1, 0))
	other := seal(t, a, BT, minimalPDF(1, 10))
	if r := inspect(t, withStamp(t, sealed, stampOf(t, sealed)), trustOf(a)); !r.Valid {
		t.Fatal("its own time-stamp put back:", r.Err())
	}
	forged := withStamp(t, sealed, stampOf(t, other))
	if r := inspect(t, forged, trustOf(a)); r.Level != BB {
		t.Errorf("level %q measured; the signature itself is B-B", r.Level)
	}
	return negative{pdf: forged, by: a, stamped: true,
		ours: CheckTimestamp, dss: "time-stamp: FAILED HASH_FAILURE", pyHanko: "TIMESTAMP_TOKEN<INVALID>"}
}

// Levels B-B and B-T carry no proof about revocation: Inspect says so, and whoever asks the authority finds out.
func revokedCertificate(t *testing.T) negative {
	a := ownAuthority(t, pki.Options{})
	leaf, err := a.Revoked(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	sealed := sealAt(t, a, leaf, time.Now())
	r := inspect(t, sealed, trustOf(a))
	if !r.Valid || len(r.Notes) == 0 || !strings.Contains(r.Notes[0], "revoked") {
		t.Errorf("valid %v, notes %q", r.Valid, r.Notes)
	}
	return negative{pdf: sealed, by: a, dss: "REVOKED", pyHanko: "REVOKED", pdfsig: "Certificate has been Revoked"}
}

// As a sealer would make it that does not read what it is told.
func revokedWithEvidence(t *testing.T) negative {
	a := ownAuthority(t, pki.Options{})
	leaf, err := a.Revoked(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	s := newSealer(t, configOf(t, a, leaf, BLT))
	plan, err := planSeal(minimalPDF(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	file, err := s.step(context.Background(), plan, nil, BB)
	if err != nil {
		t.Fatal(err)
	}
	if file, err = s.addTimeStamp(context.Background(), file); err != nil {
		t.Fatal(err)
	}
	all := evidenceOf(t, seal(t, a, BLT, minimalPDF(1, 0)))
	question, err := ocspRequest(leaf.Certificate, leaf.Chain[0])
	if err != nil {
		t.Fatal(err)
	}
	reply, err := s.revoked.fetch(context.Background(), http.MethodPost, leaf.Certificate.OCSPServer[0], question, "", maxOCSP)
	if err != nil {
		t.Fatal(err)
	}
	all.certs[0], all.ocsps[0] = leaf.Certificate.Raw, reply
	forged := withEvidence(t, file, all)
	if r := inspect(t, forged, trustOf(a)); !strings.Contains(r.Err().Error(), "was revoked") {
		t.Error(r.Err())
	}
	return negative{pdf: forged, by: a, evidence: true, stamped: true,
		ours: CheckRevocation, dss: "REVOKED", pyHanko: "REVOKED", pdfsig: "Certificate has been Revoked"}
}

func expiredCertificate(t *testing.T) negative {
	a := ownAuthority(t, pki.Options{Now: func() time.Time { return time.Now().Add(-72 * time.Hour) }})
	leaf, err := a.ShortLived(pki.P256, time.Now().Add(-24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	then := time.Now().Add(-48 * time.Hour)
	sealed := sealAt(t, a, leaf, then)
	if r := inspect(t, sealed, Trust{Roots: a.Roots(), Now: func() time.Time { return then }}); !r.Valid {
		t.Error("while the certificate was valid:", r.Err())
	}
	return negative{pdf: sealed, by: a, expired: true,
		ours: CheckTrusted, dss: "OUT_OF_BOUNDS", pyHanko: "UNTRUSTED", pdfsig: "Certificate has Expired"}
}
