package intake

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"segell/access"
	"segell/ledger"
	"segell/queue"
)

type changedOutput struct {
	ETag string `header:"ETag" doc:"Of the request as it stands now"`
	Body RequestState
}

func (a *API) registerCancel() {
	register(a, huma.Operation{OperationID: "cancel-request", Method: http.MethodDelete, Path: "/v1/requests/{id}", SkipValidateParams: true, Tags: []string{tagChanges},
		Security: needs(access.ScopeCancel), Summary: "Take a request back before it is issued",
		Description: "Either the cancellation wins or the document: 409 says that the document was issued, and what is left is to withdraw it. " +
			"A request that failed can be taken back too. To cancel again changes nothing.",
		Errors: refusals(404, 409, 410)}, a.cancel)
}

func (a *API) cancel(ctx context.Context, in *requestInput) (*changedOutput, error) {
	was, err := a.look(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	// What was begun is finished, also for a client that hangs up.
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer done()
	standing, err := a.Ledger.Cancel(ctx, in.ID, ledger.CancelledByClient)
	switch {
	case errors.Is(err, ledger.ErrIssued):
		p := a.problem("already-issued", "")
		p.State = string(ledger.StateIssued)
		if standing.State != "" {
			p.State = string(standing.State)
		}
		return nil, p
	case err != nil:
		return nil, a.refusal("cancelling a request", err)
	case standing.State == ledger.StateErased:
		p := a.problem("gone", "")
		p.State = string(standing.State)
		return nil, p
	}
	if was.State == ledger.StateAccepted {
		a.Queue.Ended()
	}
	a.Queue.Withdraw(ctx, in.ID, was.Queue)
	a.Queue.Tell(ctx, queue.Move{ID: in.ID})
	state := a.state(ctx, standing)
	return &changedOutput{ETag: state.tag(), Body: state}, nil
}
