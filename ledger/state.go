package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// State is where a request stands. States are derived, never stored twice:
// from the record, a tombstone, the failure, the live job, or else "accepted".
type State string

const (
	StateAccepted  State = "accepted"  // in the ledger, waiting for a worker
	StateRendering State = "rendering" // from here to retrying: what the live job is doing
	StateSealing   State = "sealing"
	StateStoring   State = "storing"
	StateRetrying  State = "retrying" // waits for its next try
	StateFailed    State = "failed"   // given up; staff can retry it
	StateIssued    State = "issued"
	StateWithdrawn State = "withdrawn"
	StateReplaced  State = "replaced"
	StateCancelled State = "cancelled"
	StateErased    State = "erased"
)

// Standing is what the ledger alone says of a request. For StateAccepted the
// queue knows more.
type Standing struct {
	ID, Kind, Number string
	Queue            string // where its job is, if it has one
	Client           string
	State            State
	IssuedAt         time.Time
	Record           *Record  // issued and later
	Failure          *Failure // failed
	Reason           string   // cancelled or withdrawn: why, a row of CancelReasons or WithdrawalReasons
}

// Look says where a request stands, or ErrNotFound if it was never accepted.
func (l *Ledger) Look(ctx context.Context, id string) (Standing, error) {
	// A request may finish between two reads: after both were missed, the record
	// is read once more.
	for range 2 {
		record, err := l.Record(ctx, id)
		if err == nil {
			return Standing{ID: id, Kind: record.Kind, Number: record.Number, Client: record.Client, State: record.Status,
				IssuedAt: record.IssuedAt, Record: &record, Reason: string(record.Reason)}, nil
		}
		if !errors.Is(err, ErrNotFound) {
			return Standing{}, err
		}
		request, err := l.Request(ctx, id)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			// What cannot be read may have been given up for that: staff must see it.
			if failure, failed := l.Failure(ctx, id); failed == nil {
				return Standing{ID: id, Kind: failure.Kind, Number: failure.Number, Client: failure.Client, State: StateFailed,
					IssuedAt: TimeOf(id).In(andorra), Failure: &failure}, nil
			}
			return Standing{}, err
		}
		standing := Standing{ID: id, Kind: request.Kind, Number: request.Number, Client: request.Client, Queue: request.Queue,
			State: StateAccepted, IssuedAt: request.IssuedAt}
		failure, err := l.Failure(ctx, id)
		switch {
		case err == nil && l.cancelled(ctx, id): // both wrote at once, and neither cleared up
			return l.buried(ctx, id)
		case err == nil:
			standing.State, standing.Failure = StateFailed, &failure
		case !errors.Is(err, ErrNotFound):
			return Standing{}, err
		}
		return standing, nil
	}
	standing, err := l.buried(ctx, id)
	if errors.Is(err, ErrIssued) {
		return Standing{}, fmt.Errorf("%w: the document of %s has neither record nor request", ErrDamaged, id)
	}
	return standing, err
}
