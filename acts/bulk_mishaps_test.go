package acts_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"segell/acts"
	"segell/ledger"
	"segell/queue"
	"segell/storage"
)

// A bulk that cancels has no jobs in the queue: who takes one over has room for
// what others retry.
func TestABulkThatCancelsTakesNoRoom(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	slow := func(c *acts.Config) { c.Rate = 10 }
	first := h.process(slow)
	cancels := h.start(first, anna, acts.Selection{IDs: h.failed(250)}, acts.BulkCancel)
	stop := h.run(first)
	h.until("a part", func() bool { return h.bulk(cancels.ID).Done >= 25 })
	stop()
	second := h.process(slow)
	h.work(h.process(), queue.Batch, 2, 0)
	retries := h.start(second, bru, acts.Selection{IDs: h.failed(5)}, acts.BulkRetry)
	h.run(second)
	h.until("the retries", func() bool { return h.bulk(retries.ID).State == ledger.BulkDone })
	if b := h.bulk(cancels.ID); b.State != ledger.BulkRunning {
		t.Errorf("the retries waited for the other bulk: %+v", b)
	}
}

// A bulk of which something is damaged is stopped and says why, while others go on;
// to stop one nothing of its list is needed.
func TestADamagedBulkIsStopped(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.process()
	damage := func(b acts.Bulk, what string) {
		t.Helper()
		keys := h.list("bulks/" + b.ID + "/" + what)
		if what == "progress" {
			keys = []string{"bulks/" + b.ID + "/progress"}
		}
		for _, key := range keys {
			if _, err := h.bucket.Write(t.Context(), key, []byte("{"), storage.Put{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	begin := func(what acts.BulkAct, n int) acts.Bulk {
		return h.start(p, anna, acts.Selection{IDs: h.failed(n)}, what)
	}

	begun := begin(acts.BulkRetry, 40) // a few are opened again, then the list is damaged
	stop := h.run(p)
	h.until("a part", func() bool { return h.bulk(begun.ID).Done >= 8 })
	stop()
	stopped := begin(acts.BulkRetry, 3)
	if _, err := p.Stop(t.Context(), bru, stopped.ID, ""); err != nil {
		t.Fatal(err)
	}
	cancels, lost, whole := begin(acts.BulkCancel, 3), begin(acts.BulkCancel, 3), begin(acts.BulkCancel, 3)
	for _, b := range []acts.Bulk{begun, stopped, cancels} {
		damage(b, "ids")
	}
	damage(lost, "progress")
	h.work(h.process(), queue.Batch, 2, 0) // so that there is room for the rest
	h.run(h.process())
	for name, want := range map[string]struct {
		id, holds string
		state     ledger.BulkState
		done      int
	}{
		"in the middle":       {begun.ID, acts.HoldsDamaged, ledger.BulkStopped, h.bulk(begun.ID).Done},
		"from the beginning":  {cancels.ID, acts.HoldsDamaged, ledger.BulkStopped, 0},
		"of unknown progress": {lost.ID, acts.HoldsDamaged, ledger.BulkStopped, 0},
		"that was stopped":    {stopped.ID, "", ledger.BulkStopped, 0},
		"another":             {whole.ID, "", ledger.BulkDone, 3},
	} {
		h.until(name, func() bool { return !h.bulk(want.id).State.Open() })
		if b := h.bulk(want.id); b.State != want.state || b.Holds != want.holds || b.Done != want.done || b.Ended.IsZero() {
			t.Errorf("%s: it ended as %+v", name, b)
		}
	}
}

// A bulk that is stopped after a crash counts each request once, however often the
// end of its last window is tried: those that were begun are done, the others stay.
func TestWhatWasStoppedCountsOnce(t *testing.T) {
	t.Parallel()
	for at := 7; at < 12; at += 2 {
		t.Run(fmt.Sprint("died at write ", at), func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			ids := h.failed(6)
			// With the first request nobody begins, so that what is begun lies behind it;
			// later the third does not answer at once, so that the end is tried twice.
			var now, asked atomic.Int32
			h.bucket.Fault = func(op, key string) error {
				of := func(id string) bool {
					return op == "get" && strings.HasPrefix(key, "failures/") && strings.HasSuffix(key, id)
				}
				if now.Load() == 0 && of(ids[0]) || now.Load() == 1 && of(ids[2]) && asked.Add(1) == 1 {
					return storage.ErrUnavailable
				}
				return nil
			}
			first := h.process()
			b := h.start(h.process(), anna, acts.Selection{IDs: ids}, acts.BulkRetry)
			first.life.diesAt = at // once the second and more are opened again
			stop := h.run(first)
			<-first.life.died
			stop()
			now.Store(1)
			if err := first.redis.Del(context.Background(), leaseKey).Err(); err != nil { // its time is over
				t.Fatal(err)
			}
			if _, err := h.process().Stop(t.Context(), anna, b.ID, ""); err != nil {
				t.Fatal(err)
			}
			second := h.process()
			h.run(second)
			h.until("the stop", func() bool { return h.bulk(b.ID).State == ledger.BulkStopped })
			now.Store(2)
			b = h.bulk(b.ID)
			written, trail := 0, h.trail()
			for _, id := range ids {
				written += trail["jobs.retry "+id]
			}
			if opened := h.states(second, ids)[ledger.StateAccepted]; opened != b.Done || written != b.Done || b.Done == len(ids) || len(b.Cannot) > 0 {
				t.Errorf("%d were opened again, %d are written down; it ended as %+v", opened, written, b)
			}
		})
	}
}

// Whoever carries bulks out clears up after one that ended before it had.
func TestWhoCarriesOutClearsUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.process()
	b := h.start(p, anna, acts.Selection{IDs: h.failed(2)}, acts.BulkCancel)
	var keep atomic.Bool
	keep.Store(true)
	h.bucket.Fault = func(op, key string) error {
		if keep.Load() && op == "delete" && strings.HasPrefix(key, "bulks/") {
			return storage.ErrUnavailable
		}
		return nil
	}
	stop := h.run(p)
	h.until("its end", func() bool { return h.bulk(b.ID).State == ledger.BulkDone })
	stop()
	lists := func() []string { return h.list("bulks/" + b.ID + "/ids/") }
	if len(lists()) != 1 {
		t.Fatalf("its list lies there as %v", lists())
	}
	keep.Store(false)
	h.run(h.process())
	h.until("its list to go", func() bool { return len(lists()) == 0 })
}
