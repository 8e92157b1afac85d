package intake

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"segell/access"
	"segell/ledger"
	"segell/templates"
	"segell/wire"
)

const (
	historyDefault = 20 // requests on a page
	// What the references are for, so that one never passes for the other.
	holderReference = "holder"
	cursorReference = "history cursor"
)

// Search asks for the requests that name one person.
type Search struct {
	CASSNumber string   `json:"cass_number" pattern:"^[0-9]{6}[A-Z]$" patternDescription:"a CASS number: six digits and a capital letter, without separators" doc:"CASS number of the person" example:"000000A"`
	Kinds      []string `json:"kinds,omitempty" maxItems:"20" doc:"Only these kinds of document" example:"[\"coverage_certificate\"]"`
	States     []string `json:"states,omitempty" maxItems:"10" enum:"accepted,failed,issued,withdrawn,replaced,cancelled,erased" doc:"Only requests that stand so; accepted is everything on its way" example:"[\"issued\"]"`
	From       string   `json:"from,omitempty" format:"date-time" maxLength:"35" doc:"Accepted at this time or later" example:"2026-01-01T00:00:00+01:00"`
	Until      string   `json:"until,omitempty" format:"date-time" maxLength:"35" doc:"Accepted before this time" example:"2027-01-01T00:00:00+01:00"`
	Limit      int      `json:"limit,omitempty" minimum:"1" maximum:"100" doc:"Requests on a page, 20 by default" example:"20"`
}

// History is a page of the requests that name one person, newest first.
type History struct {
	_        struct{}       `json:"-" additionalProperties:"true"`
	Requests []RequestState `json:"requests" doc:"Newest first. A page may hold fewer than were asked for, or none, and yet have a next one"`
	Holder   string         `json:"holder" doc:"An opaque reference to the person, for GET /v1/requests?holder=…: it tells nothing, and is good for this client alone" example:"AQEJ0bF4…"`
	Next     string         `json:"next,omitempty" format:"uri" doc:"Address of the next, older page; also in the header Link. Absent on the last page" example:"https://segell.example/v1/requests?cursor=AQEJ0bF4…"`
}

type searchInput struct {
	ContentType     string `header:"Content-Type" hidden:"true"`
	ContentEncoding string `header:"Content-Encoding" hidden:"true"`
	RawBody         []byte `contentType:"application/json"`
}

type historyInput struct {
	Holder string   `query:"holder" maxLength:"2048" doc:"The reference to a person that a search gave"`
	Cursor string   `query:"cursor" maxLength:"2048" doc:"From the address of a next page. It holds the filters; nothing else may stand beside it"`
	Kinds  []string `query:"kind,explode" maxItems:"20" doc:"Only these kinds of document; may be repeated" example:"[\"coverage_certificate\"]"`
	States []string `query:"state,explode" maxItems:"10" enum:"accepted,failed,issued,withdrawn,replaced,cancelled,erased" doc:"Only requests that stand so; may be repeated" example:"[\"issued\"]"`
	From   string   `query:"from" format:"date-time" maxLength:"35" doc:"Accepted at this time or later" example:"2026-01-01T00:00:00Z"`
	Until  string   `query:"until" format:"date-time" maxLength:"35" doc:"Accepted before this time" example:"2027-01-01T00:00:00Z"`
	Limit  int      `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"Requests on a page"`
}

type historyOutput struct {
	Link string `header:"Link" doc:"The next page, rel=\"next\" (RFC 8288)" example:"<https://segell.example/v1/requests?cursor=AQEJ0bF4…>; rel=\"next\""`
	Body History
}

// cursor is where a history goes on: all of the query, and the last request seen.
// It travels encrypted.
type cursor struct {
	Holder string         `json:"h"`
	Kinds  []string       `json:"k,omitempty"`
	States []ledger.State `json:"s,omitempty"`
	From   time.Time      `json:"f,omitzero"`
	Until  time.Time      `json:"u,omitzero"`
	Limit  int            `json:"n"`
	Before string         `json:"b,omitempty"`
}

func (a *API) registerHistory() {
	register(a, huma.Operation{OperationID: "search-requests", Method: http.MethodPost, Path: "/v1/requests/search", Tags: []string{tagHistory},
		Security: needs(access.ScopeHolders), Summary: "The requests of a person, by CASS number",
		Description:  "The number is in the body, so that it is in no address and no log. The answer holds a reference with which later questions need no number. A client sees its own requests only.",
		RequestBody:  a.bodyOf(reflect.TypeFor[Search](), "Who, and which requests", Search{CASSNumber: "000000A", States: []string{"issued"}, Limit: 20}),
		MaxBodyBytes: 16 << 10, SkipValidateBody: true, DefaultStatus: http.StatusOK,
		Errors: refusals(400, 408, 413, 415, 422)}, a.search)
	register(a, huma.Operation{OperationID: "list-requests", Method: http.MethodGet, Path: "/v1/requests", Tags: []string{tagHistory},
		Security: needs(access.ScopeHolders), Summary: "The requests of a person, by reference or the next page",
		Description:                  "Give either holder, with filters if you like, or cursor alone.",
		RejectUnknownQueryParameters: true,
		Errors:                       refusals(400, 422)}, a.list)
}

func (a *API) search(ctx context.Context, in *searchInput) (*historyOutput, error) {
	asked, err := readBody[Search](a, in.ContentType, in.ContentEncoding, in.RawBody)
	if err != nil {
		return nil, err
	}
	at, faults := historyCursor(asked.Kinds, asked.States, asked.From, asked.Until, asked.Limit)
	if len(faults) > 0 {
		return nil, a.invalid(inBody("", faults))
	}
	at.Holder = a.Ledger.HolderDigest(asked.CASSNumber)
	return a.history(ctx, at)
}

func (a *API) list(ctx context.Context, in *historyInput) (*historyOutput, error) {
	client := clientOf(ctx)
	switch {
	case in.Cursor != "":
		if in.Holder != "" || len(in.Kinds)+len(in.States)+len(in.From)+len(in.Until) > 0 {
			return nil, a.invalid([]Fault{{Parameter: "cursor", Detail: "must stand alone: it holds the person and the filters with which it began"}})
		}
		var at cursor
		if a.Ledger.Resolve(cursorReference, client, in.Cursor, &at) != nil {
			return nil, a.problem("invalid-reference", "The cursor is none that was given to this client, or is too old to be read. Begin with a search.")
		}
		return a.history(ctx, at)
	case in.Holder == "":
		return nil, a.invalid([]Fault{{Parameter: "holder", Detail: "must be given, the reference of a search, or else cursor"}})
	}
	var holder string
	if a.Ledger.Resolve(holderReference, client, in.Holder, &holder) != nil {
		return nil, a.problem("invalid-reference", "The reference is none that was given to this client, or is too old to be read. Begin with a search.")
	}
	at, faults := historyCursor(in.Kinds, in.States, in.From, in.Until, in.Limit)
	if len(faults) > 0 {
		return nil, a.invalid(inAddress(faults))
	}
	at.Holder = holder
	return a.history(ctx, at)
}

// inAddress are faults of the filters of a search where they came in an address:
// there they are repeated and called kind and state.
func inAddress(faults wire.Faults) []Fault {
	var all []Fault
	for _, f := range faults {
		name, _, _ := strings.Cut(strings.TrimPrefix(f.Pointer, "/"), "/")
		all = append(all, Fault{Parameter: strings.TrimSuffix(name, "s"), Detail: f.Detail})
	}
	return all
}

// historyCursor is the beginning of a history with filters. Faults are told as of
// the body of a search.
func historyCursor(kinds, states []string, from, until string, limit int) (at cursor, faults wire.Faults) {
	at = cursor{Kinds: kinds, Limit: limit}
	if at.Limit == 0 {
		at.Limit = historyDefault
	}
	fault := func(name, detail string) { faults.Add("/"+name, detail) }
	for i, kind := range kinds {
		if _, ok := templates.Lookup(kind); !ok {
			fault("kinds"+wire.Pointer(i), "must be a kind of document that can be asked for")
		}
	}
	for _, state := range states {
		at.States = append(at.States, ledger.State(state))
	}
	for _, bound := range []struct {
		name, text string
		into       *time.Time
	}{{"from", from, &at.From}, {"until", until, &at.Until}} {
		if bound.text == "" {
			continue
		}
		parsed, err := time.Parse(time.RFC3339, bound.text)
		if err != nil {
			fault(bound.name, "must be a time with its offset, such as 2026-01-01T00:00:00+01:00 (RFC 3339)")
		}
		*bound.into = parsed
	}
	return at, faults
}

// history answers with the page that a cursor points to.
func (a *API) history(ctx context.Context, at cursor) (*historyOutput, error) {
	client := clientOf(ctx)
	page, err := a.Ledger.History(ctx, ledger.HistoryQuery{Holder: at.Holder, Client: client, Kinds: at.Kinds, States: at.States,
		From: at.From, Until: at.Until, Before: at.Before, Limit: at.Limit})
	if err != nil {
		return nil, a.refusal("reading a history", err)
	}
	out := &historyOutput{Body: History{Requests: make([]RequestState, 0, len(page.Requests))}}
	for _, standing := range page.Requests {
		out.Body.Requests = append(out.Body.Requests, a.state(ctx, standing))
	}
	if out.Body.Holder, err = a.Ledger.Refer(holderReference, client, at.Holder); err != nil {
		return nil, a.refusal("making a reference", err)
	}
	if page.More {
		at.Before = page.Last
		next, err := a.Ledger.Refer(cursorReference, client, at)
		if err != nil {
			return nil, a.refusal("making a reference", err)
		}
		out.Body.Next = a.publicURL + "/v1/requests?" + url.Values{"cursor": {next}}.Encode()
		out.Link = fmt.Sprintf("<%s>; rel=\"next\"", out.Body.Next)
	}
	return out, nil
}
