package worker

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"segell/ledger"
	"segell/queue"
	"segell/samples"
	"segell/signing"
)

// Whoever runs the press sees from outside who works, with what, and what it
// cannot reach; a worker that ends in order is gone at once.
func TestAWorkerSaysThatItIsThere(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.now = time.Now()
	b.sealer.cert.NotAfter = b.now.Add(100 * 24 * time.Hour)
	q, _ := b.withQueue(t, time.Hour)
	b.Worker.Version = "v7"
	var away atomic.Bool
	away.Store(true)
	seal := b.sealer.seal
	b.sealer.seal = func(ctx context.Context, pdf []byte) ([]byte, error) {
		if away.Load() {
			return nil, signing.ErrTSAUnavailable
		}
		return seal(ctx, pdf)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := b.Worker.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { stop(); <-ended })
	says := func(what string, holds func(queue.Presence) bool) {
		t.Helper()
		waitFor(t, what, func() bool {
			there, err := q.Workers(t.Context())
			return err == nil && len(there) == 1 && holds(there[0])
		})
	}
	says("a worker to be there", func(p queue.Presence) bool {
		return p.Version == "v7" && p.Host != "" && p.PID > 0 && p.Level == "B-LTA" && p.SealEnds.Equal(b.sealer.cert.NotAfter) && p.Concurrency == b.Concurrency &&
			p.Busy == 0 && len(p.Away) == 0 && !p.Stopping
	})
	for range 4 {
		id := b.accept(t, sample(t, samples.Standard))
		if err := q.Enqueue(t.Context(), id, queue.Interactive, queue.Door); err != nil {
			t.Fatal(err)
		}
	}
	says("its trouble to be seen", func(p queue.Presence) bool {
		return len(p.Away) == 1 && p.Away[0].Dependency == ledger.TSA && p.Away[0].Resting && p.TSA.Troubles >= 3 && p.TSA.Trouble != "" &&
			!strings.Contains(p.TSA.Trouble, "Puig") && p.TSA.Answers == 0
	})
	away.Store(false)
	says("its trouble to be over", func(p queue.Presence) bool {
		return len(p.Away) == 0 && p.TSA.Answers == 4 && p.TSA.AnsweredAt.After(p.TSA.TroubledAt.Add(-time.Second))
	})
	stop()
	<-ended
	if there, err := q.Workers(t.Context()); err != nil || len(there) != 0 {
		t.Errorf("after its end there are %+v, %v", there, err)
	}
}
