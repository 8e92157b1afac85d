package acts

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"time"

	"segell/ledger"
	"segell/queue"
)

const (
	// bulksLease is held by who carries bulks out.
	bulksLease = "bulks"
	// wakeKey is counted up when a bulk was begun, approved or stopped anywhere.
	wakeKey = "segell:bulks:woken"

	leaseLife = 15 * time.Second
	// leaseSafe is how long after it was taken nobody else can have the lease, with
	// time to spare for an act that has begun.
	leaseSafe = leaseLife - 7*time.Second
	leaseBeat = 4 * time.Second

	// lookEvery is how often somebody who was not told looks for bulks all the same.
	lookEvery = 30 * time.Second
	// idlePause is between two looks whether somebody told.
	idlePause = time.Second
	// heldPause is between two looks whether a bulk that waits can go on.
	heldPause = 100 * time.Millisecond
	// openMost is how many bulks that may be open are read at a look: where there are
	// more, the older ones in turn.
	openMost = 1000
	// orderEvery is how often the order of a bulk under way is read: so soon a stop
	// is noticed.
	orderEvery = time.Second
	// sweepEvery is how often what is left of bulks is looked for.
	sweepEvery = time.Hour
)

// wake tells who carries bulks out, in this process or another, that there is
// something new. It is best effort: they look by themselves as well.
func (a *Acts) wake(ctx context.Context) {
	select {
	case a.woken <- struct{}{}:
	default:
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = a.Redis.Incr(ctx, wakeKey).Err()
}

// Run carries bulks out until ctx ends, while no other process does: a lease in
// Redis says whose turn it is. What a process that died was at is gone on with
// from the ledger. While Redis or the bucket is away it waits.
func (a *Acts) Run(ctx context.Context) error {
	a.Queue.Keep(ctx) // so that HasRoom is known
	r := &runner{Acts: a, lease: queue.NewLease(a.Redis, bulksLease, rand.Text()), over: map[string]bool{}}
	defer r.drop(ctx)
	for ctx.Err() == nil {
		if r.ours(ctx) {
			r.carryOut(ctx)
			r.sweep(ctx)
		}
		select {
		case <-ctx.Done():
		case <-a.woken:
			r.lookedAt = time.Time{}
		case <-time.After(idlePause):
		}
	}
	return nil
}

// runner is who carries bulks out in one process.
type runner struct {
	*Acts
	lease    *queue.Lease
	takenAt  time.Time       // when the lease was taken or renewed last
	told     int64           // wakeKey as last read
	lookedAt time.Time       // when the bulks were listed last
	sweptAt  time.Time       // when what is left of bulks was looked for last
	over     map[string]bool // bulks that were seen to have ended
	oldest   string          // how far back the last look came, where it did not come to all bulks
	crowd    *crowd          // what all of them have in the queue
	away     bool            // said in the log
}

// ours takes the lease, or renews it when that is due, and reports whether this
// process may act.
func (r *runner) ours(ctx context.Context) bool {
	if time.Since(r.takenAt) < leaseBeat {
		return true
	}
	asked := time.Now()
	got, err := r.lease.Take(ctx, leaseLife)
	switch {
	case err != nil:
		r.trouble(ctx, err)
	case got:
		r.takenAt = asked
	default:
		r.takenAt, r.lookedAt = time.Time{}, time.Time{} // whoever gets it begins with a look
	}
	return time.Since(r.takenAt) < leaseSafe
}

// until is when this process must have stopped acting, unless it renews its lease.
func (r *runner) until() time.Time { return r.takenAt.Add(leaseSafe) }

func (r *runner) drop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	r.lease.Drop(ctx)
}

// trouble tells the log once that something is away.
func (r *runner) trouble(ctx context.Context, err error) {
	if !r.away && ctx.Err() == nil {
		r.away = true
		r.Log.Warn("bulks wait", "why", err)
	}
}

// due reports whether it is time to look for bulks.
func (r *runner) due(ctx context.Context) bool {
	told, err := r.Redis.Get(ctx, wakeKey).Int64()
	if err == nil && told != r.told {
		r.told = told
		return true
	}
	return time.Since(r.lookedAt) >= lookEvery
}

// carryOut does what is open, all bulks in turn, so that a small one does not wait
// for a large one; it returns when none is open or the lease is not ours.
func (r *runner) carryOut(ctx context.Context) {
	var jobs []*job
	r.crowd = &crowd{}
	defer func() { r.letGo(ctx, jobs) }()
	for ctx.Err() == nil && r.ours(ctx) {
		if r.due(ctx) {
			found, err := r.open(ctx, jobs)
			if err != nil {
				r.lookedAt = time.Time{}
				r.trouble(ctx, err)
				return
			}
			jobs, r.lookedAt, r.away = found, time.Now(), false
		}
		if len(jobs) == 0 {
			return
		}
		pause := heldPause
		jobs = slices.DeleteFunc(jobs, func(j *job) bool {
			if ctx.Err() != nil || !r.ours(ctx) {
				return false
			}
			moved, ended := j.step(ctx, r.until())
			if moved {
				pause = 0
			}
			if ended {
				r.leave(j)
			}
			return ended
		})
		if pause > 0 {
			select {
			case <-ctx.Done():
			case <-r.woken:
				r.lookedAt = time.Time{}
			case <-time.After(pause):
			}
		}
	}
}

// sweep clears up after those that ended before they had, now that nothing is open.
func (r *runner) sweep(ctx context.Context) {
	if time.Since(r.sweptAt) < sweepEvery || !r.ours(ctx) || ctx.Err() != nil {
		return
	}
	r.sweptAt = time.Now() // what is away now is for the next time
	deleted, err := r.Ledger.SweepBulks(ctx)
	switch {
	case err != nil && ctx.Err() == nil:
		r.Log.Warn("what is left of bulks lies there still", "why", err)
	case deleted > 0:
		r.Log.Info("what was left of bulks is deleted", "objects", deleted)
	}
}

// leave has done with a bulk. One that is open still goes on elsewhere, or here
// again after the next look.
func (r *runner) leave(j *job) {
	r.crowd.leave(j.pace)
	if r.over[j.order.ID] = j.broken || !j.order.State.Open(); !r.over[j.order.ID] {
		r.lookedAt = time.Time{}
	}
}

// letGo writes how far the bulks are that this process leaves.
func (r *runner) letGo(ctx context.Context, jobs []*job) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	for _, j := range jobs {
		r.lookedAt = time.Time{} // whoever has the lease next begins with a look
		if j.unsaved && time.Now().Before(r.until()) {
			_ = j.save(ctx) // else whoever goes on finds it out
		}
	}
}

// open lists the bulks that are to be carried out, oldest first, those that are
// under way here as they are.
func (r *runner) open(ctx context.Context, under []*job) ([]*job, error) {
	ids, err := r.Ledger.Bulks(ctx)
	if err != nil {
		return nil, err
	}
	ids = slices.DeleteFunc(ids, func(id string) bool {
		return r.over[id] || slices.ContainsFunc(under, func(j *job) bool { return j.order.ID == id })
	})
	jobs := slices.Clone(under)
	for _, id := range r.turnOf(ids) {
		j, err := r.find(ctx, id)
		switch {
		case errors.Is(err, ledger.ErrDamaged): // it must not keep the others
			r.over[id] = true
			r.Log.Error("a bulk cannot be carried out", "bulk", id, "why", err)
		case err != nil:
			return nil, err
		case j != nil:
			jobs = append(jobs, j)
		}
	}
	slices.SortFunc(jobs, func(one, other *job) int { return strings.Compare(one.order.ID, other.order.ID) })
	return jobs, nil
}

// turnOf is the part of ids, the newest first, that is read at this look: where
// they are too many the newest, and of the others those whose turn it is.
func (r *runner) turnOf(ids []string) []string {
	const half = openMost / 2
	if len(ids) <= openMost {
		r.oldest = ""
		return ids
	}
	newest, rest := ids[:half], ids[half:]
	if from := slices.IndexFunc(rest, func(id string) bool { return id < r.oldest }); from > 0 {
		rest = rest[from:]
	}
	rest = rest[:min(half, len(rest))]
	r.oldest = rest[len(rest)-1]
	return slices.Concat(newest, rest)
}

// find takes a bulk up, or returns nil where it is not to be carried out.
func (r *runner) find(ctx context.Context, id string) (*job, error) {
	order, err := r.Ledger.Bulk(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, nil // its list is being written
	}
	if err != nil {
		return nil, err
	}
	switch order.State {
	case ledger.BulkRunning, ledger.BulkStopping:
		j, err := r.takeUp(ctx, order)
		if errors.Is(err, ledger.ErrDamaged) { // nobody knows how far it is
			r.Log.Error("a bulk cannot be carried out", "bulk", id, "why", err)
			return nil, (&job{Acts: r.Acts, order: order}).endOrder(ctx, ledger.BulkStopped)
		}
		return j, err
	case ledger.BulkProposed:
		if r.asOf(order).State == ledger.BulkProposed {
			return nil, nil
		}
		order, err = r.lapse(ctx, order)
	}
	r.over[id] = err == nil && !order.State.Open()
	return nil, err
}

// lapse ends a proposal that nobody approved in time. Nobody acts, so the audit
// trail has nothing to say.
func (r *runner) lapse(ctx context.Context, order ledger.Bulk) (ledger.Bulk, error) {
	ended, err := r.Ledger.AmendBulk(ctx, order.ID, func(order *ledger.Bulk) error {
		if order.State != ledger.BulkProposed {
			return errAsItIs
		}
		*order = r.asOf(*order)
		return nil
	})
	if errors.Is(err, errAsItIs) { // somebody else did something to it this moment
		return ended, nil
	}
	if err != nil {
		return ended, err
	}
	r.Log.Info("nobody approved a bulk in time", "bulk", ended.ID)
	r.closeBulk(ctx, ended)
	return ended, nil
}
