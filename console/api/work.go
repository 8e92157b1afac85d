package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"segell/ledger"
	"segell/staff"
)

// Pause is the word of staff that workers leave something alone.
type Pause struct {
	_     struct{}  `json:"-" additionalProperties:"true"`
	Scope string    `json:"scope" enum:"kind,queue" doc:"What is left alone: a kind of document, or a queue" example:"kind"`
	Name  string    `json:"name" doc:"Which" example:"coverage_certificate"`
	Who   string    `json:"who" doc:"Login of who paused it" example:"mserra"`
	Why   string    `json:"why" doc:"The reason" example:"the dates are wrong; wait for the correction"`
	Since time.Time `json:"since" doc:"Since when" example:"2026-03-02T08:01:00Z"`
}

// Pauses are those in force.
type Pauses struct {
	_      struct{} `json:"-" additionalProperties:"true"`
	Pauses []Pause  `json:"pauses" doc:"Oldest first"`
}

// PauseOrder is what is to be paused or to go on, and why.
type PauseOrder struct {
	Scope string `json:"scope" enum:"kind,queue" doc:"A kind of document, or a queue" example:"kind"`
	Name  string `json:"name" minLength:"1" maxLength:"60" doc:"Which: an identifier of a kind, or interactive, batch or another queue" example:"coverage_certificate"`
	Why   string `json:"why" minLength:"1" maxLength:"200" doc:"The reason, which others read and the audit trail keeps: one line, without names or numbers of persons" example:"the dates are wrong; wait for the correction"`
}

type pausesOutput struct{ Body Pauses }

func (a *api) registerWork() {
	register(a, huma.Operation{OperationID: "list-pauses", Method: http.MethodGet, Path: "/api/v1/pauses", Tags: []string{tagWork}, Security: needs(staff.Look),
		Summary: "What is paused", Description: "Requests are accepted all the same, and wait.", Errors: refuses()}, a.listPauses)
	order := func(id, path, summary, about string, own ...int) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodPost, Path: path, Tags: []string{tagWork}, Security: needs(staff.Act),
			Summary: summary, Description: about, DefaultStatus: http.StatusOK, Errors: refuses(own...)}
	}
	example := PauseOrder{Scope: string(ledger.PauseKind), Name: "coverage_certificate", Why: "the dates are wrong; wait for the correction"}
	register(a, withBody(a, order("pause-work", "/api/v1/pauses", "Leave a kind or a queue alone", "Workers obey within seconds. One that is paused already stays as it is."), "What, and why", example), a.pause)
	register(a, withBody(a, order("resume-work", "/api/v1/pauses/resume", "Go on with what was paused", "Workers go on within seconds.", 409), "What, and why", example), a.resume)
}

func (a *api) listPauses(ctx context.Context, _ *struct{}) (*pausesOutput, error) {
	pauses, err := a.Ledger.Pauses(ctx)
	if err != nil {
		return nil, a.refusal("reading the pauses", err)
	}
	out := &pausesOutput{Body: Pauses{Pauses: []Pause{}}}
	for _, p := range pauses {
		out.Body.Pauses = append(out.Body.Pauses, Pause{Scope: string(p.Scope), Name: p.Name, Who: p.Who, Why: p.Why, Since: p.Since.UTC()})
	}
	return out, nil
}

func (a *api) pause(ctx context.Context, in *Bodied) (*pausesOutput, error) {
	asked, err := read[PauseOrder](a, *in)
	if err != nil {
		return nil, err
	}
	ctx, done := finishing(ctx)
	defer done()
	if err := a.Acts.Pause(ctx, actor(ctx), ledger.PauseScope(asked.Scope), asked.Name, asked.Why); err != nil {
		return nil, a.refusal("pausing work", err)
	}
	return a.listPauses(ctx, nil)
}

func (a *api) resume(ctx context.Context, in *Bodied) (*pausesOutput, error) {
	asked, err := read[PauseOrder](a, *in)
	if err != nil {
		return nil, err
	}
	ctx, done := finishing(ctx)
	defer done()
	if err := a.Acts.Resume(ctx, actor(ctx), ledger.PauseScope(asked.Scope), asked.Name, asked.Why); err != nil {
		return nil, a.refusal("resuming work", err)
	}
	return a.listPauses(ctx, nil)
}
