package acts

import (
	"context"
	"errors"

	"segell/ledger"
	"segell/queue"
)

// act does what the bulk is for to one request.
func (j *job) act(ctx context.Context, id string, begun *chains) (cannot string, err error) {
	if BulkAct(j.order.What) == BulkCancel {
		cannot, err = j.cancelOne(ctx, id, begun)
	} else {
		cannot, err = j.retryOne(ctx, id, begun)
	}
	if cannot == "" && err != nil {
		why := err
		if cannot, err = obstacle(err); cannot == CannotError {
			j.Log.Error("a bulk could not act on a request", "bulk", j.order.ID, "id", id, "why", why)
		}
	}
	return cannot, err
}

// writeDown puts in the audit trail what is about to be done to a request.
func (j *job) writeDown(ctx context.Context, what, id string) error {
	entry := Actor{j.order.Who, j.order.From}.entry(what, id, j.order.Why)
	entry.Bulk = j.order.ID
	return j.Ledger.Audit(ctx, entry)
}

func (j *job) retryOne(ctx context.Context, id string, begun *chains) (cannot string, err error) {
	from := BulkAct(j.order.What).from()
	failure, err := j.Ledger.Failure(ctx, id)
	written := begun.has(id)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		if written || begun.hasNow(ctx, id) {
			return "", j.enqueueUnfinished(ctx, id)
		}
		return j.notFailed(ctx, id)
	case err != nil && !errors.Is(err, ledger.ErrDamaged):
		return "", err
	case written && failure.FailedAt.After(begun.claimedAt):
		return "", nil // it was done, and the request failed again since
	}
	if !written {
		if err := j.writeDown(ctx, retryWord(from), id); err != nil {
			return "", err
		}
	}
	if _, err := j.reopen(ctx, id, from); err != nil {
		return "", err
	}
	j.enqueue(ctx, id, bulkQueue)
	return "", nil
}

// notFailed says why a request that has no failure cannot be tried again.
func (j *job) notFailed(ctx context.Context, id string) (cannot string, err error) {
	standing, err := j.Ledger.Look(ctx, id)
	if err != nil {
		return "", err
	}
	if cannot := cannotOf(standing.State, BulkAct(j.order.What)); cannot != "" {
		return cannot, nil
	}
	return CannotWaiting, nil // it failed again this moment
}

// enqueueUnfinished gives a request its job that was opened by a process which
// died before it had; one that has a job keeps it.
func (j *job) enqueueUnfinished(ctx context.Context, id string) error {
	if _, err := j.Ledger.QueueOf(ctx, id); errors.Is(err, ledger.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	states, err := j.Queue.States(ctx, []string{id})
	if err == nil && states[0] != queue.NoJob && states[0] != queue.Dead {
		return nil
	}
	j.enqueue(ctx, id, bulkQueue)
	return nil
}

func (j *job) cancelOne(ctx context.Context, id string, begun *chains) (cannot string, err error) {
	standing, err := j.Ledger.Look(ctx, id)
	if err != nil {
		return "", err
	}
	cannot = cannotOf(standing.State, BulkCancel)
	written := begun.has(id)
	if cannot == CannotCancelled && (written || begun.hasNow(ctx, id)) {
		cannot = "" // by this bulk, which may have ended before it had cleared up
	} else if cannot == "" && !written {
		if err := j.writeDown(ctx, "jobs.cancel", id); err != nil {
			return "", err
		}
	}
	if cannot != "" {
		return cannot, nil
	}
	_, err = j.cancel(ctx, id, standing.Queue, ledger.CancelImpossible)
	return "", err
}
