package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"segell/access"
	"segell/acts"
	"segell/audit"
	"segell/index"
	"segell/ledger"
	"segell/queue"
	"segell/storage"
	"segell/wire"
)

// Problem is what the API says when it refuses: application/problem+json of
// RFC 9457, as at the portal's door.
type Problem struct {
	_      struct{} `json:"-" additionalProperties:"true"`
	Type   string   `json:"type" doc:"Address of a page about this kind of problem; compare by its last segment"`
	Title  string   `json:"title"`
	Status int      `json:"status"`
	Detail string   `json:"detail,omitempty" doc:"What went wrong this time, and what would be right"`
	State  string   `json:"state,omitempty" doc:"Where the request or the bulk stands, if that is why it was refused"`
	Errors []Fault  `json:"errors,omitempty" doc:"Everything that is wrong: a field of the body by its JSON pointer (RFC 6901), a parameter by its name"`

	retryAfter time.Duration
}

// Fault is one thing wrong with what was asked. Either Pointer is there or
// Parameter.
type Fault struct {
	_         struct{} `json:"-" additionalProperties:"true"`
	Pointer   *string  `json:"pointer,omitempty" doc:"Of a field of the body: where it is, or should be (RFC 6901); empty: the whole body" example:"/why"`
	Parameter string   `json:"parameter,omitempty" doc:"Of a parameter of the address: its name" example:"limit"`
	Detail    string   `json:"detail" doc:"What is wrong and what would be right; never the value that was sent" example:"is required"`
}

// problemKind is a row of the registry of problems.
type problemKind struct {
	status int
	title  string
	about  string // when it comes
	advice string // what to do
}

// problems is the registry: every answer that is no success is one of these.
var problems = map[string]problemKind{
	"bad-request":             {http.StatusBadRequest, "The request cannot be understood", "The call is not one of HTTP's, or says something twice.", "Mend what the detail names."},
	"malformed-json":          {http.StatusBadRequest, "The body is not acceptable JSON", "The body is no JSON of RFC 8259, or names a member twice.", "Mend what the detail names."},
	"unauthorized":            {http.StatusUnauthorized, "A valid token is required", "There is no token, or it is unknown, was revoked, or has ended.", "Make a personal token with `segell staff token`, and send it as `Authorization: Bearer`."},
	"forbidden":               {http.StatusForbidden, "Your roles do not allow this", "The token is good, but its owner, or the token itself, does not have the role that the operation needs. The refusal is in the audit trail.", "Ask whoever keeps the accounts of staff."},
	"second-person":           {http.StatusForbidden, "A second person must do this", "A bulk of so many requests needs two persons: whoever began it cannot approve it.", "Have somebody else with the role act approve it."},
	"not-found":               {http.StatusNotFound, "There is nothing here", "No such request, group, bulk, callback or address is known.", "Check the id; `GET /api/v1/jobs` finds requests."},
	"method-not-allowed":      {http.StatusMethodNotAllowed, "This method is not for this address", "The header Allow names those that are.", "Use one of them."},
	"not-acceptable":          {http.StatusNotAcceptable, "Only application/json can be answered", "The header Accept leaves out what this API speaks.", "Ask for application/json."},
	"request-timeout":         {http.StatusRequestTimeout, "The body took too long", "The body did not come to its end in time. Nothing was done.", "Send it again."},
	"not-failed":              {http.StatusConflict, "The request is not one that failed", "Only a request that was given up can be tried again.", "Look where it stands: it may be under way already, or issued."},
	"already-issued":          {http.StatusConflict, "The document was issued", "What is issued cannot be cancelled.", "Withdraw the document, if it must no longer be relied on."},
	"not-in-force":            {http.StatusConflict, "The document is not in force", "It was withdrawn or replaced before, or is not issued.", "Nothing is left to do, or the request must be cancelled instead."},
	"not-paused":              {http.StatusConflict, "It is not paused", "There is no such pause to end.", "`GET /api/v1/pauses` shows those in force."},
	"bulk-over":               {http.StatusConflict, "The bulk is past that", "A bulk that runs cannot be approved, one that ended cannot be stopped.", "Look where it stands."},
	"too-large":               {http.StatusRequestEntityTooLarge, "The body is too large", "Nothing was read beyond the bound.", "Name fewer requests, or select them by a query."},
	"unsupported-media-type":  {http.StatusUnsupportedMediaType, "The body must be in another form", "Bodies are application/json in UTF-8, not compressed.", "Set Content-Type."},
	"invalid-request":         {http.StatusUnprocessableEntity, "Fields or parameters are wrong", "Fields of the body or parameters of the address are wrong, missing or unknown. `errors` lists every one. Nothing was done.", "Mend all that is listed."},
	"batch-id-reused":         {http.StatusUnprocessableEntity, "The id belongs to another bulk", "The id of a bulk was used before, for something else. Nothing was done.", "Plan the bulk again: the plan has a fresh id."},
	"rate-limited":            {http.StatusTooManyRequests, "Too many calls", "A member of staff, or a network without a valid token, calls too often.", "Wait as long as Retry-After says."},
	"internal":                {http.StatusInternalServerError, "Something went wrong on our side", "It is in the log.", "Tell the engineers, with the time."},
	"temporarily-unavailable": {http.StatusServiceUnavailable, "It cannot be done just now", "The bucket, Redis or the index does not answer. Whether an act was done is unknown.", "Look where the request stands, and try again after Retry-After."},
}

const (
	problemsPath = "/api/problems/"
	problemType  = "application/problem+json"
)

func (a *api) problem(kind, detail string) *Problem {
	row, ok := problems[kind]
	if !ok {
		panic("no such problem: " + kind)
	}
	return &Problem{Type: a.PublicURL + problemsPath + kind, Title: row.title, Status: row.status, Detail: detail}
}

// Error, GetStatus, ContentType and GetHeaders make a Problem what huma answers.
func (p *Problem) Error() string  { return p.Title }
func (p *Problem) GetStatus() int { return p.Status }
func (p *Problem) ContentType(string) string {
	return problemType
}
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retryAfter > 0 {
		h.Set("Retry-After", access.RetryAfter(p.retryAfter))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="segell staff"`)
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

// answer writes a problem where no handler of an operation runs.
func (a *api) answer(c huma.Context, p *Problem) {
	for name, values := range p.GetHeaders() {
		for _, value := range values {
			c.AppendHeader(name, value)
		}
	}
	c.SetHeader("Content-Type", p.ContentType(""))
	c.SetStatus(p.Status)
	p.encode(c.BodyWriter())
}

// statusProblems names the problem for what huma itself refuses, by status.
var statusProblems = map[int]string{
	http.StatusBadRequest:            "bad-request",
	http.StatusNotAcceptable:         "not-acceptable",
	http.StatusRequestTimeout:        "request-timeout",
	http.StatusRequestEntityTooLarge: "too-large",
	http.StatusUnsupportedMediaType:  "unsupported-media-type",
}

// unreadable is what huma says, with status 500, of a body that ended before its
// time or is broken: the sender's fault, not ours.
const unreadable = "cannot read request body"

func (a *api) ofStatus(status int, detail string, errs ...error) *Problem {
	switch kind, known := statusProblems[status]; {
	case detail == unreadable:
		return a.problem("bad-request", "The body could not be read to its end.")
	case status == http.StatusUnprocessableEntity:
		return a.invalid(parameterFaults(errs))
	case known:
		return a.problem(kind, detail)
	case status >= 500:
		return a.problem("internal", "")
	}
	return a.problem("bad-request", detail)
}

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

// inBody are faults of a body.
func inBody(faults wire.Faults) []Fault {
	var all []Fault
	for _, f := range faults {
		pointer := f.Pointer
		all = append(all, Fault{Pointer: &pointer, Detail: f.Detail})
	}
	return all
}

// invalid is the problem of what is well-formed and yet wrong.
func (a *api) invalid(faults []Fault) *Problem {
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

// unreadableBody is the problem for what wire says of a body.
func (a *api) unreadableBody(err error) *Problem {
	var syntax *wire.SyntaxError
	var faults wire.Faults
	switch {
	case errors.As(err, &syntax):
		return a.problem("malformed-json", syntax.Error())
	case errors.As(err, &faults):
		return a.invalid(inBody(faults))
	}
	a.Log.Error("a body could not be checked", "error", fmt.Sprintf("%T", err))
	return a.problem("internal", "")
}

// wrongField and wrongParameter are the problem of one thing that is wrong.
func (a *api) wrongField(pointer, detail string) *Problem {
	return a.invalid([]Fault{{Pointer: &pointer, Detail: detail}})
}

func (a *api) wrongParameter(name, detail string) *Problem {
	return a.invalid([]Fault{{Parameter: name, Detail: detail}})
}

// refusedActs are the problems of what the acts refuse.
var refusedActs = []struct {
	is                    error
	kind, pointer, detail string
}{
	{acts.ErrNotFailed, "not-failed", "", ""},
	{ledger.ErrIssued, "already-issued", "", ""},
	{ledger.ErrNotInForce, "not-in-force", "", ""},
	{acts.ErrNotPaused, "not-paused", "", ""},
	{acts.ErrOver, "bulk-over", "", ""},
	{acts.ErrBatchUsed, "batch-id-reused", "", ""},
	{acts.ErrSamePerson, "second-person", "", ""},
	{acts.ErrNobody, "second-person", "", "This login names no one person."},
	{acts.ErrSecondNeeded, "second-person", "", "Within an hour you have cancelled, withdrawn or replaced as many as one person may. Let another person do the rest; to cancel, you can also begin a bulk, which another person approves."},
	{acts.ErrWhy, "", "/why", "is required: say why, in one line"},
	{acts.ErrPausable, "", "/name", "must be a kind of document, or a queue that can be paused"},
	{acts.ErrNothing, "", "", "selects no request"},
	{acts.ErrTooMany, "", "", "selects more requests than a bulk may hold"},
	{ledger.ErrNotReplaceable, "", "/by", "must be the id of a later request of the same client, kind and holder, whose document is issued and in force"},
	{ledger.ErrReason, "", "/reason", "must be one of the reasons that are listed"},
	{ledger.ErrNotFound, "not-found", "", "There is no such thing."},
}

// refusal is the problem for an error of what the API stands on.
func (a *api) refusal(doing string, err error) error {
	for _, row := range refusedActs {
		if !errors.Is(err, row.is) {
			continue
		}
		if row.kind != "" {
			return a.problem(row.kind, row.detail)
		}
		return a.wrongField(row.pointer, row.detail)
	}
	switch {
	case errors.Is(err, ledger.ErrAuditEntry): // it names what is wrong, and never repeats it
		return a.wrongField("/why", strings.TrimPrefix(err.Error(), ledger.ErrAuditEntry.Error()+": "))
	case errors.Is(err, index.ErrCursor), errors.Is(err, audit.ErrCursor):
		return a.wrongParameter("cursor", "must be the cursor of a page, as it was given")
	case errors.Is(err, storage.ErrUnavailable), errors.Is(err, storage.ErrDenied), errors.Is(err, ledger.ErrKeyUnknown), errors.Is(err, index.ErrAway),
		errors.Is(err, queue.ErrAway), errors.Is(err, audit.ErrIncomplete), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		a.Log.Error(doing+" failed", "error", err)
		p := a.problem("temporarily-unavailable", away(err))
		p.retryAfter = 5 * time.Second
		return p
	}
	a.Log.Error(doing+" failed", "error", err)
	return a.problem("internal", "")
}

// away says what does not answer.
func away(err error) string {
	switch {
	case errors.Is(err, index.ErrAway):
		return "The index of requests does not answer; a request can still be looked at by its id."
	case errors.Is(err, audit.ErrIncomplete):
		return "The audit trail is still being read."
	}
	return ""
}

// asProblem is the problem that an error is.
func asProblem(err error) *Problem {
	var p *Problem
	if !errors.As(err, &p) {
		panic("console/api: an error that is no problem")
	}
	return p
}

// problemPage serves the page that the type of a problem points to.
func (a *api) problemPage(w http.ResponseWriter, r *http.Request) {
	kind := r.PathValue("kind")
	row, known := problems[kind]
	if !known {
		a.problem("not-found", "There is no such kind of problem.").write(w)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "public, max-age=3600")
	_, _ = fmt.Fprintf(w, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>%s</title>\n</head>\n"+
		"<body>\n<main>\n<h1>%[1]s</h1>\n<p>HTTP status %[2]d, type <code>%[3]s</code>.</p>\n<p>%[4]s</p>\n<h2>What to do</h2>\n<p>%[5]s</p>\n</main>\n</body>\n</html>\n",
		html.EscapeString(row.title), row.status, kind, inHTML(row.about), inHTML(row.advice)) // the reader may be gone
}

// inHTML writes what stands between backticks as code.
func inHTML(text string) string {
	parts := strings.Split(html.EscapeString(text), "`")
	for i := 1; i < len(parts); i += 2 {
		parts[i] = "<code>" + parts[i] + "</code>"
	}
	return strings.Join(parts, "")
}
