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
)

// TicketOrder is what a ticket shall be. All of it may be left out.
type TicketOrder struct {
	Language     *string `json:"language,omitempty" enum:"ca,es,fr,pt,en" doc:"Of the file's name and of the page that is shown where the ticket opens nothing; without it, what the person's browser asks for" example:"ca"`
	Minutes      *int    `json:"minutes,omitempty" minimum:"1" maximum:"60" doc:"How long it lives; 15 without it" example:"15"`
	MaxDownloads *int    `json:"max_downloads,omitempty" minimum:"1" maximum:"100" doc:"How often it can be followed; 5 without it. Following it again within a minute counts once. Leave a few: phones fetch what they are sent before a person taps it" example:"5"`
}

// IssuedTicket is a new ticket. Its address is told once and never again.
type IssuedTicket struct {
	_            struct{}  `json:"-" additionalProperties:"true"`
	ID           string    `json:"id" pattern:"^[0-9a-f]{64}$" doc:"To revoke it by; it opens nothing" example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
	URL          string    `json:"url" format:"uri" doc:"Send the person's browser here. Whoever has the address can download the document: put it in no log and no mail" example:"https://segell.example/d/AZngoFt8fB6aVD8dK2x9jp-GsNIwtR0kqk7aVD8dK2w"`
	ExpiresAt    time.Time `json:"expires_at" doc:"From then on it opens nothing" example:"2026-03-02T09:29:05Z"`
	MaxDownloads int       `json:"max_downloads" doc:"How often it can be followed" example:"5"`
}

// TicketState is what became of a ticket.
type TicketState struct {
	_            struct{}    `json:"-" additionalProperties:"true"`
	ID           string      `json:"id" pattern:"^[0-9a-f]{64}$" doc:"As it was given with the ticket" example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
	State        string      `json:"state" enum:"valid,expired,revoked,used_up" doc:"Whether it opens the document now" example:"valid"`
	CreatedAt    time.Time   `json:"created_at" doc:"When it was asked for" example:"2026-03-02T09:14:05Z"`
	ExpiresAt    time.Time   `json:"expires_at" doc:"From then on it opens nothing" example:"2026-03-02T09:29:05Z"`
	MaxDownloads int         `json:"max_downloads" doc:"How often it can be followed" example:"5"`
	Downloads    []time.Time `json:"downloads" doc:"When it was followed"`
	RevokedAt    *time.Time  `json:"revoked_at,omitempty" doc:"When it was revoked" example:"2026-03-02T09:20:00Z"`
}

// TicketStates are the tickets of a request.
type TicketStates struct {
	_       struct{}      `json:"-" additionalProperties:"true"`
	Tickets []TicketState `json:"tickets" doc:"Those that live and those that ended within the last day, oldest first"`
}

type issueTicketInput struct {
	ID              string `path:"id" format:"uuid" doc:"Id of the request" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
	ContentType     string `header:"Content-Type" hidden:"true"`
	ContentEncoding string `header:"Content-Encoding" hidden:"true"`
	RawBody         []byte `contentType:"application/json"`
}

type ticketInput struct {
	ID     string `path:"id" format:"uuid" doc:"Id of the request" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
	Ticket string `path:"ticket" pattern:"^[0-9a-f]{64}$" doc:"Id of the ticket" example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
}

type issueTicketOutput struct{ Body IssuedTicket }

type ticketStatesOutput struct{ Body TicketStates }

func (a *API) registerTickets() {
	const path = "/v1/requests/{id}/tickets"
	order := a.bodyOf(reflect.TypeFor[TicketOrder](), "What the ticket shall be; without a body everything is as it mostly is", map[string]any{"language": "ca", "minutes": 15})
	register(a, huma.Operation{OperationID: "issue-ticket", Method: http.MethodPost, Path: path, SkipValidateParams: true, Tags: []string{tagTickets},
		Security: needs(access.ScopeTickets), Summary: "A ticket for a person's browser to download the document",
		Description: "For a document that is issued and in force, after the portal's own login of the person whose document it is. " +
			"The browser follows the address to the file, whose name says what it is in the person's language. Each call gives another ticket.",
		RequestBody: order, DefaultStatus: http.StatusCreated, MaxBodyBytes: 4 << 10, SkipValidateBody: true,
		Errors: refusals(400, 404, 408, 409, 410, 413, 415, 422)}, a.issueTicket)
	order.Required = false // huma takes a raw body to be required, and looks here at each call
	register(a, huma.Operation{OperationID: "list-tickets", Method: http.MethodGet, Path: path, SkipValidateParams: true, Tags: []string{tagTickets},
		Security: needs(access.ScopeTickets), Summary: "The tickets of a request, and when each was followed",
		Description: "Every ticket that was given for the document and not yet removed; the ticket itself is never told again.", Errors: refusals(404)}, a.listTickets)
	register(a, huma.Operation{OperationID: "revoke-tickets", Method: http.MethodDelete, Path: path, SkipValidateParams: true, Tags: []string{tagTickets},
		Security: needs(access.ScopeTickets), Summary: "Revoke every ticket of a request",
		Description:   "From the answer on none of them opens the document; an address of the object store that was just given is good for a minute more.",
		DefaultStatus: http.StatusNoContent, Errors: refusals(404)}, a.revokeTickets)
	register(a, huma.Operation{OperationID: "revoke-ticket", Method: http.MethodDelete, Path: path + "/{ticket}", SkipValidateParams: true, Tags: []string{tagTickets},
		Security: needs(access.ScopeTickets), Summary: "Revoke one ticket", Description: "To revoke it again changes nothing.",
		DefaultStatus: http.StatusNoContent, Errors: refusals(404)}, a.revokeTicket)
}

func (a *API) issueTicket(ctx context.Context, in *issueTicketInput) (*issueTicketOutput, error) {
	var asked TicketOrder
	if len(in.RawBody) > 0 {
		var err error
		if asked, err = readBody[TicketOrder](a, in.ContentType, in.ContentEncoding, in.RawBody); err != nil {
			return nil, err
		}
	}
	standing, err := a.look(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := a.downloadable(standing); err != nil {
		return nil, err
	}
	if !standing.Record.InForce(a.Now()) {
		p := a.problem("not-in-force", "Its last day is over: ask for a new document.")
		p.State = string(standing.State)
		return nil, p
	}
	order := ledger.TicketOrder{Request: in.ID}
	if asked.Language != nil {
		order.Language = *asked.Language
	}
	if asked.Minutes != nil {
		order.Lifetime = time.Duration(*asked.Minutes) * time.Minute
	}
	if asked.MaxDownloads != nil {
		order.Most = *asked.MaxDownloads
	}
	secret, ticket, err := a.Ledger.IssueTicket(ctx, order)
	if err != nil {
		return nil, a.refusal("issuing a ticket", err)
	}
	return &issueTicketOutput{Body: IssuedTicket{ID: ticket.ID, URL: a.publicURL + "/d/" + secret, ExpiresAt: ticket.ExpiresAt.UTC(), MaxDownloads: ticket.Most}}, nil
}

func (a *API) listTickets(ctx context.Context, in *requestInput) (*ticketStatesOutput, error) {
	if _, err := a.look(ctx, in.ID); err != nil {
		return nil, err
	}
	tickets, err := a.Ledger.Tickets(ctx, in.ID)
	if err != nil {
		return nil, a.refusal("listing tickets", err)
	}
	out := TicketStates{Tickets: make([]TicketState, 0, len(tickets))}
	for _, t := range tickets {
		state := TicketState{ID: t.ID, State: ticketState(t, a.Now()), CreatedAt: t.CreatedAt.UTC(), ExpiresAt: t.ExpiresAt.UTC(), MaxDownloads: t.Most,
			Downloads: make([]time.Time, 0, len(t.Downloads))}
		for _, at := range t.Downloads {
			state.Downloads = append(state.Downloads, at.UTC())
		}
		if !t.RevokedAt.IsZero() {
			state.RevokedAt = inUTC(&t.RevokedAt)
		}
		out.Tickets = append(out.Tickets, state)
	}
	return &ticketStatesOutput{Body: out}, nil
}

func ticketState(t ledger.Ticket, now time.Time) string {
	switch err := t.Check(now); {
	case errors.Is(err, ledger.ErrTicketRevoked):
		return "revoked"
	case errors.Is(err, ledger.ErrTicketExpired):
		return "expired"
	case errors.Is(err, ledger.ErrTicketUsedUp):
		return "used_up"
	}
	return "valid"
}

func (a *API) revokeTickets(ctx context.Context, in *requestInput) (*struct{}, error) {
	if _, err := a.look(ctx, in.ID); err != nil {
		return nil, err
	}
	// What was begun is finished, also for a client that hangs up.
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer done()
	if _, err := a.Ledger.RevokeTickets(ctx, in.ID); err != nil {
		return nil, a.refusal("revoking tickets", err)
	}
	return nil, nil
}

func (a *API) revokeTicket(ctx context.Context, in *ticketInput) (*struct{}, error) {
	if _, err := a.look(ctx, in.ID); err != nil {
		return nil, err
	}
	err := a.Ledger.RevokeTicket(ctx, in.ID, in.Ticket)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, a.problem("not-found", "The request has no such ticket.")
	}
	if err != nil {
		return nil, a.refusal("revoking a ticket", err)
	}
	return nil, nil
}
