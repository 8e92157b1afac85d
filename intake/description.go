package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"segell/samples"
	"segell/templates"
)

// The groups of operations in the description, in the order of a first reading.
const (
	tagDocuments = "Documents"
	tagRequests  = "Requests"
	tagChanges   = "Changes"
	tagTickets   = "Tickets"
	tagHistory   = "History"
)

// needs declares the scope that an operation asks of its client.
func needs(scopes ...string) []map[string][]string {
	return []map[string][]string{{tokenScheme: scopes}}
}

// refusals are the statuses with which an operation may refuse: those that any
// may, and its own.
func refusals(own ...int) []int {
	return append([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable}, own...)
}

// describe says what the description holds beside its operations.
func describe(config *huma.Config) {
	config.Info.Description = "Asks for official documents of the social security fund and learns when each is ready.\n\n" +
		"A request is accepted with 202 and is then never lost: send it with an Idempotency-Key of your own, and if an answer does not reach you, " +
		"send it again with the same key. Wait for the document with Prefer: wait=N, by its events, or by asking where it stands.\n\n" +
		"Every refusal is a problem of RFC 9457, and its type leads to a page that says what to do."
	config.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	config.Tags = []*huma.Tag{
		{Name: tagDocuments, Description: "Ask for a document, one operation per kind, or for many at once"},
		{Name: tagRequests, Description: "Where a request stands, its events and its document"},
		{Name: tagChanges, Description: "Take a request back, withdraw a document"},
		{Name: tagTickets, Description: "Let a person's browser download a document"},
		{Name: tagHistory, Description: "What was asked for one person"},
	}
}

// exampleMost is how long an example may be, in bytes: the description is read by
// people too.
const exampleMost = 6 << 10

// examplesOf are the samples of a kind that are short enough, or the shortest.
func examplesOf(kind *templates.Kind) map[string]*huma.Example { return examples()[kind.ID] }

// examples are read once in a process: the samples are long.
var examples = sync.OnceValue(func() map[string]map[string]*huma.Example {
	all, shortest := map[string]map[string]*huma.Example{}, map[string]samples.Sample{}
	add := func(s samples.Sample) {
		of := all[s.Kind]
		if of == nil {
			of = map[string]*huma.Example{}
			all[s.Kind] = of
		}
		if of[s.Name] == nil {
			of[s.Name] = &huma.Example{Summary: strings.ReplaceAll(s.Name, "_", " ") + ", in " + s.Language, Value: valueOf(s.Body)}
		}
	}
	for s := range samples.All() {
		if short, ok := shortest[s.Kind]; !ok || len(s.Body) < len(short.Body) {
			shortest[s.Kind] = s
		}
		if len(s.Body) <= exampleMost {
			add(s)
		}
	}
	for kind, s := range shortest {
		if all[kind] == nil {
			add(s)
		}
	}
	return all
})

func valueOf(body []byte) any {
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		panic("intake: a sample is not JSON: " + err.Error())
	}
	return value
}

func aboutKind(kind *templates.Kind) string {
	return fmt.Sprintf("Document numbers of this kind carry the code %s. Languages: %s. The body may have %d KiB.",
		kind.Code, strings.Join(kind.Languages, ", "), kind.BodyLimit()>>10)
}

// batchExample is a batch of two lines, the second of which is refused.
func batchExample() string {
	standard := examples()["coverage_certificate"][samples.Standard]
	line, err := json.Marshal(map[string]any{"kind": "coverage_certificate", "request": standard.Value})
	if err != nil {
		panic("intake: a sample is not JSON: " + err.Error())
	}
	return string(line) + "\n" + `{"kind":"coverage_certificate","request":{}}` + "\n"
}

// stateResponse describes an answer that is the state of a request.
func (a *API) stateResponse(about string) *huma.Response {
	return &huma.Response{Description: about, Content: map[string]*huma.MediaType{
		"application/json": {Schema: a.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[RequestState](), true, "")}}}
}

// register is huma.Register, with the body as the operation describes it: huma
// writes its own word for bytes over it, and wire, which reads them, knows more.
func register[I, O any](a *API, o huma.Operation, handler func(context.Context, *I) (*O, error)) {
	var content map[string]*huma.MediaType
	if o.RequestBody != nil {
		content = maps.Clone(o.RequestBody.Content)
	}
	huma.Register(a.api, o, handler)
	if content != nil {
		o.RequestBody.Content = content
	}
}
