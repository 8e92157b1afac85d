package api

import (
	"context"
	"maps"
	"mime"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"segell/wire"
)

const descriptionPath = "/api/openapi"

// The groups of operations in the description, in the order of a first reading.
const (
	tagCauses    = "Causes"
	tagJobs      = "Jobs"
	tagActs      = "Acts"
	tagBulks     = "Bulks"
	tagWork      = "Work"
	tagCallbacks = "Callbacks"
	tagAudit     = "Audit"
)

// describe says what the description holds beside its operations.
func describe(config *huma.Config) {
	config.Info.Description = "What staff do in the console, for programs: see what failed and why, find requests, try them again, take them back, withdraw documents, " +
		"pause work, and read the audit trail.\n\n" +
		"Every act is written to the audit trail before it is done, under the login that the token belongs to. Reasons stay there for ever: they hold no names and no numbers of persons.\n\n" +
		"Holders are masked. Every refusal is a problem of RFC 9457, and its type leads to a page that says what to do."
	config.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	config.Tags = []*huma.Tag{
		{Name: tagCauses, Description: "What failed, alike together, and what to do about it"},
		{Name: tagJobs, Description: "Find requests, and see where one stands"},
		{Name: tagActs, Description: "Try one again, take it back, withdraw or replace its document"},
		{Name: tagBulks, Description: "The same for many: plan, begin, watch, stop"},
		{Name: tagWork, Description: "Have the workers leave something alone for a while"},
		{Name: tagCallbacks, Description: "What clients could not be told"},
		{Name: tagAudit, Description: "Who did what, why, when and from where"},
	}
	config.OpenAPIPath = descriptionPath
	config.DocsPath = ""     // its page would load scripts from elsewhere
	config.CreateHooks = nil // no $schema member in answers
	config.SchemasPath = ""
	config.RejectUnknownQueryParameters = true // a filter with a slip in its name would find everything
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{tokenScheme: {Type: "http", Scheme: "bearer",
		Description: "A personal token of a member of staff, made with `segell staff token`. Each operation names the role that it needs: look, act or audit"}}
	config.Security = []map[string][]string{{tokenScheme: {}}}
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
}

// foreign marks the schema of a type that is none of this API's.
const foreign = "Foreign"

// schemaName is huma's, but for types of other packages: another API in the
// process may have a type of the same name, and huma describes the errors of that.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.PkgPath() != reflect.TypeFor[Problem]().PkgPath() {
		return foreign + name
	}
	return name
}

// describeProblems says of every refusal that it is a Problem, and of nothing else.
func (a *api) describeProblems() {
	described := a.huma.OpenAPI()
	problem := described.Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "")
	for _, item := range described.Paths {
		for _, o := range []*huma.Operation{item.Get, item.Post, item.Delete} {
			if o == nil {
				continue
			}
			for status, r := range o.Responses {
				if status >= "400" {
					r.Content = map[string]*huma.MediaType{problemType: {Schema: problem}}
				}
			}
		}
	}
	maps.DeleteFunc(described.Components.Schemas.Map(), func(name string, _ *huma.Schema) bool { return strings.HasPrefix(name, foreign) })
}

// refusals are the statuses with which an operation may refuse: those that any
// may, and its own.
func refuses(own ...int) []int {
	return append([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusServiceUnavailable}, own...)
}

// Bodied is an input with a body that wire reads: every fault is named at once and
// by its pointer.
type Bodied struct {
	ContentType     string `header:"Content-Type" hidden:"true"`
	ContentEncoding string `header:"Content-Encoding" hidden:"true"`
	RawBody         []byte `contentType:"application/json"`
}

// withBody describes the body of an operation, and what may be wrong with it.
func withBody[T any](a *api, o huma.Operation, about string, example T) huma.Operation {
	o.RequestBody = &huma.RequestBody{Required: true, Description: about, Content: map[string]*huma.MediaType{
		"application/json": {Schema: wire.Schema(a.huma.OpenAPI().Components.Schemas, reflect.TypeFor[T]()), Example: example}}}
	o.SkipValidateBody = true
	if o.MaxBodyBytes == 0 {
		o.MaxBodyBytes = 16 << 10
	}
	o.Errors = append(o.Errors, http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	return o
}

// read reads such a body.
func read[T any](a *api, in Bodied) (T, error) {
	var none T
	media, parameters, err := mime.ParseMediaType(in.ContentType)
	if charset := strings.ToLower(parameters["charset"]); err != nil || media != "application/json" || charset != "" && charset != "utf-8" || in.ContentEncoding != "" {
		return none, a.problem("unsupported-media-type", "The body must be application/json in UTF-8, not compressed.")
	}
	body, err := wire.Decode[T](in.RawBody)
	if err != nil {
		return none, a.unreadableBody(err)
	}
	return body, nil
}

// register is huma.Register, with the body as the operation describes it: huma
// writes its own word for bytes over it, and wire, which reads them, knows more.
func register[I, O any](a *api, o huma.Operation, handler func(context.Context, *I) (*O, error)) {
	var content map[string]*huma.MediaType
	if o.RequestBody != nil {
		content = maps.Clone(o.RequestBody.Content)
	}
	huma.Register(a.huma, o, handler)
	if content != nil {
		o.RequestBody.Content = content
	}
}
