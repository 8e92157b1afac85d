package worker

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"segell/ledger"
	"segell/queue"
	"segell/samples"
	"segell/signing"
)

func TestWhenAWorkerStopsTakingJobs(t *testing.T) {
	clock := time.Unix(0, 0)
	o := newOutages(slog.New(slog.DiscardHandler), func() time.Time { return clock })
	want := func(may bool, when string) {
		t.Helper()
		if o.mayTake() != may {
			t.Errorf("%s: may take a job: %v, want %v", when, !may, may)
		}
	}
	for range 10 {
		o.failed(ledger.TSA, "one")
	}
	want(true, "one request in trouble")
	o.failed(ledger.TSA, "two")
	o.failed(ledger.Storage, "three")
	want(true, "two for one reason, one for another")
	o.passed(ledger.TSA)
	o.failed(ledger.TSA, "three")
	o.failed(ledger.TSA, "four")
	want(true, "two since it last went well")
	o.failed(ledger.TSA, "five")
	want(false, "three since")
	clock = clock.Add(probeEvery)
	want(true, "the first who asks after a while")
	want(false, "the second")
	o.tookNone()
	want(true, "after the first found nothing to try")
	if back := o.passed(ledger.Storage); len(back) != 0 {
		t.Errorf("back without having been away for certain: %v", back)
	}
	want(false, "while another thing went well")
	if back := o.passed(ledger.Storage, ledger.TSA); !slices.Equal(back, []string{ledger.TSA}) {
		t.Errorf("back: %v", back)
	}
	want(true, "after it went well")
	want(true, "and for everybody")
}

// While the time-stamping authority is away nearly everything stays pending, no
// try is spent, and all goes on at once when it is back.
func TestJobsStayPendingWhileWhatTheyNeedIsAway(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.now = time.Now()
	q, server := b.withQueue(t, time.Hour)
	var away atomic.Bool
	away.Store(true)
	seal := b.sealer.seal
	b.sealer.seal = func(ctx context.Context, pdf []byte) ([]byte, error) {
		if away.Load() {
			return nil, signing.ErrTSAUnavailable
		}
		return seal(ctx, pdf)
	}
	var ids []string
	for range 60 {
		id := b.accept(t, sample(t, samples.Standard))
		if err := q.Enqueue(t.Context(), id, queue.Interactive, queue.Door); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	b.run(t)
	waitFor(t, "the outage to be seen", func() bool { return !b.outages.mayTake() })
	time.Sleep(time.Second) // what had been begun ends
	begun := b.sealer.count.Load()
	time.Sleep(probeEvery + time.Second)
	if n := b.sealer.count.Load() - begun; n > 3 || begun > int64(len(ids))/2 {
		t.Errorf("%d were begun before the outage was seen, %d in %v after", begun, n, probeEvery)
	}
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer client.Close()
	if n := client.LLen(t.Context(), "asynq:{interactive}:active").Val(); n > 1 {
		t.Errorf("%d jobs sit active", n)
	}
	away.Store(false)
	back := time.Now()
	waitFor(t, "all to be issued", func() bool { return len(b.keys(t, "records/")) == len(ids) })
	t.Logf("all %d were issued %v after it was back", len(ids), time.Since(back).Round(100*time.Millisecond))
	if left := b.keys(t, "failures/"); len(left) > 0 {
		t.Errorf("waiting became a failure: %v", left)
	}
}

// A Redis that is away is not asked without a pause, and what is no question for
// a job passes the gate untouched.
func TestTheGate(t *testing.T) {
	t.Parallel()
	nowhere := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	defer nowhere.Close()
	may, none := true, 0
	g := gate{UniversalClient: nowhere, mayTake: func() bool { return may }, tookNone: func() { none++ }}
	keys := []string{"asynq:{batch}:pending", "asynq:{batch}:paused", "asynq:{batch}:active", "asynq:{batch}:lease"}
	began := time.Now()
	if err := g.EvalSha(t.Context(), "x", keys).Err(); err == nil || err == redis.Nil || none != 1 || time.Since(began) < redisPause {
		t.Errorf("a Redis that is away: %v after %v, %d told", err, time.Since(began), none)
	}
	may = false
	if err := g.Eval(t.Context(), "x", keys).Err(); err != redis.Nil {
		t.Errorf("while no job may be taken: %v", err)
	}
	for _, others := range [][]string{nil, keys[:3], {keys[2], keys[3], keys[0], keys[1]}} {
		if err := g.Eval(t.Context(), "x", others).Err(); err == redis.Nil {
			t.Errorf("%v was kept back", fmt.Sprint(others))
		}
	}
}
