package ledger

import (
	"context"
	"errors"
	"time"
)

// ReplaceBy marks an issued document as replaced by another that was issued too,
// where nobody said at the door that it would be. by must be of the same client,
// holder and kind, be in force, and be the newer of the two: so no two documents
// ever replace each other. To replace it again by the same changes nothing and is
// no error.
//
// It returns the record of old. ErrNotFound if there is no document old,
// ErrNotInForce if it is not issued any more, ErrNotReplaceable if by cannot take
// its place.
func (l *Ledger) ReplaceBy(ctx context.Context, old, by string) (Record, error) {
	if err := l.Replaceable(ctx, old, by); err != nil {
		return Record{}, err
	}
	successor, err := l.Record(ctx, by)
	if err != nil {
		return Record{}, err
	}
	record, err := l.amendTelling(ctx, old, EventReplaced, func(r *Record) error {
		switch {
		case r.Status == StateReplaced && r.ReplacedByID == by:
			return errAsItIs
		case r.Status != StateIssued:
			return ErrNotInForce
		}
		at := l.now().UTC().Truncate(time.Second)
		r.Status, r.ReplacedBy, r.ReplacedByID, r.WithdrawnAt = StateReplaced, successor.Number, by, &at
		return nil
	})
	if err != nil {
		return record, err
	}
	_, err = l.amend(ctx, by, func(r *Record) error {
		if r.Replaces != "" { // another, which its request named
			return errAsItIs
		}
		r.Replaces = old
		return nil
	})
	return record, err
}

// Replaceable says whether ReplaceBy would do it, with its errors.
func (l *Ledger) Replaceable(ctx context.Context, old, by string) error {
	replaced, err := l.Record(ctx, old)
	if err != nil {
		return err
	}
	if replaced.Status == StateReplaced && replaced.ReplacedByID == by {
		return nil
	}
	if replaced.Status != StateIssued {
		return ErrNotInForce
	}
	if CheckID(by) != nil || by <= old { // ids sort by time
		return ErrNotReplaceable
	}
	successor, err := l.Record(ctx, by)
	if errors.Is(err, ErrNotFound) {
		return ErrNotReplaceable
	}
	if err != nil {
		return err
	}
	if successor.Client != replaced.Client || successor.Kind != replaced.Kind || successor.Holder != replaced.Holder || !successor.InForce(l.now()) {
		return ErrNotReplaceable
	}
	return nil
}
