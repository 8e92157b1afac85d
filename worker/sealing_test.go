package worker

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"

	"segell/ledger"
	"segell/pki"
	"segell/queue"
	"segell/samples"
	"segell/signing"
	"segell/storage"
	"segell/templates"
)

// countingKey counts the operations of a key, and whether it was closed.
type countingKey struct {
	signing.Key
	signed, closed atomic.Int64
}

func (k *countingKey) Sign(ctx context.Context, message []byte, hash crypto.Hash) ([]byte, error) {
	k.signed.Add(1)
	return k.Key.Sign(ctx, message, hash)
}

func (k *countingKey) Close() error { k.closed.Add(1); return k.Key.Close() }

func newAuthority(t testing.TB) *pki.Authority {
	t.Helper()
	a, err := pki.New(t.TempDir(), pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func keyOf(t testing.TB, leaf *pki.Leaf) *countingKey {
	t.Helper()
	p12, err := leaf.PKCS12("x")
	if err != nil {
		t.Fatal(err)
	}
	key, err := signing.OpenPKCS12(p12, "x")
	if err != nil {
		t.Fatal(err)
	}
	return &countingKey{Key: key}
}

// sealerAt seals with the authority's own time-stamps and responders.
func sealerAt(t testing.TB, a *pki.Authority, key signing.Key, level signing.Level) Sealer {
	t.Helper()
	return sealerBy(t, a, key, level, time.Now)
}

// sealerBy does it by a clock.
func sealerBy(t testing.TB, a *pki.Authority, key signing.Key, level signing.Level, now func() time.Time) Sealer {
	t.Helper()
	s, err := signing.NewSealer(signing.Config{Key: key, Roots: a.Roots(), Level: level, Now: now,
		TSAs: []signing.TSA{{URL: a.TSAURL(), Roots: a.Roots(), Timeout: 5 * time.Second}}, Revocation: signing.Revocation{Hosts: []string{a.Host()}}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sealed gives a bench that really seals, at B-LTA, and forgets the operation with
// which the key was tried.
func sealed(t testing.TB, a *pki.Authority, key *countingKey) *bench {
	t.Helper()
	b := newBench(t)
	b.now = time.Now()
	b.Sealers = NewSeals(SealSet{Default: sealerAt(t, a, key, signing.BLTA), Close: key.Close}, b.Log)
	key.signed.Store(0)
	return b
}

// issuedAt checks that a request became a document at a level, of which nothing
// unfinished is left.
func (b *bench) issuedAt(t testing.TB, a *pki.Authority, id string, level signing.Level) ledger.Record {
	t.Helper()
	record, err := b.Ledger.Record(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	object, err := b.bucket.Get(t.Context(), ledger.DocumentKey(id))
	if err != nil {
		t.Fatal(err)
	}
	report, err := signing.Inspect(t.Context(), object.Body, signing.Trust{Roots: a.Roots(), TSARoots: a.Roots()})
	if err != nil || !report.Valid || report.Level != level || record.Level != string(level) || record.Certificate != report.Certificate {
		t.Errorf("asked for %s; measured %s (%v, %v); the record says %s by %s", level, report.Level, report.Err(), err, record.Level, record.Certificate)
	}
	if end := record.Versions[0].ProofEnd; !end.Equal(report.ProofEnd) || end.IsZero() {
		t.Errorf("the record says that the proof ends %v, the document %v", end, report.ProofEnd)
	}
	if left := b.keys(t, "work/"); len(left) != 0 {
		t.Errorf("unfinished work is left: %v", left)
	}
	return record
}

// Each step waits out an outage of its own, in another process each time: one
// operation of the key in all, and nothing to read in the bucket.
func TestEachStepWaitsByItself(t *testing.T) {
	a := newAuthority(t)
	key := keyOf(t, a.Seal())
	b := sealed(t, a, key)
	warm := b.accept(t, sample(t, samples.Standard)) // what is known of the authorities is known from here on
	if err := b.handle(t.Context(), task(warm, queue.Door)); err != nil {
		t.Fatal(err)
	}
	key.signed.Store(0)
	id := b.accept(t, sample(t, samples.Standard))
	for _, outage := range []struct {
		tsa, revocation pki.Misbehaviour
		cause, step     string
	}{
		{pki.ServerError, pki.Behave, "tsa_away", "signed"},
		{pki.ServerError, pki.Behave, "tsa_away", "signed"},
		{pki.Behave, pki.ServerError, "revocation_away", "stamped"},
	} {
		a.Misbehave(outage.tsa)
		a.MisbehaveOCSP(outage.revocation)
		a.MisbehaveCRL(outage.revocation)
		writes := 0
		b.bucket.Fault = func(op, key string) error {
			if op == "write" {
				writes++
			}
			return nil
		}
		if err := b.handle(t.Context(), task(id, queue.Door)); err == nil || err.Error() != outage.cause {
			t.Fatalf("%v; want %s", err, outage.cause)
		}
		kept := b.keys(t, "work/")
		if len(kept) != 1 || !strings.HasPrefix(kept[0], "work/"+id+"/seal-") {
			t.Fatalf("kept: %v", kept)
		}
		object, err := b.bucket.Get(t.Context(), kept[0])
		if err != nil || object.Metadata["step"] != outage.step || bytes.Contains(object.Body, []byte("%PDF")) || bytes.Contains(object.Body, []byte("Contents")) {
			t.Errorf("kept %v (%v), or in clear", object.Metadata, err)
		}
		if _, err := b.bucket.Head(t.Context(), ledger.DocumentKey(id)); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("something was published below its level: %v", err)
		}
		if writes > 1 {
			t.Errorf("%d writes for one try", writes)
		}
	}
	a.MisbehaveOCSP(pki.Behave)
	if err := b.handle(t.Context(), task(id, queue.Door)); err != nil {
		t.Fatal(err)
	}
	record := b.issuedAt(t, a, id, signing.BLTA)
	if n := key.signed.Load(); n != 1 {
		t.Errorf("%d operations of the key for one document", n)
	}
	var steps []ledger.Stage
	for _, step := range record.Making.Steps {
		steps = append(steps, step.Stage)
	}
	if !slices.Equal(steps, []ledger.Stage{ledger.StageRender, ledger.StageSeal, ledger.StageStore}) {
		t.Errorf("the record knows of the steps %v", steps)
	}
}

// A worker dies before or after any operation on the bucket, in a try that an
// outage ends. What had been kept is gone on with: one operation of the key.
func TestAWorkerMayDieBetweenSteps(t *testing.T) {
	a := newAuthority(t)
	key := keyOf(t, a.Seal())
	again := 0
	for _, lost := range []bool{false, true} {
		for n := 0; ; n++ {
			b := sealed(t, a, key)
			id := b.accept(t, sample(t, samples.Standard))
			count, hit := 0, false
			die := func(op, key string) error {
				if count++; count-1 == n {
					hit = true
				}
				if hit {
					return fmt.Errorf("%w: the worker is dead", storage.ErrUnavailable)
				}
				return nil
			}
			if lost {
				b.bucket.After = die
			} else {
				b.bucket.Fault = die
			}
			a.Misbehave(pki.ServerError)
			if err := b.handle(t.Context(), task(id, queue.Door)); err == nil {
				t.Fatal("it was issued without a time-stamp")
			}
			b.bucket.Fault, b.bucket.After = nil, nil
			signed, kept := key.signed.Load(), len(b.keys(t, "work/"))
			a.Misbehave(pki.Behave)
			if err := b.handle(t.Context(), task(id, queue.Reconciler)); err != nil {
				t.Fatalf("dead at operation %d (lost reply: %v): %v", n, lost, err)
			}
			b.issuedAt(t, a, id, signing.BLTA)
			if after := key.signed.Load() - signed; after != int64(1-kept) {
				t.Errorf("dead at operation %d (lost reply: %v): %d kept, and %d operations of the key after it", n, lost, kept, after)
			}
			again += kept
			if !hit {
				break
			}
		}
	}
	if again < 3 {
		t.Errorf("work was kept %d times: the test sees too little", again)
	}
}

// What was kept under the certificate of before is neither used nor mixed with
// the new one.
func TestWorkOfAnotherCertificateIsThrownAway(t *testing.T) {
	a := newAuthority(t)
	old := keyOf(t, a.Seal())
	b := sealed(t, a, old)
	id := b.accept(t, sample(t, samples.Standard))
	a.Misbehave(pki.ServerError)
	if err := b.handle(t.Context(), task(id, queue.Door)); err == nil {
		t.Fatal("it was issued without a time-stamp")
	}
	leaf, err := a.Issue(pki.LeafOptions{Key: pki.RSA3072})
	if err != nil {
		t.Fatal(err)
	}
	next := keyOf(t, leaf)
	b.Sealers.(*Seals).Use(SealSet{Default: sealerAt(t, a, next, signing.BLTA)})
	if old.closed.Load() != 1 {
		t.Errorf("the old key was closed %d times", old.closed.Load())
	}
	a.Misbehave(pki.Behave)
	trial := next.signed.Load()
	if err := b.handle(t.Context(), task(id, queue.Door)); err != nil {
		t.Fatal(err)
	}
	record := b.issuedAt(t, a, id, signing.BLTA)
	if want := fingerprint(leaf); record.Certificate != want || old.signed.Load() != 1 || next.signed.Load()-trial != 1 {
		t.Errorf("sealed by %s, want %s; operations %d and %d", record.Certificate, want, old.signed.Load(), next.signed.Load()-trial)
	}
}

// A job ends with the key it began with, and only then is that key released.
func TestAJobKeepsItsKey(t *testing.T) {
	a := newAuthority(t)
	old := keyOf(t, a.Seal())
	b := sealed(t, a, old)
	seals := b.Sealers.(*Seals)
	id := b.accept(t, sample(t, samples.Standard))
	a.Misbehave(pki.Hang)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.handle(ctx, task(id, queue.Door)) }()
	waitFor(t, "the signature", func() bool { return old.signed.Load() == 1 })
	leaf, err := a.Issue(pki.LeafOptions{})
	if err != nil {
		t.Fatal(err)
	}
	next := keyOf(t, leaf)
	seals.Use(SealSet{Default: sealerAt(t, a, next, signing.BLTA), Close: next.Close})
	if old.closed.Load() != 0 {
		t.Error("a key that a job has was closed")
	}
	cancel()
	<-ended
	if old.closed.Load() != 1 || next.closed.Load() != 0 {
		t.Errorf("closed: the old key %d times, the new one %d times", old.closed.Load(), next.closed.Load())
	}
	a.Misbehave(pki.Behave)
	_, done := seals.Take("any")
	done()
	done() // twice is as once
	seals.Use(SealSet{Default: sealerAt(t, a, keyOf(t, a.Seal()), signing.BLTA)})
	if next.closed.Load() != 1 {
		t.Errorf("the key that nobody had was closed %d times", next.closed.Load())
	}
}

func TestEachKindHasItsLevel(t *testing.T) {
	a := newAuthority(t)
	key := keyOf(t, a.Seal())
	b := newBench(t)
	b.now = time.Now()
	b.Sealers = NewSeals(SealSet{Default: sealerAt(t, a, key, signing.BLTA), Kinds: map[string]Sealer{
		"travel_form": sealerAt(t, a, key, signing.BT), "points_extract": sealerAt(t, a, key, signing.BLT)}}, b.Log)
	for kind, level := range map[string]signing.Level{"coverage_certificate": signing.BLTA, "travel_form": signing.BT, "points_extract": signing.BLT} {
		k, ok := templates.Lookup(kind)
		if !ok {
			t.Fatalf("no kind %s", kind)
		}
		var body []byte
		for s := range samples.All() {
			if s.Kind == kind && s.Name == samples.Standard {
				body = s.Body
			}
		}
		receipt, err := b.Ledger.Accept(t.Context(), ledger.Submission{Client: "portal", IdempotencyKey: rand.Text(), Kind: kind, Code: k.Code,
			CASSNumber: "000000A", Queue: queue.Interactive, Body: body, At: b.now})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.handle(t.Context(), task(receipt.ID, queue.Door)); err != nil {
			t.Fatalf("%s: %v\n%s", kind, err, b.log)
		}
		b.issuedAt(t, a, receipt.ID, level)
	}
}

// lyingSealer says that it reaches a level which it does not.
type lyingSealer struct{ Sealer }

func (lyingSealer) Level() signing.Level { return signing.BLTA }

func TestBelowItsLevelNothingIsPublished(t *testing.T) {
	a := newAuthority(t)
	key := keyOf(t, a.Seal())
	b := newBench(t)
	b.now = time.Now()
	registry := prometheus.NewRegistry()
	b.Sealers = NewSeals(SealSet{Default: lyingSealer{sealerAt(t, a, key, signing.BT)}}, b.Log)
	b.metrics = newMetrics(registry, b.Sealers, func() time.Time { return b.now })
	id := b.accept(t, sample(t, samples.Standard))
	if err := b.handle(t.Context(), task(id, queue.Door)); err == nil || errors.Is(err, asynq.RevokeTask) || err.Error() != "below_level" {
		t.Fatalf("ended with %v; want to be tried again", err)
	}
	if got := b.keys(t, "documents/"); len(got) != 0 {
		t.Errorf("published: %v", got)
	}
	if log := b.log.String(); !strings.Contains(log, "level=ERROR msg=\"ALARM: a document is below the level") || !strings.Contains(log, "B-T measured, B-LTA asked") {
		t.Errorf("no alarm:\n%s", log)
	}
	if n := gathered(t, registry)["segell_seal_below_level_total"]; n != 1 {
		t.Errorf("the alarm was counted %v times", n)
	}
	b.Sealers = NewSeals(SealSet{Default: sealerAt(t, a, key, signing.BLTA)}, b.Log)
	if err := b.handle(t.Context(), task(id, queue.Door)); err != nil {
		t.Fatal(err)
	}
	b.issuedAt(t, a, id, signing.BLTA)
}

// turningSealer is a sealer whose clock is set at a point of its work.
type turningSealer struct {
	Sealer
	beforeInspecting func()
}

func (s turningSealer) Inspect(ctx context.Context, pdf []byte) (signing.Report, error) {
	s.beforeInspecting()
	return s.Sealer.Inspect(ctx, pdf)
}

// turningKey is a key during whose operation the clock is set.
type turningKey struct {
	*countingKey
	beforeSigning func()
}

func (k turningKey) Sign(ctx context.Context, message []byte, hash crypto.Hash) ([]byte, error) {
	k.beforeSigning()
	return k.countingKey.Sign(ctx, message, hash)
}

// A clock that is set while a document is sealed, wherever that is and in either direction, costs another seal or a wait,
// never the document; a seal that is unsound by a clock that nobody touched is given up at once.
func TestTheClockIsSetWhileADocumentIsSealed(t *testing.T) {
	a := newAuthority(t)
	right := func(*atomic.Int64) {}
	to := func(off time.Duration) func(*atomic.Int64) {
		return func(clock *atomic.Int64) { clock.Store(int64(off)) }
	}
	for name, c := range map[string]struct {
		begins           time.Duration
		signing, inspect func(*atomic.Int64)
		cause            string // of the first try, where it does not issue
		operations       int64
	}{
		"ahead, right before the time-stamp":  {begins: 2 * time.Hour, signing: to(0), inspect: right, operations: 2},
		"right, behind before inspection":     {signing: right, inspect: to(-2 * time.Hour), cause: "seal_certificate_not_begun", operations: 2},
		"right, ahead before inspection":      {signing: right, inspect: to(2 * time.Hour), operations: 1},
		"behind, right before the time-stamp": {begins: -30 * time.Minute, signing: to(0), inspect: right, operations: 1},
	} {
		t.Run(name, func(t *testing.T) {
			var clock atomic.Int64
			now := func() time.Time { return time.Now().Add(time.Duration(clock.Load())) }
			key := keyOf(t, a.Seal())
			var begun bool
			once := func(set func(*atomic.Int64)) func() {
				var done bool
				return func() {
					if begun && !done {
						done = true
						set(&clock)
					}
				}
			}
			b := newBench(t)
			b.now, b.Now = time.Now(), now
			inner := sealerBy(t, a, turningKey{key, once(c.signing)}, signing.BLTA, now)
			b.Sealers = NewSeals(SealSet{Default: turningSealer{inner, once(c.inspect)}}, b.Log)
			key.signed.Store(0)
			clock.Store(int64(c.begins))
			begun = true
			id := b.accept(t, sample(t, samples.Standard))
			err := b.handle(t.Context(), task(id, queue.Door))
			if c.cause != "" {
				if err == nil || err.Error() != c.cause {
					t.Fatalf("%v; want %s", err, c.cause)
				}
				clock.Store(0)
				err = b.handle(t.Context(), task(id, queue.Door))
			}
			if err != nil {
				t.Fatal(err, b.log.String())
			}
			b.issuedAt(t, a, id, signing.BLTA)
			if n := key.signed.Load(); n != c.operations {
				t.Errorf("%d operations of the key, want %d", n, c.operations)
			}
		})
	}

	b := newBench(t)
	b.now = time.Now()
	b.sealer.seal = func(context.Context, []byte) ([]byte, error) {
		return nil, fmt.Errorf("%w: so it is", signing.ErrUnsound)
	}
	id := b.accept(t, sample(t, samples.Standard))
	if err := b.handle(t.Context(), task(id, queue.Door)); !errors.Is(err, asynq.RevokeTask) {
		t.Fatalf("%v; want to be given up", err)
	}
	if f, err := b.Ledger.Failure(t.Context(), id); err != nil || f.Cause != "inspection_failed" || strings.Contains(b.log.String(), "the clock was changed") {
		t.Errorf("%+v, %v\n%s", f, err, b.log.String())
	}
}

// gathered sums each metric over its labels.
func gathered(t testing.TB, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.Metric {
			all[family.GetName()] += metric.GetGauge().GetValue() + metric.GetCounter().GetValue()
		}
	}
	return all
}

func TestDaysLeftAreShownAndWarnedOf(t *testing.T) {
	a := newAuthority(t)
	leaf, err := a.ShortLived(pki.P256, time.Now().Add(40*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	b := sealed(t, a, keyOf(t, leaf))
	registry := prometheus.NewRegistry()
	b.metrics = newMetrics(registry, b.Sealers, func() time.Time { return b.now })
	if before := gathered(t, registry)["segell_tsa_certificate_days_left"]; before == before {
		t.Errorf("an authority that was never seen has %v days", before)
	}
	if err := b.handle(t.Context(), task(b.accept(t, sample(t, samples.Standard)), queue.Door)); err != nil {
		t.Fatal(err)
	}
	shown := gathered(t, registry)
	if days := shown["segell_seal_certificate_days_left"]; days < 39.9 || days > 40 {
		t.Errorf("the seal has %v days", days)
	}
	if days, want := shown["segell_tsa_certificate_days_left"], DaysLeft(a.TSA().NotAfter, b.now); days < want-0.1 || days > want+0.1 {
		t.Errorf("the authority has %v days, want %v", days, want)
	}
	for _, c := range []struct {
		days int
		want string
	}{{0, ""}, {9, ""}, {11, "level=WARN msg=\"a certificate ends soon\" whose=seal days_left=28"}, {41, "level=ERROR msg=\"a certificate ends soon\" whose=seal days_left=-2"}} {
		now := b.now
		b.log.Reset()
		b.now = b.now.Add(time.Duration(c.days) * 24 * time.Hour)
		b.warnOfEnds()
		b.now = now
		if log := b.log.String(); c.want == "" && log != "" || !strings.Contains(log, c.want) {
			t.Errorf("after %d days: %q, want %q", c.days, log, c.want)
		}
	}
}

func fingerprint(leaf *pki.Leaf) string {
	sum := sha256.Sum256(leaf.Certificate.Raw)
	return hex.EncodeToString(sum[:])
}

// A document that is sealed at the first try costs the bucket nothing for its
// steps: neither a read nor a write nor a listing.
func TestTheFirstTryLeavesNoTrace(t *testing.T) {
	a := newAuthority(t)
	b := newBench(t)
	b.now = time.Now()
	q, _ := b.withQueue(t, time.Hour)
	b.Sealers = NewSeals(SealSet{Default: sealerAt(t, a, keyOf(t, a.Seal()), signing.BLTA)}, b.Log)
	var touched atomic.Int64
	b.bucket.Fault = func(op, key string) error {
		if strings.HasPrefix(key, "work/") {
			touched.Add(1)
		}
		return nil
	}
	id := b.accept(t, sample(t, samples.Standard))
	if err := q.Enqueue(t.Context(), id, queue.Interactive, queue.Door); err != nil {
		t.Fatal(err)
	}
	b.run(t) // now, else the reconciler's first pass might be faster than the door
	waitFor(t, "the document", func() bool { return b.issued(t, id) && len(b.keys(t, "requests/")) == 0 })
	if n := touched.Load(); n != 0 {
		t.Errorf("%d operations under work/", n)
	}
}

// The worker inspects what the sealer has inspected: what that costs.
func BenchmarkInspect(b *testing.B) {
	a := newAuthority(b)
	for _, level := range []signing.Level{signing.BB, signing.BLTA} {
		s := sealerAt(b, a, keyOf(b, a.Seal()), level)
		w := newBench(b)
		w.now = time.Now()
		w.Sealers = NewSeals(SealSet{Default: s}, w.Log)
		id := w.accept(b, sample(b, samples.Standard))
		if err := w.try(b.Context(), &run{id: id, origin: queue.Door}); err != nil {
			b.Fatal(err)
		}
		stored, err := w.Ledger.Stored(b.Context(), id)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(string(level), func(b *testing.B) {
			for b.Loop() {
				if report, err := s.Inspect(b.Context(), stored.PDF); err != nil || !report.Valid {
					b.Fatal(report.Err(), err)
				}
			}
		})
	}
}
