package intake

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"segell/ledger"
	"segell/queue"
)

type requestInput struct {
	ID string `path:"id" doc:"Id of the request"`
}

type requestOutput struct{ Body RequestState }

// RequestState is where a request stands.
type RequestState struct {
	ID         string         `json:"id"`
	Kind       string         `json:"kind"`
	Number     string         `json:"number,omitempty"`
	State      string         `json:"state" enum:"accepted,rendering,sealing,storing,retrying,failed,issued,withdrawn,replaced,cancelled,erased"`
	AcceptedAt time.Time      `json:"accepted_at"`
	NextTryAt  *time.Time     `json:"next_try_at,omitempty" doc:"While retrying"`
	Document   *DocumentState `json:"document,omitempty" doc:"Once issued"`
	Failure    *FailureState  `json:"failure,omitempty" doc:"If it was given up"`
	Links      Links          `json:"links"`
}

// DocumentState describes an issued document.
type DocumentState struct {
	SHA256     string `json:"sha256"`
	Size       int64  `json:"size" doc:"Bytes"`
	Pages      int    `json:"pages"`
	Level      string `json:"level" doc:"PAdES level of the seal"`
	Language   string `json:"language"`
	ValidUntil string `json:"valid_until,omitempty" doc:"Last day on which it may be relied on"`
}

// FailureState says why a request was given up, for the portal.
type FailureState struct {
	Cause    string    `json:"cause"`
	Detail   string    `json:"detail"`
	FailedAt time.Time `json:"failed_at"`
}

func (a *API) registerRequests() {
	huma.Register(a.api, huma.Operation{OperationID: "get-request", Method: http.MethodGet, Path: "/v1/requests/{id}",
		Summary: "Where a request stands", Errors: []int{401, 404, 503}}, a.requestState)
	huma.Register(a.api, huma.Operation{OperationID: "get-request-content", Method: http.MethodGet, Path: "/v1/requests/{id}/content",
		Summary: "The sealed PDF, by a redirect that is good for a minute", DefaultStatus: http.StatusSeeOther, Errors: []int{401, 404, 409, 410, 503}}, a.content)
}

// look finds a request of the client that asks. Another client's is not found.
func (a *API) look(ctx context.Context, id string) (ledger.Standing, error) {
	if ledger.CheckID(id) != nil {
		return ledger.Standing{}, a.problem("not-found", "There is no such request.")
	}
	standing, err := a.Ledger.Look(ctx, id)
	if err != nil {
		return standing, a.refusal("looking for a request", err)
	}
	if standing.Client != clientOf(ctx) {
		return standing, a.problem("not-found", "There is no such request.")
	}
	return standing, nil
}

func (a *API) requestState(ctx context.Context, in *requestInput) (*requestOutput, error) {
	standing, err := a.look(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := RequestState{ID: standing.ID, Kind: standing.Kind, Number: standing.Number, State: string(standing.State),
		AcceptedAt: standing.IssuedAt, Links: a.links(standing.ID)}
	switch {
	case standing.Record != nil:
		r := standing.Record
		out.Document = &DocumentState{Pages: r.Pages, Level: r.Level, Language: r.Language, ValidUntil: r.ValidUntil}
		if n := len(r.Versions); n > 0 {
			out.Document.SHA256, out.Document.Size = r.Versions[n-1].SHA256, r.Versions[n-1].Size
		}
	case standing.Failure != nil:
		f := standing.Failure
		out.Failure = &FailureState{Cause: f.Cause, Detail: ledger.CauseOf(f.Cause).Portal, FailedAt: f.FailedAt}
	case standing.State == ledger.StateAccepted:
		out.State, out.NextTryAt = a.jobState(ctx, standing)
	}
	return &requestOutput{Body: out}, nil
}

// jobState asks the queue what the ledger cannot know. Without an answer the
// request is what the ledger says: accepted.
func (a *API) jobState(ctx context.Context, s ledger.Standing) (string, *time.Time) {
	ctx, cancel := context.WithTimeout(ctx, enqueueWithin)
	defer cancel()
	job, err := a.Queue.Job(ctx, s.ID, s.Queue)
	if err != nil {
		return string(ledger.StateAccepted), nil
	}
	switch job.State {
	case queue.Delayed:
		return string(ledger.StateRetrying), &job.NextAt
	case queue.Active:
		switch ledger.Stage(job.Step) {
		case ledger.StageSeal:
			return string(ledger.StateSealing), nil
		case ledger.StageStore:
			return string(ledger.StateStoring), nil
		}
		return string(ledger.StateRendering), nil
	}
	return string(ledger.StateAccepted), nil
}

type contentOutput struct {
	Location string `header:"Location"`
}

func (a *API) content(ctx context.Context, in *requestInput) (*contentOutput, error) {
	standing, err := a.look(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	switch standing.State {
	case ledger.StateIssued:
	case ledger.StateWithdrawn, ledger.StateReplaced, ledger.StateCancelled, ledger.StateErased:
		p := a.problem("gone", "")
		p.State = string(standing.State)
		return nil, p
	case ledger.StateFailed:
		p := a.problem("failed", ledger.CauseOf(standing.Failure.Cause).Portal)
		p.State = string(standing.State)
		return nil, p
	default:
		p := a.problem("not-issued", "")
		p.State, p.retryAfter = string(standing.State), time.Second
		return nil, p
	}
	address, err := a.Ledger.Download(ctx, standing.ID, standing.Number+".pdf")
	if err != nil {
		return nil, a.refusal("presigning a download", err)
	}
	return &contentOutput{Location: address}, nil
}
