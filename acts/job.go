package acts

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"segell/ledger"
)

// Why a bulk waits, or was ended by nobody.
const (
	HoldsQueue   = "queue"   // what it opened again waits for the workers
	HoldsAway    = "away"    // the bucket or Redis does not answer
	HoldsDamaged = "damaged" // it is stopped: the list of its requests cannot be read
)

// Holds are all reasons for which a bulk does not go on.
var Holds = []string{HoldsQueue, HoldsAway, HoldsDamaged}

const (
	// windowMost is how many requests are claimed at a time.
	windowMost = 25
	// windowAtOnce is how many of them are acted on at a time.
	windowAtOnce = 4
	// examplesMost is how many of those on which it was not done are kept.
	examplesMost = 50
	// holdShows is after what time a bulk that waits says so.
	holdShows = 2 * time.Second
	// awayPause is how long a bulk leaves alone what did not answer.
	awayPause = time.Second
	// saveEvery is how often progress is written that no claim carries along.
	saveEvery = time.Second
	// readAhead is how many ids of the list are held.
	readAhead = 1000
)

// job is a bulk under way in this process.
type job struct {
	*Acts
	order    ledger.Bulk
	progress ledger.BulkProgress
	leftover bool      // the claim in progress is of a window that did not come to its end
	unsaved  bool      // progress has something that the ledger has not
	savedAt  time.Time // when it was written last
	ahead    []string  // ids of the list that are not settled yet, as far as they were read
	pace     *pace
	restTill time.Time // nothing is done before: the rate, or something is away
	readAt   time.Time // when the order was read
	heldFrom time.Time // since when it waits
	broken   bool      // it can never be carried out
}

// takeUp begins a bulk here, where it was left. With an error it is in nobody's way.
func (r *runner) takeUp(ctx context.Context, order ledger.Bulk) (j *job, err error) {
	p, err := r.Ledger.BulkProgress(ctx, order.ID)
	if err != nil {
		return nil, err
	}
	if p.Cannot == nil {
		p.Cannot = map[string]int{}
	}
	j = &job{Acts: r.Acts, order: order, progress: p, leftover: p.Claim != nil, readAt: time.Now(), pace: r.crowd.join()}
	pace := j.pace
	defer func() {
		if err != nil {
			r.crowd.leave(pace)
		}
	}()
	if _, begun := r.Ledger.AuditHead(); !begun {
		// A claim names the end of this process's chain, so there must be one.
		entry := Actor{order.Who, order.From}.entry("bulk.carry_out", order.ID, order.Why)
		entry.Count = order.Total - p.Next
		if err := r.Ledger.Audit(ctx, entry); err != nil {
			return nil, err
		}
	}
	return j, j.lookBack(ctx)
}

// opens reports whether the bulk opens requests again, so that they get jobs.
func (j *job) opens() bool { return BulkAct(j.order.What) != BulkCancel }

// lookBack follows the jobs of the requests that were settled last: they may have
// one, though this process did not see it. What opens nothing more needs no pace.
func (j *job) lookBack(ctx context.Context) error {
	if !j.opens() || j.order.State != ledger.BulkRunning {
		return nil
	}
	from := max(0, j.progress.Next-mostLive)
	left := j.progress.Next - from
	for id, err := range j.Ledger.BulkIDs(ctx, j.order, from) {
		if left == 0 || errors.Is(err, ledger.ErrDamaged) { // what is to be done next may be whole
			return nil
		}
		if err != nil {
			return err
		}
		j.pace.follow(id)
		left--
	}
	return nil
}

// step does the next few requests of the bulk, acting no later than until. It
// reports whether it did anything, and whether this process has done with the bulk.
func (j *job) step(ctx context.Context, until time.Time) (moved, ended bool) {
	if time.Now().Before(j.restTill) {
		return false, false
	}
	moved, ended, err := j.advance(ctx, until)
	switch {
	case errors.Is(err, ledger.ErrOvertaken):
		// What was counted here and not written is counted by who overtook us.
		j.Log.Warn("a bulk goes on elsewhere", "bulk", j.order.ID)
		return false, true
	case errors.Is(err, ledger.ErrDamaged):
		j.Log.Error("a bulk cannot be carried out", "bulk", j.order.ID, "why", err)
		return j.endDamaged(ctx)
	case errors.Is(err, ledger.ErrNotFound):
		j.Log.Error("a bulk cannot be carried out", "bulk", j.order.ID, "why", err)
		j.broken = true
		return false, true
	case err != nil:
		j.restTill = time.Now().Add(awayPause)
		if ctx.Err() == nil {
			j.hold(ctx, HoldsAway, err)
		}
		return false, false
	}
	return moved, ended
}

// endDamaged stops a bulk of which something cannot be read, where its order can:
// else it would be open for ever.
func (j *job) endDamaged(ctx context.Context) (moved, ended bool) {
	err := j.end(ctx, ledger.BulkStopped, HoldsDamaged)
	switch {
	case errors.Is(err, ledger.ErrOvertaken):
		return false, true
	case errors.Is(err, ledger.ErrDamaged), errors.Is(err, ledger.ErrNotFound):
		j.broken = true
		return false, true
	case err != nil:
		j.restTill = time.Now().Add(awayPause)
		return false, false
	}
	return true, true
}

func (j *job) advance(ctx context.Context, until time.Time) (moved, ended bool, err error) {
	if time.Since(j.readAt) >= orderEvery {
		order, err := j.Ledger.Bulk(ctx, j.order.ID)
		if err != nil {
			return false, false, err
		}
		j.order, j.readAt = order, time.Now()
	}
	switch {
	case !j.order.State.Open():
		return true, true, nil // another process ended it
	case j.leftover:
		return true, false, j.finishWindow(ctx, until)
	case j.order.State == ledger.BulkStopping:
		return true, true, j.end(ctx, ledger.BulkStopped, "")
	case j.progress.Next >= j.order.Total:
		return true, true, j.end(ctx, ledger.BulkDone, "")
	}
	n := min(windowMost, j.order.Total-j.progress.Next)
	if j.opens() {
		room, err := j.pace.room(ctx, j.Queue)
		if err != nil {
			return false, false, err
		}
		n = min(n, room)
	}
	if n == 0 {
		j.hold(ctx, HoldsQueue, nil)
		return false, false, nil
	}
	return true, false, j.window(ctx, until, n)
}

// hold notes that the bulk waits, and says for what when it has for a while.
func (j *job) hold(ctx context.Context, what string, why error) {
	if j.heldFrom.IsZero() {
		j.heldFrom = time.Now()
	}
	if len(j.pace.followed) > windowMost {
		j.restTill = time.Now().Add(awayPause) // many are asked for at each look
	}
	if time.Since(j.heldFrom) >= holdShows && j.progress.Holds != what {
		j.progress.Holds, j.unsaved = what, true
		j.Log.Info("a bulk waits", "bulk", j.order.ID, "for", what, "why", why)
	}
	if j.unsaved && time.Since(j.savedAt) >= saveEvery {
		_ = j.save(ctx) // else the next look does
	}
}

func (j *job) save(ctx context.Context) error {
	j.savedAt = time.Now()
	p, err := j.Ledger.SaveBulkProgress(ctx, j.order.ID, j.progress)
	if err != nil {
		return err
	}
	j.progress, j.unsaved = p, false
	return nil
}

// window claims the next n requests, acts on them, and counts.
func (j *job) window(ctx context.Context, until time.Time, n int) error {
	if err := j.read(ctx, n); err != nil {
		return err
	}
	head, _ := j.Ledger.AuditHead()
	j.progress.Claim = &ledger.BulkClaim{Count: n, Heads: []ledger.AuditHead{head}, At: j.Now().UTC()}
	j.progress.Holds, j.heldFrom = "", time.Time{}
	if err := j.save(ctx); err != nil {
		j.progress.Claim = nil
		return err
	}
	started := time.Now()
	settled, err := j.settle(j.actOn(ctx, until, j.ahead[:n], &chains{}))
	j.restTill = started.Add(time.Duration(float64(settled) / j.Rate * float64(time.Second)))
	return err
}

// finishWindow ends a window that was begun and did not come to its end, here or in
// a process that died: what it had begun with is not begun again.
func (j *job) finishWindow(ctx context.Context, until time.Time) error {
	claim := *j.progress.Claim
	if err := j.read(ctx, claim.Count); err != nil {
		return err
	}
	begun := &chains{ledger: j.Ledger, bulk: j.order.ID, claimedAt: claim.At, heads: slices.Clone(claim.Heads), ids: map[string]bool{}}
	if err := begun.read(ctx); err != nil {
		return err
	}
	head, _ := j.Ledger.AuditHead()
	if !slices.ContainsFunc(claim.Heads, func(h ledger.AuditHead) bool { return h.Writer == head.Writer }) {
		claim.Heads = append(slices.Clip(claim.Heads), head)
		j.progress.Claim = &claim
		if err := j.save(ctx); err != nil {
			return err
		}
	}
	_, err := j.settle(j.actOn(ctx, until, j.ahead[:claim.Count], begun))
	return err
}

// settle counts what became of a window. What is not known stays claimed.
func (j *job) settle(results []result) (settled int, err error) {
	settled, err = j.count(results)
	j.unsaved, j.leftover = true, err != nil
	j.ahead = j.ahead[min(settled, len(j.ahead)):]
	if err == nil {
		j.progress.Claim = nil
		return settled, nil
	}
	claim := *j.progress.Claim
	claim.Count -= settled
	j.progress.Claim = &claim
	return settled, err
}

// read reads ahead until n requests are known.
func (j *job) read(ctx context.Context, n int) error {
	if len(j.ahead) >= n {
		return nil
	}
	j.ahead = nil
	for id, err := range j.Ledger.BulkIDs(ctx, j.order, j.progress.Next) {
		if err != nil {
			return err
		}
		if j.ahead = append(j.ahead, id); len(j.ahead) >= max(n, readAhead) {
			return nil
		}
	}
	if len(j.ahead) < n {
		return fmt.Errorf("%w: the list of a bulk is too short", ledger.ErrDamaged)
	}
	return nil
}

// result is what became of one request.
type result struct {
	id     string
	cannot string // why it was not done, or ""
	left   bool   // it was not begun when the bulk was stopped: it stays as it is
	err    error  // it is not known, and must be looked at again
}

// actOn acts on requests, a few at a time.
func (j *job) actOn(ctx context.Context, until time.Time, ids []string, begun *chains) []result {
	results := make([]result, len(ids))
	// A process that is asked to stop ends what it has begun.
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), until)
	defer cancel()
	var all sync.WaitGroup
	places := make(chan struct{}, windowAtOnce)
	for i, id := range ids {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			results[i] = j.actOnOne(ctx, id, begun)
		})
	}
	all.Wait()
	return results
}

func (j *job) actOnOne(ctx context.Context, id string, begun *chains) result {
	r := result{id: id, err: ctx.Err()}
	switch {
	case r.err != nil:
	case j.order.State == ledger.BulkStopping && !begun.has(id):
		r.left = true
	default:
		r.cannot, r.err = j.act(ctx, id, begun)
	}
	return r
}

// count adds up what became of a window, up to the first of which that is not
// known.
func (j *job) count(results []result) (settled int, err error) {
	for _, r := range results {
		if r.err != nil {
			return settled, r.err
		}
		settled++
		j.progress.Next++
		if r.left {
			continue
		}
		switch r.cannot {
		case "":
			j.progress.Done++
			if j.opens() {
				j.pace.follow(r.id)
			}
			continue
		case CannotError:
			j.progress.Failed++
		default:
			j.progress.Cannot = maps.Clone(j.progress.Cannot)
			j.progress.Cannot[r.cannot]++
		}
		if len(j.progress.Examples) < examplesMost {
			j.progress.Examples = append(j.progress.Examples, ledger.BulkOutcome{ID: r.id, Reason: r.cannot})
		}
	}
	return settled, nil
}

// end writes that the bulk is over, and why if it came to no end of its own.
func (j *job) end(ctx context.Context, state ledger.BulkState, holds string) error {
	if j.unsaved || j.progress.Holds != holds {
		j.progress.Holds = holds
		if err := j.save(ctx); err != nil {
			return err
		}
	}
	return j.endOrder(ctx, state)
}

func (j *job) endOrder(ctx context.Context, state ledger.BulkState) error {
	order, err := j.Ledger.AmendBulk(ctx, j.order.ID, func(order *ledger.Bulk) error {
		if !order.State.Open() {
			return errAsItIs
		}
		order.State, order.Ended = state, j.Now().UTC().Truncate(time.Second)
		return nil
	})
	if err != nil && !errors.Is(err, errAsItIs) {
		return err
	}
	j.order = order
	j.Log.Info("a bulk is over", "bulk", order.ID, "state", string(order.State), "requests", order.Total, "done", j.progress.Done, "failed", j.progress.Failed)
	j.closeBulk(ctx, order)
	return nil
}
