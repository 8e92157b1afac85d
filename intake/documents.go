package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"segell/access"
	"segell/ledger"
	"segell/queue"
	"segell/storage"
	"segell/templates"
	"segell/wire"
)

type submitInput struct {
	IdempotencyKey  string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"255" pattern:"^[!-~]+$" doc:"A name of your own for this request, 1 to 255 printable ASCII characters without blanks. Repeat a request with the same key" example:"7f1c1e2a-3b5d-4c8e-9a54-3f1d2b6c7d8e"`
	Prefer          string `header:"Prefer" doc:"wait=N: hold the answer back for at most N seconds, 30 at most, until the document is ready. respond-async: do not (RFC 7240)" example:"wait=10"`
	ContentType     string `header:"Content-Type" hidden:"true"`
	ContentEncoding string `header:"Content-Encoding" hidden:"true"`
	RawBody         []byte `contentType:"application/json"`
}

type submitOutput struct {
	Status            int
	Location          string `header:"Location" doc:"Where to ask for the state of the request" example:"https://segell.example/v1/requests/0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
	PreferenceApplied string `header:"Preference-Applied" doc:"What was done of Prefer" example:"wait=10"`
	Body              RequestState
}

// registerDocuments makes one operation per kind: each has its own schema.
func (a *API) registerDocuments(mux *http.ServeMux) {
	for _, kind := range templates.Kinds() {
		schema := wire.Schema(a.api.OpenAPI().Components.Schemas, kind.BodyType())
		register(a, huma.Operation{
			OperationID: "request-" + strings.ReplaceAll(kind.ID, "_", "-"), Method: http.MethodPost, Path: "/v1/documents/" + kind.ID, Tags: []string{tagDocuments},
			Summary: "Ask for: " + strings.ReplaceAll(kind.ID, "_", " "), Description: aboutKind(kind),
			DefaultStatus: http.StatusAccepted, MaxBodyBytes: kind.BodyLimit(), BodyReadTimeout: 30 * time.Second,
			SkipValidateBody:   true, // checked by the kind itself, which names every fault at once
			SkipValidateParams: true, // so is the key: it has a problem of its own
			Security:           needs(access.ScopeRequest),
			RequestBody: &huma.RequestBody{Required: true, Description: "The request: who asks, the person, and the data of this kind",
				Content: map[string]*huma.MediaType{"application/json": {Schema: schema, Examples: examplesOf(kind)}}},
			Responses: map[string]*huma.Response{
				"200": a.stateResponse("It had been accepted before and is issued (only with Prefer: wait)"),
				"201": a.stateResponse("Accepted, and issued while you waited (only with Prefer: wait)"),
				"202": {Description: "Accepted: it will not be lost. Ask at Location where it stands"},
			},
			Errors: refusals(400, 408, 413, 415, 422),
		}, func(ctx context.Context, in *submitInput) (*submitOutput, error) { return a.submit(ctx, kind, in) })
	}
	mux.HandleFunc("POST /v1/documents/{kind}", func(w http.ResponseWriter, r *http.Request) { a.unknownKind().write(w) })
}

func (a *API) unknownKind() *Problem {
	var known []string
	for _, kind := range templates.Kinds() {
		known = append(known, kind.ID)
	}
	return a.problem("unknown-kind", "The kinds that can be asked for are "+strings.Join(known, ", ")+".")
}

// submit is the door itself.
func (a *API) submit(ctx context.Context, kind *templates.Kind, in *submitInput) (*submitOutput, error) {
	if p := a.checkMedia(in.ContentType, in.ContentEncoding, "application/json"); p != nil {
		return nil, p
	}
	if !usableKey(in.IdempotencyKey) {
		return nil, a.problem("idempotency-key-missing", "The header Idempotency-Key must hold 1 to 255 printable ASCII characters.")
	}
	receipt, refused := a.take(ctx, submission{kind: kind, key: in.IdempotencyKey, body: in.RawBody})
	if refused != nil {
		return nil, refused
	}
	prefer := readPrefer(in.Prefer)
	state, waited := a.stateAfter(ctx, receipt, prefer.wait)
	out := &submitOutput{Status: http.StatusAccepted, Location: state.Links.Self, PreferenceApplied: prefer.applied(waited), Body: state}
	if prefer.wait > 0 && state.Document != nil {
		out.Status = http.StatusCreated
		if receipt.Repeated {
			out.Status = http.StatusOK
		}
	}
	return out, nil
}

// submission is one request as it came.
type submission struct {
	kind  *templates.Kind
	key   string // of idempotency
	body  []byte
	batch bool // nobody waits for it, unless it says so itself
}

// take judges a request, writes it to the ledger and gives its job to the queue.
func (a *API) take(ctx context.Context, s submission) (ledger.Receipt, *Problem) {
	if err := a.admitKind(ctx, s.kind.ID); err != nil {
		return ledger.Receipt{}, asProblem(err)
	}
	now := a.Now()
	request, err := s.kind.Decode(s.body, now)
	if err != nil {
		return ledger.Receipt{}, a.unreadableBody(err)
	}
	if request.Options.Replaces != "" {
		if err := a.admitScope(ctx, access.ScopeWithdraw); err != nil {
			return ledger.Receipt{}, asProblem(err)
		}
	}
	name := queue.Interactive
	if request.Options.Priority == templates.PriorityBatch || s.batch && !saysInteractive(s.body) {
		name = queue.Batch
	}
	if p := a.chargeFor(ctx, name, s.batch); p != nil {
		return ledger.Receipt{}, p
	}
	if p := a.full(name); p != nil {
		return ledger.Receipt{}, p
	}
	// A client that hangs up has not taken its request back: what was begun is
	// finished, within a time of our own.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	receipt, err := a.Ledger.Accept(ctx, ledger.Submission{
		Client: clientOf(ctx), IdempotencyKey: s.key, Kind: s.kind.ID, Code: s.kind.Code,
		CASSNumber: request.Holder.CASSNumber, Queue: name, Replaces: request.Options.Replaces, Body: bytes.Clone(s.body), At: now,
	})
	if err != nil {
		return ledger.Receipt{}, a.refusal("accepting a request", err)
	}
	if !receipt.Repeated {
		a.Queue.Accepted()
		a.Queue.Changed(receipt.ID)
	}
	if !receipt.Finished {
		a.enqueuer.enqueue(ctx, receipt.ID, receipt.Queue)
	}
	return receipt, nil
}

// chargeFor charges the caller for a document, beyond the call that asked for it:
// a tenth of a call where nobody waits, a call for a line of a batch that says
// somebody does. Nothing where the call asked for this one alone.
func (a *API) chargeFor(ctx context.Context, name string, line bool) *Problem {
	work := access.Call
	switch {
	case name == queue.Batch:
		work = access.BatchDocument
	case !line:
		return nil
	}
	if err := a.charge(ctx, work); err != nil {
		return asProblem(err)
	}
	return nil
}

// saysInteractive reports whether a request, which was read before, names the
// priority that it would have without a word outside a batch.
func saysInteractive(body []byte) bool {
	var asked struct {
		Options struct {
			Priority string `json:"priority"`
		} `json:"options"`
	}
	return json.Unmarshal(body, &asked) == nil && asked.Options.Priority == templates.PriorityInteractive
}

// stateAfter says where an accepted request stands, after waiting up to d for its
// end. Without an answer of the ledger it is what the receipt says: the request
// has been accepted, whatever comes after.
func (a *API) stateAfter(ctx context.Context, r ledger.Receipt, d time.Duration) (state RequestState, waited bool) {
	if r.Finished || d > 0 {
		if state, waited, err := a.stateWithin(ctx, r.ID, d); err == nil {
			return state, waited
		}
	}
	return RequestState{ID: r.ID, Kind: r.Kind, Number: r.Number, State: string(ledger.StateAccepted), AcceptedAt: r.IssuedAt.UTC(), Links: a.links(r.ID)}, false
}

// checkMedia refuses a body in another form than one of those wanted.
func (a *API) checkMedia(contentType, encoding string, wanted ...string) *Problem {
	media, parameters, err := mime.ParseMediaType(contentType)
	charset := strings.ToLower(parameters["charset"])
	if err != nil || !slices.Contains(wanted, media) || charset != "" && charset != "utf-8" || encoding != "" {
		return a.problem("unsupported-media-type", "The body must be "+strings.Join(wanted, " or ")+" in UTF-8, not compressed.")
	}
	return nil
}

// unreadableBody is the problem for what wire says of a body.
func (a *API) unreadableBody(err error) *Problem {
	var syntax *wire.SyntaxError
	var faults wire.Faults
	switch {
	case errors.As(err, &syntax):
		return a.problem("malformed-json", syntax.Error())
	case errors.As(err, &faults):
		return a.invalid(inBody("", faults))
	}
	a.Log.Error("a body could not be checked", "error", fmt.Sprintf("%T", err))
	return a.problem("internal", "")
}

// invalid is the problem of what is well-formed and yet wrong.
func (a *API) invalid(faults []Fault) *Problem {
	what := "field"
	if len(faults) > 0 && faults[0].Parameter != "" {
		what = "parameter"
	}
	detail := fmt.Sprintf("%d %ss are wrong.", len(faults), what)
	if len(faults) == 1 {
		detail = "One " + what + " is wrong."
	}
	p := a.problem("invalid-request", detail)
	p.Errors = faults
	return p
}

// refusal is the problem for an error of the ledger.
func (a *API) refusal(doing string, err error) *Problem {
	switch {
	case errors.Is(err, ledger.ErrIdempotencyReused):
		return a.problem("idempotency-key-reused", "")
	case errors.Is(err, ledger.ErrNotReplaceable):
		return a.unreadableBody(wire.Faults{{Pointer: "/options/replaces", Detail: "must be the id of a request of yours, of the same kind and holder, whose document is issued and in force"}})
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
