package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"segell/ledger"
	"segell/queue"
)

// Reconciler enqueues again what the ledger says is unfinished and no live job
// works on: what was accepted while Redis was away or full, and everything
// after Redis was emptied.
type Reconciler struct {
	ledger *ledger.Ledger
	queue  *queue.Queue
	lease  *queue.Lease
	log    *slog.Logger
}

// NewReconciler returns a Reconciler. Any number may run on one bucket: a lease
// keeps all but one idle, and two at once would do no harm.
func NewReconciler(l *ledger.Ledger, q *queue.Queue, client redis.UniversalClient, log *slog.Logger) *Reconciler {
	return &Reconciler{ledger: l, queue: q, lease: queue.NewLease(client, "reconciler", rand.Text()), log: log}
}

// Pass is what one walk over the ledger found.
type Pass struct {
	Unfinished int // requests neither issued nor given up
	Enqueued   int // of them, those that had no live job and got one
	Left       int // of them, those left for the next pass: the queue is full
}

// A lease lives three beats of its holder, so that another process takes over
// soon after one was killed.
const (
	leaseBeat = 5 * time.Second
	leaseLife = 3 * leaseBeat
)

// Run passes as soon as the lease is ours and then every period, until ctx ends.
// While Redis or the bucket is away it tries every second, so that what is stuck
// moves on soon after they are back.
func (r *Reconciler) Run(ctx context.Context, every time.Duration) {
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		r.lease.Drop(ctx)
	}()
	var due time.Time
	away := false
	for {
		wait := min(every, leaseBeat)
		ours, err := r.lease.Take(ctx, leaseLife)
		switch {
		case err == nil && !ours:
			due = time.Time{} // whoever gets the lease begins with a pass
		case err == nil && !time.Now().Before(due):
			var pass Pass
			if pass, err = r.Pass(ctx); err == nil {
				due = time.Now().Add(every)
				if pass.Enqueued > 0 || pass.Left > 0 {
					r.log.Info("reconciled", "unfinished", pass.Unfinished, "enqueued", pass.Enqueued, "left", pass.Left)
				}
			}
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			// What was enqueued before may be gone with what was away.
			wait, due = time.Second, time.Time{}
			if !away {
				r.log.Warn("the reconciler waits", "why", err)
			}
		}
		away = err != nil
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// Pass walks over everything unfinished once, oldest first. Its cost, where
// nothing is wrong: the listing of requests/ and failures/ and at most two reads
// of Redis per unfinished request.
func (r *Reconciler) Pass(ctx context.Context) (Pass, error) {
	var pass Pass
	for id, err := range r.ledger.Unfinished(ctx) {
		if err != nil {
			return pass, err
		}
		pass.Unfinished++
		job, _, err := r.queue.Find(ctx, id)
		if err != nil {
			return pass, fmt.Errorf("looking for the job of %s: %w", id, err)
		}
		if job.Live() {
			continue
		}
		name, err := r.ledger.QueueOf(ctx, id)
		if errors.Is(err, ledger.ErrNotFound) {
			continue // finished meanwhile
		}
		if err != nil {
			return pass, err
		}
		if !slices.Contains(queue.Names, name) {
			name = queue.Batch // written by another version: no person waits for it any more
		}
		switch err := r.queue.Enqueue(ctx, id, name, queue.Reconciler); {
		case errors.Is(err, queue.ErrFull):
			pass.Left++
		case err != nil:
			return pass, fmt.Errorf("enqueuing %s: %w", id, err)
		default:
			pass.Enqueued++
		}
	}
	return pass, nil
}
