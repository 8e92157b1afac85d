package worker

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"segell/ledger"
	"segell/queue"
	"segell/samples"
)

// dieWith begins a job as workers do that never end it.
func dieWith(t *testing.T, q *queue.Queue, id, name string, workers ...string) {
	t.Helper()
	for _, worker := range workers {
		if _, err := q.Begin(t.Context(), id, name, worker); err != nil {
			t.Fatal(err)
		}
	}
}

// Requests that were there when workers died run one at a time, and all but the
// guilty are issued.
func TestTheInnocentLeaveQuarantineIssued(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.now = time.Now()
	q, _ := b.withQueue(t, time.Hour)
	var at, most atomic.Int64
	seal := b.sealer.seal
	b.sealer.seal = func(ctx context.Context, pdf []byte) ([]byte, error) {
		defer at.Add(-1)
		if n := at.Add(1); n > most.Load() {
			most.Store(n)
		}
		time.Sleep(20 * time.Millisecond)
		return seal(ctx, pdf)
	}
	const several = 6
	for range several {
		id := b.accept(t, sample(t, samples.Standard))
		if err := q.Enqueue(t.Context(), id, queue.Interactive, queue.Door); err != nil {
			t.Fatal(err)
		}
		dieWith(t, q, id, queue.Interactive, "one", "two")
	}
	b.run(t)
	waitFor(t, "all documents", func() bool { return len(b.keys(t, "records/")) == several })
	if most.Load() != 1 || b.sealer.count.Load() != several {
		t.Errorf("at most %d at a time, sealed %d times", most.Load(), b.sealer.count.Load())
	}
}

// One death is nobody's fault: the request runs where it was.
func TestOneDeathChangesNothing(t *testing.T) {
	b := newBench(t)
	q, _ := b.withQueue(t, time.Hour)
	id := b.accept(t, sample(t, samples.Standard))
	if err := q.Enqueue(t.Context(), id, queue.Interactive, queue.Door); err != nil {
		t.Fatal(err)
	}
	dieWith(t, q, id, queue.Interactive, "one")
	if err := b.attempt(t.Context(), &run{id: id, queue: queue.Interactive, origin: queue.Door}); err != nil || !b.issued(t, id) {
		t.Errorf("ended with %v", err)
	}
}

// A request that ends its worker in quarantine too is given up, with the step at
// which it did; staff may try it again from the beginning.
func TestPoisonIsGivenUp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.now = time.Now()
	q, _ := b.withQueue(t, time.Hour)
	id := b.accept(t, sample(t, samples.Standard))
	if err := q.Enqueue(t.Context(), id, queue.Interactive, queue.Door); err != nil {
		t.Fatal(err)
	}
	dieWith(t, q, id, queue.Interactive, "one", "two")
	if err := b.attempt(t.Context(), &run{id: id, queue: queue.Interactive, origin: queue.Door}); err != nil {
		t.Fatal(err)
	}
	// Were it enqueued beside, by a repeat at the door, that job must not run.
	beside := &run{id: id, queue: queue.Batch, origin: queue.Door}
	if err := q.Enqueue(t.Context(), id, queue.Batch, queue.Door); err != nil {
		t.Fatal(err)
	}
	if err := b.attempt(t.Context(), beside); err != nil || b.sealer.count.Load() != 0 {
		t.Errorf("beside the quarantine it ran: %v", err)
	}
	for _, name := range []string{queue.Interactive, queue.Batch} {
		if err := q.Remove(t.Context(), id, name); err != nil { // asynq does it when a handler is done
			t.Fatal(err)
		}
	}
	dieWith(t, q, id, queue.Quarantine, "three")
	if err := q.Note(t.Context(), id, queue.Quarantine, queue.Progress{Step: string(ledger.StageSeal)}); err != nil {
		t.Fatal(err)
	}
	b.run(t)
	waitFor(t, "the failure", func() bool { _, err := b.Ledger.Failure(t.Context(), id); return err == nil })
	if f, err := b.Ledger.Failure(t.Context(), id); err != nil || f.Cause != "ended_the_worker" || f.Stage != ledger.StageSeal || f.Number == "" || f.Detail != errDeaths.Error() {
		t.Errorf("failure %+v, %v", f, err)
	}
	if n := b.sealer.count.Load(); n != 0 {
		t.Errorf("it was begun again and sealed %d times", n)
	}
	waitFor(t, "the task to be gone", func() bool { job, _, err := q.Find(t.Context(), id); return err == nil && !job.Live() })
	request, err := b.Ledger.Reopen(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Enqueue(t.Context(), id, request.Queue, queue.Staff); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the document", func() bool { return b.issued(t, id) })
}

// A worker that is asked to stop hands back what it cannot end: at once, for any
// other to begin, and without a word against it.
func TestHandingBackIsNotDying(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.now = time.Now()
	q, _ := b.withQueue(t, time.Hour)
	b.ShutdownWithin = 500 * time.Millisecond
	again, err := New(b.Config)
	if err != nil {
		t.Fatal(err)
	}
	b.Worker = again
	sealing, goOn := make(chan struct{}), make(chan struct{})
	defer close(goOn)
	b.sealer.seal = func(context.Context, []byte) ([]byte, error) {
		close(sealing)
		<-goOn
		return nil, errors.New("too late")
	}
	id := b.accept(t, sample(t, samples.Standard))
	if err := q.Enqueue(t.Context(), id, queue.Interactive, queue.Door); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- b.Worker.Run(ctx) }()
	<-sealing
	if job, err := q.Job(t.Context(), id, queue.Interactive); err != nil || job.State != queue.Active {
		t.Fatalf("its job: %+v, %v", job, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if job, err := q.Job(t.Context(), id, queue.Interactive); err != nil || job.State != queue.Pending || job.Step != string(ledger.StageSeal) {
		t.Errorf("its job: %+v, %v", job, err)
	}
	if begun, err := q.Begin(t.Context(), id, queue.Interactive, "another"); err != nil || begun.Deaths != 0 {
		t.Errorf("the next worker finds %+v, %v", begun, err)
	}
}
