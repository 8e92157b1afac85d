package index

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"segell/ledger"
	"segell/queue"
	"segell/storage"
)

// Run keeps the index up to date until ctx ends. Any number of processes may run
// it: a lease keeps all but one idle, and two at once would do no harm that the
// next sweep does not mend.
func (x *Index) Run(ctx context.Context) {
	lease := queue.NewLease(x.Redis, "index", rand.Text())
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		lease.Drop(ctx)
	}()
	for ctx.Err() == nil {
		if ours, err := lease.Take(ctx, leaseBeats*x.every.lease); err == nil && ours {
			x.hold(ctx, lease)
		}
		x.sleep(ctx, x.every.lease/2)
	}
}

// leaseBeats is how many renewals a lease lives.
const leaseBeats = 3

// hold works while the lease is ours.
func (x *Index) hold(ctx context.Context, lease *queue.Lease) {
	ctx, lost := context.WithCancel(ctx)
	defer lost()
	var working sync.WaitGroup
	defer working.Wait()
	working.Go(func() { x.follow(ctx) })
	working.Go(func() { x.tend(ctx) })
	renewed := time.Now()
	for {
		x.sleep(ctx, x.every.lease)
		ours, err := lease.Take(ctx, leaseBeats*x.every.lease)
		switch {
		case err == nil && ours:
			renewed = time.Now()
		case err == nil, ctx.Err() != nil, time.Since(renewed) > leaseBeats*x.every.lease:
			lost()
			return
		}
	}
}

// sleep waits for d, or until ctx ends.
func (x *Index) sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// errFull: Redis has no room for the index.
var errFull = errors.New("redis is too full for the index")

const (
	lookAtOnce = 256 // requests in one batch
	awayFor    = time.Second
)

// follow looks up what is said to have changed.
func (x *Index) follow(ctx context.Context) {
	quiet := true
	for ctx.Err() == nil {
		n, err := x.followOnce(ctx)
		if err != nil && ctx.Err() == nil {
			if quiet {
				x.Log.Warn("the index does not follow what changes", "why", err)
			}
			quiet = false
			x.sleep(ctx, awayFor)
			continue
		}
		quiet = true
		if n == 0 {
			x.sleep(ctx, x.every.look)
		}
	}
}

// followOnce deals with a batch of hints and returns how many were settled.
func (x *Index) followOnce(ctx context.Context) (int, error) {
	changes, err := x.Queue.Changes(ctx, lookAtOnce)
	if err != nil || len(changes) == 0 {
		return 0, err
	}
	told := make(map[string]queue.Change, len(changes))
	ids := make([]string, 0, len(changes))
	for _, c := range changes {
		told[c.ID] = c
		ids = append(ids, c.ID)
	}
	done, err := x.refresh(ctx, ids, func(id string) time.Time { return told[id].At })
	if err != nil {
		return 0, err
	}
	settled := make([]queue.Change, 0, len(done))
	for _, id := range done {
		settled = append(settled, told[id])
	}
	return len(settled), x.Queue.Settle(ctx, settled)
}

// refresh looks requests up in the ledger and puts them where they belong. It
// returns those it has dealt with: one that another part of Run is just looking up
// is left to a later call, for of two answers the older could come in last.
func (x *Index) refresh(ctx context.Context, ids []string, told func(string) time.Time) (done []string, err error) {
	if full, err := x.isFull(ctx); err != nil || full {
		return nil, errors.Join(err, errWhen(full))
	}
	ours := x.claimIDs(ids)
	defer x.freeIDs(ours)
	all, err := x.lookUp(ctx, ours)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].told = told(all[i].id)
	}
	news, err := x.put(ctx, all)
	if err != nil {
		return nil, err
	}
	if news > 0 {
		// Best effort, as those are who listen.
		_ = x.Redis.Publish(ctx, movedName, "").Err()
	}
	return ours, nil
}

func errWhen(full bool) error {
	if full {
		return errFull
	}
	return nil
}

func (x *Index) claimIDs(ids []string) (ours []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, id := range ids {
		if !x.looking[id] {
			x.looking[id] = true
			ours = append(ours, id)
		}
	}
	return ours
}

func (x *Index) freeIDs(ids []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, id := range ids {
		delete(x.looking, id)
	}
}

// lookUp asks the ledger about requests, several at a time. One that cannot be read
// is passed over; the error is that of a ledger that is away.
func (x *Index) lookUp(ctx context.Context, ids []string) ([]found, error) {
	all, errs := make([]found, len(ids)), make([]error, len(ids))
	next := make(chan int)
	var looking sync.WaitGroup
	for range min(x.Workers, len(ids)) {
		looking.Go(func() {
			for i := range next {
				all[i], errs[i] = x.look(ctx, ids[i])
			}
		})
	}
	for i := range ids {
		next <- i
	}
	close(next)
	looking.Wait()
	known := all[:0]
	for i, err := range errs {
		switch {
		case err == nil:
			known = append(known, all[i])
		case ctx.Err() != nil, errors.Is(err, storage.ErrUnavailable), errors.Is(err, storage.ErrDenied):
			return nil, err
		default:
			x.Log.Debug("a request cannot be looked up for the index", "id", ids[i], "why", err)
		}
	}
	return known, nil
}

func (x *Index) look(ctx context.Context, id string) (found, error) {
	if err := ctx.Err(); err != nil {
		return found{}, err
	}
	standing, err := x.Ledger.Look(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return found{id: id}, nil
	}
	if err != nil {
		return found{}, fmt.Errorf("looking up %s: %w", id, err)
	}
	standing.ID = id
	return found{id: id, standing: &standing}, nil
}
