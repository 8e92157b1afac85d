package intake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"segell/ledger"
	"segell/queue"
	"segell/storage"
	"segell/templates"
	"segell/wire"
)

type submitInput struct {
	IdempotencyKey  string `header:"Idempotency-Key" doc:"Required. A name of your own for this request, 1 to 255 printable ASCII characters; repeat a request with the same key"`
	ContentType     string `header:"Content-Type" hidden:"true"`
	ContentEncoding string `header:"Content-Encoding" hidden:"true"`
	RawBody         []byte `contentType:"application/json"`
}

type submitOutput struct {
	Location string `header:"Location" doc:"Where to ask for the state of the request"`
	Body     Accepted
}

// Accepted is the answer to a request that the ledger has.
type Accepted struct {
	ID         string    `json:"id" doc:"Id of the request, a UUIDv7"`
	Kind       string    `json:"kind"`
	Number     string    `json:"number,omitempty" doc:"Document number, printed on the document" example:"CASS-2026-COB-0001234"`
	State      string    `json:"state" doc:"accepted, or further on if the same request had been accepted before"`
	AcceptedAt time.Time `json:"accepted_at"`
	Links      Links     `json:"links"`
}

// Links are the addresses that belong to a request.
type Links struct {
	Self    string `json:"self"`
	Content string `json:"content" doc:"The sealed PDF, once issued"`
}

func (a *API) links(id string) Links {
	self := a.publicURL + "/v1/requests/" + id
	return Links{Self: self, Content: self + "/content"}
}

// registerDocuments makes one operation per kind: each has its own schema.
func (a *API) registerDocuments(mux *http.ServeMux) {
	var known []string
	for _, kind := range templates.Kinds() {
		known = append(known, kind.ID)
		schema := a.api.OpenAPI().Components.Schemas.Schema(kind.BodyType(), true, "")
		huma.Register(a.api, huma.Operation{
			OperationID: "request-" + strings.ReplaceAll(kind.ID, "_", "-"), Method: http.MethodPost, Path: "/v1/documents/" + kind.ID,
			Summary: "Ask for a document: " + kind.ID, DefaultStatus: http.StatusAccepted, MaxBodyBytes: kind.BodyLimit(), BodyReadTimeout: 30 * time.Second,
			SkipValidateBody: true, // checked by the kind itself, which names every fault at once
			RequestBody:      &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}},
			Errors:           []int{400, 401, 413, 415, 422, 503},
		}, func(ctx context.Context, in *submitInput) (*submitOutput, error) { return a.submit(ctx, kind, in) })
	}
	mux.HandleFunc("POST /v1/documents/{kind}", func(w http.ResponseWriter, r *http.Request) {
		a.problem("unknown-kind", "The kinds that can be asked for are "+strings.Join(known, ", ")+".").write(w)
	})
}

// submit is the door itself.
func (a *API) submit(ctx context.Context, kind *templates.Kind, in *submitInput) (*submitOutput, error) {
	media, parameters, err := mime.ParseMediaType(in.ContentType)
	charset := strings.ToLower(parameters["charset"])
	if err != nil || media != "application/json" || charset != "" && charset != "utf-8" || in.ContentEncoding != "" {
		return nil, a.problem("unsupported-media-type", "The body must be JSON in UTF-8, not compressed.")
	}
	if !usableKey(in.IdempotencyKey) {
		return nil, a.problem("idempotency-key-missing", "The header Idempotency-Key must hold 1 to 255 printable ASCII characters.")
	}
	now := a.Now()
	request, err := kind.Decode(in.RawBody, now)
	var syntax *wire.SyntaxError
	var faults wire.Faults
	switch {
	case errors.As(err, &syntax):
		return nil, a.problem("malformed-json", syntax.Error())
	case errors.As(err, &faults):
		p := a.problem("invalid-request", fmt.Sprintf("%d fields are wrong.", len(faults)))
		if len(faults) == 1 {
			p.Detail = "One field is wrong."
		}
		p.Errors = faults
		return nil, p
	case err != nil:
		a.Log.Error("a request could not be checked", "kind", kind.ID, "error", fmt.Sprintf("%T", err))
		return nil, a.problem("internal", "")
	}
	name := queue.Interactive
	if request.Options.Priority == "batch" {
		name = queue.Batch
	}
	// A client that hangs up has not taken its request back: what was begun is
	// finished, within a time of our own.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	receipt, err := a.Ledger.Accept(ctx, ledger.Submission{
		Client: clientOf(ctx), IdempotencyKey: in.IdempotencyKey, Kind: kind.ID, Code: kind.Code,
		CASSNumber: request.Holder.CASSNumber, Queue: name, Body: bytes.Clone(in.RawBody), At: now,
	})
	if err != nil {
		return nil, a.refusal("accepting a request", err)
	}
	state := string(ledger.StateAccepted)
	if receipt.Finished {
		if standing, err := a.Ledger.Look(ctx, receipt.ID); err == nil {
			state = string(standing.State)
		}
	} else {
		a.enqueuer.enqueue(ctx, receipt.ID, receipt.Queue)
	}
	links := a.links(receipt.ID)
	return &submitOutput{Location: links.Self, Body: Accepted{ID: receipt.ID, Kind: receipt.Kind, Number: receipt.Number, State: state,
		AcceptedAt: receipt.IssuedAt, Links: links}}, nil
}

// refusal is the problem for an error of the ledger.
func (a *API) refusal(doing string, err error) *Problem {
	switch {
	case errors.Is(err, ledger.ErrIdempotencyReused):
		return a.problem("idempotency-key-reused", "")
	case errors.Is(err, ledger.ErrNotFound):
		return a.problem("not-found", "There is no such request.")
	case errors.Is(err, storage.ErrUnavailable), errors.Is(err, storage.ErrDenied), errors.Is(err, ledger.ErrKeyUnknown),
		errors.Is(err, context.DeadlineExceeded):
		a.Log.Error(doing+" failed", "error", err)
		p := a.problem("temporarily-unavailable", "")
		p.retryAfter = 5 * time.Second
		return p
	default:
		a.Log.Error(doing+" failed", "error", err)
		return a.problem("internal", "")
	}
}

func usableKey(key string) bool {
	if key == "" || len(key) > 255 {
		return false
	}
	for _, c := range []byte(key) {
		if c < 0x21 || c > 0x7e {
			return false
		}
	}
	return true
}
