package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"segell/ledger"
	"segell/staff"
)

// Callback is something that a client is to be told.
type Callback struct {
	_         struct{}      `json:"-" additionalProperties:"true"`
	Callback  string        `json:"callback" doc:"Its name" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e/document.issued"`
	WebhookID string        `json:"webhook_id" doc:"The same on every try and every replay" example:"msg_1f0c…"`
	Request   string        `json:"request" format:"uuid" doc:"Id of the request that it tells of" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
	Number    string        `json:"number" doc:"Document number" example:"CASS-2026-COB-0001234"`
	Kind      string        `json:"kind" doc:"Kind of document" example:"coverage_certificate"`
	Event     string        `json:"event" doc:"What it tells" example:"document.issued"`
	Client    string        `json:"client" doc:"Whom" example:"portal"`
	At        time.Time     `json:"at" doc:"When it happened" example:"2026-03-02T09:14:05Z"`
	Tries     []CallbackTry `json:"tries" doc:"Those that did not succeed, oldest first"`
	NextAt    *time.Time    `json:"next_at,omitempty" doc:"When it is tried again" example:"2026-03-02T09:20:00Z"`
	DeadAt    *time.Time    `json:"dead_at,omitempty" doc:"When it was given up" example:"2026-03-05T09:14:05Z"`
}

// CallbackTry is one try that did not succeed.
type CallbackTry struct {
	_      struct{}  `json:"-" additionalProperties:"true"`
	At     time.Time `json:"at" doc:"When" example:"2026-03-02T09:15:05Z"`
	Cause  string    `json:"cause" doc:"Why, a word of a closed list" example:"timeout"`
	Status int       `json:"status,omitempty" doc:"What the endpoint answered, where it did (HTTP)" example:"503"`
}

// Callbacks is a part of those that there are.
type Callbacks struct {
	_         struct{}   `json:"-" additionalProperties:"true"`
	Callbacks []Callback `json:"callbacks" doc:"Oldest request first"`
	More      bool       `json:"more" doc:"There are more than are shown" example:"false"`
}

type listCallbacksInput struct {
	Waiting bool   `query:"waiting" doc:"Also those that are still tried, not only those given up"`
	Client  string `query:"client" maxLength:"60" doc:"Only this client's" example:"portal"`
	Limit   int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many at most"`
}

type callbacksOutput struct{ Body Callbacks }

// Replay is which callback is sent again, and why.
type Replay struct {
	Callback string `json:"callback" minLength:"1" maxLength:"100" doc:"Its name" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e/document.issued"`
	Why      string `json:"why" minLength:"1" maxLength:"200" doc:"The reason, kept in the audit trail for ever: one line, without names or numbers of persons" example:"the portal works again"`
}

type callbackOutput struct{ Body Callback }

func (a *api) registerCallbacks() {
	register(a, huma.Operation{OperationID: "list-callbacks", Method: http.MethodGet, Path: "/api/v1/callbacks", Tags: []string{tagCallbacks}, Security: needs(staff.Look),
		Summary: "What clients could not be told", Description: "Callbacks that were given up, and with waiting=true those that are still tried.", Errors: refuses()}, a.listCallbacks)
	register(a, withBody(a, huma.Operation{OperationID: "replay-callback", Method: http.MethodPost, Path: "/api/v1/callbacks/replay", Tags: []string{tagCallbacks}, Security: needs(staff.Act),
		Summary: "Send a callback again that was given up", Description: "Under the same webhook-id, so that whoever gets it twice can tell.", DefaultStatus: http.StatusOK, Errors: refuses(404)},
		"Which, and why", Replay{Callback: exampleID + "/document.issued", Why: "the portal works again"}), a.replay)
}

func (a *api) listCallbacks(ctx context.Context, in *listCallbacksInput) (*callbacksOutput, error) {
	out := &callbacksOutput{Body: Callbacks{Callbacks: []Callback{}}}
	// add reports whether there is room for more.
	add := func(n ledger.Notice) bool {
		if in.Client != "" && n.Client != in.Client {
			return true
		}
		if len(out.Body.Callbacks) == in.Limit {
			out.Body.More = true
			return false
		}
		out.Body.Callbacks = append(out.Body.Callbacks, callbackOf(n))
		return true
	}
	for n, err := range a.Ledger.Undelivered(ctx) {
		if errors.Is(err, ledger.ErrDamaged) {
			a.Log.Error("a callback that was given up cannot be read", "why", err)
			continue
		}
		if err != nil {
			return nil, a.refusal("listing callbacks", err)
		}
		if !add(n) {
			return out, nil
		}
	}
	if !in.Waiting {
		return out, nil
	}
	for name, err := range a.Ledger.Notices(ctx) {
		if err != nil {
			return nil, a.refusal("listing callbacks", err)
		}
		n, err := a.Ledger.Notice(ctx, name)
		switch {
		case errors.Is(err, ledger.ErrNotFound): // delivered while we listed
		case err != nil:
			return nil, a.refusal("reading a callback", err)
		case !add(n):
			return out, nil
		}
	}
	return out, nil
}

func (a *api) replay(ctx context.Context, in *Bodied) (*callbackOutput, error) {
	asked, err := read[Replay](a, *in)
	if err != nil {
		return nil, err
	}
	if ledger.CheckNoticeName(asked.Callback) != nil {
		return nil, a.wrongField("/callback", "must be the name of a callback, as the list shows it")
	}
	ctx, done := finishing(ctx)
	defer done()
	n, err := a.Ledger.UndeliveredNotice(ctx, asked.Callback)
	if err == nil {
		err = a.Acts.Replay(ctx, actor(ctx), asked.Callback, asked.Why)
	}
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, a.problem("not-found", "No such callback was given up.")
	}
	if err != nil {
		return nil, a.refusal("replaying a callback", err)
	}
	n.Tries, n.DeadAt, n.NextAt = nil, time.Time{}, time.Time{}
	return &callbackOutput{callbackOf(n)}, nil
}

func callbackOf(n ledger.Notice) Callback {
	out := Callback{Callback: n.Name(), WebhookID: n.MessageID(), Request: n.Request, Number: n.Number, Kind: n.Kind, Event: string(n.Event), Client: n.Client,
		At: n.At.UTC(), Tries: []CallbackTry{}}
	for _, t := range n.Tries {
		out.Tries = append(out.Tries, CallbackTry{At: t.At.UTC(), Cause: t.Cause, Status: t.Status})
	}
	if !n.NextAt.IsZero() {
		out.NextAt = inUTC(&n.NextAt)
	}
	if !n.DeadAt.IsZero() {
		out.DeadAt = inUTC(&n.DeadAt)
	}
	return out
}
