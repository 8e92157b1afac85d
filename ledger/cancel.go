package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"segell/storage"
)

// ErrIssued says that a request cannot be cancelled: its document won.
var ErrIssued = errors.New("the document was issued")

// ErrReason says that a reason is none of its closed list.
var ErrReason = errors.New("not one of the known reasons")

// CancelReason says why a request was taken back before it became a document.
type CancelReason string

// The reasons. They are kept in the tombstone for years: added to, never renamed.
const (
	CancelledByClient CancelReason = "requested"      // the client that asked took it back
	CancelImpossible  CancelReason = "cannot_be_made" // staff: it failed for good and no retry will help
	CancelAskedAgain  CancelReason = "asked_again"    // staff: another request took its place
	CancelInError     CancelReason = "sent_in_error"  // staff: it should never have been sent
	CancelByHolder    CancelReason = "holder_request" // staff: the person does not want it any more
)

// CancelReasons are all reasons.
var CancelReasons = []CancelReason{CancelledByClient, CancelImpossible, CancelAskedAgain, CancelInError, CancelByHolder}

// Cancel takes back a request that is not issued: it puts a tombstone where the
// document would go, create-only, so that either it or the issue wins, and then
// removes failure, unfinished work and request. A failed request can be cancelled too.
//
// It returns where the request stands after it: StateCancelled, also when it had
// been cancelled before. ErrIssued if the document won, ErrNotFound if there is
// no such request, ErrReason for a reason that is not on the list. After another
// error the outcome is unknown and the caller repeats.
func (l *Ledger) Cancel(ctx context.Context, id string, reason CancelReason) (Standing, error) {
	if !slices.Contains(CancelReasons, reason) {
		return Standing{}, fmt.Errorf("%w of cancelling", ErrReason)
	}
	standing, err := l.Look(ctx, id)
	if err != nil {
		return Standing{}, err
	}
	switch standing.State {
	case StateCancelled:
		// An earlier call may have ended before it had cleared up.
		return standing, l.clear(ctx, id)
	case StateFailed:
		if err := l.pass(ctx, *standing.Failure); err != nil {
			return Standing{}, err
		}
		// First, so that whatever comes to an end halfway is unfinished again, which
		// the reconciler finds; a failed request it would pass over for ever.
		if err := l.objects.Delete(ctx, failureKey(id)); err != nil {
			return Standing{}, fmt.Errorf("deleting a failure: %w", err)
		}
	case StateAccepted:
	default:
		return standing, ErrIssued
	}
	notice := Notice{Request: id, Event: EventCancelled, At: l.now(), Client: standing.Client, Kind: standing.Kind, Number: standing.Number}
	if err := l.give(ctx, notice); err != nil {
		return Standing{}, err
	}
	_, err = l.objects.Create(ctx, DocumentKey(id), nil, storage.Put{ContentType: "application/octet-stream", Metadata: map[string]string{
		metadataTombstone: string(StateCancelled), metadataKind: standing.Kind, metadataNumber: standing.Number,
		metadataClient: standing.Client, metadataReason: string(reason),
	}})
	switch {
	case errors.Is(err, storage.ErrExists):
		// A document, another's tombstone, or our own whose reply was lost.
		if standing, err = l.buried(ctx, id); err != nil {
			return Standing{}, err
		}
	case err != nil:
		return Standing{}, fmt.Errorf("cancelling a request: %w", err)
	default:
		standing = Standing{ID: id, Kind: standing.Kind, Number: standing.Number, Client: standing.Client, Queue: standing.Queue,
			State: StateCancelled, IssuedAt: standing.IssuedAt, Reason: string(reason)}
	}
	if err := l.clear(ctx, id); err != nil {
		return standing, err
	}
	l.given(ctx, notice)
	return standing, nil
}

// clear removes what a cancelled request leaves behind, the request last.
func (l *Ledger) clear(ctx context.Context, id string) error {
	if err := l.objects.Delete(ctx, failureKey(id)); err != nil {
		return fmt.Errorf("deleting a failure: %w", err)
	}
	if err := l.DropWork(ctx, id); err != nil {
		return err
	}
	return l.Forget(ctx, id)
}

// buried reads the tombstone of a request: ErrIssued if a document lies there,
// ErrNotFound if nothing does.
func (l *Ledger) buried(ctx context.Context, id string) (Standing, error) {
	info, err := l.objects.Head(ctx, DocumentKey(id))
	if errors.Is(err, storage.ErrNotFound) {
		return Standing{}, ErrNotFound
	}
	if err != nil {
		return Standing{}, fmt.Errorf("looking for the document: %w", err)
	}
	switch state := State(info.Metadata[metadataTombstone]); state {
	case StateCancelled, StateErased:
		return Standing{ID: id, Kind: info.Metadata[metadataKind], Number: info.Metadata[metadataNumber], Client: info.Metadata[metadataClient],
			State: state, IssuedAt: TimeOf(id).Truncate(time.Second).In(andorra), Reason: info.Metadata[metadataReason]}, nil
	}
	return Standing{}, ErrIssued
}
