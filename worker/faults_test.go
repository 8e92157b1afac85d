package worker

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"segell/internal/servers"
	"segell/ledger"
	"segell/queue"
	"segell/samples"
	"segell/signing"
	"segell/storage"
	"segell/templates"
)

// withQueue gives a bench a real Redis.
func (b *bench) withQueue(t *testing.T, every time.Duration) (*queue.Queue, *servers.Redis) {
	t.Helper()
	server := servers.NewRedis(t, servers.RedisOptions{})
	client, err := queue.Open("redis://" + server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	q := queue.New(client)
	w, err := New(Config{Ledger: b.Ledger, Queue: q, Redis: client, Sealers: b.sealer, Log: slog.New(slog.NewTextHandler(&bytes.Buffer{}, nil)), Now: func() time.Time { return b.now },
		PublicURL: "https://segell.example", SealedBy: "x", Proof: true, ReconcileEvery: every, CheckInterval: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	b.Worker = w
	return q, server
}

// run starts the worker and stops it with the test.
func (b *bench) run(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := b.Worker.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { stop(); <-ended })
}

func (b *bench) issued(t *testing.T, id string) bool {
	t.Helper()
	_, err := b.Ledger.Record(t.Context(), id)
	return err == nil
}

// A worker that has a job while Redis is emptied must not leave half a task
// behind, on which every later pass would stumble.
func TestRedisIsEmptiedWhileAWorkerHasAJob(t *testing.T) {
	b := newBench(t)
	b.now = time.Now()
	q, server := b.withQueue(t, 300*time.Millisecond)
	sealing, goOn := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	seal := b.sealer.seal
	b.sealer.seal = func(ctx context.Context, pdf []byte) ([]byte, error) {
		if first.CompareAndSwap(false, true) {
			close(sealing)
			<-goOn
			return nil, signing.ErrTSAUnavailable // so that a note is written after the loss
		}
		return seal(ctx, pdf)
	}
	b.run(t)
	id := b.accept(t, sample(t, samples.Standard))
	if err := q.Enqueue(t.Context(), id, queue.Interactive, queue.Door); err != nil {
		t.Fatal(err)
	}
	<-sealing
	server.FlushAll()
	later := b.accept(t, sample(t, samples.Standard)) // the reconciler alone knows it
	close(goOn)
	waitFor(t, "both to be issued", func() bool { return b.issued(t, id) && b.issued(t, later) })
}

func TestOneRefusedObjectDoesNotStarveTheRest(t *testing.T) {
	b, q, _, _, r := reconciled(t)
	first := b.accept(t, sample(t, samples.Standard))
	b.now = b.now.Add(time.Second)
	second := b.accept(t, sample(t, samples.Standard))
	b.bucket.Fault = func(op, key string) error {
		if op == "head" && strings.HasSuffix(key, first) {
			return storage.ErrDenied
		}
		return nil
	}
	got := pass(t, r)
	if job, err := q.Job(t.Context(), second, queue.Interactive); err != nil || !job.Live() || got.Troubled != 1 {
		t.Errorf("the pass found %+v; the second request's job is %+v, %v", got, job, err)
	}
}

// While the queue is full the bucket is not asked for each request that waits.
func TestAFullQueueCostsNothing(t *testing.T) {
	b, q, client, _, r := reconciled(t)
	for range 10 {
		b.accept(t, sample(t, samples.Standard))
	}
	many := make([]any, queue.Bound)
	for i := range many {
		many[i] = "x"
	}
	if err := client.LPush(t.Context(), "asynq:{batch}:pending", many...).Err(); err != nil {
		t.Fatal(err)
	}
	q.Keep(t.Context())
	var heads atomic.Int64
	b.bucket.Fault = func(op, _ string) error {
		if op == "head" {
			heads.Add(1)
		}
		return nil
	}
	if got := pass(t, r); !got.Full || heads.Load() > 0 {
		t.Errorf("the pass found %+v at the cost of %d HEADs", got, heads.Load())
	}
}

// Two runs at once, one gives up and the other issues: what stands is the document.
func TestAFailureBesideADocumentIsTakenAway(t *testing.T) {
	b := newBench(t)
	id := b.accept(t, sample(t, samples.Standard))
	seal := b.sealer.seal
	inside, goOn := make(chan struct{}), make(chan struct{})
	b.sealer.seal = func(ctx context.Context, pdf []byte) ([]byte, error) { close(inside); <-goOn; return seal(ctx, pdf) }
	done := make(chan error)
	go func() { done <- b.handle(context.Background(), task(id, queue.Door)) }()
	<-inside
	b.sealer.seal = func(context.Context, []byte) ([]byte, error) { return nil, signing.ErrCertificateExpired }
	if err := b.handle(t.Context(), task(id, queue.Door)); !errors.Is(err, asynq.RevokeTask) {
		t.Fatal(err)
	}
	close(goOn)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for f, err := range b.Ledger.Failures(t.Context()) {
		t.Errorf("an issued request is listed as failed: %v, %v", f, err)
	}
	if left := b.keys(t, "failures/"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Two tries of one key overtake each other, with a worker between them: every
// 202 names the number on the paper, and one code leads to it.
func TestTheReceiptNamesTheNumberOnThePaper(t *testing.T) {
	b := newBench(t)
	key := rand.Text()
	submit := func() (ledger.Receipt, error) {
		return b.Ledger.Accept(t.Context(), ledger.Submission{Client: "portal", IdempotencyKey: key, Kind: "coverage_certificate", Code: "COB",
			CASSNumber: "000000A", Queue: queue.Interactive, Body: sample(t, samples.Standard), At: b.now})
	}
	var second ledger.Receipt
	nested := false
	b.bucket.Fault = func(op, k string) error {
		if op == "create" && strings.HasPrefix(k, "requests/") && !nested {
			nested = true
			var err error
			if second, err = submit(); err != nil {
				t.Error(err)
			}
			if err := b.handle(t.Context(), task(second.ID, queue.Door)); err != nil {
				t.Error(err)
			}
		}
		return nil
	}
	first, err := submit()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.handle(t.Context(), task(first.ID, queue.Reconciler)); err != nil {
		t.Fatal(err)
	}
	record, err := b.Ledger.Record(t.Context(), first.ID)
	if err != nil || first.Number != record.Number || second.Number != record.Number || first.ID != second.ID {
		t.Errorf("the 202s named %s and %s, the paper %s (%v)", first.Number, second.Number, record.Number, err)
	}
	if codes, requests := b.keys(t, "codes/"), b.keys(t, "requests/"); len(codes) != 1 || len(requests) != 0 {
		t.Errorf("codes %v, requests %v", codes, requests)
	}
}

// What staff retry after weeks has as many tries as a new request.
func TestAnOldRequestHasItsTries(t *testing.T) {
	for name, hiccup := range map[string]error{"waiting": signing.ErrTSAUnavailable, "unforeseen": errors.New("x")} {
		b := newBench(t)
		id := b.accept(t, sample(t, samples.Standard))
		b.now = b.now.Add(2 * ledger.MaxWait)
		b.sealer.seal = func(context.Context, []byte) ([]byte, error) { return nil, hiccup }
		if err := b.handle(t.Context(), task(id, queue.Staff)); errors.Is(err, asynq.RevokeTask) {
			t.Errorf("%s: given up at the first try", name)
		}
	}
}

// A run whose time is over is a try like another, and what it has to say is kept.
func TestARunThatTakesTooLongIsCounted(t *testing.T) {
	b := newBench(t)
	q, _ := b.withQueue(t, time.Hour)
	id := b.accept(t, sample(t, samples.Standard))
	b.sealer.seal = func(ctx context.Context, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }
	if err := q.Enqueue(t.Context(), id, queue.Interactive, queue.Door); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= ledger.MaxTries; n++ {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		err := b.attempt(ctx, &run{id: id, queue: queue.Interactive, origin: queue.Door})
		cancel()
		if _, failed := b.Ledger.Failure(t.Context(), id); (failed == nil) != (n == ledger.MaxTries) {
			t.Fatalf("after %d tries: %v, failure: %v", n, err, failed)
		}
	}
	if f, err := b.Ledger.Failure(t.Context(), id); err != nil || f.Cause != "took_too_long" {
		t.Errorf("failure %+v, %v", f, err)
	}
}

func TestAnInterruptedRunIsNoTry(t *testing.T) {
	b := newBench(t)
	id := b.accept(t, sample(t, samples.Standard))
	ctx, cancel := context.WithCancel(t.Context())
	b.sealer.seal = func(ctx context.Context, _ []byte) ([]byte, error) { cancel(); return nil, ctx.Err() }
	if err := b.handle(ctx, task(id, queue.Door)); err == nil || err.Error() != "interrupted" {
		t.Errorf("ended with %v", err)
	}
	if log := b.log.String(); strings.Contains(log, "tried again") || !strings.Contains(log, "interrupted") {
		t.Error(log)
	}
}

// What cannot be read hides nothing else, and is itself seen.
func TestOneDamagedObjectHidesNothingElse(t *testing.T) {
	b := newBench(t)
	bad := b.accept(t, sample(t, samples.Standard))
	b.now = b.now.Add(time.Second)
	good := b.accept(t, sample(t, samples.Standard))
	if _, err := b.bucket.Write(t.Context(), b.keys(t, "requests/")[0], []byte("rot"), storage.Put{Metadata: map[string]string{"queue": "interactive"}}); err != nil {
		t.Fatal(err)
	}
	b.sealer.seal = func(context.Context, []byte) ([]byte, error) { return nil, signing.ErrCertificateExpired }
	for _, id := range []string{bad, good} {
		if err := b.handle(t.Context(), task(id, queue.Door)); !errors.Is(err, asynq.RevokeTask) {
			t.Fatal(err)
		}
	}
	if standing, err := b.Ledger.Look(t.Context(), bad); err != nil || standing.State != ledger.StateFailed || standing.Failure.Cause != "ledger_damaged" {
		t.Errorf("the damaged one stands %+v, %v", standing, err)
	}
	if _, err := b.bucket.Write(t.Context(), b.keys(t, "failures/")[0], []byte("rot"), storage.Put{}); err != nil {
		t.Fatal(err)
	}
	var readable, unreadable []string
	for f, err := range b.Ledger.Failures(t.Context()) {
		if err != nil {
			unreadable = append(unreadable, f.ID)
		} else {
			readable = append(readable, f.ID)
		}
	}
	if len(readable) != 1 || readable[0] != good || len(unreadable) != 1 || unreadable[0] != bad {
		t.Errorf("readable %v, unreadable %v", readable, unreadable)
	}
}

// The door's check and the document's time are one instant: what was right a
// moment before midnight is right.
func TestMidnight(t *testing.T) {
	b := newBench(t)
	b.now = time.Date(2026, 3, 2, 22, 59, 59, 999e6, time.UTC) // in Andorra the last instant of the day
	body := bytes.Replace(sample(t, samples.Standard), []byte(`"since": "2019-09-01"`), []byte(`"since": "2019-09-01", "until": "2026-03-02"`), 1)
	kind, _ := templates.Lookup("coverage_certificate")
	if _, err := kind.Decode(body, b.now); err != nil {
		t.Fatal(err)
	}
	id := b.accept(t, body)
	b.now = b.now.Add(time.Minute)
	if err := b.handle(t.Context(), task(id, queue.Door)); err != nil {
		f, _ := b.Ledger.Failure(t.Context(), id)
		t.Errorf("a 202 became %v: %+v", err, f)
	}
}
