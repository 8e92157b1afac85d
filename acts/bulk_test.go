package acts_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"segell/acts"
	"segell/index"
	"segell/ledger"
	"segell/queue"
	"segell/storage"
)

// A bulk does what its dry run counted, once on each, though its order is given
// twice; what could not be done is told by reason.
func TestABulkDoesWhatWasCounted(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.process()
	ids := h.failed(60)
	waiting, issued, cancelled := h.accept(p).ID, h.issued(p), h.failed(1)[0]
	if _, err := p.ledger.Cancel(t.Context(), cancelled, ledger.CancelInError); err != nil {
		t.Fatal(err)
	}
	none := "0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"
	chosen := acts.Selection{IDs: append(slices.Clone(ids), ids[0], waiting, issued, cancelled, none)}
	cannot := map[string]int{acts.CannotWaiting: 1, acts.CannotIssued: 1, acts.CannotCancelled: 1, acts.CannotUnknown: 1}
	before := h.objects()
	plan, err := p.Count(t.Context(), anna, chosen, acts.BulkRetry)
	if err != nil || plan.Will != 60 || fmt.Sprint(plan.Cannot) != fmt.Sprint(cannot) || plan.ByKind["coverage_certificate"] != 60 || plan.ByCause["seal_certificate_expired"] != 60 || plan.NeedsSecond || plan.Checked != 64 {
		t.Errorf("the plan is %+v, %v", plan, err)
	}
	if !slices.Equal(before, h.objects()) {
		t.Error("counting changed something")
	}

	h.work(h.process(), queue.Batch, 4, 0)
	h.run(p)
	b := h.start(p, anna, chosen, acts.BulkRetry)
	again, err := h.process().Start(t.Context(), anna, b.ID, chosen, acts.BulkRetry, reason)
	if err != nil || again.ID != b.ID || again.Total != 64 {
		t.Errorf("begun again: %+v, %v", again, err)
	}
	for _, err := range []error{
		func() error { _, err := p.Start(t.Context(), bru, b.ID, chosen, acts.BulkRetry, reason); return err }(),
		func() error { _, err := p.Start(t.Context(), anna, b.ID, chosen, acts.BulkCancel, reason); return err }(),
		func() error {
			_, err := p.Start(t.Context(), anna, b.ID, acts.Selection{IDs: ids[:1]}, acts.BulkRetry, reason)
			return err
		}(),
		func() error {
			_, err := p.Start(t.Context(), anna, b.ID, chosen, acts.BulkRetry, "another reason")
			return err
		}(),
	} {
		if !errors.Is(err, acts.ErrBatchUsed) {
			t.Errorf("another bulk under the same id: %v", err)
		}
	}
	h.until("the bulk to be done", func() bool { return h.bulk(b.ID).State == ledger.BulkDone })
	b = h.bulk(b.ID)
	if b.Done != 60 || b.Failed != 0 || fmt.Sprint(b.Cannot) != fmt.Sprint(cannot) || len(b.Examples) != 4 || b.Settled() != b.Total || b.Ended.IsZero() || b.Who != "anna" || b.Why != reason || b.ApprovedBy != "" {
		t.Errorf("it ended as %+v", b)
	}
	h.until("the documents", func() bool {
		counts := h.states(p, ids)
		return counts[ledger.StateIssued] == 60
	})
	want := map[string]int{"bulk.start " + b.ID: 1}
	for _, id := range ids {
		want["jobs.retry "+id] = 1
	}
	if trail := h.trail(); fmt.Sprint(trail) != fmt.Sprint(want) {
		t.Errorf("the trail holds %d entries, want %d: %v", len(trail), len(want), trail)
	}
	if left := h.list("bulks/" + b.ID + "/ids/"); len(left) > 0 {
		t.Errorf("the list of a bulk that is over lies there still: %v", left)
	}
	if _, err := p.Start(t.Context(), anna, batchAt(t, 0), acts.Selection{Query: &index.Query{}}, acts.BulkRetry, reason); !errors.Is(err, acts.ErrNothing) {
		t.Errorf("a bulk of nothing: %v", err)
	}
}

// states counts where requests stand.
func (h *house) states(p *process, ids []string) map[ledger.State]int {
	h.t.Helper()
	counts := map[ledger.State]int{}
	for _, id := range ids {
		standing, err := p.ledger.Look(context.Background(), id)
		if err != nil {
			h.t.Fatal(err)
		}
		counts[standing.State]++
	}
	return counts
}

func (h *house) list(prefix string) (keys []string) {
	h.t.Helper()
	for info, err := range h.bucket.List(context.Background(), prefix, "") {
		if err != nil {
			h.t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	return keys
}

// Whoever dies while carrying out a bulk, at whichever write, before or after it
// took effect: another goes on, does what is left, nothing twice, and counts right.
func TestACrashAtEveryWrite(t *testing.T) {
	const n = 6
	for _, what := range []acts.BulkAct{acts.BulkRetry, acts.BulkRetryRender, acts.BulkCancel} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/after=%v", what, after), func(t *testing.T) {
				t.Parallel()
				h := newHouse(t)
				for at := 1; ; at++ {
					if h.dies(what, at, after, n) {
						t.Logf("%d writes were tried", at-1)
						if at < 2*n {
							t.Errorf("a bulk of %d took only %d writes", n, at-1)
						}
						return
					}
				}
			})
		}
	}
}

// dies has a process die at a write while it carries out a bulk, and another go on.
// It reports that the bulk was over before.
func (h *house) dies(what acts.BulkAct, at int, after bool, n int) (over bool) {
	h.t.Helper()
	ids := h.failed(n)
	b := h.start(h.process(), anna, acts.Selection{IDs: ids}, what)
	first := h.process()
	first.life.diesAt, first.life.after = at, after
	stop := h.run(first)
	h.until("the crash, or the end", func() bool {
		select {
		case <-first.life.died:
			return true
		default:
			over = !h.bulk(b.ID).State.Open()
			return over
		}
	})
	stop()
	if err := first.redis.Del(context.Background(), leaseKey).Err(); err != nil { // its time is over
		h.t.Fatal(err)
	}
	second := h.process()
	stop = h.run(second)
	h.until("the bulk to be done", func() bool { return h.bulk(b.ID).State == ledger.BulkDone })
	stop()
	if b = h.bulk(b.ID); b.Done != n || b.Settled() != n {
		h.t.Errorf("died at write %d: it ended as %+v", at, b)
	}
	want, word := ledger.StateAccepted, "jobs.retry"
	switch what {
	case acts.BulkRetryRender:
		word = "jobs.retry_render"
	case acts.BulkCancel:
		want, word = ledger.StateCancelled, "jobs.cancel"
	}
	trail := h.trail()
	for _, id := range ids {
		if standing, err := second.ledger.Look(context.Background(), id); err != nil || standing.State != want {
			h.t.Errorf("died at write %d: a request is %s, %v", at, standing.State, err)
		}
		if times := trail[word+" "+id]; times != 1 {
			h.t.Errorf("died at write %d: written down %d times", at, times)
		}
		if what != acts.BulkCancel {
			if job, _, err := second.queue.Find(context.Background(), id); err != nil || !job.Live() {
				h.t.Errorf("died at write %d: a request opened again has the job %+v, %v", at, job, err)
			}
		}
	}
	return over
}

// A bucket that fails now and then, before or after it did what was asked, holds a
// bulk up and changes nothing in what it does.
func TestABucketThatFailsNowAndThen(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ids := h.failed(40)
	p := h.process()
	b := h.start(p, anna, acts.Selection{IDs: ids}, acts.BulkCancel)
	calls := 0
	done := make(chan struct{}, 1)
	done <- struct{}{}
	hiccup := func(every int) func(op, key string) error {
		return func(op, key string) error {
			<-done
			defer func() { done <- struct{}{} }()
			if calls++; calls%every == 0 && calls < 500 {
				return fmt.Errorf("%w: a hiccup", storage.ErrUnavailable)
			}
			return nil
		}
	}
	h.bucket.Fault, h.bucket.After = hiccup(131), hiccup(167)
	stop := h.run(p)
	h.until("the bulk to be done", func() bool {
		b, err := h.process().Bulk(t.Context(), b.ID)
		return err == nil && b.State == ledger.BulkDone
	})
	stop()
	h.bucket.Fault, h.bucket.After = nil, nil
	if b = h.bulk(b.ID); b.Done != 40 || b.Failed != 0 {
		t.Errorf("it ended as %+v", b)
	}
	for word, times := range h.trail() {
		if times != 1 {
			t.Errorf("%s is written down %d times", word, times)
		}
	}
}

// Two processes have one bulk: one of them carries it out. Where the lease is lost
// under the one, the other goes on, and what both began counts once.
func TestTwoProcessesHaveOneBulk(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ids := h.failed(300)
	slow := func(c *acts.Config) { c.Rate = 150 }
	one, other := h.process(slow), h.process(slow)
	b := h.start(one, anna, acts.Selection{IDs: ids}, acts.BulkCancel)
	h.run(one)
	h.run(other)
	for _, share := range []int{50, 150} {
		h.until("a part", func() bool { return h.bulk(b.ID).Done >= share })
		if err := one.redis.Del(t.Context(), leaseKey).Err(); err != nil {
			t.Fatal(err)
		}
	}
	h.until("the bulk to be done", func() bool { return h.bulk(b.ID).State == ledger.BulkDone })
	if b = h.bulk(b.ID); b.Done != 300 || b.Settled() != 300 {
		t.Errorf("it ended as %+v", b)
	}
	twice := 0
	trail := h.trail()
	for _, id := range ids {
		if times := trail["jobs.cancel "+id]; times > 1 {
			twice++
		} else if times == 0 {
			t.Error("a request was cancelled and nothing is written down")
		}
	}
	if twice > 2*25 { // at most a window each time
		t.Errorf("%d of 300 are written down twice", twice)
	}
}

// Stop takes effect within seconds; what was done stays, the rest is as it was.
func TestStop(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ids := h.failed(400)
	p := h.process(func(c *acts.Config) { c.Rate = 100 })
	b := h.start(p, anna, acts.Selection{IDs: ids}, acts.BulkCancel)
	h.run(p)
	h.until("a part", func() bool { return h.bulk(b.ID).Done > 0 })
	began := time.Now()
	stopped, err := h.process().Stop(t.Context(), bru, b.ID, "the wrong ones")
	if err != nil || stopped.State != ledger.BulkStopping || stopped.StoppedBy != "bru" {
		t.Errorf("%+v, %v", stopped, err)
	}
	h.until("the stop", func() bool { return h.bulk(b.ID).State == ledger.BulkStopped })
	t.Logf("stopped after %v", time.Since(began))
	if b = h.bulk(b.ID); b.Done == 0 || b.Done == 400 || h.states(p, ids)[ledger.StateCancelled] != b.Done {
		t.Errorf("%+v, and cancelled are %v", b, h.states(p, ids))
	}
	if _, err := p.Stop(t.Context(), anna, b.ID, ""); err != nil {
		t.Errorf("to stop it again: %v", err)
	}
	if _, err := p.Approve(t.Context(), bru, b.ID); !errors.Is(err, acts.ErrOver) {
		t.Errorf("to approve what was stopped: %v", err)
	}
	if trail := h.trail(); trail["bulk.stop "+b.ID] != 1 {
		t.Errorf("the stop is written down %d times", trail["bulk.stop "+b.ID])
	}
}

// Whoever stops a bulk that died in the middle does not have the rest of its
// window done.
func TestStopAfterACrash(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ids := h.failed(6)
	first := h.process()
	b := h.start(h.process(), anna, acts.Selection{IDs: ids}, acts.BulkRetry)
	first.life.diesAt = 4 // the claim and a few more
	stop := h.run(first)
	<-first.life.died
	stop()
	if _, err := h.process().Stop(t.Context(), anna, b.ID, ""); err != nil {
		t.Fatal(err)
	}
	second := h.process()
	h.run(second)
	h.until("the stop", func() bool { return h.bulk(b.ID).State == ledger.BulkStopped })
	b = h.bulk(b.ID)
	if opened := h.states(second, ids)[ledger.StateAccepted]; opened != b.Done || opened == len(ids) {
		t.Errorf("%d were opened again; it ended as %+v", opened, b)
	}
}

// What a bulk opens again goes to the queue of batches, a handful at a time, and
// waits there for the workers; with those it goes on.
func TestABulkDoesNotFloodTheQueue(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ids := h.failed(120)
	p := h.process()
	b := h.start(p, anna, acts.Selection{Query: &index.Query{Cause: "seal_certificate_expired"}}, acts.BulkRetry)
	h.run(p)
	h.until("it to wait", func() bool { return h.bulk(b.ID).Holds == acts.HoldsQueue })
	waiting := func() int {
		depths, err := p.queue.Depths(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if depths[0].Waiting+depths[0].Active > 0 {
			t.Error("a job of the bulk is among those for which people wait")
		}
		return int(depths[1].Waiting)
	}
	if n := waiting(); n != 8 || h.bulk(b.ID).Done != 8 {
		t.Errorf("%d jobs wait without a worker, and %+v", n, h.bulk(b.ID))
	}
	h.work(h.process(), queue.Batch, 2, 10*time.Millisecond)
	most := 0
	h.until("the bulk to be done", func() bool {
		most = max(most, waiting())
		return h.bulk(b.ID).State == ledger.BulkDone
	})
	if most > 8 {
		t.Errorf("%d jobs waited at a time", most)
	}
	h.until("the documents", func() bool { return h.states(p, ids)[ledger.StateIssued] == len(ids) })
}

// A bulk that is damaged keeps no other from being carried out.
func TestADamagedBulkKeepsNoOther(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.process()
	whole := acts.Selection{IDs: h.failed(3)}
	for _, part := range []string{"order", "progress", "ids"} {
		b := h.start(p, anna, acts.Selection{IDs: h.failed(3)}, acts.BulkCancel)
		if part == "progress" {
			if _, err := h.bucket.Write(t.Context(), "bulks/"+b.ID+"/progress", nil, storage.Put{}); err != nil {
				t.Fatal(err)
			}
		}
		for _, key := range h.list("bulks/" + b.ID + "/" + part) {
			if _, err := h.bucket.Write(t.Context(), key, []byte("{"), storage.Put{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	b := h.start(p, anna, whole, acts.BulkCancel)
	h.run(p)
	h.until("the bulk to be done", func() bool { return h.bulk(b.ID).State == ledger.BulkDone })
}

// While people wait for a worker a bulk has one job in the queue, so that it goes on
// and takes nothing from them; afterwards it goes on as before.
func TestABulkStepsBack(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ids := h.failed(20)
	p := h.process()
	release := make(chan struct{})
	server := asynq.NewServerFromRedisClient(p.redis, asynq.Config{Concurrency: 1, Queues: map[string]int{queue.Interactive: 1}, TaskCheckInterval: 5 * time.Millisecond, LogLevel: asynq.FatalLevel})
	if err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { <-release; return nil })); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	for range 3 {
		if err := p.queue.Enqueue(t.Context(), h.accept(p).ID, queue.Interactive, queue.Door); err != nil {
			t.Fatal(err)
		}
	}
	h.until("a worker to be busy", func() bool {
		depths, err := p.queue.Depths(t.Context())
		return err == nil && depths[0].Active == 1 && depths[0].Waiting == 2
	})
	b := h.start(p, anna, acts.Selection{IDs: ids}, acts.BulkRetry)
	h.run(p)
	h.until("it to wait", func() bool { return h.bulk(b.ID).Holds == acts.HoldsQueue })
	if done := h.bulk(b.ID).Done; done != 1 {
		t.Errorf("while people wait %d were opened again", done)
	}
	close(release)
	h.until("it to go on", func() bool { return h.bulk(b.ID).Done >= 8 })
}

// Four eyes: a large bulk waits for a second person, who is another one however
// the login is spelled; slices of it count together.
func TestFourEyes(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	strict := func(c *acts.Config) { c.FourEyes = 10 }
	p := h.process(strict)
	h.run(p)
	all := acts.Selection{IDs: h.failed(11)}
	if plan, err := p.Count(t.Context(), anna, all, acts.BulkCancel); err != nil || !plan.NeedsSecond || plan.Will != 11 {
		t.Errorf("the plan is %+v, %v", plan, err)
	}
	b := h.start(p, anna, all, acts.BulkCancel)
	if b.State != ledger.BulkProposed || !b.Begun.IsZero() {
		t.Fatalf("begun alone: %+v", b)
	}
	for _, login := range []string{"anna", "Anna", "ANNA", "anna@cass.example", "a.nna", "an-na", " anna", "anna@other.example"} {
		if _, err := p.Approve(t.Context(), acts.Actor{Who: login, From: "10.9.9.9"}, b.ID); !errors.Is(err, acts.ErrSamePerson) {
			t.Errorf("approved by %q: %v", login, err)
		}
	}
	for _, login := range []string{"root", "unknown", "", "Admin", "root@host", "nonroot"} {
		if _, err := p.Approve(t.Context(), acts.Actor{Who: login}, b.ID); !errors.Is(err, acts.ErrNobody) {
			t.Errorf("approved by %q: %v", login, err)
		}
	}
	if id, err := p.NewBatch(); err != nil {
		t.Fatal(err)
	} else if _, err := p.Start(t.Context(), acts.Actor{Who: "root"}, id, all, acts.BulkCancel, reason); !errors.Is(err, acts.ErrNobody) {
		t.Errorf("proposed by root: %v", err)
	}
	time.Sleep(1500 * time.Millisecond)
	if done := h.bulk(b.ID); done.State != ledger.BulkProposed || done.Settled() > 0 {
		t.Errorf("it began without a second person: %+v", done)
	}
	if approved, err := p.Approve(t.Context(), bru, b.ID); err != nil || approved.State != ledger.BulkRunning || approved.ApprovedBy != "bru" {
		t.Errorf("approved: %+v, %v", approved, err)
	}
	h.until("the bulk to be done", func() bool { b := h.bulk(b.ID); return b.State == ledger.BulkDone && b.Done == 11 })

	refused := h.start(p, anna, acts.Selection{IDs: h.failed(11)}, acts.BulkRetry)
	if refused, err := p.Refuse(t.Context(), bru, refused.ID, "not mended"); err != nil || refused.State != ledger.BulkRefused || refused.RefusedBy != "bru" {
		t.Errorf("refused: %+v, %v", refused, err)
	}
	if _, err := p.Approve(t.Context(), bru, refused.ID); !errors.Is(err, acts.ErrOver) {
		t.Errorf("approved after it was refused: %v", err)
	}

	slice := func(who acts.Actor, n int) ledger.BulkState {
		return h.start(p, who, acts.Selection{IDs: h.failed(n)}, acts.BulkCancel).State
	}
	if state := slice(anna, 6); state != ledger.BulkRunning {
		t.Errorf("six alone: %s", state)
	}
	if state := slice(acts.Actor{Who: "Anna@cass.example"}, 6); state != ledger.BulkProposed {
		t.Errorf("six more by the same person: %s", state)
	}
	if state := slice(bru, 6); state != ledger.BulkRunning {
		t.Errorf("six by another: %s", state)
	}
	trail := h.trail()
	if trail["bulk.propose "+b.ID] != 1 || trail["bulk.approve "+b.ID] != 1 || trail["bulk.refuse "+refused.ID] != 1 {
		t.Errorf("the trail holds %v", trail)
	}
}
