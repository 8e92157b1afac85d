package upkeep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"segell/ledger"
)

// Erasures goes on with the erasures that did not come to their end.
type Erasures struct {
	Ledger *ledger.Ledger
	Log    *slog.Logger
	// OnChanged, if not nil, is told the id of each request that was erased.
	OnChanged func(id string)
}

// Pass goes on with every open erasure once. The error is what kept some from their
// end; one that waits for a document that is being issued is none.
func (r *Erasures) Pass(ctx context.Context) error {
	var troubles error
	for e, err := range r.Ledger.OpenErasures(ctx) {
		if err == nil {
			e.OnChanged = r.OnChanged
			e, err = r.Ledger.Erase(ctx, e)
		}
		switch {
		case errors.Is(err, ledger.ErrErasing):
			r.Log.Info("an erasure waits for a document that is being issued")
		case err != nil: // one person's trouble is not the others'
			troubles = errors.Join(troubles, fmt.Errorf("erasing: %w", err))
		default:
			r.Log.Info("an erasure came to its end", "documents", e.Documents, "requests", e.Requests)
		}
	}
	return troubles
}

// Job is Erasures as a job.
func (r *Erasures) Job(every time.Duration) Job {
	return Job{Name: "erasures", Every: every, Pass: r.Pass}
}
