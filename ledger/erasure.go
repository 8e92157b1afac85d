package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"segell/storage"
)

// Erasure removes everything of one holder on request (Llei 29/2021, right to
// erasure): requests that wait, failures, documents with every version that the
// bucket keeps, and what the register knows of the holder. What is left of a
// document is a tombstone and a record that says kind, number and dates, so that
// its code is answered by "erased" and not by "unknown". It is written down
// first, under erasures/v1/<hmac>, and so resumed until it is done.

// ErrErasing says that something of the holder is being issued this moment: the
// erasure stays open and goes on when that is done.
var ErrErasing = errors.New("a document of this person is being issued: the erasure goes on when it is")

// Erasure is what is written down of one. It does not say whose it is: the key
// has the HMAC of the CASS number.
type Erasure struct {
	Holder     string    `json:"holder"` // HMAC of the CASS number
	Who        string    `json:"who"`    // staff
	Why        string    `json:"why"`
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
	Documents  int       `json:"documents"` // erased, of those that had been issued
	Requests   int       `json:"requests"`  // cancelled, of those that had not

	// OnChanged, if not nil, is told the id of each request that Erase has erased.
	OnChanged func(id string) `json:"-"`
}

const erasuresPrefix = "erasures/v1/"

// OpenErasure writes down that everything of a holder is to be erased; nothing is
// yet. One that is open already stays as it is, one that was finished begins
// anew. who and why are for the audit trail and hold no personal data.
func (l *Ledger) OpenErasure(ctx context.Context, cassNumber, who, why string) (Erasure, error) {
	e := Erasure{Holder: l.HolderDigest(cassNumber), Who: who, Why: why, StartedAt: l.now().UTC().Truncate(time.Second)}
	old, err := l.erasure(ctx, e.Holder)
	switch {
	case err == nil && old.FinishedAt.IsZero():
		return old, nil
	case err != nil && !errors.Is(err, ErrNotFound):
		return Erasure{}, err
	}
	return e, l.writeErasure(ctx, e)
}

func (l *Ledger) erasure(ctx context.Context, holder string) (Erasure, error) {
	var e Erasure
	if _, err := l.readJSON(ctx, erasuresPrefix+holder, &e); err != nil {
		return e, fmt.Errorf("reading an erasure: %w", err)
	}
	return e, nil
}

// writeErasure is unconditional: two who erase the same holder at once do the same.
func (l *Ledger) writeErasure(ctx context.Context, e Erasure) error {
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding an erasure: %w", err)
	}
	if _, err := l.objects.Write(ctx, erasuresPrefix+e.Holder, body, storage.Put{ContentType: jsonType}); err != nil {
		return fmt.Errorf("writing down an erasure: %w", err)
	}
	return nil
}

// OpenErasures yields the erasures that are not finished.
func (l *Ledger) OpenErasures(ctx context.Context) iter.Seq2[Erasure, error] {
	return func(yield func(Erasure, error) bool) {
		for info, err := range l.objects.List(ctx, erasuresPrefix, "") {
			if err != nil {
				yield(Erasure{}, fmt.Errorf("listing erasures: %w", err))
				return
			}
			e, err := l.erasure(ctx, strings.TrimPrefix(info.Key, erasuresPrefix))
			if err == nil && !e.FinishedAt.IsZero() {
				continue
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// Erase does, or goes on with, an erasure that OpenErasure wrote down. After
// ErrErasing or an error of the store it is called again until it returns nil;
// what is done stays done.
func (l *Ledger) Erase(ctx context.Context, e Erasure) (Erasure, error) {
	var waiting, troubles error
	for id, err := range l.ids(ctx, holderKey(e.Holder, "")) {
		if err != nil {
			return e, fmt.Errorf("listing a holder's requests: %w", err)
		}
		switch issued, err := l.eraseOne(ctx, id); {
		case errors.Is(err, ErrErasing):
			waiting = err
			continue
		case errors.Is(err, ErrDamaged): // it must not keep the others from being erased
			troubles = errors.Join(troubles, err)
			continue
		case err != nil:
			return e, err
		case issued:
			e.Documents++
		default:
			e.Requests++
		}
		if e.OnChanged != nil {
			e.OnChanged(id)
		}
		// The pointer last: as long as it is there, this request is looked at again.
		if err := l.objects.Delete(ctx, holderKey(e.Holder, id)); err != nil {
			return e, fmt.Errorf("deleting a holder's pointer: %w", err)
		}
	}
	if waiting == nil && troubles == nil {
		e.FinishedAt = l.now().UTC().Truncate(time.Second)
	}
	if err := l.writeErasure(ctx, e); err != nil {
		return e, err
	}
	if troubles != nil {
		return e, troubles
	}
	return e, waiting
}

// doorMost is longer than a door is at one request.
const doorMost = 5 * time.Minute

// eraseOne erases a request and its document, and tells whether it was issued.
func (l *Ledger) eraseOne(ctx context.Context, id string) (issued bool, err error) {
	standing, err := l.Look(ctx, id)
	if errors.Is(err, ErrNotFound) {
		if l.now().Sub(TimeOf(id)) < doorMost {
			return false, ErrErasing // the door writes the pointer first: the request may be about to follow
		}
		return false, l.dropRequest(ctx, id) // a pointer whose request was never accepted
	}
	if err != nil {
		return false, err
	}
	if standing.Record == nil && standing.State != StateCancelled && standing.State != StateErased {
		if _, err := l.Cancel(ctx, id, CancelByHolder); errors.Is(err, ErrIssued) {
			return false, ErrErasing // its document won: the record is about to follow
		} else if err != nil {
			return false, err
		}
	}
	if standing.Record == nil {
		return false, l.dropRequest(ctx, id)
	}
	_, err = l.amend(ctx, id, func(r *Record) error {
		if r.Status == StateErased {
			return errAsItIs
		}
		at := l.now().UTC().Truncate(time.Second)
		r.Status, r.Masked, r.Holder, r.RemovedAt, r.Removing = StateErased, Masked{}, "", &at, true
		return nil
	})
	if err != nil {
		return false, err
	}
	if err := l.removeFile(ctx, id, StateErased); err != nil {
		return false, err
	}
	if err := l.dropRequest(ctx, id); err != nil {
		return false, err
	}
	if err := l.removed(ctx, id); err != nil {
		return false, err
	}
	return true, l.dropVersions(ctx, recordKey(id)) // older ones still say whose it was
}
