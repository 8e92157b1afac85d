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
	beat   time.Duration // between two renewals of the lease
	log    *slog.Logger
	// waiting are requests of batches for which a pass found no room. They are not
	// looked at again until there is some: each would cost a HEAD on every pass.
	waiting map[string]bool
}

// NewReconciler returns a Reconciler. Any number may run on one bucket: a lease
// keeps all but one idle, and two at once would do no harm.
func NewReconciler(l *ledger.Ledger, q *queue.Queue, client redis.UniversalClient, log *slog.Logger) *Reconciler {
	return &Reconciler{ledger: l, queue: q, lease: queue.NewLease(client, "reconciler", rand.Text()), beat: leaseBeat, log: log}
}

// Pass is what one walk over the ledger found.
type Pass struct {
	Unfinished int  // requests neither issued nor given up
	Enqueued   int  // of them, those that had no live job and got one
	Troubled   int  // of them, those that could not be looked after, for a reason of their own
	Full       bool // some were left for later: Redis holds as much of their queue as it may
}

// A lease lives three beats of its holder, so that another process takes over
// soon after one was killed.
const (
	leaseBeat  = 5 * time.Second
	leaseBeats = 3
)

func (r *Reconciler) take(ctx context.Context) (ours bool, err error) {
	return r.lease.Take(ctx, leaseBeats*r.beat)
}

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
	away, full := false, false
	for {
		wait := min(every, r.beat)
		ours, err := r.take(ctx)
		switch {
		case err == nil && !ours:
			due = time.Time{} // whoever gets the lease begins with a pass
		case err == nil && (!time.Now().Before(due) || full && r.queue.Jobs() < queue.Bound/2):
			var pass Pass
			if pass, err = r.held(ctx); err == nil {
				due, full = time.Now().Add(every), pass.Full
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
			case <-time.After(r.beat):
				if _, err := r.take(ctx); err != nil {
					r.log.Debug("the lease was not renewed", "why", err)
				}
			}
		}
	})
	defer renewing.Wait()
	defer close(ended)
	return r.Pass(ctx)
}

const (
	// troubleMost is how many requests in a row may be in trouble, each for a reason
	// of its own, before it is held to be the bucket's or Redis' trouble.
	troubleMost = 50
	// lookAtOnce is about how many requests Redis is asked at a time.
	lookAtOnce = 200
	// longestWait is longer than any job is put off: for a cause at most minutes, for a
	// pause a quarter of an hour.
	longestWait = 20 * time.Minute
)

// Pass walks over everything unfinished once, oldest first, and puts the count of
// the backlog right. Its cost, where nothing is wrong: the listing of requests/
// and failures/, and one exchange with Redis for every lookAtOnce requests. One
// request's trouble does not keep it from the others; it ends with an error if
// Redis or the bucket is away. Where Redis is full the rest is only counted; where
// it is full for batches, people who wait are enqueued past them, at the cost of
// one HEAD, once, for each request of a batch without a job.
func (r *Reconciler) Pass(ctx context.Context) (Pass, error) {
	walk := walk{Reconciler: r, left: map[string]bool{}}
	mark, err := r.queue.BacklogMark(ctx)
	if err != nil {
		return walk.pass, err
	}
	if woken, err := r.queue.WakeFar(ctx, longestWait); err != nil {
		return walk.pass, err
	} else if woken > 0 {
		r.log.Warn("jobs waited for a time that a wrong clock had set: they run now", "jobs", woken)
	}
	var ids []string
	for id, err := range r.ledger.Unfinished(ctx) {
		if err != nil {
			return walk.pass, err
		}
		walk.pass.Unfinished++
		if walk.mustWait(id) {
			continue
		}
		if ids = append(ids, id); len(ids) == lookAtOnce {
			if err := walk.lookAfter(ctx, ids); err != nil {
				return walk.pass, err
			}
			ids = ids[:0]
		}
	}
	if err := walk.lookAfter(ctx, ids); err != nil {
		return walk.pass, err
	}
	r.waiting = walk.left
	return walk.pass, r.queue.Recount(ctx, mark, walk.pass.Unfinished)
}

// walk is one pass under way.
type walk struct {
	*Reconciler
	pass   Pass
	full   bool            // no queue has room: the rest is only counted
	left   map[string]bool // the requests that wait after this pass, for Reconciler.waiting
	inARow int             // requests in trouble
}

// mustWait reports whether there is certainly no room for a request.
func (w *walk) mustWait(id string) bool {
	if w.waiting[id] && !w.queue.HasRoom(queue.Batch) {
		w.left[id], w.pass.Full = true, true
		return true
	}
	return w.full
}

// lookAfter enqueues those requests that have no live job, until Redis is full.
func (w *walk) lookAfter(ctx context.Context, ids []string) error {
	if len(ids) == 0 || w.isFull() {
		return nil
	}
	live, err := w.queue.Live(ctx, ids)
	if err != nil {
		return err
	}
	for i, id := range ids {
		if live[i] {
			continue
		}
		enqueued, err := w.enqueue(ctx, id)
		switch {
		case err == nil:
			w.inARow = 0
			if enqueued {
				w.pass.Enqueued++
			}
		case errors.Is(err, queue.ErrFull):
			w.inARow, w.pass.Full = 0, true
			if w.isFull() {
				return nil
			}
		case errors.Is(err, queue.ErrAway), errors.Is(err, storage.ErrUnavailable), ctx.Err() != nil, w.inARow >= troubleMost:
			return fmt.Errorf("looking after %s: %w", id, err)
		default:
			w.inARow++
			w.pass.Troubled++
			w.log.Error("a request could not be looked after", "id", id, "why", err)
		}
	}
	return nil
}

// isFull reports whether Redis may take no job at all, and ends the looking if so.
func (w *walk) isFull() bool {
	if !w.queue.HasRoom(queue.Interactive) {
		w.full, w.pass.Full = true, true
	}
	return w.full
}

// enqueue gives a request a job. What is of a batch and finds no room is left.
func (w *walk) enqueue(ctx context.Context, id string) (enqueued bool, err error) {
	name, err := w.ledger.QueueOf(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return false, nil // finished meanwhile
	}
	if err != nil {
		return false, err
	}
	if !slices.Contains(queue.Names, name) {
		name = queue.Batch // written by another version: no person waits for it any more
	}
	if err := w.queue.Enqueue(ctx, id, name, queue.Reconciler); err != nil {
		if name == queue.Batch && errors.Is(err, queue.ErrFull) {
			w.left[id] = true
		}
		return false, err
	}
	return true, nil
}
