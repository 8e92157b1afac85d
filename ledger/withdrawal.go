package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"segell/storage"
)

var (
	// ErrNotInForce says that a document cannot be withdrawn, because it was
	// withdrawn for another reason, replaced or erased before, or was never issued.
	ErrNotInForce = errors.New("the document is not in force")
	// ErrNotReplaceable says that a request names a document that it cannot
	// replace: none of the same client, holder and kind that is issued and in force.
	ErrNotReplaceable = errors.New("not a document that this request can replace")
)

// WithdrawalReason says why an issued document must no longer be relied on. It is
// kept in the register and never shown to who verifies the document.
type WithdrawalReason string

// The reasons. They are kept for years: added to, never renamed.
const (
	WithdrawnInError     WithdrawalReason = "issued_in_error" // it should never have been issued
	WithdrawnCorrected   WithdrawalReason = "data_corrected"  // the data on it were wrong and have been corrected
	WithdrawnOutdated    WithdrawalReason = "data_changed"    // the data were right, and no longer are
	WithdrawnFraud       WithdrawalReason = "fraud"           // it was obtained or used by fraud
	WithdrawnByHolder    WithdrawalReason = "holder_request"  // the person asked for it
	WithdrawnByAuthority WithdrawalReason = "legal_order"     // a court or an authority ordered it
)

// WithdrawalReasons are all reasons.
var WithdrawalReasons = []WithdrawalReason{WithdrawnInError, WithdrawnCorrected, WithdrawnOutdated, WithdrawnFraud, WithdrawnByHolder, WithdrawnByAuthority}

// Withdraw marks an issued document as no longer to be relied on, from now on. To
// withdraw it again for the same reason changes nothing and is no error.
// ErrNotInForce if it is not issued (the record returned says what it is),
// ErrNotFound if there is no such document, ErrReason for an unknown reason.
func (l *Ledger) Withdraw(ctx context.Context, id string, reason WithdrawalReason) (Record, error) {
	if !slices.Contains(WithdrawalReasons, reason) {
		return Record{}, fmt.Errorf("%w of a withdrawal", ErrReason)
	}
	return l.amendTelling(ctx, id, EventWithdrawn, func(r *Record) error {
		switch {
		case r.Status == StateWithdrawn && r.Reason == reason:
			return errAsItIs
		case r.Status != StateIssued:
			return ErrNotInForce
		}
		at := l.now().UTC().Truncate(time.Second)
		r.Status, r.Reason, r.WithdrawnAt = StateWithdrawn, reason, &at
		return nil
	})
}

// supersede marks the document that r replaces, if it replaces one. It comes
// after the record of r and before r is deleted, so a worker that dies here
// leaves it to the next. A document that is not in force any more, or was taken
// out of the register, stays as it is.
func (l *Ledger) supersede(ctx context.Context, r Request) error {
	if r.Replaces == "" {
		return nil
	}
	// Two requests may have named the same document at the door. The first to come
	// here replaces it, and the second replaces the first: one stays in force.
	id := r.Replaces
	for n := 0; id != "" && id != r.ID && n < amendMost; n++ {
		old, err := l.amendTelling(ctx, id, EventReplaced, func(old *Record) error {
			if old.Status != StateIssued {
				return errAsItIs
			}
			at := l.now().UTC().Truncate(time.Second)
			old.Status, old.ReplacedBy, old.ReplacedByID, old.WithdrawnAt = StateReplaced, r.Number, r.ID, &at
			return nil
		})
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("marking the document that is replaced: %w", err)
		}
		id = old.ReplacedByID
	}
	return nil
}

// replaceable checks at the door that s may replace what it names.
func (l *Ledger) replaceable(ctx context.Context, s Submission) error {
	if s.Replaces == "" {
		return nil
	}
	if CheckID(s.Replaces) != nil {
		return ErrNotReplaceable
	}
	old, err := l.Record(ctx, s.Replaces)
	if errors.Is(err, ErrNotFound) {
		return ErrNotReplaceable
	}
	if err != nil {
		return err
	}
	// One word for every reason: another client's document must not be told from
	// one that does not exist.
	if old.Client != s.Client || old.Kind != s.Kind || old.Holder != l.HolderDigest(s.CASSNumber) || !old.InForce(s.At) {
		return ErrNotReplaceable
	}
	return nil
}

// InForce reports whether a document may be relied on at a time: it is issued,
// and its last day is not over in Andorra.
func (r *Record) InForce(at time.Time) bool {
	return r.Status == StateIssued && (r.ValidUntil == "" || at.In(andorra).Format(time.DateOnly) <= r.ValidUntil)
}

// amendTelling is amend for a change that the document's client is told of. The
// notice comes before the change: a process that ends between the two leaves it
// to be taken away, never a change that nobody hears of.
func (l *Ledger) amendTelling(ctx context.Context, id string, e Event, change func(*Record) error) (Record, error) {
	var notice Notice
	record, err := l.amend(ctx, id, func(r *Record) error {
		if err := change(r); err != nil {
			return err
		}
		notice = noticeOf(r, e, l.now())
		return l.give(ctx, notice)
	})
	if err == nil && notice.Request != "" {
		l.given(ctx, notice)
	}
	return record, err
}

// errAsItIs ends an amendment that has nothing to change.
var errAsItIs = errors.New("nothing to change")

// amendMost is how often a record may change under us before we give way.
const amendMost = 20

// amend changes a record by If-Match: after a lost race it is read and judged
// again, so that two changes never overwrite each other.
func (l *Ledger) amend(ctx context.Context, id string, change func(*Record) error) (Record, error) {
	for range amendMost {
		var record Record
		object, err := l.readJSON(ctx, recordKey(id), &record)
		if err != nil {
			return Record{}, fmt.Errorf("reading a record: %w", err)
		}
		if record.ID != id {
			return Record{}, fmt.Errorf("%w: a record is another request's", ErrDamaged)
		}
		switch err := change(&record); {
		case errors.Is(err, errAsItIs):
			return record, nil
		case err != nil:
			return record, err
		}
		body, err := json.Marshal(record)
		if err != nil {
			return Record{}, fmt.Errorf("encoding a record: %w", err)
		}
		_, err = l.objects.Replace(ctx, recordKey(id), object.ETag, body, storage.Put{ContentType: jsonType})
		if err == nil {
			return record, nil
		}
		// It may be our own write whose reply was lost: the next look tells.
		if !errors.Is(err, storage.ErrChanged) {
			return Record{}, fmt.Errorf("changing a record: %w", err)
		}
	}
	return Record{}, fmt.Errorf("changing a record: %w: others change it all the time", storage.ErrUnavailable)
}
