package worker

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"segell/ledger"
	"segell/queue"
	"segell/samples"
	"segell/signing"
)

// What the queue says of a job while it goes its way, as the table of states has
// it: rendering, sealing, retrying, and again to the end.
func TestTheStepsOfAJob(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.now = time.Now()
	q, _ := b.withQueue(t, time.Hour)
	id := b.accept(t, sample(t, samples.Standard))
	var mu sync.Mutex
	var seen []ledger.State
	see := func() {
		mu.Lock()
		defer mu.Unlock()
		job, _, err := q.Find(context.Background(), id)
		if err != nil {
			t.Error(err)
		}
		state := ledger.StateAccepted
		switch job.State {
		case queue.Delayed:
			state = ledger.StateRetrying
		case queue.Active:
			state = map[ledger.Stage]ledger.State{ledger.StageRender: ledger.StateRendering, ledger.StageSeal: ledger.StateSealing, ledger.StageStore: ledger.StateStoring}[ledger.Stage(job.Step)]
		}
		if n := len(seen); n == 0 || seen[n-1] != state {
			seen = append(seen, state)
		}
	}
	b.bucket.Fault = func(op, key string) error {
		if strings.HasPrefix(key, "documents/") && strings.Contains(key, id) {
			see() // before it is drawn, and when it is stored
		}
		return nil
	}
	seal, first := b.sealer.seal, true
	b.sealer.seal = func(ctx context.Context, pdf []byte) ([]byte, error) {
		see()
		if first {
			first = false
			return nil, signing.ErrTSAUnavailable
		}
		return seal(ctx, pdf)
	}
	if err := q.Enqueue(t.Context(), id, queue.Interactive, queue.Door); err != nil {
		t.Fatal(err)
	}
	see()
	b.run(t)
	waitFor(t, "the next try to be waited for", func() bool { job, _, err := q.Find(t.Context(), id); return err == nil && job.State == queue.Delayed })
	see()
	waitFor(t, "the document", func() bool { return b.issued(t, id) })
	mu.Lock()
	defer mu.Unlock()
	want := []ledger.State{ledger.StateAccepted, ledger.StateRendering, ledger.StateSealing, ledger.StateRetrying, ledger.StateRendering, ledger.StateSealing, ledger.StateStoring}
	if !slices.Equal(seen, want) {
		t.Fatalf("seen %v, want %v", seen, want)
	}
	for i := range seen[1:] {
		if !slices.ContainsFunc(ledger.Transitions, func(row ledger.Transition) bool { return row.From == seen[i] && row.To == seen[i+1] }) {
			t.Errorf("the table knows no way from %s to %s", seen[i], seen[i+1])
		}
	}
}
