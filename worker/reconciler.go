package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"segell/ledger"
	"segell/queue"
	"segell/storage"
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
	Unfinished int  // requests neither issued nor given up
	Enqueued   int  // of them, those that had no live job and got one
	Troubled   int  // of them, those that could not be looked after, for a reason of their own
	Full       bool // the pass ended early: Redis holds as much as it may
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
			if pass, err = r.held(ctx); err == nil {
				due = time.Now().Add(every)
				if pass.Enqueued > 0 || pass.Troubled > 0 || pass.Full {
					r.log.Info("reconciled", "unfinished", pass.Unfinished, "enqueued", pass.Enqueued, "troubled", pass.Troubled, "full", pass.Full)
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

// held makes a pass and keeps the lease meanwhile, however long it takes.
func (r *Reconciler) held(ctx context.Context) (Pass, error) {
	ended := make(chan struct{})
	var renewing sync.WaitGroup
	renewing.Go(func() {
		for {
			select {
			case <-ended:
				return
			case <-time.After(leaseBeat):
				if _, err := r.lease.Take(ctx, leaseLife); err != nil {
					r.log.Debug("the lease was not renewed", "why", err)
				}
			}
		}
	})
	defer renewing.Wait()
	defer close(ended)
	return r.Pass(ctx)
}

// troubleMost is how many requests in a row may be in trouble, each for a reason
// of its own, before it is held to be the bucket's or Redis' trouble.
const troubleMost = 50

// Pass walks over everything unfinished once, oldest first. Its cost, where
// nothing is wrong: the listing of requests/ and failures/ and at most two reads
// of Redis per unfinished request. One request's trouble does not keep it from
// the others; it ends with an error if Redis or the bucket is away.
func (r *Reconciler) Pass(ctx context.Context) (Pass, error) {
	var pass Pass
	inARow := 0
	for id, err := range r.ledger.Unfinished(ctx) {
		if err != nil {
			return pass, err
		}
		pass.Unfinished++
		if !r.queue.HasRoom() {
			pass.Full = true
			return pass, nil
		}
		enqueued, err := r.lookAfter(ctx, id)
		switch {
		case err == nil:
			inARow = 0
			if enqueued {
				pass.Enqueued++
			}
		case errors.Is(err, queue.ErrFull):
			pass.Full = true
			return pass, nil
		case errors.Is(err, queue.ErrAway), errors.Is(err, storage.ErrUnavailable), ctx.Err() != nil, inARow >= troubleMost:
			return pass, fmt.Errorf("looking after %s: %w", id, err)
		default:
			inARow++
			pass.Troubled++
			r.log.Error("a request could not be looked after", "id", id, "why", err)
		}
	}
	return pass, nil
}

// lookAfter enqueues a request that has no live job.
func (r *Reconciler) lookAfter(ctx context.Context, id string) (enqueued bool, err error) {
	job, _, err := r.queue.Find(ctx, id)
	if err != nil || job.Live() {
		return false, err
	}
	name, err := r.ledger.QueueOf(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return false, nil // finished meanwhile
	}
	if err != nil {
		return false, err
	}
	if !slices.Contains(queue.Names, name) {
		name = queue.Batch // written by another version: no person waits for it any more
	}
	if err := r.queue.Enqueue(ctx, id, name, queue.Reconciler); err != nil {
		return false, err
	}
	return true, nil
}
