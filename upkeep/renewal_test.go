package upkeep_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"segell/ledger"
	"segell/pki"
	"segell/samples"
	"segell/signing"
	"segell/storage"
	"segell/storage/storagetest"
	"segell/templates"
	"segell/upkeep"
)

const day = 24 * time.Hour

// archive is a register with documents at B-LTA whose time-stamping authority has
// a certificate for a year.
type archive struct {
	*upkeep.Renewal
	t      testing.TB
	bucket *storagetest.Memory
	pki    *pki.Authority
	trust  signing.Trust
	log    *bytes.Buffer
	sealed map[signing.Level][]byte
	issued int
}

func newArchive(t testing.TB) *archive {
	t.Helper()
	a := &archive{t: t, bucket: &storagetest.Memory{}, log: &bytes.Buffer{}, sealed: map[signing.Level][]byte{}}
	var err error
	if a.pki, err = pki.New(t.TempDir(), pki.Options{TSALife: 365 * day}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.pki.Close() })
	a.trust = signing.Trust{Roots: a.pki.Roots(), TSARoots: a.pki.Roots()}
	tsas := []signing.TSA{{URL: a.pki.TSAURL(), Roots: a.pki.Roots()}}
	hosts := signing.Revocation{Hosts: []string{a.pki.Host()}}
	renewer, err := signing.NewRenewer(signing.RenewerConfig{Trust: a.trust, TSAs: tsas, Revocation: hosts})
	if err != nil {
		t.Fatal(err)
	}
	a.Renewal = &upkeep.Renewal{Ledger: ledgerOn(t, a.bucket), Archivist: func() upkeep.Archivist { return renewer }, Now: time.Now,
		Log: slog.New(slog.NewTextHandler(a.log, nil)), Within: 400 * day}

	p12, err := a.pki.Seal().PKCS12("x")
	if err != nil {
		t.Fatal(err)
	}
	key, err := signing.OpenPKCS12(p12, "x")
	if err != nil {
		t.Fatal(err)
	}
	for _, level := range []signing.Level{signing.BT, signing.BLTA} {
		sealer, err := signing.NewSealer(signing.Config{Key: key, Roots: a.pki.Roots(), Level: level, Now: time.Now, TSAs: tsas, Revocation: hosts})
		if err != nil {
			t.Fatal(err)
		}
		if a.sealed[level], err = sealer.Seal(t.Context(), onePage(t)); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// issue puts a document into the register as a worker does; measured says whether
// the record tells how long it is proven.
func (a *archive) issue(level signing.Level, measured bool) string {
	a.t.Helper()
	a.issued++
	body := []byte(`{"holder":{"full_name":"Canari Groc, Aloma"}}`)
	receipt, err := a.Ledger.Accept(a.t.Context(), ledger.Submission{Client: "portal", IdempotencyKey: rand.Text(), Kind: "coverage_certificate", Code: "COB",
		CASSNumber: "000000A", Queue: "batch", Body: body, At: time.Now().Add(time.Duration(a.issued) * time.Second)})
	if err != nil {
		a.t.Fatal(err)
	}
	request, err := a.Ledger.Request(a.t.Context(), receipt.ID)
	if err != nil {
		a.t.Fatal(err)
	}
	report := a.inspect(a.sealed[level])
	d := ledger.Document{Level: string(level), Pages: 1, Certificate: report.Certificate}
	if measured {
		d.ProofEnd = report.ProofEnd
	}
	if d, err = a.Ledger.Issue(a.t.Context(), request, a.sealed[level], d); err != nil {
		a.t.Fatal(err)
	}
	if err := a.Ledger.Finish(a.t.Context(), request, d, "ca", "", ledger.Mask("Canari Groc, Aloma", "000000A"), ledger.Making{}); err != nil {
		a.t.Fatal(err)
	}
	return receipt.ID
}

func (a *archive) inspect(pdf []byte) signing.Report {
	a.t.Helper()
	report, err := signing.Inspect(a.t.Context(), pdf, a.trust)
	if err != nil || !report.Valid {
		a.t.Fatal(report.Err(), err)
	}
	return report
}

func (a *archive) pass(dryRun bool) upkeep.RenewalReport {
	a.t.Helper()
	report, err := a.Pass(a.t.Context(), dryRun, nil)
	if err != nil || !report.Complete {
		a.t.Fatalf("%+v, %v\n%s", report, err, a.log)
	}
	return report
}

// proven checks that a document is sound in every place and proven until end.
func (a *archive) proven(id string, end time.Time) ledger.Record {
	a.t.Helper()
	record, err := a.Ledger.Record(a.t.Context(), id)
	if err != nil {
		a.t.Fatal(err)
	}
	stored, err := a.Ledger.Stored(a.t.Context(), id)
	if err != nil {
		a.t.Fatal(err)
	}
	current, _ := record.Current()
	report := a.inspect(stored.PDF)
	if !report.ProofEnd.Equal(end) || !current.ProofEnd.Equal(end) || !stored.ProofEnd.Equal(end) || current.SHA256 != stored.SHA256 || record.Unsettled() {
		a.t.Errorf("proven until %v; the record says %+v, the object %v; want %v", report.ProofEnd, record.Versions, stored.ProofEnd, end)
	}
	return record
}

// everything is what lies in the bucket.
func (a *archive) everything() map[string]string {
	all := map[string]string{}
	for info, err := range a.bucket.List(a.t.Context(), "", "") {
		if err != nil {
			a.t.Fatal(err)
		}
		all[info.Key] = info.ETag
	}
	return all
}

// onePage is a page as a worker renders it.
func onePage(t testing.TB) []byte {
	t.Helper()
	for s := range samples.All() {
		if s.Kind != "coverage_certificate" || s.Name != samples.Standard {
			continue
		}
		kind, _ := templates.Lookup(s.Kind)
		at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
		request, err := kind.Decode(s.Body, at)
		if err != nil {
			t.Fatal(err)
		}
		rendered, err := templates.Render(t.Context(), request, templates.Issue{Number: "CASS-2026-COB-0000001", CSV: "0000-0000",
			VerificationURL: "https://segell.example/v/0", IssuedAt: at, SealedBy: "Caixa Andorrana de Seguretat Social", Proof: true})
		if err != nil {
			t.Fatal(err)
		}
		return rendered.PDF
	}
	t.Fatal("there is no standard sample")
	return nil
}

func digest(pdf []byte) string {
	sum := sha256.Sum256(pdf)
	return hex.EncodeToString(sum[:])
}

// ledgerOn opens a ledger with keys of its own.
func ledgerOn(t testing.TB, bucket ledger.Objects) *ledger.Ledger {
	t.Helper()
	text, err := ledger.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	keyset, err := ledger.ReadKeyset(text)
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.New(ledger.Config{Objects: bucket, Keyset: keyset, HMACKey: make([]byte, ledger.HMACKeySize), Now: time.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// erase leaves of a document what an erasure leaves.
func (a *archive) erase(id string) {
	a.t.Helper()
	if _, err := a.bucket.Write(a.t.Context(), ledger.DocumentKey(id), nil, storage.Put{Metadata: map[string]string{"tombstone": "erased"}}); err != nil {
		a.t.Fatal(err)
	}
	for key := range a.everything() {
		if !strings.HasPrefix(key, "records/") || !strings.HasSuffix(key, id) {
			continue
		}
		object, err := a.bucket.Get(a.t.Context(), key)
		if err != nil {
			a.t.Fatal(err)
		}
		erased := bytes.Replace(object.Body, []byte(`"status":"issued"`), []byte(`"status":"erased"`), 1)
		if _, err := a.bucket.Write(a.t.Context(), key, erased, storage.Put{}); err != nil {
			a.t.Fatal(err)
		}
	}
}

func TestRenewalOfARegister(t *testing.T) {
	a := newArchive(t)
	plain, unmeasured := a.issue(signing.BLTA, true), a.issue(signing.BLTA, false)
	lower, withdrawn, erased := a.issue(signing.BT, true), a.issue(signing.BLTA, true), a.issue(signing.BLTA, true)
	if _, err := a.Ledger.Withdraw(t.Context(), withdrawn, ledger.WithdrawnCorrected); err != nil {
		t.Fatal(err)
	}
	a.erase(erased)
	expired := a.issue(signing.BLTA, true)
	if err := a.Ledger.Expire(t.Context(), expired); err != nil {
		t.Fatal(err)
	}
	oldEnd := a.pki.TSA().NotAfter

	// The authority still has the same certificate: it is asked once, not for each.
	before := a.pki.Stamps()
	if r := a.pass(false); r.NoLater != 3 || r.Renewed != 0 || r.Failed != 0 || r.Gone != 2 || r.NotArchived != 1 || r.LookedAt != 6 {
		t.Errorf("nothing later to be had: %+v", r)
	}
	if n := a.pki.Stamps() - before; n != 1 {
		t.Errorf("the authority was asked %d times for nothing", n)
	}
	if record := a.proven(plain, oldEnd); len(record.Versions) != 1 {
		t.Errorf("versions %+v", record.Versions)
	}

	if err := a.pki.RenewTSA(); err != nil {
		t.Fatal(err)
	}
	later := a.pki.TSA().NotAfter
	was, before := a.everything(), a.pki.Stamps()
	if r := a.pass(true); r.Due != 3 || r.Renewed != 0 || r.LookedAt != 6 {
		t.Errorf("dry run: %+v", r)
	}
	if now := a.everything(); fmt.Sprint(now) != fmt.Sprint(was) || a.pki.Stamps() != before {
		t.Error("a dry run changed something, or asked for a time-stamp")
	}
	a.Rate = 40
	began := time.Now()
	if r := a.pass(false); r.Renewed != 3 || r.Failed != 0 || r.Gone != 2 || r.NotArchived != 1 {
		t.Errorf("%+v\n%s", r, a.log)
	}
	if took := time.Since(began); took < 2*2*time.Second/40 {
		t.Errorf("three documents at 40 time-stamps a second took %v", took)
	}
	for _, id := range []string{plain, unmeasured, withdrawn} {
		record := a.proven(id, later)
		if len(record.Versions) != 2 || !record.Versions[0].ProofEnd.Equal(oldEnd) {
			t.Errorf("versions %+v", record.Versions)
		}
		if want := map[bool]ledger.State{true: ledger.StateWithdrawn, false: ledger.StateIssued}[id == withdrawn]; record.Status != want {
			t.Errorf("it is %s now", record.Status)
		}
	}
	if record := a.proven(lower, a.inspect(a.sealed[signing.BT]).ProofEnd); len(record.Versions) != 1 {
		t.Errorf("a document at B-T has %+v", record.Versions)
	}

	// Again: nothing is due, and no document is read.
	read := 0
	a.bucket.Fault = func(op, key string) error {
		if op == "get" && strings.HasPrefix(key, "documents/") {
			read++
		}
		return nil
	}
	a.Within = 90 * day
	before = a.pki.Stamps()
	if r := a.pass(false); r.NotDue != 3 || r.Gone != 2 || r.Renewed+r.Failed+r.NoLater != 0 || read != 0 || a.pki.Stamps() != before {
		t.Errorf("%+v; %d documents were read", r, read)
	}
}

func TestRenewalIsStoppedAndGoesOn(t *testing.T) {
	a := newArchive(t)
	var ids []string
	for range 5 {
		ids = append(ids, a.issue(signing.BLTA, true))
	}
	if err := a.pki.RenewTSA(); err != nil {
		t.Fatal(err)
	}
	before := a.pki.Stamps()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := a.Pass(ctx, false, func(r upkeep.RenewalReport) {
		if r.Renewed == 2 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || r.Complete || r.Renewed != 2 || r.LookedAt != 2 {
		t.Errorf("stopped: %+v, %v", r, err)
	}
	if r := a.pass(false); r.Renewed != 3 || r.NotDue != 2 {
		// 400 days are less than the five years that the new certificate lives.
		t.Errorf("gone on: %+v", r)
	}
	if n := a.pki.Stamps() - before; n != 2*int64(len(ids)) {
		t.Errorf("%d time-stamps for %d documents", n, len(ids))
	}
	for _, id := range ids {
		a.proven(id, a.pki.TSA().NotAfter)
	}
}

func TestWhatCannotBeRenewedIsTold(t *testing.T) {
	a := newArchive(t)
	good, damaged, stranger := a.issue(signing.BLTA, true), a.issue(signing.BLTA, true), a.issue(signing.BLTA, true)
	if err := a.pki.RenewTSA(); err != nil {
		t.Fatal(err)
	}
	object, err := a.bucket.Get(t.Context(), ledger.DocumentKey(damaged))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.bucket.Write(t.Context(), ledger.DocumentKey(damaged), append(object.Body, ' '), storage.Put{Metadata: object.Metadata}); err != nil {
		t.Fatal(err)
	}
	// Sound bytes that the register does not know: somebody put them there.
	metadata := object.Metadata
	other := a.sealed[signing.BT]
	metadata["sha256"] = digest(other)
	if _, err := a.bucket.Write(t.Context(), ledger.DocumentKey(stranger), other, storage.Put{Metadata: metadata}); err != nil {
		t.Fatal(err)
	}
	r := a.pass(false)
	if r.Renewed != 1 || r.Failed != 2 || len(r.Failures) != 2 {
		t.Fatalf("%+v", r)
	}
	for _, f := range r.Failures {
		if f.Cause != "document_damaged" || f.Detail == "" || !slices.Contains([]string{damaged, stranger}, f.ID) {
			t.Errorf("failure %+v", f)
		}
	}
	a.proven(good, a.pki.TSA().NotAfter)
	text, err := json.Marshal(r)
	if err != nil || strings.Contains(string(text)+a.log.String(), "Canari") || strings.Contains(string(text)+a.log.String(), "Groc") {
		t.Errorf("something personal in the report or the log: %s\n%s", text, a.log)
	}
}

// While an authority is away the pass ends after a few, not after the timeouts of
// thousands.
func TestRenewalEndsEarlyWhileAnAuthorityIsAway(t *testing.T) {
	a := newArchive(t)
	for range 9 {
		a.issue(signing.BLTA, true)
	}
	if err := a.pki.RenewTSA(); err != nil {
		t.Fatal(err)
	}
	a.pki.Misbehave(pki.ServerError)
	r, err := a.Pass(t.Context(), false, nil)
	if !errors.Is(err, signing.ErrTSAUnavailable) || r.Complete || r.Failed != 5 || r.Failures[0].Cause != "tsa_away" || r.Failures[0].Number == "" || r.Failures[0].ProofEnd.IsZero() {
		t.Errorf("%+v, %v", r, err)
	}
	a.pki.Misbehave(pki.Behave)
	if r := a.pass(false); r.Renewed != 9 {
		t.Errorf("%+v", r)
	}
}

// standIn renews without an authority: what is tried is the pass around it.
type standIn struct{ later time.Time }

func (s standIn) Renew(_ context.Context, pdf []byte) ([]byte, signing.Report, error) {
	return append(bytes.Clone(pdf), "% time-stamp "+rand.Text()...), signing.Report{Valid: true, Level: signing.BLTA, ProofEnd: s.later}, nil
}

func (s standIn) Inspect(context.Context, []byte) (signing.Report, error) {
	return signing.Report{Valid: true, Level: signing.BLTA, ProofEnd: s.later.Add(-4 * 365 * day)}, nil
}

// Whatever operation of a pass is lost, the next one finishes it: one settled
// version more, bytes that the record names, and at every moment a document that
// can be downloaded and verified.
func TestAPassMayDieAnywhere(t *testing.T) {
	later := time.Now().Add(5 * 365 * day).Truncate(time.Second)
	shared := newArchive(t)
	for _, measured := range []bool{true, false} {
		for _, lost := range []bool{false, true} {
			for n := 0; ; n++ {
				a := *shared
				renewal := *shared.Renewal
				a.bucket, a.Renewal = &storagetest.Memory{}, &renewal
				a.Ledger = ledgerOn(t, a.bucket)
				a.Renewal.Archivist = func() upkeep.Archivist { return standIn{later} }
				id := a.issue(signing.BLTA, measured)
				first, err := a.Ledger.Stored(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				count, hit := 0, false
				die := func(op, key string) error {
					if count++; count-1 == n {
						hit = true
					}
					if hit {
						return fmt.Errorf("%w: dead", storage.ErrUnavailable)
					}
					return nil
				}
				if lost {
					a.bucket.After = die
				} else {
					a.bucket.Fault = die
				}
				_, _ = a.Pass(t.Context(), false, nil)
				a.bucket.Fault, a.bucket.After = nil, nil
				when := fmt.Sprintf("dead at operation %d (lost reply: %v, measured: %v)", n, lost, measured)
				record, err := a.Ledger.Record(t.Context(), id)
				if err != nil {
					t.Fatal(when, err)
				}
				d, err := a.Ledger.Issued(t.Context(), id)
				if err != nil || !record.Holds(d.SHA256) {
					t.Fatalf("%s: the bytes are %s, %v, the record says %+v", when, d.SHA256, err, record.Versions)
				}
				a.pass(false)
				if record, err = a.Ledger.Record(t.Context(), id); err != nil {
					t.Fatal(when, err)
				}
				last, err := a.Ledger.Stored(t.Context(), id)
				current, _ := record.Current()
				if err != nil || record.Unsettled() || current.SHA256 != last.SHA256 || !current.ProofEnd.Equal(later) || record.Versions[0].SHA256 != first.SHA256 ||
					!bytes.HasPrefix(last.PDF, first.PDF) || bytes.Count(last.PDF[len(first.PDF):], []byte("% time-stamp")) != 1 {
					t.Errorf("%s: in the end %+v, %v", when, record.Versions, err)
				}
				if !hit {
					break
				}
			}
		}
	}
}
