package press_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"segell/acts"
	"segell/ledger"
	"segell/pki"
	"segell/signing"
	"segell/upkeep"
	"segell/worker"
)

// countingKey counts the operations of a key.
type countingKey struct {
	signing.Key
	signed, closed atomic.Int64
}

func (k *countingKey) Sign(ctx context.Context, message []byte, hash crypto.Hash) ([]byte, error) {
	k.signed.Add(1)
	return k.Key.Sign(ctx, message, hash)
}

func (k *countingKey) Close() error { k.closed.Add(1); return k.Key.Close() }

// archiving gives sealers at B-LTA with a key of a leaf; its count begins after the
// trial of the key.
func (h *house) archiving(leaf *pki.Leaf) (worker.SealSet, *countingKey) {
	h.t.Helper()
	p12, err := leaf.PKCS12("x")
	if err != nil {
		h.t.Fatal(err)
	}
	opened, err := signing.OpenPKCS12(p12, "x")
	if err != nil {
		h.t.Fatal(err)
	}
	key := &countingKey{Key: opened}
	s, err := signing.NewSealer(signing.Config{Key: key, Roots: h.pki.Roots(), Level: signing.BLTA, Now: time.Now,
		TSAs: h.tsas(), Revocation: signing.Revocation{Hosts: []string{h.pki.Host()}}})
	if err != nil {
		h.t.Fatal(err)
	}
	key.signed.Store(0)
	return worker.SealSet{Default: s, Close: key.Close}, key
}

func (h *house) tsas() []signing.TSA {
	return []signing.TSA{{URL: h.pki.TSAURL(), Roots: h.pki.Roots(), Timeout: 2 * time.Second}}
}

func (h *house) trust() signing.Trust {
	return signing.Trust{Roots: h.pki.Roots(), TSARoots: h.pki.Roots()}
}

// measured counts the documents by the certificate that sealed them; each must be
// valid, at B-LTA, and as its record says.
func (h *house) measured(ids []string) map[string]int {
	h.t.Helper()
	by := map[string]int{}
	for _, id := range ids {
		record, err := h.press.Ledger.Record(h.t.Context(), id)
		if err != nil {
			h.t.Fatal(err)
		}
		stored, err := h.press.Ledger.Stored(h.t.Context(), id)
		if err != nil {
			h.t.Fatal(err)
		}
		report, err := signing.Inspect(h.t.Context(), stored.PDF, h.trust())
		if err != nil || !report.Valid || report.Level != signing.BLTA || record.Level != "B-LTA" || record.Certificate != report.Certificate {
			h.t.Errorf("%s: level %s (%v, %v), the record says %s", id, report.Level, report.Err(), err, record.Level)
		}
		by[record.Certificate]++
	}
	return by
}

func fingerprint(leaf *pki.Leaf) string {
	sum := sha256.Sum256(leaf.Certificate.Raw)
	return hex.EncodeToString(sum[:])
}

// The time-stamping authority is away for a while under load, and the workers
// change meanwhile: jobs wait, then finish at the full level; none is lost, none
// is lower, and the key was used once for each document.
func TestNoTimeStampsForAWhileUnderLoad(t *testing.T) {
	h := newHouse(t)
	set, key := h.archiving(h.pki.Seal())
	h.parts.Sealers = worker.NewSeals(set, h.parts.Log)
	stop := h.work()
	ids := h.post(10)
	h.pki.Misbehave(pki.ServerError)
	ids = append(ids, h.post(25)...)
	waitUntil(t, "signatures to wait for their time-stamps", func() bool { return count(t, h.bucket, "work/") >= 3 })
	stop()
	stop = h.work() // another process, which knows nothing of the one before
	ids = append(ids, h.post(5)...)
	h.pki.Misbehave(pki.Hang) // as a firewall does it
	time.Sleep(time.Second)
	if done := count(t, h.bucket, "records/"); done >= len(ids) {
		t.Fatal("everything was issued during the outage: the test sees nothing")
	}
	h.pki.Misbehave(pki.Behave)
	h.issued(ids, time.Minute)
	h.sound(ids)
	h.measured(ids)
	if n := key.signed.Load(); n != int64(len(ids)) {
		t.Errorf("%d operations of the key for %d documents", n, len(ids))
	}
	waitUntil(t, "the unfinished work to be gone", func() bool { return count(t, h.bucket, "work/") == 0 })
	stop()
}

// A new key and certificate under load, without a stop.
func TestANewCertificateUnderLoad(t *testing.T) {
	h := newHouse(t)
	first, old := h.archiving(h.pki.Seal())
	leaf, err := h.pki.Issue(pki.LeafOptions{})
	if err != nil {
		t.Fatal(err)
	}
	second, next := h.archiving(leaf)
	seals := worker.NewSeals(first, h.parts.Log)
	h.parts.Sealers = seals
	stop := h.work()
	ids := h.post(24)
	waitUntil(t, "some to be sealed", func() bool { return old.signed.Load() >= 6 })
	seals.Use(second)
	ids = append(ids, h.post(16)...)
	h.issued(ids, time.Minute)
	h.sound(ids)
	by := h.measured(ids)
	if by[fingerprint(h.pki.Seal())] < 6 || by[fingerprint(leaf)] < 16 || len(by) != 2 {
		t.Errorf("sealed by certificate: %v", by)
	}
	if old.signed.Load()+next.signed.Load() != int64(len(ids)) || old.closed.Load() != 1 || next.closed.Load() != 0 {
		t.Errorf("operations %d and %d, closed %d and %d times", old.signed.Load(), next.signed.Load(), old.closed.Load(), next.closed.Load())
	}
	stop()
}

// The worker's process renews by itself; the portal, whoever verifies and whoever
// downloads see the renewed document, and copies from before are still known.
func TestDocumentsAreRenewedByThemselves(t *testing.T) {
	h := newHouse(t)
	aging, err := pki.New(t.TempDir(), pki.Options{TSALife: 30 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { aging.Close() })
	h.pki = aging
	set, _ := h.archiving(h.pki.Seal())
	h.parts.Sealers = worker.NewSeals(set, h.parts.Log)
	h.work()
	ids := h.post(3)
	h.issued(ids, time.Minute)
	h.sound(ids)
	before, err := h.press.Ledger.Record(t.Context(), ids[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := h.pki.RenewTSA(); err != nil {
		t.Fatal(err)
	}
	renewer, err := signing.NewRenewer(signing.RenewerConfig{Trust: h.trust(), TSAs: h.tsas(), Revocation: signing.Revocation{Hosts: []string{h.pki.Host()}}})
	if err != nil {
		t.Fatal(err)
	}
	h.parts.Archivist, h.parts.UpkeepEvery = func() upkeep.Archivist { return renewer }, time.Second
	keeper := h.open()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); keeper.Upkeep()(ctx) }()
	var record ledger.Record
	for _, id := range ids {
		waitUntil(t, "a renewal", func() bool {
			record, err = h.press.Ledger.Record(t.Context(), id)
			return err == nil && len(record.Versions) == 2 && !record.Unsettled()
		})
	}
	stop()
	<-ended
	h.measured(ids)
	if record, err = h.press.Ledger.Record(t.Context(), ids[0]); err != nil || !record.Versions[1].ProofEnd.Equal(h.pki.TSA().NotAfter) {
		t.Errorf("versions %+v, %v", record.Versions, err)
	}
	if !record.Holds(before.Versions[0].SHA256) {
		t.Error("a copy from before is not known any more")
	}
	_, _, state, err := h.ask("GET", "/v1/requests/"+ids[0], nil)
	if err != nil || !strings.Contains(string(state), record.Versions[1].SHA256) {
		t.Errorf("the portal is told %s, %v", state, err)
	}
}

// A revoked seal certificate ends sealing at once, and says what staff need to
// know in their language; with a new certificate what failed is tried again.
func TestARevokedCertificateIsForStaff(t *testing.T) {
	h := newHouse(t)
	revoked, err := h.pki.Issue(pki.LeafOptions{})
	if err != nil {
		t.Fatal(err)
	}
	set, key := h.archiving(revoked)
	if err := h.pki.Revoke(revoked.Certificate); err != nil {
		t.Fatal(err)
	}
	good := h.parts.Sealers
	h.parts.Sealers = worker.NewSeals(set, h.parts.Log)
	stop := h.work()
	ids := h.post(3)
	waitUntil(t, "the requests to fail", func() bool { return count(t, h.bucket, "failures/") == len(ids) })
	stop()
	for failure, err := range h.press.Ledger.Failures(t.Context()) {
		if err != nil || failure.Cause != "seal_certificate_revoked" || len(failure.Tries) != 1 {
			t.Errorf("failure %+v, %v: want one try and the cause seal_certificate_revoked", failure, err)
		}
		row := ledger.CauseOf(failure.Cause)
		if row.Nature != ledger.Permanent || !strings.Contains(row.Wording("ca").What, "revocat") || row.Wording("ca").Do == "" {
			t.Errorf("staff read %+v", row.Wording("ca"))
		}
	}
	if n := count(t, h.bucket, "documents/"); n != 0 {
		t.Errorf("%d documents were sealed with a revoked certificate", n)
	}
	if n := key.signed.Load(); n > int64(len(ids)) {
		t.Errorf("%d operations of a revoked key for %d requests", n, len(ids))
	}
	h.parts.Sealers = good
	h.work()
	for _, id := range ids {
		if err := h.acts().Retry(t.Context(), clerk, id, acts.WhereItStopped, "a new certificate is installed"); err != nil {
			t.Error(err)
		}
	}
	h.issued(ids, time.Minute)
	h.sound(ids)
}
