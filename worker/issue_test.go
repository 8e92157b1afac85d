package worker

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"segell/layout"
	"segell/ledger"
	"segell/pki"
	"segell/queue"
	"segell/samples"
	"segell/signing"
	"segell/storage"
	"segell/storage/storagetest"
)

// testSealer counts how often it seals, and seals as it is told.
type testSealer struct {
	seal  func(context.Context, []byte) ([]byte, error)
	cert  *x509.Certificate
	count atomic.Int64
}

func (s *testSealer) Seal(ctx context.Context, pdf []byte) ([]byte, error) {
	s.count.Add(1)
	return s.seal(ctx, pdf)
}
func (s *testSealer) SealInSteps(ctx context.Context, pdf []byte, _ signing.Journal) ([]byte, error) {
	return s.Seal(ctx, pdf)
}
func (s *testSealer) Inspect(context.Context, []byte) (signing.Report, error) {
	return signing.Report{Valid: true, Level: signing.BLTA, Certificate: "certificate"}, nil
}
func (s *testSealer) Take(string) (Sealer, func())   { return s, func() {} }
func (s *testSealer) Level() signing.Level           { return signing.BLTA }
func (s *testSealer) Certificate() *x509.Certificate { return s.cert }

// bench is a worker on a bucket in memory, whose clock is its own.
type bench struct {
	*Worker
	bucket *storagetest.Memory
	sealer *testSealer
	log    *bytes.Buffer
	now    time.Time
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{bucket: &storagetest.Memory{}, log: &bytes.Buffer{}, now: time.Date(2026, 3, 2, 9, 14, 5, 0, time.UTC)}
	// Sealing is a stand-in here: it is the steps around it that are tried.
	b.sealer = &testSealer{cert: &x509.Certificate{Raw: []byte("certificate")}, seal: func(_ context.Context, pdf []byte) ([]byte, error) {
		return append(bytes.Clone(pdf), "% sealed "+rand.Text()...), nil
	}}
	text, err := ledger.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	keyset, err := ledger.ReadKeyset(text)
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.New(ledger.Config{Objects: b.bucket, Keyset: keyset, HMACKey: make([]byte, ledger.HMACKeySize), Now: func() time.Time { return b.now }, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	client, err := queue.Open("redis://127.0.0.1:1") // nothing listens there: no test of these needs a queue
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	b.Worker, err = New(Config{Ledger: l, Queue: queue.New(client), Redis: client, Sealers: b.sealer, Log: slog.New(slog.NewTextHandler(b.log, nil)),
		Now: func() time.Time { return b.now }, PublicURL: "https://segell.example", SealedBy: "Caixa Andorrana de Seguretat Social", Proof: true})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sample(t testing.TB, name string) []byte {
	t.Helper()
	for s := range samples.All() {
		if s.Kind == "coverage_certificate" && s.Name == name {
			return s.Body
		}
	}
	t.Fatalf("there is no sample %s", name)
	return nil
}

func (b *bench) accept(t testing.TB, body []byte) string {
	t.Helper()
	return b.acceptFor(t, queue.Interactive, body)
}

func (b *bench) acceptFor(t testing.TB, name string, body []byte) string {
	t.Helper()
	receipt, err := b.Ledger.Accept(t.Context(), ledger.Submission{Client: "portal", IdempotencyKey: rand.Text(), Kind: "coverage_certificate", Code: "COB",
		CASSNumber: "000000A", Queue: name, Body: body, At: b.now})
	if err != nil {
		t.Fatal(err)
	}
	return receipt.ID
}

func task(id string, origin queue.Origin) *asynq.Task {
	return asynq.NewTaskWithHeaders(queue.TypeIssue, []byte(id), map[string]string{"segell-origin": string(origin)})
}

func (b *bench) keys(t testing.TB, prefix string) (all []string) {
	t.Helper()
	for info, err := range b.bucket.List(t.Context(), prefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, info.Key)
	}
	return all
}

func TestARequestBecomesADocument(t *testing.T) {
	b := newBench(t)
	id := b.accept(t, sample(t, samples.Standard))
	request, err := b.Ledger.Request(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.handle(t.Context(), task(id, queue.Door)); err != nil {
		t.Fatal(err)
	}
	record, err := b.Ledger.ByCSV(t.Context(), request.CSV)
	if err != nil {
		t.Fatal(err)
	}
	if record.Pages != 1 || record.Level != "B-LTA" || record.Language != "ca" || record.ValidUntil == "" || record.Tries != 1 || record.Masked.CASSNumber != "•••••0A" {
		t.Errorf("record %+v", record)
	}
	if left := b.keys(t, "requests/"); len(left) != 0 {
		t.Errorf("the request is still there: %v", left)
	}
	if err := b.handle(t.Context(), task(id, queue.Reconciler)); err != nil {
		t.Errorf("the same job again: %v", err)
	}
	if n := b.sealer.count.Load(); n != 1 {
		t.Errorf("sealed %d times", n)
	}
}

// The promise of the worker: it may die before or after any operation on the
// bucket, and the next run ends with exactly one document, its record and its
// code, sealed once unless nothing had been stored.
func TestAWorkerMayDieAnywhere(t *testing.T) {
	for _, lost := range []bool{false, true} {
		for n := 0; ; n++ {
			b := newBench(t)
			id := b.accept(t, sample(t, samples.Standard))
			request, err := b.Ledger.Request(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
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
			first := b.handle(t.Context(), task(id, queue.Door))
			b.bucket.Fault, b.bucket.After = nil, nil
			if !hit {
				if first != nil {
					t.Fatal(first)
				}
				if n < 5 {
					t.Fatalf("only %d operations: the test sees too few", n)
				}
				break
			}
			stored := len(b.keys(t, "documents/"))
			before := b.sealer.count.Load()
			if err := b.handle(t.Context(), task(id, queue.Reconciler)); err != nil {
				t.Fatalf("dead at operation %d (lost reply: %v); the next run: %v", n, lost, err)
			}
			if stored == 1 && b.sealer.count.Load() != before {
				t.Errorf("dead at operation %d (lost reply: %v): a stored document was sealed again", n, lost)
			}
			record, err := b.Ledger.ByCSV(t.Context(), request.CSV)
			if err != nil {
				t.Fatalf("dead at operation %d (lost reply: %v): %v", n, lost, err)
			}
			document, err := b.Ledger.Issued(t.Context(), id)
			if err != nil || record.Versions[0].SHA256 != document.SHA256 {
				t.Errorf("dead at operation %d (lost reply: %v): the record is of other bytes: %+v, %+v, %v", n, lost, record.Versions, document, err)
			}
			if d, r := b.keys(t, "documents/"), b.keys(t, "requests/"); len(d) != 1 || len(r) != 0 {
				t.Errorf("dead at operation %d (lost reply: %v): documents %v, requests %v", n, lost, d, r)
			}
			if f := b.keys(t, "failures/"); len(f) != 0 {
				t.Errorf("dead at operation %d (lost reply: %v): a storage that was away became a failure", n, lost)
			}
		}
	}
}

// Two workers on one request: one document, and both end well.
func TestTwoWorkersOnOneRequest(t *testing.T) {
	b := newBench(t)
	id := b.accept(t, sample(t, samples.Standard))
	both := make(chan struct{})
	var arrived atomic.Int64
	seal := b.sealer.seal
	b.sealer.seal = func(ctx context.Context, pdf []byte) ([]byte, error) {
		if arrived.Add(1) == 2 {
			close(both)
		}
		<-both
		return seal(ctx, pdf)
	}
	ended := make(chan error, 2)
	for range 2 {
		go func() { ended <- b.handle(context.Background(), task(id, queue.Door)) }()
	}
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	record, err := b.Ledger.Record(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	document, err := b.Ledger.Issued(t.Context(), id)
	if err != nil || record.Versions[0].SHA256 != document.SHA256 {
		t.Errorf("record %+v, document %+v, %v", record.Versions, document, err)
	}
}

func TestWhatBecomesOfAnError(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		cause string
		ends  bool // given up at once
	}{
		"an expired certificate": {fmt.Errorf("seal: %w", signing.ErrCertificateExpired), "seal_certificate_expired", true},
		"a certificate to come":  {fmt.Errorf("seal: %w", signing.ErrCertificateNotYetValid), "seal_certificate_not_begun", false},
		"a revoked certificate":  {signing.ErrCertificateRevoked, "seal_certificate_revoked", true},
		"an unsound document":    {signing.ErrUnsound, "inspection_failed", true},
		"no time-stamp":          {signing.ErrTSAUnavailable, "tsa_away", false},
		"no key":                 {signing.ErrKeyUnavailable, "seal_key_away", false},
		"something else":         {errors.New("Canari Groc"), "unexpected", false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			id := b.accept(t, sample(t, samples.Standard))
			b.sealer.seal = func(context.Context, []byte) ([]byte, error) { return nil, c.err }
			err := b.handle(t.Context(), task(id, queue.Door))
			failure, failed := b.Ledger.Failure(t.Context(), id)
			if c.ends {
				if !errors.Is(err, asynq.RevokeTask) || failed != nil || failure.Cause != c.cause || failure.Stage != ledger.StageSeal || len(failure.Tries) != 1 || failure.Number == "" {
					t.Errorf("ended with %v; failure %+v, %v", err, failure, failed)
				}
			} else {
				if errors.Is(err, asynq.RevokeTask) || !errors.Is(failed, ledger.ErrNotFound) || retryDelay(0, err, nil) <= 0 || err.Error() != c.cause {
					t.Errorf("ended with %v; failure %+v, %v", err, failure, failed)
				}
			}
			if isFailure(err) {
				t.Error("asynq would count it against the job")
			}
			if len(b.keys(t, "requests/")) != 1 {
				t.Error("the request is gone")
			}
			if strings.Contains(err.Error()+b.log.String(), "Canari") {
				t.Errorf("an error nobody foresaw was quoted: %v\n%s", err, b.log)
			}
		})
	}
}

func TestAWaitEndsWhenItIsTooOld(t *testing.T) {
	b := newBench(t)
	q, _ := b.withQueue(t, time.Hour)
	id := b.accept(t, sample(t, samples.Standard))
	if err := q.Enqueue(t.Context(), id, queue.Interactive, queue.Door); err != nil {
		t.Fatal(err)
	}
	b.sealer.seal = func(context.Context, []byte) ([]byte, error) { return nil, signing.ErrTSAUnavailable }
	attempt := func() error {
		return b.attempt(t.Context(), &run{id: id, queue: queue.Interactive, origin: queue.Door})
	}
	for range 3 * ledger.MaxTries { // waiting costs no try
		b.now = b.now.Add(ledger.MaxWait / time.Duration(4*ledger.MaxTries))
		if err := attempt(); errors.Is(err, asynq.RevokeTask) {
			t.Fatalf("given up too early: %v", err)
		}
	}
	b.now = b.now.Add(ledger.MaxWait)
	if err := attempt(); !errors.Is(err, asynq.RevokeTask) {
		t.Errorf("not given up: %v", err)
	}
	if failure, err := b.Ledger.Failure(t.Context(), id); err != nil || failure.Cause != "tsa_away" {
		t.Errorf("failure %+v, %v", failure, err)
	}
}

// What cannot be recorded has not been given up.
func TestAFailureThatCannotBeRecordedWaits(t *testing.T) {
	b := newBench(t)
	id := b.accept(t, sample(t, samples.Standard))
	b.sealer.seal = func(context.Context, []byte) ([]byte, error) { return nil, signing.ErrCertificateExpired }
	b.bucket.Fault = func(op, key string) error {
		if strings.HasPrefix(key, "failures/") {
			return storage.ErrUnavailable
		}
		return nil
	}
	if err := b.handle(t.Context(), task(id, queue.Door)); err == nil || errors.Is(err, asynq.RevokeTask) || err.Error() != "storage_away" {
		t.Errorf("ended with %v", err)
	}
}

func TestAMissingGlyphIsAFailureStaffUnderstand(t *testing.T) {
	b := newBench(t)
	id := b.accept(t, bytes.Replace(sample(t, samples.Standard), []byte("Maria del Carme"), []byte("Maria 😀"), 1))
	if err := b.handle(t.Context(), task(id, queue.Door)); !errors.Is(err, asynq.RevokeTask) {
		t.Fatalf("ended with %v\n%s", err, b.log)
	}
	failure, err := b.Ledger.Failure(t.Context(), id)
	if err != nil || failure.Cause != "missing_glyph" || !strings.Contains(failure.Detail, "U+1F600") || strings.Contains(failure.Detail, "Maria") {
		t.Errorf("failure %+v, %v", failure, err)
	}
	if b.sealer.count.Load() != 0 {
		t.Error("it was sealed")
	}
}

func TestAPanicIsAnErrorThatQuotesNothing(t *testing.T) {
	b := newBench(t)
	id := b.accept(t, sample(t, samples.Standard))
	b.sealer.seal = func(context.Context, []byte) ([]byte, error) { panic("Canari Groc") }
	if err := b.handle(t.Context(), task(id, queue.Door)); err == nil || err.Error() != "ended_the_worker" {
		t.Errorf("ended with %v", err)
	}
	if log := b.log.String(); strings.Contains(log, "Canari") || !strings.Contains(log, "issue_test.go") {
		t.Errorf("the log quotes the panic, or tells not where it was:\n%s", log)
	}
}

func TestAJobOfNobodyIsDropped(t *testing.T) {
	b := newBench(t)
	if err := b.handle(t.Context(), task("0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e", queue.Door)); err != nil {
		t.Errorf("a job without a request: %v", err)
	}
	if err := b.handle(t.Context(), task("../../etc/passwd", queue.Door)); !errors.Is(err, asynq.RevokeTask) {
		t.Errorf("a job without an id: %v", err)
	}
}

func TestAGivenUpRequestIsNotTriedUntilStaffSaySo(t *testing.T) {
	b := newBench(t)
	id := b.accept(t, sample(t, samples.Standard))
	seal := b.sealer.seal
	b.sealer.seal = func(context.Context, []byte) ([]byte, error) { return nil, signing.ErrCertificateExpired }
	if err := b.handle(t.Context(), task(id, queue.Door)); !errors.Is(err, asynq.RevokeTask) {
		t.Fatal(err)
	}
	b.sealer.seal = seal
	if err := b.handle(t.Context(), task(id, queue.Reconciler)); err != nil || len(b.keys(t, "documents/")) != 0 {
		t.Errorf("a job listed before the failure: %v, documents %v", err, b.keys(t, "documents/"))
	}
	if _, err := b.Ledger.Reopen(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := b.handle(t.Context(), task(id, queue.Staff)); err != nil || len(b.keys(t, "documents/")) != 1 {
		t.Errorf("the retry: %v, documents %v", err, b.keys(t, "documents/"))
	}
}

func TestACancelledRequestIsForgotten(t *testing.T) {
	b := newBench(t)
	id := b.accept(t, sample(t, samples.Standard))
	if _, err := b.bucket.Create(t.Context(), ledger.DocumentKey(id), nil, storage.Put{Metadata: map[string]string{"tombstone": "cancelled"}}); err != nil {
		t.Fatal(err)
	}
	if err := b.handle(t.Context(), task(id, queue.Door)); err != nil {
		t.Error(err)
	}
	if b.sealer.count.Load() != 0 || len(b.keys(t, "requests/")) != 0 || len(b.keys(t, "records/")) != 0 {
		t.Errorf("sealed %d times, requests %v, records %v", b.sealer.count.Load(), b.keys(t, "requests/"), b.keys(t, "records/"))
	}
}

// Every cause that an error can have is a row of the table.
func TestEveryCauseIsInTheTable(t *testing.T) {
	rows := map[string]bool{}
	for _, c := range ledger.Causes {
		rows[c.ID] = true
	}
	for _, c := range causes {
		if !rows[c.cause] || causeID(fmt.Errorf("wrapped: %w", c.err)) != c.cause {
			t.Errorf("%v is %q", c.err, causeID(c.err))
		}
	}
	if got := causeID(&layout.Fault{Cause: "missing_glyph"}); got != "missing_glyph" {
		t.Errorf("a missing glyph is %q", got)
	}
}

func TestNewSaysAllThatIsMissing(t *testing.T) {
	_, err := New(Config{})
	if err == nil {
		t.Fatal("an empty configuration was taken")
	}
	for _, field := range []string{"Ledger", "Queue", "Redis", "Sealers", "Log", "Now", "PublicURL", "SealedBy"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%q does not name %s", err, field)
		}
	}
}

// The real thing, for its time: render, seal and store with a store in memory.
func BenchmarkIssue(b *testing.B) {
	authority, err := pki.New(b.TempDir(), pki.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer authority.Close()
	p12, err := authority.Seal().PKCS12("x")
	if err != nil {
		b.Fatal(err)
	}
	key, err := signing.OpenPKCS12(p12, "x")
	if err != nil {
		b.Fatal(err)
	}
	for _, level := range []signing.Level{signing.BB, signing.BT} {
		config := signing.Config{Key: key, Roots: authority.Roots(), Level: level, Now: time.Now}
		if level == signing.BT {
			config.TSAs = []signing.TSA{{URL: authority.TSAURL(), Roots: authority.Roots()}}
		}
		sealer, err := signing.NewSealer(config)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(string(level), func(b *testing.B) {
			s := newBench(b)
			s.now = time.Now()
			s.Sealers = NewSeals(SealSet{Default: sealer}, s.Log)
			body := sample(b, samples.Standard)
			b.ReportAllocs()
			for b.Loop() {
				id := s.accept(b, body)
				if err := s.try(b.Context(), &run{id: id, origin: queue.Door}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
