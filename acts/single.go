package acts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"segell/ledger"
	"segell/queue"
	"segell/templates"
)

// From says from which step a failed request is tried again.
type From string

const (
	// WhereItStopped uses what earlier steps made and kept, where there is such and
	// the data are the same: only the seal is made again, or fetched.
	WhereItStopped From = ""
	// RenderAgain drops what earlier steps made: the page is drawn anew.
	RenderAgain From = "render"
)

// Retry opens a failed request again and enqueues it. Where the queue does not
// answer the retry stands all the same: the reconciler enqueues it. It returns
// ErrNotFailed if the request was not given up. The reason may be left out.
func (a *Acts) Retry(ctx context.Context, actor Actor, id string, from From, why string) error {
	if err := fit(why); err != nil {
		return err
	}
	if _, err := a.Ledger.Failure(ctx, id); errors.Is(err, ledger.ErrNotFound) {
		return ErrNotFailed
	} else if err != nil {
		return err
	}
	if err := a.Ledger.Audit(ctx, actor.entry(retryWord(from), id, why)); err != nil {
		return err
	}
	request, err := a.reopen(ctx, id, from)
	if err != nil {
		return err
	}
	a.Log.Info("a failed request was opened again", "id", id)
	a.enqueue(ctx, id, request.Queue)
	return nil
}

// retryWord is what the audit trail calls a retry.
func retryWord(from From) string {
	if from == RenderAgain {
		return "jobs.retry_render"
	}
	return "jobs.retry"
}

// reopen makes a failed request unfinished again.
func (a *Acts) reopen(ctx context.Context, id string, from From) (ledger.Request, error) {
	if from == RenderAgain {
		if err := a.Ledger.DropWork(ctx, id); err != nil {
			return ledger.Request{}, err
		}
	}
	request, err := a.Ledger.Reopen(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return request, ErrNotFailed
	}
	if err != nil {
		return request, err
	}
	a.Queue.Tell(ctx, queue.Move{ID: id})
	return request, nil
}

// enqueue gives a request that was opened again its job, best effort.
func (a *Acts) enqueue(ctx context.Context, id, name string) {
	if err := a.Queue.Enqueue(ctx, id, name, queue.Staff); err != nil {
		a.Log.Warn("it could not be enqueued yet; the reconciler will", "id", id, "why", err)
	}
}

// Cancel takes back a request that is not issued, such as one that failed for
// good, and returns where it stands. Errors are those of ledger.Cancel, and
// ErrSecondNeeded. Besides its reason nothing needs to be said.
func (a *Acts) Cancel(ctx context.Context, actor Actor, id string, reason ledger.CancelReason, why string) (ledger.Standing, error) {
	if err := fit(why); err != nil {
		return ledger.Standing{}, err
	}
	was, err := a.Ledger.Look(ctx, id)
	if err != nil {
		return ledger.Standing{}, err
	}
	switch {
	case !slices.Contains(ledger.CancelReasons, reason):
		return was, fmt.Errorf("%w of cancelling", ledger.ErrReason)
	case was.State != ledger.StateAccepted && was.State != ledger.StateFailed && was.State != ledger.StateCancelled:
		return was, ledger.ErrIssued
	}
	if was.State != ledger.StateCancelled {
		if err := a.takeOne(ctx, actor, reasoned(string(reason), why)); err != nil {
			return ledger.Standing{}, err
		}
	}
	if err := a.Ledger.Audit(ctx, actor.entry("jobs.cancel", id, reasoned(string(reason), why))); err != nil {
		return ledger.Standing{}, err
	}
	standing, err := a.cancel(ctx, id, was.Queue, reason)
	if err == nil {
		a.Log.Info("a request was cancelled", "id", id, "reason", string(reason))
	}
	return standing, err
}

// reasoned puts the row of a list and what somebody typed in one line.
func reasoned(row, why string) string {
	if why = strings.TrimSpace(why); why == "" || why == row {
		return row
	}
	return row + ": " + why
}

func (a *Acts) cancel(ctx context.Context, id, queued string, reason ledger.CancelReason) (ledger.Standing, error) {
	standing, err := a.Ledger.Cancel(ctx, id, reason)
	if err != nil {
		return standing, err
	}
	a.Queue.Withdraw(ctx, id, queued)
	a.Queue.Tell(ctx, queue.Move{ID: id})
	return standing, nil
}

// Withdraw marks an issued document as no longer to be relied on; this cannot be
// undone. Errors are those of ledger.Withdraw, and ErrSecondNeeded. Besides its
// reason nothing needs to be said.
func (a *Acts) Withdraw(ctx context.Context, actor Actor, id string, reason ledger.WithdrawalReason, why string) (ledger.Record, error) {
	if err := fit(why); err != nil {
		return ledger.Record{}, err
	}
	if !slices.Contains(ledger.WithdrawalReasons, reason) {
		return ledger.Record{}, fmt.Errorf("%w of a withdrawal", ledger.ErrReason)
	}
	record, err := a.Ledger.Record(ctx, id)
	if err != nil {
		return ledger.Record{}, err
	}
	if record.Status != ledger.StateIssued && (record.Status != ledger.StateWithdrawn || record.Reason != reason) {
		return record, ledger.ErrNotInForce
	}
	if record.Status == ledger.StateIssued {
		if err := a.takeOne(ctx, actor, reasoned(string(reason), why)); err != nil {
			return ledger.Record{}, err
		}
	}
	if err := a.Ledger.Audit(ctx, actor.entry("documents.withdraw", id, reasoned(string(reason), why))); err != nil {
		return ledger.Record{}, err
	}
	record, err = a.Ledger.Withdraw(ctx, id, reason)
	if err != nil {
		return record, err
	}
	a.Log.Info("a document was withdrawn", "id", id, "kind", record.Kind, "reason", string(record.Reason))
	a.Queue.Tell(ctx, queue.Move{ID: id})
	return record, nil
}

// Replace marks an issued document as replaced by another issued one, of the same
// client, holder and kind. Errors are those of ledger.ReplaceBy, and ErrSecondNeeded.
func (a *Acts) Replace(ctx context.Context, actor Actor, old, by, why string) error {
	if err := needed(why); err != nil {
		return err
	}
	if err := a.Ledger.Replaceable(ctx, old, by); err != nil {
		return err
	}
	record, err := a.Ledger.Record(ctx, old)
	if err != nil {
		return err
	}
	if record.Status == ledger.StateIssued { // else it was done before
		if err := a.takeOne(ctx, actor, why); err != nil {
			return err
		}
	}
	if err := a.Ledger.Audit(ctx, actor.entry("documents.replace", old, why)); err != nil {
		return err
	}
	if _, err := a.Ledger.ReplaceBy(ctx, old, by); err != nil {
		return err
	}
	a.Log.Info("a document was replaced", "id", old, "by", by)
	a.Queue.Tell(ctx, queue.Move{ID: old})
	return nil
}

// Replay sends a callback again that was given up, under the same webhook-id. It
// returns ledger.ErrNotFound if there is no such callback. The reason may be left out.
func (a *Acts) Replay(ctx context.Context, actor Actor, notice, why string) error {
	if err := fit(why); err != nil {
		return err
	}
	if _, err := a.Ledger.UndeliveredNotice(ctx, notice); err != nil {
		return err
	}
	id, _, _ := strings.Cut(notice, "/")
	if err := a.Ledger.Audit(ctx, actor.entry("callbacks.replay", id, why)); err != nil {
		return err
	}
	_, err := a.Ledger.Replay(ctx, notice)
	return err
}

// Pause has the workers leave a kind or a queue alone from now on. One that is
// paused already stays as it is. It returns ErrPausable for what is neither.
func (a *Acts) Pause(ctx context.Context, actor Actor, scope ledger.PauseScope, name, why string) error {
	if err := needed(why); err != nil {
		return err
	}
	if !pausable(scope, name) {
		return ErrPausable
	}
	if err := a.Ledger.Audit(ctx, actor.entry("work.pause", string(scope)+"."+name, why)); err != nil {
		return err
	}
	return a.Ledger.Pause(ctx, ledger.Pause{Scope: scope, Name: name, Who: actor.Who, Why: why})
}

// Resume ends a pause. It returns ErrNotPaused if there is none. The reason may be
// left out.
func (a *Acts) Resume(ctx context.Context, actor Actor, scope ledger.PauseScope, name, why string) error {
	if err := fit(why); err != nil {
		return err
	}
	pauses, err := a.Ledger.Pauses(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(pauses, func(one ledger.Pause) bool { return one.Scope == scope && one.Name == name }) {
		return ErrNotPaused
	}
	if err := a.Ledger.Audit(ctx, actor.entry("work.resume", string(scope)+"."+name, why)); err != nil {
		return err
	}
	_, err = a.Ledger.Resume(ctx, scope, name)
	return err
}

// PausableQueues are the queues that can be paused.
func PausableQueues() []string { return append(slices.Clone(queue.Names), queue.Quarantine) }

func pausable(scope ledger.PauseScope, name string) bool {
	switch scope {
	case ledger.PauseKind:
		_, known := templates.Lookup(name)
		return known
	case ledger.PauseQueue:
		return slices.Contains(PausableQueues(), name)
	}
	return false
}

// Shown is what a request says of a person, for the eyes of who gave a reason.
type Shown struct {
	ID, Kind, Number string
	FullName         string
	CASSNumber       string
	Body             json.RawMessage // everything that was sent, the holder with it
}

// Show reads what a request says of its holder. That somebody looked is in the
// audit trail, what was seen is not. It returns ledger.ErrNotFound where the
// request is finished: the document has it then.
func (a *Acts) Show(ctx context.Context, actor Actor, id, why string) (Shown, error) {
	if err := needed(why); err != nil {
		return Shown{}, err
	}
	if _, err := a.Ledger.QueueOf(ctx, id); err != nil { // not read yet
		return Shown{}, err
	}
	if err := a.Ledger.Audit(ctx, actor.entry("requests.show", id, why)); err != nil {
		return Shown{}, err
	}
	request, err := a.Ledger.Request(ctx, id)
	if err != nil {
		return Shown{}, err
	}
	var sent struct {
		Holder struct {
			FullName   string `json:"full_name"`
			CASSNumber string `json:"cass_number"`
		} `json:"holder"`
	}
	if json.Unmarshal(request.Body, &sent) != nil { // its words could quote the body
		return Shown{}, fmt.Errorf("%w: the body of a request is not the JSON that was accepted", ledger.ErrDamaged)
	}
	return Shown{ID: id, Kind: request.Kind, Number: request.Number, FullName: sent.Holder.FullName, CASSNumber: sent.Holder.CASSNumber, Body: request.Body}, nil
}

// Document reads an issued document, for the eyes of who gave a reason. Errors
// are those of ledger.Stored.
func (a *Acts) Document(ctx context.Context, actor Actor, id, why string) (ledger.Stored, error) {
	if err := needed(why); err != nil {
		return ledger.Stored{}, err
	}
	if _, err := a.Ledger.Record(ctx, id); err != nil {
		return ledger.Stored{}, err
	}
	if err := a.Ledger.Audit(ctx, actor.entry("documents.show", id, why)); err != nil {
		return ledger.Stored{}, err
	}
	return a.Ledger.Stored(ctx, id)
}
