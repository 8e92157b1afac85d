package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"segell/acts"
	"segell/ledger"
	"segell/staff"
)

// actWithin is how long an act may take. What was begun is finished, also for a
// caller that hangs up.
const actWithin = 15 * time.Second

func finishing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), actWithin)
}

// Retry is why, and from which step, a request is tried again.
type Retry struct {
	From string `json:"from,omitempty" enum:"render" doc:"render: drop what earlier steps made and draw the pages again. Absent: go on where it stopped, so that only the seal is made where the pages are" example:"render"`
	Why  string `json:"why" minLength:"1" maxLength:"200" doc:"The reason, kept in the audit trail for ever: one line, without names or numbers of persons" example:"the certificate was renewed"`
}

// Cancellation is why a request is taken back.
type Cancellation struct {
	Reason string `json:"reason" enum:"cannot_be_made,asked_again,sent_in_error,holder_request" doc:"cannot_be_made: no retry will help. asked_again: another request took its place. sent_in_error: it should never have been sent. holder_request: the person does not want it any more" example:"asked_again"`
	Why    string `json:"why,omitempty" maxLength:"150" doc:"More on it, kept in the audit trail for ever: one line, without names or numbers of persons" example:"the portal sent it twice"`
}

// Withdrawal is why a document must no longer be relied on.
type Withdrawal struct {
	Reason string `json:"reason" enum:"issued_in_error,data_corrected,data_changed,fraud,holder_request,legal_order" doc:"issued_in_error: it should never have been issued. data_corrected: what it says was wrong. data_changed: what it says was right and no longer is. fraud: it was obtained or used by fraud. holder_request: the person asked for it. legal_order: a court or an authority ordered it" example:"issued_in_error"`
	Why    string `json:"why,omitempty" maxLength:"150" doc:"More on it, kept in the audit trail for ever: one line, without names or numbers of persons" example:"incident 14"`
}

// Replacement is what takes the place of a document.
type Replacement struct {
	By  string `json:"by" format:"uuid" doc:"Id of the request whose document takes its place: issued, in force, later, of the same client, kind and holder" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8f"`
	Why string `json:"why" minLength:"1" maxLength:"200" doc:"The reason, kept in the audit trail for ever: one line, without names or numbers of persons" example:"asked again with the right dates"`
}

type actInput struct {
	JobPath
	Bodied
}

func (a *api) registerActs() {
	one := func(id, path, summary, about string) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodPost, Path: "/api/v1/jobs/{id}/" + path, Tags: []string{tagActs}, Security: needs(staff.Act),
			Summary: summary, Description: about, DefaultStatus: http.StatusOK, Errors: refuses(404, 409)}
	}
	register(a, withBody(a, one("retry-job", "retry", "Try a failed request again", "Its failure is taken away and it is enqueued afresh. Where the queue does not answer, it is enqueued as soon as it does."),
		"Why, and from where", Retry{Why: "the certificate was renewed"}), a.retry)
	register(a, withBody(a, one("cancel-job", "cancel", "Take back a request that is not issued", "Either the cancellation wins or the document: 409 says that it was issued. To cancel again changes nothing."),
		"Why", Cancellation{Reason: string(ledger.CancelAskedAgain)}), a.cancel)
	register(a, withBody(a, one("withdraw-job", "withdraw", "Withdraw an issued document", "From the answer on the document is not valid. This cannot be undone."),
		"Why", Withdrawal{Reason: string(ledger.WithdrawnInError)}), a.withdraw)
	register(a, withBody(a, one("replace-job", "replace", "Mark a document as replaced by another", "For a document that was asked for again without saying that it replaces this one. This cannot be undone."),
		"By what, and why", Replacement{By: exampleID, Why: "asked again with the right dates"}), a.replace)
}

func (a *api) retry(ctx context.Context, in *actInput) (*jobOutput, error) {
	asked, err := read[Retry](a, in.Bodied)
	if err != nil {
		return nil, err
	}
	return a.act(ctx, in.ID, "retrying a request", func(ctx context.Context) error {
		return a.Acts.Retry(ctx, actor(ctx), in.ID, acts.From(asked.From), asked.Why)
	})
}

func (a *api) cancel(ctx context.Context, in *actInput) (*jobOutput, error) {
	asked, err := read[Cancellation](a, in.Bodied)
	if err != nil {
		return nil, err
	}
	return a.act(ctx, in.ID, "cancelling a request", func(ctx context.Context) error {
		_, err := a.Acts.Cancel(ctx, actor(ctx), in.ID, ledger.CancelReason(asked.Reason), asked.Why)
		return err
	})
}

func (a *api) withdraw(ctx context.Context, in *actInput) (*jobOutput, error) {
	asked, err := read[Withdrawal](a, in.Bodied)
	if err != nil {
		return nil, err
	}
	return a.act(ctx, in.ID, "withdrawing a document", func(ctx context.Context) error {
		_, err := a.Acts.Withdraw(ctx, actor(ctx), in.ID, ledger.WithdrawalReason(asked.Reason), asked.Why)
		if errors.Is(err, ledger.ErrNotFound) { // there is a request, but no document
			return ledger.ErrNotInForce
		}
		return err
	})
}

func (a *api) replace(ctx context.Context, in *actInput) (*jobOutput, error) {
	asked, err := read[Replacement](a, in.Bodied)
	if err != nil {
		return nil, err
	}
	return a.act(ctx, in.ID, "replacing a document", func(ctx context.Context) error {
		err := a.Acts.Replace(ctx, actor(ctx), in.ID, asked.By, asked.Why)
		if errors.Is(err, ledger.ErrNotFound) {
			return ledger.ErrNotInForce
		}
		return err
	})
}

// act does something to one request, and answers where it stands then.
func (a *api) act(ctx context.Context, id, doing string, do func(context.Context) error) (*jobOutput, error) {
	standing, err := a.look(ctx, id)
	if err != nil {
		return nil, err
	}
	ctx, done := finishing(ctx)
	defer done()
	if err := do(ctx); err != nil {
		refusal := a.refusal(doing, err)
		if p := asProblem(refusal); p.Status == http.StatusConflict {
			p.State = string(standing.State)
		}
		return nil, refusal
	}
	if standing, err = a.look(ctx, id); err != nil {
		return nil, err
	}
	return &jobOutput{a.job(ctx, standing, languageOf(ctx, ""))}, nil
}
