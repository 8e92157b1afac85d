package worker

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"segell/internal/servers"
	"segell/ledger"
	"segell/queue"
	"segell/samples"
	"segell/storage"
)

// reconciled is a bench with a real Redis and nobody who works.
func reconciled(t *testing.T) (*bench, *queue.Queue, redis.UniversalClient, *servers.Redis, *Reconciler) {
	t.Helper()
	b := newBench(t)
	server := servers.NewRedis(t, servers.RedisOptions{})
	client, err := queue.Open("redis://" + server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	q := queue.New(client)
	return b, q, client, server, NewReconciler(b.Ledger, q, client, slog.New(slog.NewTextHandler(&bytes.Buffer{}, nil)))
}

func pass(t *testing.T, r *Reconciler) Pass {
	t.Helper()
	p, err := r.Pass(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTheReconcilerEnqueuesWhatHasNoLiveJob(t *testing.T) {
	b, q, client, server, r := reconciled(t)
	body := sample(t, samples.Standard)
	lost, live, archived, failed := b.accept(t, body), b.accept(t, body), b.accept(t, body), b.accept(t, body)
	for _, id := range []string{live, archived} {
		if err := q.Enqueue(t.Context(), id, queue.Interactive, queue.Door); err != nil {
			t.Fatal(err)
		}
	}
	if err := asynq.NewInspectorFromRedisClient(client).ArchiveTask(queue.Interactive, archived); err != nil {
		t.Fatal(err)
	}
	if err := b.Ledger.GiveUp(t.Context(), ledger.Failure{ID: failed, Cause: "unexpected"}); err != nil {
		t.Fatal(err)
	}
	if got, want := pass(t, r), (Pass{Unfinished: 3, Enqueued: 2}); got != want {
		t.Errorf("the pass found %+v, want %+v", got, want)
	}
	for id, want := range map[string]queue.JobState{lost: queue.Pending, live: queue.Pending, archived: queue.Pending, failed: queue.NoJob} {
		if job, err := q.Job(t.Context(), id, queue.Interactive); err != nil || job.State != want {
			t.Errorf("%s has a job that is %q (%v), want %q", id, job.State, err, want)
		}
	}
	if got, want := pass(t, r), (Pass{Unfinished: 3}); got != want {
		t.Errorf("the next pass found %+v, want %+v", got, want)
	}
	server.FlushAll()
	if got, want := pass(t, r), (Pass{Unfinished: 3, Enqueued: 3}); got != want {
		t.Errorf("after Redis was emptied the pass found %+v, want %+v", got, want)
	}
}

func TestARequestOfAnotherVersionsQueueIsNotForgotten(t *testing.T) {
	b, q, _, _, r := reconciled(t)
	id := b.accept(t, sample(t, samples.Standard))
	key := b.keys(t, "requests/")[0]
	object, err := b.bucket.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	object.Metadata["queue"] = "express"
	if _, err := b.bucket.Write(t.Context(), key, object.Body, storage.Put{Metadata: object.Metadata}); err != nil {
		t.Fatal(err)
	}
	if got := pass(t, r); got.Enqueued != 1 {
		t.Errorf("the pass found %+v", got)
	}
	if job, err := q.Job(t.Context(), id, queue.Batch); err != nil || !job.Live() {
		t.Errorf("its job: %+v, %v", job, err)
	}
}

func TestOneReconcilerAtATime(t *testing.T) {
	b, q, client, server, _ := reconciled(t)
	log := slog.New(slog.NewTextHandler(&bytes.Buffer{}, nil))
	// The second begins while the first holds the lease, and takes over from it.
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		NewReconciler(b.Ledger, q, client, log).Run(ctx, time.Hour)
	}()
	waitFor(t, "the first to hold the lease", func() bool { return client.Exists(t.Context(), "segell:lease:reconciler").Val() == 1 })
	holder := client.Get(t.Context(), "segell:lease:reconciler").Val()
	second, stopSecond := context.WithCancel(t.Context())
	endedSecond := make(chan struct{})
	go func() {
		defer close(endedSecond)
		NewReconciler(b.Ledger, q, client, log).Run(second, 100*time.Millisecond)
	}()
	id := b.accept(t, sample(t, samples.Standard))
	time.Sleep(500 * time.Millisecond) // five periods of the second
	if job, err := q.Job(t.Context(), id, queue.Interactive); err != nil || job.State != queue.NoJob || client.Get(t.Context(), "segell:lease:reconciler").Val() != holder {
		t.Errorf("the one without the lease worked: job %+v, %v", job, err)
	}
	stop()
	<-ended
	waitFor(t, "the second to take over", func() bool {
		job, err := q.Job(t.Context(), id, queue.Interactive)
		return err == nil && job.Live()
	})
	// An emptied Redis is noticed without anybody telling.
	server.FlushAll()
	waitFor(t, "the emptied Redis to be filled", func() bool {
		job, err := q.Job(t.Context(), id, queue.Interactive)
		return err == nil && job.Live()
	})
	stopSecond()
	<-endedSecond
}

// While Redis or the bucket is away the reconciler goes on trying.
func TestTheReconcilerOutlivesItsDependencies(t *testing.T) {
	b, q, client, server, r := reconciled(t)
	id := b.accept(t, sample(t, samples.Standard))
	server.Kill()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go r.Run(ctx, time.Hour)
	time.Sleep(300 * time.Millisecond)
	server.Restart()
	waitFor(t, "the job after Redis came back", func() bool {
		job, err := q.Job(t.Context(), id, queue.Interactive)
		return err == nil && job.Live()
	})
	_ = client
}

func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not seen in 30 s: %s", what)
		}
	}
}

// However long a pass takes, the lease stays with who makes it.
func TestTheLeaseIsKeptDuringALongPass(t *testing.T) {
	t.Parallel()
	b, _, client, _, r := reconciled(t)
	r.beat = 100 * time.Millisecond
	b.accept(t, sample(t, samples.Standard))
	listing, goOn := make(chan struct{}), make(chan struct{})
	b.bucket.Fault = func(op, key string) error {
		if op == "list" && strings.HasPrefix(key, "requests/") {
			close(listing)
			<-goOn
		}
		return nil
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Run(ctx, time.Hour)
	}()
	<-listing
	other := queue.NewLease(client, "reconciler", "other")
	for range 10 { // three times as long as the lease would live
		time.Sleep(r.beat)
		if ours, err := other.Take(t.Context(), time.Second); err != nil || ours {
			t.Fatalf("another took the lease during a pass: %v, %v", ours, err)
		}
	}
	close(goOn)
	stop()
	<-ended
	if ours, err := other.Take(t.Context(), time.Second); err != nil || !ours {
		t.Errorf("a lease that was given back is not free: %v, %v", ours, err)
	}
}

// A worker died between the record and the deletion of its request: nothing is
// printed again, and the request goes.
func TestWhatIsIssuedAndStillThereIsFinished(t *testing.T) {
	b, q, client, _, r := reconciled(t)
	id := b.accept(t, sample(t, samples.Standard))
	b.bucket.Fault = func(op, key string) error {
		if op == "delete" {
			return storage.ErrUnavailable
		}
		return nil
	}
	if err := b.handle(t.Context(), task(id, queue.Door)); err == nil {
		t.Fatal("it ended well without its last step")
	}
	b.bucket.Fault = nil
	if !b.issued(t, id) || len(b.keys(t, "requests/")) != 1 {
		t.Fatal("the request is not left behind")
	}
	if got := pass(t, r); got.Enqueued != 1 {
		t.Fatalf("the pass found %+v", got)
	}
	b.Config.Queue, b.Config.Redis = q, client
	again, err := New(b.Config)
	if err != nil {
		t.Fatal(err)
	}
	b.Worker = again
	b.run(t)
	waitFor(t, "the request to go", func() bool { return len(b.keys(t, "requests/")) == 0 })
	if n := b.sealer.count.Load(); n != 1 {
		t.Errorf("sealed %d times", n)
	}
}

// The oldest get the room that there is, and the rest is counted all the same.
func TestTheOldestComeFirst(t *testing.T) {
	b, q, client, _, r := reconciled(t)
	var ids []string
	for range 5 {
		ids = append(ids, b.accept(t, sample(t, samples.Standard)))
		b.now = b.now.Add(time.Minute)
	}
	many := make([]any, queue.Bound-2)
	for i := range many {
		many[i] = "x"
	}
	if err := client.LPush(t.Context(), "asynq:{batch}:pending", many...).Err(); err != nil {
		t.Fatal(err)
	}
	q.Keep(t.Context())
	if got, want := pass(t, r), (Pass{Unfinished: 5, Enqueued: 2, Full: true}); got != want {
		t.Errorf("the pass found %+v, want %+v", got, want)
	}
	live, err := q.Live(t.Context(), ids)
	if want := []bool{true, true, false, false, false}; err != nil || !slices.Equal(live, want) {
		t.Errorf("live: %v, %v; want %v", live, err, want)
	}
	if n := q.Backlog(); n != 5 {
		t.Errorf("the backlog is %d", n)
	}
}

// Older requests of batches for which there is no room keep nobody out who waits,
// and are asked for once.
func TestReconcilingPassesOverBatchesWithoutRoom(t *testing.T) {
	t.Parallel()
	b, q, client, _, r := reconciled(t)
	var ids []string
	for _, name := range []string{queue.Batch, queue.Batch, queue.Batch, queue.Interactive, queue.Batch, queue.Interactive} {
		ids = append(ids, b.acceptFor(t, name, sample(t, samples.Standard)))
		b.now = b.now.Add(time.Minute)
	}
	many := make([]any, queue.Bound*3/4-1)
	for i := range many {
		many[i] = "x"
	}
	if err := client.LPush(t.Context(), "asynq:{batch}:pending", many...).Err(); err != nil {
		t.Fatal(err)
	}
	q.Keep(t.Context())
	live := func(want ...bool) {
		t.Helper()
		if got, err := q.Live(t.Context(), ids); err != nil || !slices.Equal(got, want) {
			t.Errorf("live: %v, %v; want %v", got, err, want)
		}
	}
	if got, want := pass(t, r), (Pass{Unfinished: 6, Enqueued: 3, Full: true}); got != want {
		t.Errorf("the pass found %+v, want %+v", got, want)
	}
	live(true, false, false, true, false, true)
	var heads atomic.Int64
	b.bucket.Fault = func(op, _ string) error {
		if op == "head" {
			heads.Add(1)
		}
		return nil
	}
	if got, want := pass(t, r), (Pass{Unfinished: 6, Full: true}); got != want || heads.Load() != 0 {
		t.Errorf("the second pass found %+v at the cost of %d HEADs, want %+v", got, heads.Load(), want)
	}
	if err := client.LTrim(t.Context(), "asynq:{batch}:pending", 0, 0).Err(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "room for batches", func() bool { return q.HasRoom(queue.Batch) })
	if got, want := pass(t, r), (Pass{Unfinished: 6, Enqueued: 3}); got != want {
		t.Errorf("with room the pass found %+v, want %+v", got, want)
	}
	live(true, true, true, true, true, true)
}

// What a pass costs where nothing is wrong, for docs/states.md.
func BenchmarkIdlePass(b *testing.B) {
	for _, n := range []int{0, 1000, 10_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			client, err := queue.Open("redis://" + servers.NewRedis(b, servers.RedisOptions{}).Addr())
			if err != nil {
				b.Fatal(err)
			}
			defer client.Close()
			q := queue.New(client)
			text, err := ledger.NewKeyset()
			if err != nil {
				b.Fatal(err)
			}
			keyset, err := ledger.ReadKeyset(text)
			if err != nil {
				b.Fatal(err)
			}
			l, err := ledger.New(ledger.Config{Objects: servers.NewS3(b).Bucket("segell"), Keyset: keyset, HMACKey: make([]byte, ledger.HMACKeySize),
				Now: time.Now, Random: rand.Reader})
			if err != nil {
				b.Fatal(err)
			}
			body := sample(b, samples.Standard)
			var accepting errgroup.Group
			accepting.SetLimit(16)
			for i := range n {
				accepting.Go(func() error {
					receipt, err := l.Accept(b.Context(), ledger.Submission{Client: "portal", IdempotencyKey: strconv.Itoa(i), Kind: "coverage_certificate", Code: "COB",
						CASSNumber: "000000A", Queue: queue.Batch, Body: body, At: time.Now()})
					if err != nil {
						return err
					}
					return q.Enqueue(b.Context(), receipt.ID, queue.Batch, queue.Door)
				})
			}
			if err := accepting.Wait(); err != nil {
				b.Fatal(err)
			}
			r := NewReconciler(l, q, client, slog.New(slog.DiscardHandler))
			for b.Loop() {
				if got, err := r.Pass(b.Context()); err != nil || got != (Pass{Unfinished: n}) {
					b.Fatal(got, err)
				}
			}
		})
	}
}
