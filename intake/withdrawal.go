package intake

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"segell/access"
	"segell/ledger"
	"segell/queue"
)

// Withdrawal is why a document must no longer be relied on.
type Withdrawal struct {
	Reason string `json:"reason" enum:"issued_in_error,data_corrected,data_changed,fraud,holder_request,legal_order" doc:"issued_in_error: it should never have been issued. data_corrected: what it says was wrong. data_changed: what it says was right and no longer is. fraud: it was obtained or used by fraud. holder_request: the person asked for it. legal_order: a court or an authority ordered it. Whoever verifies the document is not told the reason" example:"issued_in_error"`
}

type withdrawalInput struct {
	ID              string `path:"id" format:"uuid" doc:"Id of the request" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
	ContentType     string `header:"Content-Type" hidden:"true"`
	ContentEncoding string `header:"Content-Encoding" hidden:"true"`
	RawBody         []byte `contentType:"application/json"`
}

func (a *API) registerWithdrawal() {
	register(a, huma.Operation{OperationID: "withdraw-document", Method: http.MethodPost, Path: "/v1/requests/{id}/withdrawal", SkipValidateParams: true, Tags: []string{tagChanges},
		Security: needs(access.ScopeWithdraw), Summary: "Withdraw an issued document",
		Description: "From the answer on the document is not valid: the register, the verification page and every later download say so. This cannot be undone. " +
			"To withdraw again for the same reason changes nothing. To correct a document instead, ask for a new one with options.replaces.",
		RequestBody:   a.bodyOf(reflect.TypeFor[Withdrawal](), "Why", Withdrawal{Reason: string(ledger.WithdrawnInError)}),
		DefaultStatus: http.StatusOK, MaxBodyBytes: 4 << 10, SkipValidateBody: true,
		Errors: refusals(400, 404, 408, 409, 410, 413, 415, 422)}, a.withdraw)
}

func (a *API) withdraw(ctx context.Context, in *withdrawalInput) (*changedOutput, error) {
	asked, err := readBody[Withdrawal](a, in.ContentType, in.ContentEncoding, in.RawBody)
	if err != nil {
		return nil, err
	}
	standing, err := a.look(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	refused := func(kind string, state ledger.State) error {
		p := a.problem(kind, "")
		p.State = string(state)
		return p
	}
	switch standing.State {
	case ledger.StateCancelled, ledger.StateErased:
		return nil, refused("gone", standing.State)
	case ledger.StateIssued, ledger.StateWithdrawn, ledger.StateReplaced:
	default:
		return nil, refused("not-issued", standing.State)
	}
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer done()
	// What cannot be written down is not done.
	if err := a.Ledger.Audit(ctx, a.auditEntry(ctx, "documents.withdraw", in.ID, asked.Reason)); err != nil {
		return nil, a.refusal("writing the audit trail", err)
	}
	record, err := a.Ledger.Withdraw(ctx, in.ID, ledger.WithdrawalReason(asked.Reason))
	switch {
	case errors.Is(err, ledger.ErrNotInForce):
		return nil, refused("not-in-force", record.Status)
	case err != nil:
		return nil, a.refusal("withdrawing a document", err)
	}
	a.Log.Info("a document was withdrawn", "id", in.ID, "kind", record.Kind, "reason", string(record.Reason))
	a.Queue.Tell(ctx, queue.Move{ID: in.ID})
	standing.State, standing.Reason, standing.Record = record.Status, string(record.Reason), &record
	state := a.state(ctx, standing)
	return &changedOutput{ETag: state.tag(), Body: state}, nil
}

// auditEntry says what the caller does, for the audit trail.
func (a *API) auditEntry(ctx context.Context, what, id, why string) ledger.AuditEntry {
	entry := ledger.AuditEntry{Who: clientOf(ctx), What: what, ID: id, Why: why}
	if caller := access.From(ctx); caller != nil && caller.Address.IsValid() {
		entry.From = caller.Address.String()
	}
	return entry
}
