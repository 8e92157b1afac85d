package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"segell/ledger"
	"segell/queue"
)

var (
	// errDeaths: workers died with this job, the last time when it ran alone.
	errDeaths = errors.New("ended its worker twice, and once more in quarantine")
	// errElsewhere: the request has another job, which goes on.
	errElsewhere = errors.New("the job of this request is in quarantine")
)

// admit decides by what lies with a job whether it runs here. An error of its own
// is errDeaths (it is to be given up) or errElsewhere (this job ends, the request
// does not).
func (w *Worker) admit(ctx context.Context, r *run, begun queue.Begun) error {
	switch {
	case begun.Elsewhere:
		return errElsewhere
	case r.queue == queue.Quarantine && begun.Deaths > 0:
		request, err := w.Ledger.Request(ctx, r.id)
		if errors.Is(err, ledger.ErrNotFound) {
			return errElsewhere // issued, or cancelled, in spite of all
		}
		if err != nil {
			return err
		}
		r.request = request
		if step := r.progress.Step; step != "" {
			r.stage = ledger.Stage(step) // where it was when its worker died
		}
		return errDeaths
	case r.queue != queue.Quarantine && begun.Deaths >= queue.DeathsMost:
		if err := w.Queue.Isolate(ctx, r.id, r.progress); err != nil {
			return fmt.Errorf("moving a job to quarantine: %w", err)
		}
		w.Log.Warn("workers died with a request: it goes on in quarantine", "id", r.id, "deaths", begun.Deaths, "step", r.progress.Step)
		return errElsewhere
	}
	return nil
}

// letGo says of every job that runs here that its worker did not die of it. It
// comes before they are handed back: whoever takes one looks for that word.
func (w *Worker) letGo() {
	w.busy.Range(func(id, name any) bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		w.end(ctx, &run{id: id.(string), queue: name.(string)})
		return true
	})
}
