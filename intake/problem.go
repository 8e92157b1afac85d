package intake

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"segell/access"
	"segell/wire"
)

// Problem is what the API says when it refuses: application/problem+json of
// RFC 9457.
type Problem struct {
	_      struct{} `json:"-" additionalProperties:"true"`
	Type   string   `json:"type" doc:"Address of a page about this kind of problem; compare by its last segment"`
	Title  string   `json:"title"`
	Status int      `json:"status"`
	Detail string   `json:"detail,omitempty" doc:"What went wrong this time, and what would be right"`
	State  string   `json:"state,omitempty" doc:"Where the request stands, if that is why it was refused"`
	Errors []Fault  `json:"errors,omitempty" doc:"Everything that is wrong: a field of the body by its JSON pointer (RFC 6901), a parameter by its name"`

	retryAfter time.Duration
	challenge  string // WWW-Authenticate
}

// Fault is one thing wrong with what was asked. Either Pointer is there or
// Parameter.
type Fault struct {
	_         struct{} `json:"-" additionalProperties:"true"`
	Pointer   *string  `json:"pointer,omitempty" doc:"Of a field of the body: where it is, or should be (RFC 6901); empty: the whole body" example:"/holder/cass_number"`
	Parameter string   `json:"parameter,omitempty" doc:"Of a parameter of the address: its name" example:"limit"`
	Detail    string   `json:"detail" doc:"What is wrong and what would be right; never the value that was sent" example:"must not be in the future; give today or a day before, in Andorra"`
}

// inBody are faults of a body, whose place in what was sent is at prefix.
func inBody(prefix string, faults wire.Faults) []Fault {
	var all []Fault
	for _, f := range faults {
		pointer := prefix + f.Pointer
		all = append(all, Fault{Pointer: &pointer, Detail: f.Detail})
	}
	return all
}

// problemKind is a row of the registry of problems. Its page is
// docs/problems/<type>.md.
type problemKind struct {
	status int
	title  string
}

// problems is the registry: every answer that is no success is one of these.
var problems = map[string]problemKind{
	"malformed-json":          {http.StatusBadRequest, "The body is not acceptable JSON"},
	"idempotency-key-missing": {http.StatusBadRequest, "Idempotency-Key is required"},
	"bad-request":             {http.StatusBadRequest, "The request cannot be understood"},
	"invalid-reference":       {http.StatusUnprocessableEntity, "The reference cannot be read"},
	"unauthorized":            {http.StatusUnauthorized, "A valid token is required"},
	"forbidden":               {http.StatusForbidden, "This is not allowed to this client"},
	"unknown-kind":            {http.StatusNotFound, "There is no such kind of document"},
	"not-found":               {http.StatusNotFound, "There is nothing here"},
	"method-not-allowed":      {http.StatusMethodNotAllowed, "This method is not for this address"},
	"not-acceptable":          {http.StatusNotAcceptable, "Only application/json can be answered"},
	"request-timeout":         {http.StatusRequestTimeout, "The body took too long"},
	"not-issued":              {http.StatusConflict, "The document is not issued yet"},
	"already-issued":          {http.StatusConflict, "The document was issued"},
	"not-in-force":            {http.StatusConflict, "The document is not in force"},
	"failed":                  {http.StatusConflict, "The document could not be made"},
	"gone":                    {http.StatusGone, "The document is no longer available"},
	"too-large":               {http.StatusRequestEntityTooLarge, "The body is too large"},
	"unsupported-media-type":  {http.StatusUnsupportedMediaType, "The body must be in another form"},
	"invalid-request":         {http.StatusUnprocessableEntity, "Fields or parameters are wrong"},
	"idempotency-key-reused":  {http.StatusUnprocessableEntity, "The Idempotency-Key belongs to another request"},
	"rate-limited":            {http.StatusTooManyRequests, "Too many calls"},
	"overloaded":              {http.StatusTooManyRequests, "Too many requests wait already"},
	"too-many-streams":        {http.StatusTooManyRequests, "Too many streams of events are open"},
	"internal":                {http.StatusInternalServerError, "Something went wrong on our side"},
	"temporarily-unavailable": {http.StatusServiceUnavailable, "The request could not be taken just now"},
}

func (a *API) problem(kind, detail string) *Problem {
	row, ok := problems[kind]
	if !ok {
		panic("no such problem: " + kind)
	}
	return &Problem{Type: a.publicURL + "/problems/" + kind, Title: row.title, Status: row.status, Detail: detail}
}

// Error, GetStatus, ContentType and GetHeaders make a Problem what huma answers.
func (p *Problem) Error() string  { return p.Title }
func (p *Problem) GetStatus() int { return p.Status }
func (p *Problem) ContentType(string) string {
	return "application/problem+json"
}
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retryAfter > 0 {
		h.Set("Retry-After", access.RetryAfter(p.retryAfter))
	}
	if p.challenge != "" {
		h.Set("WWW-Authenticate", p.challenge)
	} else if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="segell"`)
	}
	return h
}

func (p *Problem) write(w http.ResponseWriter) {
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	p.encode(w)
}

func (p *Problem) encode(w io.Writer) {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(p) // the client may be gone
}

// statusProblems names the problem for what huma itself refuses, by status.
var statusProblems = map[int]string{
	http.StatusBadRequest:            "bad-request",
	http.StatusUnauthorized:          "unauthorized",
	http.StatusForbidden:             "forbidden",
	http.StatusTooManyRequests:       "rate-limited",
	http.StatusNotFound:              "not-found",
	http.StatusMethodNotAllowed:      "method-not-allowed",
	http.StatusNotAcceptable:         "not-acceptable",
	http.StatusRequestTimeout:        "request-timeout",
	http.StatusRequestEntityTooLarge: "too-large",
	http.StatusUnsupportedMediaType:  "unsupported-media-type",
	http.StatusUnprocessableEntity:   "invalid-request",
	http.StatusServiceUnavailable:    "temporarily-unavailable",
}

// unreadable is what huma says, with status 500, of a body that ended before its
// time or is broken: the sender's fault, not ours.
const unreadable = "cannot read request body"

func (a *API) ofStatus(status int, detail string, errs ...error) *Problem {
	if detail == unreadable {
		return a.problem("bad-request", "The body could not be read to its end.")
	}
	if status == http.StatusUnprocessableEntity && len(errs) > 0 {
		return a.invalid(parameterFaults(errs))
	}
	if kind, ok := statusProblems[status]; ok {
		return a.problem(kind, detail)
	}
	if status >= 500 {
		return a.problem("internal", "")
	}
	return a.problem("bad-request", detail)
}

var _ huma.StatusError = (*Problem)(nil)

// parameterFaults names the parameters that huma refuses. Its words never repeat
// a value; what it keeps beside them does.
func parameterFaults(errs []error) []Fault {
	var faults []Fault
	for _, err := range errs {
		var detail *huma.ErrorDetail
		if errors.As(err, &detail) {
			_, name, _ := strings.Cut(detail.Location, ".")
			name, _, _ = strings.Cut(name, "[") // of a repeated one
			faults = append(faults, Fault{Parameter: name, Detail: detail.Message})
		}
	}
	return faults
}
