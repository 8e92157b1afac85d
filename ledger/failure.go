package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"segell/storage"
)

// Failure is why a request was given up. It holds no personal data: causes are
// rows of one table, and details come from errors that never quote a request.
type Failure struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind"`
	Number   string    `json:"number"`
	Client   string    `json:"client"`
	Stage    Stage     `json:"stage"`
	Cause    string    `json:"cause"`  // the id of a row of Causes
	Detail   string    `json:"detail"` // for the engineer
	Tries    []Try     `json:"tries"`  // oldest first, the last one is the end
	FailedAt time.Time `json:"failed_at"`
}

// Try is one attempt that did not succeed.
type Try struct {
	At    time.Time `json:"at"`
	Stage Stage     `json:"stage"`
	Cause string    `json:"cause"`
}

// Stage is a step of the way of a document.
type Stage string

// The stages, in their order.
const (
	StageRead   Stage = "read"
	StageRender Stage = "render"
	StageSeal   Stage = "seal"
	StageStore  Stage = "store"
)

// GiveUp records that a request failed for good, create-only: the first word
// stands until staff retry it. From now on the request is no longer unfinished;
// the caller removes its task after this. If the request was cancelled meanwhile
// nothing is recorded, and ErrCancelled returned.
func (l *Ledger) GiveUp(ctx context.Context, f Failure) error {
	body, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encoding a failure: %w", err)
	}
	// First, for nobody looks after a failed request again.
	notice := Notice{Request: f.ID, Event: EventFailed, At: f.FailedAt, Client: f.Client, Kind: f.Kind, Number: f.Number}
	if err := l.give(ctx, notice); err != nil {
		return err
	}
	if _, err := l.objects.Create(ctx, failureKey(f.ID), body, storage.Put{ContentType: jsonType}); err != nil && !errors.Is(err, storage.ErrExists) {
		return fmt.Errorf("recording a failure: %w", err)
	}
	// Whoever cancels writes the tombstone first and then looks for a failure; here
	// it is the other way round, so that one of the two sees the other's.
	// Where it ends before it has looked, Failures and Look see both.
	if _, err := l.Issued(ctx, f.ID); errors.Is(err, ErrCancelled) {
		return errors.Join(ErrCancelled, l.clear(ctx, f.ID))
	}
	l.given(ctx, notice)
	return nil
}

// Failure reads why a request was given up: ErrNotFound if it was not.
func (l *Ledger) Failure(ctx context.Context, id string) (Failure, error) {
	var f Failure
	_, err := l.readJSON(ctx, failureKey(id), &f)
	if err != nil {
		return f, fmt.Errorf("reading a failure: %w", err)
	}
	return f, nil
}

// failuresAtOnce is how many failures are read at a time.
const failuresAtOnce = 16

// Failures yields every request that was given up, oldest request first. One
// that cannot be read is yielded with its id and an error, and the others follow;
// a listing that fails ends it. A failure whose request is gone (another run had
// issued it all the same) or was cancelled (a process ended between the failure
// and its look for a tombstone) is taken away.
func (l *Ledger) Failures(ctx context.Context) iter.Seq2[Failure, error] {
	return func(yield func(Failure, error) bool) {
		var ids []string
		for id, err := range l.ids(ctx, failuresPrefix) {
			if err != nil {
				if l.yieldFailures(ctx, ids, yield) {
					yield(Failure{}, fmt.Errorf("listing failures: %w", err))
				}
				return
			}
			if ids = append(ids, id); len(ids) == failuresAtOnce {
				if !l.yieldFailures(ctx, ids, yield) {
					return
				}
				ids = ids[:0]
			}
		}
		l.yieldFailures(ctx, ids, yield)
	}
}

// yieldFailures reads failures at a time and yields them in their order, until
// yield has enough.
func (l *Ledger) yieldFailures(ctx context.Context, ids []string, yield func(Failure, error) bool) (more bool) {
	type looked struct {
		failure Failure
		err     error
		stands  bool
	}
	found := make([]looked, len(ids))
	var all sync.WaitGroup
	for i, id := range ids {
		all.Go(func() {
			f, err := l.Failure(ctx, id)
			f.ID = id
			found[i] = looked{f, err, !errors.Is(err, ErrNotFound) && l.stands(ctx, id)}
		})
	}
	all.Wait()
	for _, one := range found {
		if one.stands && !yield(one.failure, one.err) {
			return false
		}
	}
	return true
}

// stands reports whether a failure tells the truth still. One that does not is
// taken away, best effort: the next listing will come by again.
func (l *Ledger) stands(ctx context.Context, id string) bool {
	if _, err := l.QueueOf(ctx, id); errors.Is(err, ErrNotFound) {
		_ = l.objects.Delete(ctx, failureKey(id))
		return false
	}
	if l.cancelled(ctx, id) {
		_ = l.clear(ctx, id)
		return false
	}
	return true
}

// cancelled reports whether the tombstone of a cancelled request lies there. Most
// often nothing does, and then a GET costs less than a HEAD, see Issued.
func (l *Ledger) cancelled(ctx context.Context, id string) bool {
	object, err := l.objects.Get(ctx, DocumentKey(id))
	return err == nil && object.Metadata[metadataTombstone] == string(StateCancelled)
}

// Reopen deletes the failure of a request so that it is unfinished again; Past
// still has it. If its caller ends before enqueuing it, the reconciler does. It returns ErrNotFound
// if the request has no failure or is no longer there to be tried again.
func (l *Ledger) Reopen(ctx context.Context, id string) (Request, error) {
	failure, err := l.Failure(ctx, id)
	if err != nil {
		return Request{}, err
	}
	request, err := l.Request(ctx, id)
	if err != nil {
		return Request{}, err
	}
	if err := l.pass(ctx, failure); err != nil {
		return Request{}, err
	}
	if err := l.objects.Delete(ctx, failureKey(id)); err != nil {
		return Request{}, fmt.Errorf("deleting a failure: %w", err)
	}
	return request, nil
}

// Unfinished yields the ids of requests that were accepted and neither issued
// nor given up, oldest first. Whether a job works on them is for the queue to
// say. It ends with the first error.
func (l *Ledger) Unfinished(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		// Both listings are in the order of ids, so one walk beside the other
		// tells them apart. A failure recorded meanwhile may be missed: the job that
		// follows finds it and ends.
		next, stop := iter.Pull2(l.ids(ctx, failuresPrefix))
		defer stop()
		failed, failedErr, more := next()
		for id, err := range l.ids(ctx, requestsPrefix) {
			for err == nil && more && failedErr == nil && failed < id {
				failed, failedErr, more = next()
			}
			if err == nil && more {
				err = failedErr
			}
			if err != nil {
				yield("", fmt.Errorf("listing what is unfinished: %w", err))
				return
			}
			if more && failed == id {
				continue
			}
			if !yield(id, nil) {
				return
			}
		}
	}
}

// QueueOf returns the queue that a request named at the door.
func (l *Ledger) QueueOf(ctx context.Context, id string) (string, error) {
	info, err := l.objects.Head(ctx, requestKey(id))
	if errors.Is(err, storage.ErrNotFound) {
		return "", ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("looking for a request: %w", err)
	}
	return info.Metadata[metadataQueue], nil
}

func (l *Ledger) ids(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for info, err := range l.objects.List(ctx, prefix, "") {
			if err != nil {
				yield("", err)
				return
			}
			if id := idOfKey(info.Key); id != "" && !yield(id, nil) {
				return
			}
		}
	}
}
