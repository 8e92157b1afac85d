package worker

import (
	"testing"
	"time"

	"segell/ledger"
	"segell/queue"
	"segell/samples"
)

// What an operator pauses waits in the queue, also after Redis was emptied, and
// goes on at once when it is resumed.
func TestWhatIsPausedWaits(t *testing.T) {
	for _, scope := range []ledger.Pause{
		{Scope: ledger.PauseKind, Name: "coverage_certificate", Who: "anna", Why: "the rates are being corrected"},
		{Scope: ledger.PauseQueue, Name: queue.Interactive, Who: "anna", Why: "maintenance"},
	} {
		t.Run(string(scope.Scope), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.now = time.Now()
			q, server := b.withQueue(t, 200*time.Millisecond)
			if err := b.Ledger.Pause(t.Context(), scope); err != nil {
				t.Fatal(err)
			}
			id := b.accept(t, sample(t, samples.Standard))
			b.run(t)
			waits := func() {
				t.Helper()
				waitFor(t, "the job", func() bool { job, err := q.Job(t.Context(), id, queue.Interactive); return err == nil && job.Live() })
				time.Sleep(500 * time.Millisecond)
				if job, err := q.Job(t.Context(), id, queue.Interactive); err != nil || job.State != queue.Pending || len(job.Tries) > 0 || b.sealer.count.Load() > 0 {
					t.Errorf("while paused its job is %+v, %v", job, err)
				}
			}
			waits()
			server.FlushAll()
			waits()
			if ended, err := b.Ledger.Resume(t.Context(), scope.Scope, scope.Name); err != nil || !ended {
				t.Fatal(ended, err)
			}
			b.pauses.look(t.Context())
			waitFor(t, "the document", func() bool { return b.issued(t, id) })
		})
	}
}
