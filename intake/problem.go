package intake

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"segell/wire"
)

// Problem is what the API says when it refuses: application/problem+json of
// RFC 9457.
type Problem struct {
	Type   string       `json:"type" doc:"Address of a page about this kind of problem; compare by its last segment"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail,omitempty" doc:"What went wrong this time, and what would be right"`
	State  string       `json:"state,omitempty" doc:"Where the request stands, if that is why it was refused"`
	Errors []wire.Fault `json:"errors,omitempty" doc:"Every field that is wrong, by its JSON pointer (RFC 6901)"`

	retryAfter time.Duration
}

// problemKind is a row of the registry of problems.
type problemKind struct {
	status int
	title  string
	about  string
}

// problems is the registry: every answer that is no success is one of these.
var problems = map[string]problemKind{
	"malformed-json":          {http.StatusBadRequest, "The body is not JSON", "The body could not be read as one JSON object. The detail says where. Nothing was accepted."},
	"idempotency-key-missing": {http.StatusBadRequest, "Idempotency-Key is required", "Send a key of your own, unique per request (a UUID, say), of 1 to 255 printable ASCII characters. If an answer is lost, send the same request again with the same key: it is accepted once."},
	"bad-request":             {http.StatusBadRequest, "The request cannot be understood", "The detail says what is wrong."},
	"unauthorized":            {http.StatusUnauthorized, "A valid token is required", "Send Authorization: Bearer and the token that the operator gave you."},
	"unknown-kind":            {http.StatusNotFound, "There is no such kind of document", "The detail lists the kinds that can be asked for."},
	"not-found":               {http.StatusNotFound, "There is nothing here", "The address is unknown, or the request is not one of yours."},
	"method-not-allowed":      {http.StatusMethodNotAllowed, "This method is not for this address", "The header Allow lists the methods that are."},
	"not-issued":              {http.StatusConflict, "The document is not issued yet", "Ask for the state of the request first; while it is not issued there is nothing to download."},
	"failed":                  {http.StatusConflict, "The document could not be made", "The request was given up and staff have been told. It can be retried by them; the state will change."},
	"gone":                    {http.StatusGone, "The document is no longer available", "It was withdrawn, replaced, cancelled or erased."},
	"too-large":               {http.StatusRequestEntityTooLarge, "The body is too large", "The detail names the limit."},
	"unsupported-media-type":  {http.StatusUnsupportedMediaType, "The body must be application/json", "Send Content-Type: application/json."},
	"invalid-request":         {http.StatusUnprocessableEntity, "The request cannot become a document", "Every field that is wrong is listed with its JSON pointer and with what would be right. Nothing was accepted."},
	"idempotency-key-reused":  {http.StatusUnprocessableEntity, "The Idempotency-Key belongs to another request", "The key was used before with another body. Use a new key for a new request."},
	"temporarily-unavailable": {http.StatusServiceUnavailable, "The request could not be taken just now", "Send it again after the time in Retry-After, with the same Idempotency-Key: if this try was accepted after all, it is not accepted twice."},
	"internal":                {http.StatusInternalServerError, "Something went wrong on our side", "Whether the request was accepted is unknown: send it again with the same Idempotency-Key."},
	"request-timeout":         {http.StatusRequestTimeout, "The body took too long", "Send the request again."},
	"not-acceptable":          {http.StatusNotAcceptable, "Only application/json can be answered", "Accept application/json."},
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
		h.Set("Retry-After", strconv.Itoa(int(p.retryAfter.Round(time.Second)/time.Second)))
	}
	if p.Status == http.StatusUnauthorized {
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
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(p) // the client may be gone
}

// statusProblems names the problem for what huma itself refuses, by status.
var statusProblems = map[int]string{
	http.StatusBadRequest:            "bad-request",
	http.StatusUnauthorized:          "unauthorized",
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

func (a *API) ofStatus(status int, detail string) *Problem {
	if detail == unreadable {
		return a.problem("bad-request", "The body could not be read to its end.")
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

// problemPage serves the page that the type of a problem points to.
func (a *API) problemPage(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("kind")
	row, ok := problems[name]
	if !ok {
		a.problem("not-found", "There is no such kind of problem.").write(w)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	var page strings.Builder
	fmt.Fprintf(&page, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>%s</title>\n<main>\n<h1>%s</h1>\n<p>%s</p>\n<p>HTTP status %d</p>\n</main>\n</html>\n",
		html.EscapeString(row.title), html.EscapeString(row.title), html.EscapeString(row.about), row.status)
	_, _ = w.Write([]byte(page.String()))
}
