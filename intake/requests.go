package intake

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"segell/access"
	"segell/ledger"
	"segell/queue"
)

type requestInput struct {
	ID string `path:"id" format:"uuid" doc:"Id of the request" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
}

// RequestState is where a request stands: the answer to asking for a document,
// and to every later question. As in every answer, members may come to it later:
// what a client is generated from says so.
type RequestState struct {
	_          struct{}       `json:"-" additionalProperties:"true"`
	ID         string         `json:"id" format:"uuid" doc:"Id of the request, a UUID of version 7" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
	Kind       string         `json:"kind" doc:"Kind of document" example:"coverage_certificate"`
	Number     string         `json:"number,omitempty" doc:"Document number, printed on the document" example:"CASS-2026-COB-0001234"`
	State      string         `json:"state" enum:"accepted,rendering,sealing,storing,retrying,failed,issued,withdrawn,replaced,cancelled,erased" doc:"accepted to retrying: on its way, wait. issued: the document can be fetched. failed: given up until staff retry it. withdrawn, replaced: issued once, no longer to be relied on. cancelled: taken back before it was issued. erased: removed with the person's data" example:"issued"`
	AcceptedAt time.Time      `json:"accepted_at" doc:"When the request was accepted; the document prints this time" example:"2026-03-02T09:14:05Z"`
	NextTryAt  *time.Time     `json:"next_try_at,omitempty" doc:"While retrying: when it is tried again" example:"2026-03-02T09:14:35Z"`
	Document   *DocumentState `json:"document,omitempty" doc:"Once issued"`
	Failure    *FailureState  `json:"failure,omitempty" doc:"If it was given up"`
	Reason     string         `json:"reason,omitempty" doc:"Why it was withdrawn or cancelled, a word of a closed list" example:"issued_in_error"`
	EndedAt    *time.Time     `json:"ended_at,omitempty" doc:"When it was withdrawn or replaced" example:"2026-04-01T07:00:00Z"`
	ReplacedBy string         `json:"replaced_by,omitempty" doc:"Number of the document that replaces it" example:"CASS-2026-COB-0001300"`
	Replaces   string         `json:"replaces,omitempty" format:"uuid" doc:"Id of the request whose document it replaces" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
	Links      Links          `json:"links" doc:"Addresses that belong to the request"`
}

// DocumentState describes an issued document.
type DocumentState struct {
	_          struct{} `json:"-" additionalProperties:"true"`
	SHA256     string   `json:"sha256" pattern:"^[0-9a-f]{64}$" doc:"Of the sealed file, hexadecimal" example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
	Size       int64    `json:"size" minimum:"0" doc:"Bytes" example:"48213"`
	Pages      int      `json:"pages" minimum:"0" doc:"Number of pages" example:"1"`
	Level      string   `json:"level" doc:"PAdES level of the seal (ETSI EN 319 142-1), measured on the finished file" example:"B-LTA"`
	Language   string   `json:"language" doc:"Of the document; two where it is bilingual" example:"ca"`
	ValidUntil string   `json:"valid_until,omitempty" format:"date" doc:"Last day on which it may be relied on; absent where it has none" example:"2026-06-02"`
}

// FailureState says why a request was given up, for the portal.
type FailureState struct {
	_        struct{}  `json:"-" additionalProperties:"true"`
	Cause    string    `json:"cause" doc:"A word of a closed list, for programs" example:"missing_glyph"`
	Detail   string    `json:"detail" doc:"A sentence for the portal's developer" example:"The request holds a character that cannot be printed."`
	FailedAt time.Time `json:"failed_at" doc:"When it was given up" example:"2026-03-02T09:14:06Z"`
}

// Links are the addresses that belong to a request.
type Links struct {
	_          struct{} `json:"-" additionalProperties:"true"`
	Self       string   `json:"self" format:"uri" doc:"Where the request stands" example:"https://segell.example/v1/requests/0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
	Events     string   `json:"events" format:"uri" doc:"Its changes as they happen, as Server-Sent Events" example:"https://segell.example/v1/requests/0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e/events"`
	Content    string   `json:"content" format:"uri" doc:"The sealed PDF, once issued" example:"https://segell.example/v1/requests/0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e/content"`
	Tickets    string   `json:"tickets" format:"uri" doc:"Where tickets for a person's browser are issued" example:"https://segell.example/v1/requests/0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e/tickets"`
	Withdrawal string   `json:"withdrawal" format:"uri" doc:"Where an issued document is withdrawn" example:"https://segell.example/v1/requests/0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e/withdrawal"`
}

func (a *API) links(id string) Links {
	self := a.publicURL + "/v1/requests/" + id
	return Links{Self: self, Events: self + "/events", Content: self + "/content", Tickets: self + "/tickets", Withdrawal: self + "/withdrawal"}
}

// tag is a strong entity tag (RFC 9110, 8.8.3): it differs whenever the answer does.
func (s RequestState) tag() string {
	text, err := json.Marshal(s)
	if err != nil {
		panic("intake: the state of a request cannot be encoded: " + err.Error()) // it has no field that could fail
	}
	sum := sha256.Sum256(text)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}

func (a *API) registerRequests() {
	register(a, huma.Operation{OperationID: "get-request", Method: http.MethodGet, Path: "/v1/requests/{id}", SkipValidateParams: true, Tags: []string{tagRequests},
		Security: needs(access.ScopeRead), Summary: "Where a request stands",
		Description: "Send the ETag of the last answer as If-None-Match: while nothing has changed the answer is 304 and empty. " +
			"With Prefer: wait=N the answer is held back for at most N seconds until the request has ended, so that one question is enough.",
		Responses: map[string]*huma.Response{"304": {Description: "Nothing has changed since the answer with this ETag"}},
		Errors:    refusals(400, 404)}, a.getRequest)
	register(a, huma.Operation{OperationID: "get-request-content", Method: http.MethodGet, Path: "/v1/requests/{id}/content", SkipValidateParams: true, Tags: []string{tagRequests},
		Security: needs(access.ScopeRead), Summary: "The sealed PDF",
		Description:   "Redirects to an address of the object store that is good for a minute and needs no token. Ask anew for each download.",
		Responses:     map[string]*huma.Response{"303": {Description: "Fetch the file from Location, within a minute and without the token"}},
		DefaultStatus: http.StatusSeeOther, Errors: refusals(404, 409, 410)}, a.content)
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

type getRequestInput struct {
	ID          string `path:"id" format:"uuid" doc:"Id of the request" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
	IfNoneMatch string `header:"If-None-Match" doc:"ETag of an earlier answer" example:"\"n4bQgYhMfWWaL-qgxVrQFQ\""`
	Prefer      string `header:"Prefer" doc:"wait=N: hold the answer back for at most N seconds, 30 at most, until the request has ended (RFC 7240)" example:"wait=20"`
}

type getRequestOutput struct {
	Status            int
	ETag              string `header:"ETag" doc:"Changes whenever the answer does"`
	CacheControl      string `header:"Cache-Control" doc:"private, no-cache: may be kept by its reader, who asks again before each use"`
	PreferenceApplied string `header:"Preference-Applied" doc:"What was done of Prefer"`
	Body              *RequestState
}

func (a *API) getRequest(ctx context.Context, in *getRequestInput) (*getRequestOutput, error) {
	prefer := readPrefer(in.Prefer)
	state, waited, err := a.stateWithin(ctx, in.ID, prefer.wait)
	if err != nil {
		return nil, err
	}
	out := &getRequestOutput{Status: http.StatusOK, ETag: state.tag(), CacheControl: "private, no-cache", Body: &state}
	if waited {
		out.PreferenceApplied = prefer.applied(true)
	}
	if matches(in.IfNoneMatch, out.ETag) {
		out.Status, out.Body = http.StatusNotModified, nil
	}
	return out, nil
}

// stateWithin looks at a request and waits up to d until it has ended. waited is
// false where waiting was not asked for or not granted.
func (a *API) stateWithin(ctx context.Context, id string, d time.Duration) (state RequestState, waited bool, err error) {
	var l *listener
	if d > 0 && ledger.CheckID(id) == nil {
		if leave, ok := a.watcher.admit(clientOf(ctx), func(w *watching) *int { return &w.waits }, waitsMost); ok {
			defer leave()
			l = a.watcher.listen(id)
			defer a.watcher.leave(l)
		}
	}
	standing, err := a.look(ctx, id)
	if err != nil {
		return RequestState{}, false, err
	}
	state = a.state(ctx, standing)
	if l == nil {
		return state, false, nil
	}
	return a.watcher.await(ctx, l, state, d), true, nil
}

// matches reports whether If-None-Match names a tag (RFC 9110, 13.1.2: weakly).
func matches(header, tag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
			return true
		}
	}
	return false
}

// state is what a client is told of a request.
func (a *API) state(ctx context.Context, standing ledger.Standing) RequestState {
	out := RequestState{ID: standing.ID, Kind: standing.Kind, Number: standing.Number, State: string(standing.State), Reason: standing.Reason,
		AcceptedAt: standing.IssuedAt.UTC(), Links: a.links(standing.ID)}
	switch {
	case standing.Record != nil:
		r := standing.Record
		out.Document = &DocumentState{Pages: r.Pages, Level: r.Level, Language: r.Language, ValidUntil: r.ValidUntil}
		if current, ok := r.Current(); ok {
			out.Document.SHA256, out.Document.Size = current.SHA256, current.Size
		}
		out.EndedAt, out.ReplacedBy, out.Replaces = inUTC(r.WithdrawnAt), r.ReplacedBy, r.Replaces
	case standing.Failure != nil:
		f := standing.Failure
		out.Failure = &FailureState{Cause: f.Cause, Detail: ledger.CauseOf(f.Cause).Portal, FailedAt: f.FailedAt.UTC()}
	case standing.State == ledger.StateAccepted:
		out.State, out.NextTryAt = a.jobState(ctx, standing)
	}
	return out
}

// inUTC is how every time is answered, whichever zone the ledger keeps it in.
func inUTC(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	utc := at.UTC()
	return &utc
}

// watch is how the watcher looks: for whoever waits, so for no client of its own.
func (a *API) watch(ctx context.Context, id string, alone bool) (RequestState, error) {
	standing, err := a.Ledger.Look(ctx, id)
	if err != nil {
		return RequestState{}, err
	}
	if alone && standing.State == ledger.StateAccepted {
		return RequestState{State: string(ledger.StateAccepted)}, nil
	}
	return a.state(ctx, standing), nil
}

// jobState asks the queue what the ledger cannot know. Without an answer the
// request is what the ledger says: accepted.
func (a *API) jobState(ctx context.Context, s ledger.Standing) (string, *time.Time) {
	ctx, cancel := context.WithTimeout(ctx, enqueueWithin)
	defer cancel()
	job, _, err := a.Queue.Find(ctx, s.ID) // which may be another queue than it named
	if err != nil {
		return string(ledger.StateAccepted), nil
	}
	switch job.State {
	case queue.Delayed:
		return string(ledger.StateRetrying), inUTC(&job.NextAt)
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
	Location string `header:"Location" doc:"Where the file is, for a minute"`
}

func (a *API) content(ctx context.Context, in *requestInput) (*contentOutput, error) {
	standing, err := a.look(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := a.downloadable(standing); err != nil {
		return nil, err
	}
	address, err := a.Ledger.Download(ctx, standing.ID, standing.Number+".pdf")
	if err != nil {
		return nil, a.refusal("presigning a download", err)
	}
	return &contentOutput{Location: address}, nil
}

// downloadable is the problem of a request that has no document to download.
func (a *API) downloadable(standing ledger.Standing) error {
	var p *Problem
	switch standing.State {
	case ledger.StateIssued:
		if standing.Record == nil || standing.Record.RemovedAt == nil {
			return nil
		}
		p = a.problem("gone", "The file was removed because its time was over. The document can still be verified; ask for a new one.")
	case ledger.StateWithdrawn, ledger.StateReplaced, ledger.StateCancelled, ledger.StateErased:
		p = a.problem("gone", "")
	case ledger.StateFailed:
		p = a.problem("failed", ledger.CauseOf(standing.Failure.Cause).Portal)
	default:
		p = a.problem("not-issued", "")
		p.retryAfter = time.Second
	}
	p.State = string(standing.State)
	return p
}
