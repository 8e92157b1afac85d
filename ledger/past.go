package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"segell/storage"
)

// What a request failed of before it was opened again, or taken back, lies under
// past/ until nothing is left of the request: neither it, nor its record, nor the
// tombstone of its cancelling.
const pastPrefix = "past/"

func pastKey(id string) string { return pastPrefix + day(id) + "/" + id }

// pastMost is how many failures of one request are kept: the first and the newest.
const pastMost = 20

// Past returns the failures of a request that were overcome, oldest first: those
// after which it was opened again or taken back. None is no error. The failure
// that standing has is not among them, though whoever overcomes it just now, or
// ended in the middle, has written it already.
func (l *Ledger) Past(ctx context.Context, standing Standing) ([]Failure, error) {
	var past []Failure
	if _, err := l.readJSON(ctx, pastKey(standing.ID), &past); err != nil && !errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("reading the past of a request: %w", err)
	}
	if standing.Failure != nil {
		past = slices.DeleteFunc(past, standing.Failure.same)
	}
	return past, nil
}

// same: a failure has no name of its own, and its time is kept to the second.
func (f *Failure) same(other Failure) bool {
	return f.FailedAt.Equal(other.FailedAt) && f.Stage == other.Stage && f.Cause == other.Cause && len(f.Tries) == len(other.Tries)
}

// pass adds a failure that is about to be deleted to the past of its request. One
// that is there already, by somebody who ended in between, is not added again. A
// past that cannot be read stays as it is, for staff to look at: it must not keep
// the request from being opened again.
func (l *Ledger) pass(ctx context.Context, f Failure) error {
	for range amendMost {
		var past []Failure
		object, err := l.readJSON(ctx, pastKey(f.ID), &past)
		switch {
		case errors.Is(err, ErrDamaged):
			return nil
		case err != nil && !errors.Is(err, ErrNotFound):
			return fmt.Errorf("reading the past of a request: %w", err)
		case slices.ContainsFunc(past, f.same):
			return nil
		}
		if past = append(past, f); len(past) > pastMost {
			past = slices.Delete(past, 1, 2)
		}
		body, err := json.Marshal(past)
		if err != nil {
			return fmt.Errorf("encoding the past of a request: %w", err)
		}
		if object.ETag == "" {
			_, err = l.objects.Create(ctx, pastKey(f.ID), body, storage.Put{ContentType: jsonType})
		} else {
			_, err = l.objects.Replace(ctx, pastKey(f.ID), object.ETag, body, storage.Put{ContentType: jsonType})
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, storage.ErrExists) && !errors.Is(err, storage.ErrChanged) {
			return fmt.Errorf("writing the past of a request: %w", err)
		}
	}
	return fmt.Errorf("writing the past of a request: %w: others change it all the time", storage.ErrUnavailable)
}
