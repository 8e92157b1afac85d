package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"segell/storage"
)

// What became of a request before staff opened it again, or took it back, lies
// under past/, as long as the request or its record does.
const pastPrefix = "past/"

func pastKey(id string) string { return pastPrefix + day(id) + "/" + id }

// pastMost is how many failures of one request are kept: the first and the newest.
const pastMost = 20

// Past returns the failures of a request that were overcome, oldest first: those
// after which it was opened again or taken back. None is no error.
func (l *Ledger) Past(ctx context.Context, id string) ([]Failure, error) {
	var past []Failure
	if _, err := l.readJSON(ctx, pastKey(id), &past); err != nil && !errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("reading the past of a request: %w", err)
	}
	return past, nil
}

// pass adds a failure that is about to be deleted to the past of its request. One
// that is there already, by somebody who ended in between, is not added again.
func (l *Ledger) pass(ctx context.Context, f Failure) error {
	for range amendMost {
		var past []Failure
		object, err := l.readJSON(ctx, pastKey(f.ID), &past)
		if errors.Is(err, ErrDamaged) {
			past = nil // the request must not be kept from being opened again by what it was
		} else if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("reading the past of a request: %w", err)
		}
		if n := len(past); n > 0 && past[n-1].FailedAt.Equal(f.FailedAt) {
			return nil
		}
		if past = append(past, f); len(past) > pastMost {
			past = append(past[:1], past[2:]...)
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
